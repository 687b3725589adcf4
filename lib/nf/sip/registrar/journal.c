/* The journal while it runs: nothing here waits, allocates or calls the kernel, but for sync. */
#include <sys/mman.h>

#include "journal_file.h"

#define FRONT (sizeof(struct journal_half)) /* of a half */
#define END   sizeof(uint64_t)              /* zero, behind the last record */

#define AHEAD_MIN (64u << 10)

size_t
journal_worst(const struct sip_location *l)
{
	struct sip_location_stats s = sip_location_stats(l);

	return s.max_aors * (sizeof(struct journal_record) + 7) +
		s.max_bindings * sizeof(struct journal_item) + sip_location_text_max(l);
}

uint64_t
journal_ms(uint64_t hz, uint64_t now)
{
	return now / hz * 1000 + now % hz * 1000 / hz;
}

static uint8_t *
half_at(const struct sip_journal *j, uint8_t half)
{
	return j->map + JOURNAL_HEAD + half * j->half;
}

void
journal_begin(struct sip_journal *j, uint8_t half)
{
	struct journal_half *h = (struct journal_half *)(void *)half_at(j, half);

	/* What stood here has a newer copy in the other half: a header that is torn says as much. */
	memset(h, 0, sizeof(*h) + END);
	h->crc = journal_crc(0, &j->seq, sizeof(j->seq));
	__atomic_store_n(&h->first, j->seq, __ATOMIC_RELEASE);
	j->active = half;
	j->mark = (uint8_t)(half + 1);
	j->at = FRONT;
	j->slots = sip_location_slots(j->location);
	j->cursor = 0;
	j->noted_here = 0;
	j->copied_seq = UINT64_MAX;
}

/* --- one record --- */

static struct journal_item
item_of(const struct sip_journal *j, const struct sip_binding *b, uint64_t now, uint64_t now_ms)
{
	struct journal_item item = { .expires_ms =
					     now_ms + journal_ms(j->conf.tsc_hz, b->expires - now),
		.call_id = b->call_id,
		.flow = b->flow,
		.cseq = b->cseq,
		.q = b->q,
		.port = b->to.port,
		.n_uri = (uint16_t)b->uri.n,
		.n_params = (uint16_t)b->params.n,
		.n_path = (uint16_t)b->path.n,
		.to_family = b->to.addr.family,
		.dir = b->dir };

	memcpy(item.to, b->to.addr.b, sizeof(item.to));
	if (b->own < j->conf.n_own) {
		const struct nfv_addr *own = &j->conf.own[b->own].prefix.addr;

		item.own_family = own->family;
		memcpy(item.own, own->b, sizeof(item.own));
	}
	return item;
}

static uint8_t *
put(uint8_t *to, struct nfv_sv s)
{
	if (s.n > 0)
		memcpy(to, s.p, s.n);
	return to + s.n;
}

/* The bindings of an AOR that live, and the bytes of its record. */
static size_t
measure(struct sip_journal *j, struct nfv_sv key, uint32_t first, uint64_t now, uint16_t *n)
{
	size_t bytes = sizeof(struct journal_record) + key.n;
	struct sip_binding b;

	for (*n = 0; first != SIP_NONE;) {
		first = sip_location_binding(j->location, first, &b, j->text);
		if (b.expires <= now)
			continue;
		++*n;
		bytes += sizeof(struct journal_item) + b.uri.n + b.params.n + b.path.n;
	}
	return (bytes + 7) & ~(size_t)7;
}

