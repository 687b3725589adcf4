/* Flows that go over from one table to another while they come, change and go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nfv_handover.h"

#define FLOWS 512u

/* --- a stage whose slots say something, and count ------------------------------------------------- */

struct slot {
	uint64_t value;
};

/* Things that are kept beside flows: of two kinds, the second long. All of a side begin with `held`. */
#define THINGS 200u

struct things {
	uint64_t held;
	struct nfv_items items[2];
	uint32_t value[2][THINGS], n[2][THINGS]; /* a value, so many times; 0: none */
	bool all;
};

static uint64_t refuse; /* flows of this value */

static size_t
export_flow(const void *state, const void *slot, void *to, size_t room)
{
	(void)state;
	assert_int_equal(room, NFV_CARRY_MAX);
	memcpy(to, slot, 8);
	return 8;
}

static int
import_flow(void *state, uint32_t version, const void *bytes, size_t n, void *slot)
{
	uint64_t *held = state;

	assert_int_equal(version, 3);
	assert_int_equal(((struct slot *)slot)->value, 0);
	if (n != 8 || memcmp(bytes, &refuse, 8) == 0)
		return -EINVAL;
	memcpy(slot, bytes, 8);
	(*held)++;
	return 0;
}

static void
flow_end(void *state, void *slot)
{
	uint64_t *held = state;

	*held -= ((struct slot *)slot)->value != 0;
}

static int
export_state(void *state, const struct nfv_put *to)
{
	(void)state;
	for (int i = 0; i < 1000; i++)
		if (to->put(to->arg, "state", 5) < 0)
			return -EIO;
	return 0;
}

static uint32_t states;

static int
import_state(void *state, uint32_t version, const void *bytes, size_t n)
{
	(void)version;
	if (n == 0) {
		((struct things *)state)->all = true;
		return 0;
	}
	states++;
	return n == 5 && memcmp(bytes, "state", 5) == 0 ? 0 : -EINVAL;
}

static uint32_t refuse_item;

static struct nfv_items *
items(void *state, uint32_t kind)
{
	struct things *t = state;

	return kind < 2 ? &t->items[kind] : NULL;
}

static size_t
export_item(const void *state, uint32_t kind, uint32_t i, uint8_t *to)
{
	const struct things *t = state;

	for (uint32_t k = 0; k < t->n[kind][i]; k++)
		memcpy(to + 4 * k, &t->value[kind][i], 4);
	return 4 * t->n[kind][i];
}

static int
import_item(void *state, uint32_t version, uint32_t kind, uint32_t i, const void *bytes, size_t n)
{
	struct things *t = state;
	uint32_t value = 0;

	assert_int_equal(version, 3);
	assert_true(kind < 2 && i < THINGS && n % 4 == 0 && n <= NFV_ITEM_MAX);
	for (size_t k = 0; k < n / 4; k++) {
		memcpy(&value, (const uint8_t *)bytes + 4 * k, 4);
		assert_memory_equal(bytes, &value, 4);
	}
	t->value[kind][i] = value;
	t->n[kind][i] = (uint32_t)n / 4;
	if (value != refuse_item || value == 0)
		return 0;
	t->n[kind][i] = 0;
	return -ENOSPC;
}

static struct nfv_stage_ops ops = { .name = "counts",
	.flow_size = sizeof(struct slot),
	.state_version = 3,
	.state_since = 2,
	.export_flow = export_flow,
	.import_flow = import_flow,
	.export_ = export_state,
	.import = import_state,
	.items = items,
	.export_item = export_item,
	.import_item = import_item,
	.flow_end = flow_end };

/* --- both ends ------------------------------------------------------------------------------------ */

struct side {
	struct nfv_flow_table *table[2];
	struct nfv_pages pages[2];
	struct side *who[2]; /* each points to the side; its place says of which table */
	struct things own;
	struct nfv_giver *giver; /* hears of flows that end */
};

static struct side a, b;
static struct nfv_giver giver;
static struct nfv_taker taker;
static struct nfv_pipe *pipe_at;
static uint32_t now, use;
static struct nfv_err err;

