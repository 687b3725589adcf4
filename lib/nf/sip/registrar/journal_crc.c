/* CRC-32C (Castagnoli; RFC 3720 §12.1), by the processor's own instruction where it has one. */
#include "journal_file.h"

static uint32_t
portable(uint32_t crc, const uint8_t *p, size_t n)
{
	/* Of the sixteen values of half a byte, lowest bit first; polynomial 0x82f63b78. */
	static const uint32_t t[16] = { 0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc,
		0x5125dad3, 0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
		0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75 };

	while (n-- > 0) {
		crc ^= *p++;
		crc = crc >> 4 ^ t[crc & 15];
		crc = crc >> 4 ^ t[crc & 15];
	}
	return crc;
}

#ifdef __x86_64__
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t
by_instruction(uint32_t crc, const uint8_t *p, size_t n)
{
	uint64_t wide = crc, word;

	for (; n >= sizeof(word); p += sizeof(word), n -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		wide = _mm_crc32_u64(wide, word);
	}
	for (crc = (uint32_t)wide; n > 0; n--)
		crc = _mm_crc32_u8(crc, *p++);
	return crc;
}
#endif

uint32_t
journal_crc_portable(uint32_t crc, const void *data, size_t n)
{
	return ~portable(~crc, data, n);
}

uint32_t
journal_crc(uint32_t crc, const void *data, size_t n)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		return ~by_instruction(~crc, data, n);
#endif
	return journal_crc_portable(crc, data, n);
}