static void
write_record(struct sip_journal *j, struct nfv_sv key, uint32_t first, uint64_t now, size_t bytes,
	uint16_t n)
{
	uint64_t now_ms = journal_ms(j->conf.tsc_hz, now) +
		(uint64_t)__atomic_load_n(&j->wall_offset, __ATOMIC_RELAXED);
	uint8_t *at = half_at(j, j->active) + j->at, *item, *text;
	struct journal_record rec = { 0, (uint32_t)bytes, j->seq, (uint16_t)key.n, n, 0 };
	struct sip_binding b;
	uint64_t word;

	item = at + sizeof(rec);
	text = put(item + n * sizeof(struct journal_item), key);
	while (first != SIP_NONE) {
		struct journal_item it;

		first = sip_location_binding(j->location, first, &b, j->text);
		if (b.expires <= now)
			continue;
		it = item_of(j, &b, now, now_ms);
		memcpy(item, &it, sizeof(it));
		item += sizeof(it);
		text = put(put(put(text, b.uri), b.params), b.path);
	}
	memset(text, 0, (size_t)(at + bytes + END - text));
	memcpy(at + END, (const uint8_t *)&rec + END, sizeof(rec) - END);
	rec.crc = journal_crc(0, &rec.bytes, sizeof(rec.bytes));
	rec.crc = journal_crc(rec.crc, at + END, bytes - END);
	memcpy(&word, &rec, sizeof(word));
	/* Until now there was a zero here, the end of the journal. */
	__atomic_store_n((uint64_t *)(void *)at, word, __ATOMIC_RELEASE);
	j->at += bytes;
	__atomic_store_n(&j->seq, j->seq + 1, __ATOMIC_RELEASE);
}

/* --- copying --- */

static void
copied_all(struct sip_journal *j)
{
	if (j->copied_seq == UINT64_MAX)
		j->copied_seq = j->seq;
}

static void
copy_one(struct sip_journal *j, uint64_t now)
{
	uint32_t i = j->cursor++;
	struct sip_aor aor;
	uint16_t n;
	size_t bytes;

	if (!sip_location_aor_at(j->location, i, &aor, j->key) || aor.mark == j->mark)
		return;
	bytes = measure(j, aor.key, aor.first, now, &n);
	if (n > 0) {
		write_record(j, aor.key, aor.first, now, bytes, n);
		j->stats.copied++;
	}
	sip_location_mark(j->location, i, j->mark);
}

/* --- between versions ------------------------------------------------------------------------------ */

struct sip_journal_place
sip_journal_give(struct sip_journal *j, uint64_t now)
{
	sip_journal_tick(j, now, UINT32_MAX);
	j->turn = JOURNAL_GIVEN;
	return (struct sip_journal_place){ .seq = j->seq,
		.at = j->at,
		.noted_here = j->noted_here,
		.copied_seq = j->copied_seq,
		.synced = __atomic_load_n(&j->synced, __ATOMIC_ACQUIRE),
		.active = j->active };
}

int
sip_journal_take(struct sip_journal *j, const struct sip_journal_place *p)
{
	uint64_t first, end = 1;

	if (p->active > 1 || p->at < FRONT || p->at % 8 != 0 || p->at > j->half - END)
		return -EINVAL;
	memcpy(&end, half_at(j, (uint8_t)p->active) + p->at, sizeof(end));
	first = journal_first(half_at(j, (uint8_t)p->active));
	if (end != 0 || first == 0 || p->seq < first || p->seq - first > p->at ||
		p->synced > p->seq)
		return -EINVAL;
	j->active = (uint8_t)p->active;
	j->mark = (uint8_t)(j->active + 1);
	j->at = p->at;
	j->noted_here = p->noted_here;
	j->copied_seq = p->copied_seq;
	j->slots = j->cursor = 0; /* the one before has copied all */
	__atomic_store_n(&j->seq, p->seq, __ATOMIC_RELEASE);
	__atomic_store_n(&j->synced, p->synced, __ATOMIC_RELEASE);
	j->turn = JOURNAL_OURS;
	return 0;
}

/* What the other one has noted since is not true of this one. */
static void
take_back(struct sip_journal *j)
{
	uint8_t *other = half_at(j, !j->active);

	if (journal_first(other) >= j->seq)
		memset(other, 0, sizeof(struct journal_half) + END);
	memset(half_at(j, j->active) + j->at, 0, END);
	j->turn = JOURNAL_OURS;
}

/* Nobody has handed anything over: as at a start, but into the same file. */
static void
read_again(struct sip_journal *j, uint64_t now)
{
	struct sip_journal_conf conf = j->conf;
	uint64_t first[2] = { journal_first(half_at(j, 0)), journal_first(half_at(j, 1)) };

	conf.now = now;
	conf.wall_ms = journal_ms(conf.tsc_hz, now) +
		(uint64_t)__atomic_load_n(&j->wall_offset, __ATOMIC_RELAXED);
	journal_replay(j->map, &conf, j->location, &j->stats.replay);
	j->seq = (first[0] > first[1] ? first[0] : first[1]) + j->half;
	j->turn = JOURNAL_OURS;
	journal_begin(j, first[0] > first[1]);
	sip_journal_tick(j, now, UINT32_MAX);
}

