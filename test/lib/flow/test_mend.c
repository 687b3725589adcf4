/*
 * Tables whose owner died in the middle: torn, scribbled over, killed. What a checker of its own says of
 * them when they have been mended, and whether flows that were there before are still.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "bucket.h"

#define SLOT 40

/* --- a table in memory that outlives the child --------------------------------------------------- */

static void *
shared(void *arg, size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)arg;
	assert_ptr_not_equal(at, MAP_FAILED);
	return at;
}

static void
leave(void *arg, void *piece)
{
	(void)arg;
	(void)piece;
}

static const struct nfv_lender lender = { .alloc = shared, .free = leave };

struct fixture {
	struct nfv_pages pages;
	struct nfv_flow_table *t;
	uint32_t max;
};

static struct fixture
make(uint8_t family, uint32_t max)
{
	struct nfv_flow_conf conf = { .family = family,
		.max = max,
		.slot = SLOT,
		.seed = 42,
		.timeouts = { 300, 7440, 240, 60, 600 },
		.lender = &lender };
	struct fixture x = { .max = max };
	struct nfv_err err;
	uint8_t *at;

	x.pages.n = nfv_flow_pages(&conf);
	x.pages.page = calloc(x.pages.n, sizeof(*x.pages.page));
	at = shared(NULL, x.pages.n * NFV_PAGE);
	for (size_t i = 0; i < x.pages.n; i++)
		x.pages.page[i] = at + i * NFV_PAGE;
	if (nfv_flow_create(&conf, &x.pages, &x.t, &err) < 0)
		fail_msg("%s", err.text);
	return x;
}

static void
drop(struct fixture *x)
{
	struct heads *h = x->t->heads;

	nfv_flow_destroy(x->t);
	munmap(h, sizeof(*h));
	munmap(x->pages.page[0], x->pages.n * NFV_PAGE);
	free(x->pages.page);
}

static struct nfv_flow_key
key_of(uint32_t n, uint8_t family)
{
	struct nfv_flow_key k = {
		.be_sport = (uint16_t)n, .be_dport = htobe16(5060), .proto = NFV_PROTO_UDP
	};

	if (family == 4) {
		k.v4.be_src = htobe32(0x0a000000 + n);
		k.v4.be_dst = htobe32(0x0a020002);
	} else {
		memcpy(k.v6.src, &n, sizeof(n));
		k.v6.dst[15] = 9;
	}
	return k;
}

/* A flow as a chain makes one: found by nothing, filled, given its second key, confirmed. */
static void
begin(struct nfv_flow_table *t, uint32_t n, uint32_t now)
{
	struct nfv_flow_key k = key_of(n, t->family), back = nfv_flow_mirror(&k, t->family);
	struct nfv_flow *f = nfv_flow_add(t, &k, nfv_flow_hash(t, &k), now);

	if (f == NULL)
		return;
	memset(nfv_flow_slot(t, f), (int)(n % 251 + 1), SLOT);
	if (nfv_flow_alias(t, f, &back) < 0) { /* no room in either bucket */
		nfv_flow_del(t, f);
		return;
	}
	f->timeout = t->timeouts.udp;
	f->flags |= NFV_FLOW_CONFIRMED;
}

/* Found by both keys, and the slot says what was written into it. */
static bool
is_there(struct nfv_flow_table *t, uint32_t n)
{
	struct nfv_flow_key k = key_of(n, t->family), back = nfv_flow_mirror(&k, t->family);
	struct nfv_flow *f = nfv_flow_find1(t, &k, nfv_flow_hash(t, &k));
	const uint8_t *slot = f != NULL ? nfv_flow_slot(t, f) : NULL;

	if (f == NULL || f != nfv_flow_find1(t, &back, nfv_flow_hash(t, &back)) ||
		!(f->flags & NFV_FLOW_CONFIRMED))
		return false;
	for (int i = 0; i < SLOT; i++)
		if (slot[i] != n % 251 + 1)
			return false;
	return true;
}

static struct nfv_flow_mend
mend(struct fixture *x, uint32_t now)
{
	struct nfv_flow_mend m = { .now = now };

	nfv_flow_mend(x->t, &m);
	return m;
}