static void
end(void *arg, void *slots)
{
	struct side *s = *(struct side **)arg;
	unsigned int six = arg == &s->who[1];

	flow_end(&s->own, slots);
	if (s->giver != NULL)
		nfv_giver_gone(s->giver, six, nfv_flow_of(s->table[six], slots)->index);
}

static void
open_side(struct side *s, uint32_t max, uint64_t seed)
{
	memset(s, 0, sizeof(*s));
	s->own.items[0].n = s->own.items[1].n = THINGS;
	for (unsigned int i = 0; i < 2; i++) {
		struct nfv_flow_conf conf = { .family = i == 0 ? 4 : 6,
			.max = max,
			.slot = 8,
			.seed = seed,
			.timeouts = { 300, 7440, 240, 60, 600 },
			.end = end,
			.arg = &s->who[i] };

		s->who[i] = s;
		s->pages[i] = nfv_pages_alloc(nfv_flow_pages(&conf));
		assert_int_equal(nfv_flow_create(&conf, &s->pages[i], &s->table[i], &err), 0);
	}
}

static void
close_side(struct side *s)
{
	s->giver = NULL;
	for (int i = 0; i < 2; i++) {
		nfv_flow_destroy(s->table[i]);
		nfv_pages_free(&s->pages[i]);
	}
	assert_int_equal(s->own.held, 0);
}

static void
begin(const struct nfv_stage_ops *from, const struct nfv_stage_ops *to)
{
	struct nfv_handover_of of_a = { from, &a.own, a.table, FLOWS };
	struct nfv_handover_of of_b = { to, &b.own, b.table, FLOWS };

	now = 1000;
	states = 0;
	refuse = refuse_item = 0;
	pipe_at = aligned_alloc(128, sizeof(*pipe_at));
	assert_non_null(pipe_at);
	memset(pipe_at, 0, sizeof(*pipe_at));
	open_side(&a, FLOWS, 1);
	open_side(&b, FLOWS, 2);
	assert_int_equal(nfv_giver_init(&giver, &of_a, &err), 0);
	assert_int_equal(nfv_taker_init(&taker, &of_b, &err), 0);
	a.giver = &giver;
	assert_false(nfv_pipe_read(pipe_at, ++use, &taker.in));
	nfv_giver_start(&giver, pipe_at, use);
	assert_true(nfv_pipe_read(pipe_at, use, &taker.in));
}

static int
finish(void **state)
{
	(void)state;
	nfv_giver_fini(&giver);
	nfv_taker_fini(&taker);
	close_side(&a);
	close_side(&b);
	free(pipe_at);
	return 0;
}

static struct nfv_flow_key
key_of(uint32_t n, unsigned int six)
{
	struct nfv_flow_key k = { .be_sport = (uint16_t)n, .be_dport = 53, .proto = NFV_PROTO_UDP };

	if (six)
		memcpy(k.v6.src, &n, 4);
	else
		k.v4.be_src = n;
	return k;
}

static struct nfv_flow *
find(const struct side *s, uint32_t n, unsigned int six)
{
	struct nfv_flow_key k = key_of(n, six);

	return nfv_flow_find1(s->table[six], &k, nfv_flow_hash(s->table[six], &k));
}

/* A packet of the n-th flow: new perhaps, perhaps with its answer's key, and its slot changed. */
static void
packet(uint32_t n, unsigned int six)
{
	struct nfv_flow *f = find(&a, n, six);
	struct nfv_flow_key k = key_of(n, six), back = nfv_flow_mirror(&k, six ? 6 : 4);
	struct slot *slot;

	if (f == NULL && nfv_flow_stats(a.table[six]).live < FLOWS / 2)
		f = nfv_flow_add(a.table[six], &k, nfv_flow_hash(a.table[six], &k), now);
	if (f == NULL)
		return;
	if (random() % 2)
		nfv_flow_alias(a.table[six], f, &back);
	f->flags |= NFV_FLOW_CONFIRMED;
	f->last = now;
	f->timeout = (uint32_t)(random() % 1000) + 1;
	f->packets[0]++;
	f->state = random() % 3;
	f->seen = random() % 16;
	slot = nfv_flow_slot(a.table[six], f);
	a.own.held += slot->value == 0;
	slot->value = (uint64_t)random() + 1;
	nfv_giver_touch(&giver, six, f->index);
}

