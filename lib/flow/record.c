/*
 * The life of a record: taken, found by a second key, evicted, expired, given back.
 */
#include "bucket.h"
#include "nfv_watch.h"

/* Put a reference into the key's first bucket, or the second. -ENOSPC if both are full. */
static int
insert(struct nfv_flow_table *t, uint64_t hash, uint32_t ref)
{
	uint32_t first = first_bucket(t, hash);
	struct bucket *home = bucket_at(t, first), *b = home;
	uint16_t tag = tag_of(hash);
	unsigned int space = match(b, 0);

	if (space == 0) {
		b = bucket_at(t, second_bucket(t, first, tag));
		space = match(b, 0);
		if (space == 0 || b == home)
			return -ENOSPC;
		home->overflow++;
	}
	nfv_watch(b, sizeof(*b));
	b->tag[__builtin_ctz(space)] = tag;
	b->ref[__builtin_ctz(space)] = ref;
	return 0;
}

static void
withdraw(struct nfv_flow_table *t, const struct nfv_flow_key *key, uint32_t ref)
{
	uint64_t hash = hash_key(t, key, t->key_len);
	uint32_t first = first_bucket(t, hash);
	struct bucket *home = bucket_at(t, first), *b = home;

	for (int round = 0; round < 2; round++) {
		for (unsigned int bits = match(b, tag_of(hash)); bits != 0; bits &= bits - 1) {
			unsigned int i = (unsigned int)__builtin_ctz(bits);

			if (b->ref[i] == ref) {
				nfv_watch(b, sizeof(*b));
				b->tag[i] = 0;
				if (round == 1)
					home->overflow--;
				return;
			}
		}
		b = bucket_at(t, second_bucket(t, first, tag_of(hash)));
	}
}

/* The wheel. A record waits in the slot of its deadline, or as far ahead as the wheel reaches; at
 * least one tick after `base`, whose slot is being emptied or has been. */
static void
arm(struct nfv_flow_table *t, struct nfv_flow *f, uint32_t base)
{
	int32_t wait = (int32_t)(f->last + f->timeout - base);
	uint32_t slot;

	wait = wait < 1 ? 1 : wait > (int32_t)WHEEL - 1 ? (int32_t)WHEEL - 1 : wait;
	slot = (base + (uint32_t)wait) % WHEEL;
	f->next = t->wheel[slot];
	f->prev = slot | WHEEL_HEAD;
	if (f->next != NIL)
		record_at(t, f->next)->prev = f->index;
	t->wheel[slot] = f->index;
}

static void
disarm(struct nfv_flow_table *t, struct nfv_flow *f)
{
	if (f->prev & WHEEL_HEAD)
		t->wheel[f->prev & ~WHEEL_HEAD] = f->next;
	else
		record_at(t, f->prev)->next = f->next;
	if (f->next != NIL)
		record_at(t, f->next)->prev = f->prev;
}

void
nfv_flow_del(struct nfv_flow_table *t, struct nfv_flow *f)
{
	nfv_watch(f, t->record_size);
	if (t->end != NULL)
		t->end(t->arg, nfv_flow_slot(t, f));
	withdraw(t, key_at(t, f, 0), f->index * 2);
	if (f->flags & NFV_FLOW_ALIASED)
		withdraw(t, key_at(t, f, 1), f->index * 2 + 1);
	disarm(t, f);
	f->flags = 0;
	f->next = t->free;
	t->free = f->index;
	t->stats.live--;
}

/*
 * Make room: among the next records under the clock's hand, the one unused for longest that never
 * got an answer or is closing. Records held in this tick stay: a burst has pointers to them.
 */
static void
evict(struct nfv_flow_table *t, uint32_t now)
{
	enum { LOOK = 16 };
	struct nfv_flow *victim = NULL;

	for (int i = 0; i < LOOK; i++) {
		struct nfv_flow *f = record_at(t, t->hand);

		t->hand = t->hand + 1 < t->max ? t->hand + 1 : 0;
		if (!(f->flags & NFV_FLOW_LIVE) || f->state == NFV_FLOW_OPEN ||
			f->held == (uint8_t)now)
			continue;
		if (victim == NULL || now - f->last > now - victim->last)
			victim = f;
	}
	if (victim != NULL) {
		nfv_flow_del(t, victim);
		t->stats.evicted++;
	}
}

struct nfv_flow *
nfv_flow_add(struct nfv_flow_table *t, const struct nfv_flow_key *key, uint64_t hash, uint32_t now)
{
	struct nfv_flow *f;

	if (t->free == NIL)
		evict(t, now);
	if (t->free == NIL) {
		t->stats.refused++;
		return NULL;
	}
	f = record_at(t, t->free);
	if (insert(t, hash, f->index * 2) < 0) {
		t->stats.refused++;
		return NULL;
	}
	t->free = f->next;
	nfv_watch(f, t->record_size);
	*f = (struct nfv_flow){ .index = f->index,
		.last = now,
		.timeout = t->timeouts.tcp,
		.dir = key->dir & 1,
		.flags = NFV_FLOW_LIVE,
		.held = (uint8_t)now };
	memcpy(key_at(t, f, 0), key, t->key_len);
	memset(nfv_flow_slot(t, f), 0, t->record_size - t->slot_off);
	arm(t, f, t->tick);
	t->stats.added++;
	t->stats.live++;
	return f;
}

int
nfv_flow_alias(struct nfv_flow_table *t, struct nfv_flow *f, const struct nfv_flow_key *key)
{
	uint64_t hash = hash_key(t, key, t->key_len);
	int rc;

	if (f->flags & NFV_FLOW_ALIASED || nfv_flow_find1(t, key, hash) != NULL)
		return -EEXIST;
	rc = insert(t, hash, f->index * 2 + 1);
	if (rc < 0)
		return rc;
	nfv_watch(f, t->slot_off);
	memcpy(key_at(t, f, 1), key, t->key_len);
	f->flags |= NFV_FLOW_ALIASED;
	return 0;
}

void
nfv_flow_expire(struct nfv_flow_table *t, uint32_t now, unsigned int budget)
{
	/* After a long pause one whole turn meets every record. */
	if ((int32_t)(now - t->tick) > (int32_t)WHEEL)
		t->tick = now - WHEEL;
	while ((int32_t)(now - t->tick) > 0) {
		uint32_t due = t->tick + 1, *head = &t->wheel[due % WHEEL];

		for (; *head != NIL; budget--) {
			struct nfv_flow *f = record_at(t, *head);

			if (budget == 0)
				return;
			if ((int32_t)(f->last + f->timeout - due) <= 0) {
				nfv_flow_del(t, f);
				t->stats.expired++;
			} else {
				disarm(t, f);
				arm(t, f, due);
			}
		}
		t->tick = due;
	}
}