/* --- the checker: everything that must be true of a table, found out the long way ----------------- */

static uint32_t
count_refs(const struct nfv_flow_table *t, const struct nfv_flow_key *key, uint32_t ref,
	uint16_t *overflows)
{
	uint64_t hash = hash_key(t, key, t->key_len);
	uint32_t first = first_bucket(t, hash), n = 0;
	uint32_t at[2] = { first, second_bucket(t, first, tag_of(hash)) };

	for (int round = 0; round < 1 + (at[1] != at[0]); round++) {
		const struct bucket *b = bucket_at(t, at[round]);

		for (int i = 0; i < WAYS; i++)
			if (b->tag[i] == tag_of(hash) && b->ref[i] == ref) {
				n++;
				overflows[first] += round == 1;
			}
	}
	return n;
}

static void
check_buckets(const struct nfv_flow_table *t)
{
	uint16_t *overflows = calloc(t->bucket_mask + 1, sizeof(*overflows));
	uint32_t keys = 0, places = 0;

	for (uint32_t i = 0; i < t->max; i++) {
		const struct nfv_flow *f = record_at(t, i);

		for (unsigned int k = 0; k < 2 && f->flags & NFV_FLOW_LIVE; k++) {
			const struct nfv_flow_key *key = nfv_flow_key_of(t, f, k);

			if (key == NULL)
				continue;
			keys++;
			assert_int_equal(count_refs(t, key, i * 2 + k, overflows), 1);
			assert_ptr_equal(nfv_flow_find1((struct nfv_flow_table *)(uintptr_t)t, key,
						 nfv_flow_hash(t, key)),
				f);
		}
	}
	for (uint32_t b = 0; b <= t->bucket_mask; b++) {
		assert_int_equal(bucket_at(t, b)->overflow, overflows[b]);
		for (int i = 0; i < WAYS; i++)
			places += bucket_at(t, b)->tag[i] != 0;
	}
	assert_int_equal(places, keys); /* so none leads to where nothing is */
	free(overflows);
}

static void
check_lists(const struct nfv_flow_table *t)
{
	uint8_t *seen = calloc(t->max, 1);
	uint32_t live = 0, on_wheel = 0, n_free = 0;

	for (uint32_t i = t->heads->free; i != NIL; i = record_at(t, i)->next) {
		assert_true(i < t->max);
		assert_int_equal(seen[i]++, 0);
		assert_int_equal(record_at(t, i)->flags, 0);
		n_free++;
	}
	for (uint32_t slot = 0; slot < WHEEL; slot++) {
		uint32_t from = slot | WHEEL_HEAD;

		for (uint32_t i = t->heads->wheel[slot]; i != NIL; i = record_at(t, i)->next) {
			const struct nfv_flow *f = record_at(t, i);
			int32_t wait = (int32_t)(f->last + f->timeout - t->heads->tick);

			assert_true(i < t->max);
			assert_int_equal(seen[i]++, 0);
			assert_true(f->flags & NFV_FLOW_LIVE);
			assert_int_equal(f->prev, from);
			assert_int_equal(f->index, i);
			/* Never later than its deadline, as far as the wheel reaches. */
			assert_true((slot - t->heads->tick) % WHEEL != 0);
			if (wait > 0)
				assert_true((slot - t->heads->tick) % WHEEL <= (uint32_t)wait);
			from = i;
			on_wheel++;
		}
	}
	for (uint32_t i = 0; i < t->max; i++)
		live += (record_at(t, i)->flags & NFV_FLOW_LIVE) != 0;
	assert_int_equal(on_wheel, live);
	assert_int_equal(n_free + live, t->max);
	assert_int_equal(t->heads->stats.live, live);
	assert_int_equal(t->heads->stats.max, t->max);
	assert_true(t->heads->hand < t->max);
	free(seen);
}

static void
check(const struct nfv_flow_table *t)
{
	check_lists(t);
	check_buckets(t);
}

/* --- torn ---------------------------------------------------------------------------------------- */