/* Something that is kept beside flows comes, goes, or becomes another. */
static void
thing(uint32_t most)
{
	uint32_t kind = random() % 2, i = (uint32_t)random() % THINGS;

	a.own.n[kind][i] = random() % 3 == 0 ? 0 : (uint32_t)random() % (kind == 1 ? most : 4);
	a.own.value[kind][i] = (uint32_t)random() | 1;
	nfv_item_touch(&a.own.items[kind], i);
}

static bool
take_some(void *arg)
{
	int rc = 1;

	(void)arg;
	for (int i = random() % 64; i >= 0 && rc > 0; i--)
		rc = nfv_taker_step(&taker, now + 5000, &err);
	if (rc < 0 && rc != -EAGAIN)
		fail_msg("%s", err.text);
	return true;
}

static void
equal(void)
{
	for (unsigned int six = 0; six < 2; six++) {
		const struct nfv_flow *f;
		uint32_t at = 0, n = 0;

		while ((f = nfv_flow_each(a.table[six], &at)) != NULL) {
			const struct nfv_flow_key *k = nfv_flow_key_of(a.table[six], f, 0);
			struct nfv_flow *g =
				nfv_flow_find1(b.table[six], k, nfv_flow_hash(b.table[six], k));
			struct nfv_flow_carried is, was;

			n++;
			if (g == NULL)
				fail_msg("flow %u of %u is missing, %u refused, live %u", f->index,
					six, taker.refused, nfv_flow_stats(b.table[six]).live);
			nfv_flow_save(a.table[six], f, now, &was);
			nfv_flow_save(b.table[six], g, now + 5000, &is);
			/* The clock went on between writing and reading. */
			assert_in_range(is.idle + 1000 - was.idle, 600, 1400);
			is.idle = was.idle;
			assert_memory_equal(&is, &was, sizeof(is));
			assert_memory_equal(
				nfv_flow_slot(a.table[six], f), nfv_flow_slot(b.table[six], g), 8);
			k = nfv_flow_key_of(a.table[six], f, 1);
			if (k != NULL)
				assert_ptr_equal(nfv_flow_find1(b.table[six], k,
							 nfv_flow_hash(b.table[six], k)),
					g);
		}
		assert_int_equal(n, nfv_flow_stats(b.table[six]).live);
	}
	assert_int_equal(a.own.held, b.own.held);
	for (int kind = 0; kind < 2; kind++)
		for (int i = 0; i < (int)THINGS; i++) {
			assert_int_equal(a.own.n[kind][i], b.own.n[kind][i]);
			if (a.own.n[kind][i] > 0)
				assert_int_equal(a.own.value[kind][i], b.own.value[kind][i]);
		}
	assert_true(b.own.all);
	assert_null(a.own.items[0].touched);
}

static void
hand_over(void)
{
	int rc = nfv_giver_finish(&giver, now, take_some, NULL);

	assert_int_equal(rc, 0);
	do
		rc = nfv_taker_step(&taker, now + 5000, &err);
	while (rc > 0);
	if (rc < 0)
		fail_msg("%d: %s", rc, err.text);
}

/* --- tests ---------------------------------------------------------------------------------------- */

