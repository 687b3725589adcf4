#include <endian.h>
#include <string.h>

#include "siphash.h"

static uint64_t
rotl(uint64_t x, unsigned int n)
{
	return x << n | x >> (64 - n);
}

static void
rounds(uint64_t v[4], int n)
{
	while (n-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotl(v[1], 13) ^ v[0];
		v[3] = rotl(v[3], 16) ^ v[2];
		v[0] = rotl(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotl(v[1], 17) ^ v[2];
		v[3] = rotl(v[3], 21) ^ v[0];
		v[2] = rotl(v[2], 32);
	}
}

static void
word(struct siphash *h, uint64_t m)
{
	h->v[3] ^= m;
	rounds(h->v, 2);
	h->v[0] ^= m;
}

void
siphash_init(struct siphash *h, const struct siphash_key *key)
{
	*h = (struct siphash){
		.v = { key->k[0] ^ 0x736f6d6570736575, key->k[1] ^ 0x646f72616e646f6d,
			key->k[0] ^ 0x6c7967656e657261, key->k[1] ^ 0x7465646279746573 }
	};
}

/* The `n` <= 8 low bytes of `w` behind what is in the tail. */
static inline void
push(struct siphash *h, uint64_t w, unsigned int n)
{
	unsigned int used = h->n % 8;

	h->n += n;
	h->tail |= w << 8 * used;
	if (used + n < 8)
		return;
	word(h, h->tail);
	h->tail = used > 0 ? w >> (64 - 8 * used) : 0;
}

void
siphash_add(struct siphash *h, const void *data, size_t n)
{
	const uint8_t *p = data;
	uint64_t w;

	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&w, p, 8);
		push(h, le64toh(w), 8);
	}
	w = 0;
	for (size_t i = 0; i < n; i++)
		w |= (uint64_t)p[i] << 8 * i;
	if (n > 0)
		push(h, w, (unsigned int)n);
}

uint64_t
siphash_end(struct siphash *h)
{
	word(h, h->tail | h->n << 56);
	h->v[2] ^= 0xff;
	rounds(h->v, 4);
	return h->v[0] ^ h->v[1] ^ h->v[2] ^ h->v[3];
}

void
siphash_end2(struct siphash *h, uint64_t out[2])
{
	out[0] = siphash_end(h);
	h->v[1] ^= 0xdd;
	rounds(h->v, 4);
	out[1] = h->v[0] ^ h->v[1] ^ h->v[2] ^ h->v[3];
}
