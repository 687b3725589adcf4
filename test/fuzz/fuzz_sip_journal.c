/**
 * @file
 * The file of a journal: nothing in it may crash the replay, and what comes out of it are bindings that
 * can be found. Checksums are made right first, since no fuzzer would ever guess one.
 */
#include <stdlib.h>

#include "journal_file.h"
#include "location_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HALF 8192u

/* Give the records of a half sequence numbers and checksums, as far as their lengths make sense. */
static void
mend(uint8_t *half, uint64_t first)
{
	struct journal_half h = { .first = first };
	struct journal_record rec;
	uint64_t seq = first;

	h.crc = journal_crc(0, &first, sizeof(first));
	memcpy(half, &h, sizeof(h));
	for (size_t at = sizeof(h); at + sizeof(rec) <= HALF; at += rec.bytes) {
		memcpy(&rec, half + at, sizeof(rec));
		rec.bytes = (rec.bytes & 0x7f8) < sizeof(rec) ? sizeof(rec) : rec.bytes & 0x7f8;
		if (rec.bytes > HALF - at)
			return;
		rec.seq = seq++;
		memcpy(half + at, &rec, sizeof(rec));
		rec.crc = journal_crc(0, half + at + 4, rec.bytes - 4);
		memcpy(half + at, &rec, sizeof(rec));
	}
}

static void
check_bindings(struct sip_location *l)
{
	char key[SIP_AOR_TEXT_MAX], text[SIP_BINDING_TEXT_MAX];
	struct sip_binding b;
	struct sip_aor aor;

	for (uint32_t i = 0; i < sip_location_slots(l); i++) {
		if (!sip_location_aor_at(l, i, &aor, key))
			continue;
		if (aor.n == 0 || sip_location_open(l, aor.key, 0) != i)
			abort();
		for (uint32_t at = aor.first; at != SIP_NONE;) {
			at = sip_location_binding(l, at, &b, text);
			if (b.uri.n == 0 || b.q > SIP_Q_MAX || b.own != SIP_NO_OWN || aor.n-- == 0)
				abort();
		}
		if (aor.n != 0)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint64_t file[(JOURNAL_HEAD + 2 * HALF) / 8];
	struct sip_location_conf loc = { 64, 64, 64, 8, 1000000, 1000000, 1, 2, NULL };
	struct sip_journal_conf conf = { .path = "fuzz", .tsc_hz = 1000000, .now = 1000000 };
	uint8_t *map = (uint8_t *)file;
	struct journal_head head = {
		.magic = JOURNAL_MAGIC, .version = JOURNAL_VERSION, .half = HALF
	};
	struct sip_replay out = { 0 };
	struct location_world w;

	/* As it is, where it is a file; else as the records of one. */
	if (journal_head_check(data, size, "fuzz", NULL) == 0)
		abort(); /* a checksum guessed after all: look at it */
	memset(file, 0, sizeof(file));
	head.crc = journal_crc(0, &head, sizeof(head));
	memcpy(map, &head, sizeof(head));
	if (size > 0)
		memcpy(map + JOURNAL_HEAD + sizeof(struct journal_half), data,
			size < 2 * HALF - 64 ? size : 2 * HALF - 64);
	if (journal_head_check(map, sizeof(file), "fuzz", NULL) < 0)
		abort();
	mend(map + JOURNAL_HEAD, 1 + size % 3 * 1000);
	mend(map + JOURNAL_HEAD + HALF, 500);
	location_world_init(&w, &loc);
	journal_replay(map, &conf, w.l, &out);
	check_bindings(w.l);
	if (out.bindings != sip_location_stats(w.l).bindings)
		abort();
	location_world_fini(&w);
	return 0;
}
