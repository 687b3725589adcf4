/*
 * The life of a record: taken, found by a second key, evicted, expired, given back.
 *
 * Who owns the table may die between any two instructions, and another process go on with it after
 * nfv_flow_mend, for which the records are the truth. So a record is LIVE only while all that it says is
 * said, ALIASED only while its second key is, and the compiler is kept from turning that around; a
 * process that is killed has done all that comes before.
 */
#include <stdatomic.h>

#include "bucket.h"
#include "nfv_watch.h"

int
flow_insert(struct nfv_flow_table *t, uint64_t hash, uint32_t ref)
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

void
flow_withdraw(struct nfv_flow_table *t, const struct nfv_flow_key *key, uint32_t ref)
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
void
flow_arm(struct nfv_flow_table *t, struct nfv_flow *f, uint32_t base)
{
	int32_t wait = (int32_t)(f->last + f->timeout - base);
	uint32_t slot;

	wait = wait < 1 ? 1 : wait > (int32_t)WHEEL - 1 ? (int32_t)WHEEL - 1 : wait;
	slot = (base + (uint32_t)wait) % WHEEL;
	f->next = t->heads->wheel[slot];
	f->prev = slot | WHEEL_HEAD;
	if (f->next != NIL)
		record_at(t, f->next)->prev = f->index;
	t->heads->wheel[slot] = f->index;
}

static void
disarm(struct nfv_flow_table *t, struct nfv_flow *f)
{
	if (f->prev & WHEEL_HEAD)
		t->heads->wheel[f->prev & ~WHEEL_HEAD] = f->next;
	else
		record_at(t, f->prev)->next = f->next;
	if (f->next != NIL)
		record_at(t, f->next)->prev = f->prev;
}

void
nfv_flow_del(struct nfv_flow_table *t, struct nfv_flow *f)
{
	uint8_t flags = f->flags;

	nfv_watch(f, t->record_size);
	f->flags = 0;
	atomic_signal_fence(memory_order_seq_cst);
	if (t->end != NULL)
		t->end(t->arg, nfv_flow_slot(t, f));
	flow_withdraw(t, key_at(t, f, 0), f->index * 2);
	if (flags & NFV_FLOW_ALIASED)
		flow_withdraw(t, key_at(t, f, 1), f->index * 2 + 1);
	disarm(t, f);
	f->next = t->heads->free;
	t->heads->free = f->index;
	t->heads->stats.live--;
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
		struct nfv_flow *f = record_at(t, t->heads->hand);

		t->heads->hand = t->heads->hand + 1 < t->max ? t->heads->hand + 1 : 0;
		if (!(f->flags & NFV_FLOW_LIVE) || f->state == NFV_FLOW_OPEN ||
			f->held == (uint8_t)now)
			continue;
		if (victim == NULL || now - f->last > now - victim->last)
			victim = f;
	}
	if (victim != NULL) {
		nfv_flow_del(t, victim);
		t->heads->stats.evicted++;
	}
}

struct nfv_flow *
nfv_flow_add(struct nfv_flow_table *t, const struct nfv_flow_key *key, uint64_t hash, uint32_t now)
{
	struct nfv_flow *f;

	if (t->heads->free == NIL)
		evict(t, now);
	if (t->heads->free == NIL) {
		t->heads->stats.refused++;
		return NULL;
	}
	f = record_at(t, t->heads->free);
	if (flow_insert(t, hash, f->index * 2) < 0) {
		t->heads->stats.refused++;
		return NULL;
	}
	t->heads->free = f->next;
	nfv_watch(f, t->record_size);
	*f = (struct nfv_flow){ .index = f->index,
		.last = now,
		.timeout = t->timeouts.tcp,
		.dir = key->dir & 1,
		.held = (uint8_t)now };
	memcpy(key_at(t, f, 0), key, t->key_len);
	memset(nfv_flow_slot(t, f), 0, t->record_size - t->slot_off);
	atomic_signal_fence(memory_order_seq_cst);
	f->flags = NFV_FLOW_LIVE;
	flow_arm(t, f, t->heads->tick);
	t->heads->stats.added++;
	t->heads->stats.live++;
	return f;
}

int
nfv_flow_alias(struct nfv_flow_table *t, struct nfv_flow *f, const struct nfv_flow_key *key)
{
	uint64_t hash = hash_key(t, key, t->key_len);
	int rc;

	if (f->flags & NFV_FLOW_ALIASED || nfv_flow_find1(t, key, hash) != NULL)
		return -EEXIST;
	rc = flow_insert(t, hash, f->index * 2 + 1);
	if (rc < 0)
		return rc;
	nfv_watch(f, t->slot_off);
	memcpy(key_at(t, f, 1), key, t->key_len);
	atomic_signal_fence(memory_order_seq_cst);
	f->flags |= NFV_FLOW_ALIASED;
	return 0;
}

void
nfv_flow_expire(struct nfv_flow_table *t, uint32_t now, unsigned int budget)
{
	/* After a long pause one whole turn meets every record. */
	if ((int32_t)(now - t->heads->tick) > (int32_t)WHEEL)
		t->heads->tick = now - WHEEL;
	while ((int32_t)(now - t->heads->tick) > 0) {
		uint32_t due = t->heads->tick + 1, *head = &t->heads->wheel[due % WHEEL];

		for (; *head != NIL; budget--) {
			struct nfv_flow *f = record_at(t, *head);

			if (budget == 0)
				return;
			if ((int32_t)(f->last + f->timeout - due) <= 0) {
				nfv_flow_del(t, f);
				t->heads->stats.expired++;
			} else {
				disarm(t, f);
				flow_arm(t, f, due);
			}
		}
		t->heads->tick = due;
	}
}
