/*
 * A table whose owner has died in the middle of something. Buckets, wheel, free list and counts are
 * emptied and made anew from the records, each of which is looked at as if a stranger had written it.
 */
#include "bucket.h"

#define ALL_FLAGS (NFV_FLOW_CONFIRMED | NFV_FLOW_ALIASED | NFV_FLOW_LIVE)

static uint32_t
longest(const struct nfv_flow_timeouts *t)
{
	const uint32_t all[] = { t->udp, t->tcp_open, t->tcp, t->icmp, t->other };
	uint32_t most = 0;

	for (unsigned int i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		most = all[i] > most ? all[i] : most;
	return most;
}

static bool
key_makes_sense(const struct nfv_flow_key *key)
{
	return key->zero == 0 && key->dir <= 1;
}

/* Another processor's clock may be a little behind that of the one which wrote the record. */
static bool
makes_sense(const struct nfv_flow_table *t, const struct nfv_flow *f, uint32_t now)
{
	return (f->flags & ~ALL_FLAGS) == 0 && f->state <= NFV_FLOW_CLOSING &&
		f->timeout <= longest(&t->timeouts) &&
		(int32_t)(now - f->last) >= -(int)NFV_FLOW_HZ && key_makes_sense(key_at(t, f, 0)) &&
		key_at(t, f, 0)->dir == f->dir &&
		(!(f->flags & NFV_FLOW_ALIASED) || key_makes_sense(key_at(t, f, 1)));
}

/*
 * Free a place in a full bucket: one of its references moves to its other bucket, where room may have to
 * be made first. All had a place before, but in the order in which they came, which nobody knows now.
 */
static bool
make_room(struct nfv_flow_table *t, uint32_t at, int depth)
{
	struct bucket *b = bucket_at(t, at);

	for (unsigned int i = 0; i < WAYS; i++) {
		uint32_t ref = b->ref[i], home, other;
		uint64_t hash = hash_key(t, key_at(t, record_at(t, ref >> 1), ref & 1), t->key_len);
		unsigned int place;
		struct bucket *to;

		home = first_bucket(t, hash);
		other = at == home ? second_bucket(t, home, tag_of(hash)) : home;
		to = bucket_at(t, other);
		if (other == at ||
			(match(to, 0) == 0 && (depth == 0 || !make_room(t, other, depth - 1))))
			continue;
		if (match(b, 0) != 0)
			return true; /* on the way there */
		if (b->ref[i] != ref || match(to, 0) == 0)
			continue;
		place = (unsigned int)__builtin_ctz(match(to, 0));
		to->tag[place] = b->tag[i];
		to->ref[place] = ref;
		b->tag[i] = 0;
		bucket_at(t, home)->overflow += at == home ? 1 : -1;
		return true;
	}
	return false;
}

static bool
insert(struct nfv_flow_table *t, uint64_t hash, uint32_t ref)
{
	enum { DEPTH = 3 };

	return flow_insert(t, hash, ref) == 0 ||
		(make_room(t, first_bucket(t, hash), DEPTH) && flow_insert(t, hash, ref) == 0);
}

/* Its keys into the buckets, unless somebody has one of them. */
static bool
enter(struct nfv_flow_table *t, struct nfv_flow *f)
{
	unsigned int keys = f->flags & NFV_FLOW_ALIASED ? 2 : 1, k = 0;

	for (; k < keys; k++) {
		const struct nfv_flow_key *key = key_at(t, f, k);
		uint64_t hash = hash_key(t, key, t->key_len);

		if (nfv_flow_find1(t, key, hash) != NULL || !insert(t, hash, f->index * 2 + k))
			break;
	}
	if (k == keys)
		return true;
	if (k == 1)
		flow_withdraw(t, key_at(t, f, 0), f->index * 2);
	return false;
}

static void
mend_record(struct nfv_flow_table *t, struct nfv_flow *f, struct nfv_flow_mend *m)
{
	uint32_t *count;

	if (!(f->flags & NFV_FLOW_LIVE))
		count = NULL;
	else if (!makes_sense(t, f, m->now))
		count = &m->dropped;
	else if (!(f->flags & NFV_FLOW_CONFIRMED))
		count = &m->vain;
	else
		count = enter(t, f) ? &m->kept : &m->dropped;
	if (count != NULL)
		(*count)++;
	if (count == &m->kept) {
		f->zero = 0;
		flow_arm(t, f, m->now);
		t->heads->stats.live++;
		return;
	}
	f->flags = 0;
	f->next = t->heads->free;
	t->heads->free = f->index;
}

/* Buckets are what it waits for: they are called for a few records ahead. */
static void
foresee(const struct nfv_flow_table *t, const struct nfv_flow *f)
{
	for (unsigned int k = 0; k < 2 && f->flags & NFV_FLOW_LIVE; k++)
		__builtin_prefetch(
			bucket_at(t, first_bucket(t, hash_key(t, key_at(t, f, k), t->key_len))), 1);
}

void
nfv_flow_mend(struct nfv_flow_table *t, struct nfv_flow_mend *m)
{
	enum { PAGE_BUCKETS = NFV_PAGE / sizeof(struct bucket), BEAT = 4096, AHEAD = 12 };
	struct heads *h = t->heads;

	for (uint32_t i = 0; i <= t->bucket_mask; i += PAGE_BUCKETS)
		memset(t->bucket_page[i / PAGE_BUCKETS], 0, NFV_PAGE);
	memset(h->wheel, 0xff, sizeof(h->wheel));
	h->free = NIL;
	h->hand = h->hand < t->max ? h->hand : 0;
	h->tick = m->now;
	h->stats.live = 0;
	h->stats.max = t->max;
	m->kept = m->vain = m->dropped = 0;
	/* Backwards, so that the lowest numbers are given out first. */
	for (uint32_t i = t->max; i-- > 0;) {
		struct nfv_flow *f = record_at(t, i);

		if (i >= AHEAD)
			foresee(t, record_at(t, i - AHEAD));
		f->index = i;
		mend_record(t, f, m);
		if (i % BEAT == 0 && m->beat != NULL)
			m->beat(m->arg);
	}
}