uint32_t
sip_journal_tick(struct sip_journal *j, uint64_t now, uint32_t max)
{
	if (__builtin_expect(j->turn == JOURNAL_AWAITED, 0))
		read_again(j, now);
	else if (__builtin_expect(j->turn == JOURNAL_GIVEN, 0))
		take_back(j);
	while (max-- > 0 && j->cursor < j->slots)
		copy_one(j, now);
	if (j->cursor == j->slots)
		copied_all(j);
	return j->slots - j->cursor;
}

/* The copy keeps ahead of what is noted: it is done when `slack` bytes are. */
static void
keep_pace(struct sip_journal *j, uint64_t now)
{
	while (j->cursor < j->slots &&
		(double)j->cursor * (double)j->slack < (double)j->slots * (double)j->noted_here)
		copy_one(j, now);
	if (j->cursor == j->slots)
		copied_all(j);
}

bool
sip_journal_room(struct sip_journal *j)
{
	if (j->turn != JOURNAL_OURS)
		return false;
	if (j->at + JOURNAL_RECORD_MAX + END <= j->half)
		return true;
	if (j->cursor < j->slots ||
		(j->conf.durable &&
			__atomic_load_n(&j->synced, __ATOMIC_ACQUIRE) < j->copied_seq)) {
		j->stats.refused++;
		return false;
	}
	journal_begin(j, !j->active);
	j->stats.switches++;
	return true;
}

void
sip_journal_note(struct sip_journal *j, struct nfv_sv key, uint32_t i, uint64_t now)
{
	struct sip_aor aor = { .first = SIP_NONE };
	uint16_t n;
	size_t bytes;

	if (i != SIP_NONE)
		sip_location_aor_at(j->location, i, &aor, j->key);
	bytes = measure(j, key, aor.first, now, &n);
	write_record(j, key, aor.first, now, bytes, n);
	if (i != SIP_NONE)
		sip_location_mark(j->location, i, j->mark);
	j->stats.noted++;
	j->noted_here += bytes;
	keep_pace(j, now);
}

/* --- for another thread --- */

void
sip_journal_clock(struct sip_journal *j, uint64_t now, uint64_t wall_ms)
{
	__atomic_store_n(&j->wall_offset, (int64_t)(wall_ms - journal_ms(j->conf.tsc_hz, now)),
		__ATOMIC_RELAXED);
}

/* Have the pages that come next writable again: as much as came since the last time, twice. */
static void
take_faults(struct sip_journal *j)
{
	uint8_t *half = half_at(j, __atomic_load_n(&j->active, __ATOMIC_RELAXED));
	size_t at = __atomic_load_n(&j->at, __ATOMIC_RELAXED), ahead;

	ahead = at > j->sync_at ? 2 * (at - j->sync_at) : 0;
	ahead = at + (ahead > AHEAD_MIN ? ahead : AHEAD_MIN);
	j->sync_at = at;
	/* An OR with nothing: the other thread may be writing there. */
	for (; at < ahead && at < j->half; at += NFV_PAGE)
		__atomic_fetch_or(half + at, 0, __ATOMIC_RELAXED);
}

int
sip_journal_sync(struct sip_journal *j, struct nfv_err *err)
{
	uint64_t seq = __atomic_load_n(&j->seq, __ATOMIC_ACQUIRE);

	if (msync(j->map, j->bytes, MS_SYNC) < 0)
		return nfv_fail(err, errno, "%s cannot be written to its disk: %s", j->conf.path,
			strerror(errno));
	__atomic_store_n(&j->synced, seq, __ATOMIC_RELEASE);
	take_faults(j);
	return 0;
}

struct sip_journal_stats
sip_journal_stats(const struct sip_journal *j)
{
	struct sip_journal_stats s = j->stats;

	s.bytes = j->bytes;
	s.half = j->half;
	s.used = j->at;
	s.unsynced = j->seq - j->synced;
	s.to_copy = j->slots - j->cursor;
	return s;
}