static void
scribble(void *at, size_t n)
{
	uint8_t *p = at;

	for (size_t i = 0, len = 1 + (size_t)rand() % n; i < len; i++)
		p[(size_t)rand() % n] = (uint8_t)rand();
}

/* All that leads to records is nonsense; the records themselves are well. */
static void
tear_index(struct nfv_flow_table *t)
{
	for (uint32_t i = 0; i <= t->bucket_mask; i++)
		if (rand() % 4 == 0)
			scribble(bucket_at(t, i), sizeof(struct bucket));
	scribble(t->heads, sizeof(*t->heads));
	for (uint32_t i = 0; i < t->max; i++) {
		struct nfv_flow *f = record_at(t, i);

		if (rand() % 2 == 0)
			continue;
		f->next = (uint32_t)rand() * 3;
		f->prev = (uint32_t)rand() * 3;
		f->index = (uint32_t)rand() * 3;
		f->held = (uint8_t)rand();
	}
}

static void
an_index_that_is_torn_is_made_anew(void **state)
{
	enum { MAX = 700, FLOWS = 500, ROUNDS = 60 };

	(void)state;
	srand(3);
	for (uint8_t family = 4; family <= 6; family += 2) {
		struct fixture x = make(family, MAX);

		for (uint32_t n = 0; n < FLOWS; n++)
			begin(x.t, n, 5);
		check(x.t);
		for (uint32_t round = 0; round < ROUNDS; round++) {
			struct nfv_flow_mend m;

			tear_index(x.t);
			m = mend(&x, 6 + round);
			check(x.t);
			assert_int_equal(m.kept, FLOWS);
			assert_int_equal(m.vain + m.dropped, 0);
			for (uint32_t n = 0; n < FLOWS; n++)
				assert_true(is_there(x.t, n));
		}
		/* And it goes on as ever: to the last record, and to the last deadline. */
		for (uint32_t n = FLOWS; n < MAX; n++)
			begin(x.t, n, 70);
		assert_int_equal(nfv_flow_stats(x.t).live, MAX);
		check(x.t);
		nfv_flow_expire(x.t, 400 * NFV_FLOW_HZ, MAX);
		assert_int_equal(nfv_flow_stats(x.t).live, 0);
		check(x.t);
		drop(&x);
	}
}

/* Anything anywhere: who is left is consistent, and everybody else is counted. */
static void
records_that_make_no_sense_are_dropped(void **state)
{
	enum { MAX = 300, FLOWS = 250, ROUNDS = 300 };
	uint64_t dropped = 0;

	(void)state;
	srand(4);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		struct fixture x = make(round % 2 ? 4 : 6, MAX);
		uint32_t live = 0;
		struct nfv_flow_mend m;

		for (uint32_t n = 0; n < FLOWS; n++)
			begin(x.t, n, 5);
		tear_index(x.t);
		for (int i = 0; i < 50; i++)
			scribble(record_at(x.t, (uint32_t)rand() % MAX), x.t->slot_off);
		/* Twins, as no owner makes them. */
		for (int i = 0; i < 5; i++) {
			uint32_t a = (uint32_t)rand() % MAX, b = (uint32_t)rand() % MAX;

			memcpy(record_at(x.t, a), record_at(x.t, b), x.t->record_size);
		}
		for (uint32_t i = 0; i < MAX; i++)
			live += (record_at(x.t, i)->flags & NFV_FLOW_LIVE) != 0;
		m = mend(&x, 9);
		check(x.t);
		assert_int_equal(m.kept + m.vain + m.dropped, live);
		assert_int_equal(nfv_flow_stats(x.t).live, m.kept);
		dropped += m.dropped;
		drop(&x);
	}
	assert_true(dropped > ROUNDS);
}