static void
flows_go_over_while_they_change(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 20; seed++) {
		uint32_t most =
			seed % 2 ? 2 * FLOWS : 64; /* many that come and go, or few and busy */

		srandom(seed);
		begin(&ops, &ops);
		for (int i = 0; i < 3000; i++)
			packet((uint32_t)random() % most, random() % 2);
		for (int round = 0; round < 400; round++) {
			for (int i = random() % 20; i > 0; i--) {
				unsigned int six = random() % 2;
				uint32_t n = (uint32_t)random() % most;
				struct nfv_flow *f = find(&a, n, six);

				if (f != NULL && random() % 3 == 0)
					nfv_flow_del(a.table[six], f);
				else
					packet(n, six);
			}
			thing(seed % 4 ? 1000 : NFV_ITEM_MAX / 4 + 1);
			nfv_giver_step(&giver, now, 40);
			take_some(NULL);
			now += random() % 2;
		}
		assert_int_equal(states, 0);
		hand_over();
		equal();
		assert_int_equal(taker.refused, 0);
		assert_int_equal(states, 1000);
		finish(NULL);
	}
	begin(&ops, &ops);
}

static void
all_at_once_will_do(void **state)
{
	(void)state;
	begin(&ops, &ops);
	for (uint32_t n = 0; n < FLOWS / 2; n++)
		packet(n, n % 2);
	hand_over();
	equal();
}

/* Nobody reads, and more flows end than the pipe has room for: it begins anew. */
static void
when_too_much_happens_it_begins_again(void **state)
{
	(void)state;
	begin(&ops, &ops);
	for (uint32_t n = 0; n < 40000; n++) {
		packet(n % 300, 0);
		nfv_giver_step(&giver, now, 8);
		if (n % 3 == 0 && find(&a, n % 300, 0) != NULL)
			nfv_flow_del(a.table[0], find(&a, n % 300, 0));
	}
	for (uint32_t n = 0; n < 30000 && !giver.again; n++) {
		struct nfv_flow *f = find(&a, n % 300, 0);

		packet(n % 300, 0);
		if (f != NULL && giver.sent[0][f->index / 64] & 1ull << f->index % 64)
			nfv_flow_del(a.table[0], f);
		else if (f != NULL)
			giver.sent[0][f->index / 64] |= 1ull << f->index % 64;
	}
	assert_true(giver.again);
	hand_over();
	equal();
}

static void
flows_that_are_not_taken_are_counted(void **state)
{
	struct slot *slot;

	(void)state;
	begin(&ops, &ops);
	for (uint32_t n = 0; n < 10; n++)
		packet(n, 0);
	slot = nfv_flow_slot(a.table[0], find(&a, 3, 0));
	refuse = slot->value = 77777777777777;
	for (int i = 0; i < 100; i++) {
		packet(5, 0);
		nfv_giver_touch(&giver, 0, find(&a, 3, 0)->index);
		nfv_giver_step(&giver, now, 40);
		take_some(NULL);
	}
	hand_over();
	assert_int_equal(taker.refused, 1);
	assert_int_equal(nfv_flow_stats(b.table[0]).live, 9);
	assert_null(find(&b, 3, 0));
}

static void
items_that_are_not_taken_are_counted(void **state)
{
	(void)state;
	begin(&ops, &ops);
	a.own.n[0][3] = a.own.n[1][3] = a.own.n[1][4] = 1;
	a.own.value[0][3] = a.own.value[1][4] = refuse_item = 5;
	a.own.value[1][3] = 6;
	for (int i = 0; i < 100; i++) {
		nfv_item_touch(&a.own.items[0], 3);
		nfv_giver_step(&giver, now, 40);
		take_some(NULL);
	}
	a.own.value[0][3] = 7;
	nfv_item_touch(&a.own.items[0], 3);
	hand_over();
	assert_int_equal(taker.refused, 1);
	assert_int_equal(b.own.value[0][3], 7);
	assert_int_equal(b.own.n[1][4], 0);
}