static void
each_thing_that_makes_no_sense(void **state)
{
	struct fixture x = make(4, 8);
	struct nfv_flow *f[8];
	struct nfv_flow_mend m;

	(void)state;
	for (uint32_t n = 0; n < 8; n++) {
		struct nfv_flow_key k = key_of(n, 4);

		begin(x.t, n, 50);
		f[n] = nfv_flow_find1(x.t, &k, nfv_flow_hash(x.t, &k));
	}
	f[0]->flags &= (uint8_t)~NFV_FLOW_CONFIRMED; /* in vain */
	f[1]->flags |= 0x40;
	f[2]->state = 3;
	f[3]->timeout = 7440 * NFV_FLOW_HZ + 1;
	f[4]->last = 100; /* not yet */
	key_at(x.t, f[5], 1)->dir = 7;
	f[6]->dir = 1; /* its key says 0 */
	m = mend(&x, 60);
	check(x.t);
	assert_int_equal(m.kept, 1);
	assert_int_equal(m.vain, 1);
	assert_int_equal(m.dropped, 6);
	assert_true(is_there(x.t, 7));
	/* Its time is up: ended as usual, at the next turn. */
	f[7]->last = 60 - 400 * NFV_FLOW_HZ;
	assert_int_equal(mend(&x, 60).kept, 1);
	nfv_flow_expire(x.t, 61, 1);
	assert_int_equal(nfv_flow_stats(x.t).live, 0);
	drop(&x);
}

/* --- killed -------------------------------------------------------------------------------------- */

#define KEPT 400 /* these are there before, and nobody ends them */

/* Begins, ends and finds flows as fast as it can, until it is killed. */
static _Noreturn void
churn(struct nfv_flow_table *t, unsigned int seed, uint32_t now, uint32_t others)
{
	srand(seed);
	for (;; now += rand() % 4096 == 0) {
		uint32_t n = KEPT + (uint32_t)rand() % others;
		struct nfv_flow_key k = key_of(n, t->family);
		struct nfv_flow *f = nfv_flow_find1(t, &k, nfv_flow_hash(t, &k));

		if (f == NULL)
			begin(t, n, now);
		else if (rand() % 16 == 0)
			f->timeout = 1; /* to expire soon */
		else
			nfv_flow_del(t, f);
		if (rand() % 64 == 0)
			nfv_flow_expire(t, now, 64);
	}
}

static void
one_that_is_killed_at_any_moment_leaves_what_was_there(void **state)
{
	enum { MAX = 1000, OTHERS = 1500, KILLS = 400 };
	uint64_t torn = 0;

	(void)state;
	srand(5);
	for (uint8_t family = 4; family <= 6; family += 2) {
		struct fixture x = make(family, MAX);
		uint32_t now = 1;

		for (uint32_t n = 0; n < KEPT; n++)
			begin(x.t, n, now);
		for (uint32_t i = 0; i < MAX; i++) /* nothing evicts them */
			record_at(x.t, i)->state = NFV_FLOW_OPEN;
		for (int kill_n = 0; kill_n < KILLS / 2; kill_n++) {
			struct timespec nap = { .tv_nsec = rand() % 1000000 };
			struct nfv_flow_mend m;
			pid_t pid = fork();

			if (pid == 0)
				churn(x.t, (unsigned int)rand(), now, OTHERS);
			nanosleep(&nap, NULL);
			kill(pid, SIGKILL);
			assert_int_equal(waitpid(pid, NULL, 0), pid);
			now = x.t->heads->tick + 2;
			m = mend(&x, now);
			check(x.t);
			/* No process that is only killed leaves anything that makes no sense. */
			assert_int_equal(m.dropped, 0);
			torn += m.vain;
			for (uint32_t n = 0; n < KEPT; n++)
				assert_true(is_there(x.t, n));
			for (uint32_t n = KEPT; n < KEPT + OTHERS; n++) {
				struct nfv_flow_key k = key_of(n, family);

				if (nfv_flow_find1(x.t, &k, nfv_flow_hash(x.t, &k)) != NULL)
					assert_true(is_there(x.t, n));
			}
		}
		drop(&x);
	}
	if (torn == 0)
		print_message("no flow was being begun when its owner was killed\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_index_that_is_torn_is_made_anew),
		cmocka_unit_test(records_that_make_no_sense_are_dropped),
		cmocka_unit_test(each_thing_that_makes_no_sense),
		cmocka_unit_test(one_that_is_killed_at_any_moment_leaves_what_was_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