/* Parts of items, out of their order or none at all. */
static void
items_that_make_no_sense_are_refused(void **state)
{
	static const struct {
		uint32_t n; /* records */
		struct nfv_handover_item r[2];
	} bad[] = {
		{ 1, { { 9, 0, 4, 0 } } },
		{ 1, { { 2, 0, 4, 0 } } },
		{ 1, { { 0, THINGS, 4, 0 } } },
		{ 1, { { 0, 0, NFV_ITEM_MAX + 1, 0 } } },
		{ 1, { { 0, 0, 3, 0 } } },
		{ 1, { { 0, 0, 8, 4 } } },
		{ 1, { { 0, 0, 8, 9 } } },
		{ 2, { { 0, 0, 12, 0 }, { 0, 1, 12, 4 } } },
		{ 2, { { 0, 0, 12, 0 }, { 1, 0, 12, 4 } } },
		{ 2, { { 0, 0, 12, 0 }, { 0, 0, 12, 8 } } },
		{ 2, { { 0, 0, 4, 0 }, { 0, 0, 4, 4 } } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int rc;

		begin(&ops, &ops);
		for (uint32_t k = 0; k < bad[i].n; k++)
			nfv_pipe_put(&giver.out, NFV_HANDOVER_ITEM, &bad[i].r[k],
				sizeof(bad[i].r[k]), "1234", 4);
		do
			rc = nfv_taker_step(&taker, now, &err);
		while (rc > 0);
		assert_int_equal(rc, -EPROTO);
		assert_non_null(strstr(err.text, "an item is none"));
		finish(NULL);
	}
	begin(&ops, &ops);
}

static void
versions_that_are_unknown_are_refused(void **state)
{
	struct nfv_stage_ops other = ops;
	int rc;

	(void)state;
	other.state_version = 9;
	other.state_since = 4;
	begin(&ops, &other);
	do
		rc = nfv_taker_step(&taker, now, &err);
	while (rc > 0);
	assert_int_equal(rc, -ENOTSUP);
	assert_non_null(strstr(err.text, "state is of version 3, and the new one reads 4 to 9"));
	finish(NULL);
	other.state_version = other.state_since = 2;
	begin(&ops, &other);
	assert_int_equal(nfv_taker_step(&taker, now, &err), -ENOTSUP);
	finish(NULL);
	other.state_version = 0;
	begin(&ops, &other);
	assert_int_equal(nfv_taker_step(&taker, now, &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "its flows would be lost"));
}

static void
what_keeps_nothing_hands_nothing_over(void **state)
{
	struct nfv_stage_ops other = ops;

	(void)state;
	other.state_version = 0;
	begin(&other, &ops);
	for (uint32_t n = 0; n < 10; n++)
		packet(n, 0);
	nfv_giver_step(&giver, now, 1000);
	hand_over();
	assert_int_equal(nfv_flow_stats(b.table[0]).live, 0);
	assert_int_equal(states, 0);
}

/* Whatever stands in the pipe: an error or not, but nothing is read or written beyond. */
static void
noise_is_refused(void **state)
{
	(void)state;
	for (unsigned int seed = 0; seed < 300; seed++) {
		int rc = 1;

		srandom(seed);
		begin(&ops, &ops);
		for (uint32_t n = 0; n < 50; n++)
			packet(n, n % 2);
		nfv_giver_step(&giver, now, 10000);
		for (int i = random() % 8; i >= 0; i--)
			pipe_at->word[(uint32_t)random() % (seed % 2 ? 40 : 800)] ^=
				seed % 3 ? 1ull << random() % 64 : (uint64_t)random() << 20;
		if (seed % 5 == 0)
			pipe_at->prod = (uint32_t)random();
		for (int i = 0; i < 100000 && rc > 0; i++)
			rc = nfv_taker_step(&taker, now, &err);
		finish(NULL);
	}
	begin(&ops, &ops);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(flows_go_over_while_they_change, finish),
		cmocka_unit_test_teardown(all_at_once_will_do, finish),
		cmocka_unit_test_teardown(when_too_much_happens_it_begins_again, finish),
		cmocka_unit_test_teardown(flows_that_are_not_taken_are_counted, finish),
		cmocka_unit_test_teardown(items_that_are_not_taken_are_counted, finish),
		cmocka_unit_test_teardown(items_that_make_no_sense_are_refused, finish),
		cmocka_unit_test_teardown(versions_that_are_unknown_are_refused, finish),
		cmocka_unit_test_teardown(what_keeps_nothing_hands_nothing_over, finish),
		cmocka_unit_test_teardown(noise_is_refused, finish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
