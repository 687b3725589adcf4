#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nfv_pinhole.h"
#include "nfv_pkt.h"
#include "restless.h"

#define HZ 1000000000ull

static struct nfv_pinholes *t;
static struct nfv_pages pages;
static uint64_t now, seed;

static uint32_t
rnd(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

static void
begin(uint32_t max)
{
	now = 5 * HZ + 1; /* never the very beginning of a tick */
	pages = restless_alloc(nfv_pinholes_pages(max));
	assert_int_equal(nfv_pinholes_create(max, &pages, NULL, 7, HZ, now, &t, NULL), 0);
}

static void
end(void)
{
	nfv_pinholes_destroy(t);
	restless_free(&pages);
}

static struct nfv_addr
addr(const char *text)
{
	struct nfv_addr a = { .family = NFV_NO_ADDR };

	if (text != NULL)
		assert_int_equal(nfv_addr_parse(nfv_sv_str(text), &a), 0);
	return a;
}

static int
open_hole(uint64_t owner, const char *from, const char *to, uint16_t port)
{
	struct nfv_pinhole hole = {
		.to = addr(to), .from = addr(from), .port = port, .proto = NFV_PROTO_UDP
	};

	return nfv_pinhole_open(t, owner, &hole);
}

static uint64_t
find(const char *from, const char *to, uint16_t port)
{
	struct nfv_addr f = addr(from), d = addr(to);

	restless_move_all(&pages);
	return nfv_pinhole_find(t, NFV_PROTO_UDP, &f, &d, port);
}

static void
later(uint64_t seconds)
{
	now += seconds * HZ;
	do
		nfv_pinholes_expire(t, now, 32);
	while (!nfv_wheel_done(&t->wheel, now));
}

static void
who_may(void **state)
{
	struct nfv_addr a, b;
	uint64_t one, other;

	(void)state;
	begin(8);
	one = nfv_pinhole_owner(t, 60, now);
	other = nfv_pinhole_owner(t, 60, now);
	assert_int_equal(open_hole(one, "192.0.2.1", "10.0.0.1", 4000), 0);
	assert_int_equal(open_hole(one, "192.0.2.1", "10.0.0.1", 4000), 0);
	assert_int_equal(open_hole(other, NULL, "fd00::1", 4000), 0);
	assert_int_equal(t->stats.open, 2);
	assert_int_equal(find("192.0.2.1", "10.0.0.1", 4000), one);
	assert_int_equal(find("192.0.2.2", "10.0.0.1", 4000), 0);
	assert_int_equal(find("192.0.2.1", "10.0.0.1", 4001), 0);
	assert_int_equal(find("192.0.2.1", "10.0.0.2", 4000), 0);
	assert_int_equal(find("fd00::9", "fd00::1", 4000), other);
	a = addr("192.0.2.1");
	b = addr("10.0.0.1");
	assert_int_equal(nfv_pinhole_find(t, NFV_PROTO_TCP, &a, &b, 4000), 0);
	/* Both hold it: it is there until the second has gone. */
	assert_int_equal(open_hole(other, "192.0.2.1", "10.0.0.1", 4000), 0);
	nfv_pinhole_close(t, one);
	assert_false(nfv_pinhole_holds(t, one));
	assert_int_equal(find("192.0.2.1", "10.0.0.1", 4000), other);
	assert_true(nfv_pinhole_holds(t, other));
	nfv_pinhole_close(t, other);
	assert_int_equal(find("192.0.2.1", "10.0.0.1", 4000), 0);
	assert_int_equal(find("fd00::9", "fd00::1", 4000), 0);
	/* Tokens of those that have gone, and nobody's. */
	nfv_pinhole_close(t, other);
	nfv_pinhole_close(t, 0);
	assert_false(nfv_pinhole_refresh(t, one, now));
	assert_int_equal(open_hole(one, NULL, "10.0.0.1", 1), -ESTALE);
	assert_int_equal(open_hole(0, NULL, "10.0.0.1", 1), -ESTALE);
	assert_int_not_equal(nfv_pinhole_owner(t, 60, now), other);
	assert_int_equal(t->stats.open, 0);
	end();
}

static void
time_and_use(void **state)
{
	uint64_t idle, used, fresh;

	(void)state;
	begin(8);
	idle = nfv_pinhole_owner(t, 60, now);
	used = nfv_pinhole_owner(t, 60, now);
	fresh = nfv_pinhole_owner(t, 60, now);
	open_hole(idle, NULL, "10.0.0.1", 2);
	open_hole(used, NULL, "10.0.0.1", 4);
	later(50);
	assert_true(nfv_pinhole_refresh(t, fresh, now));
	assert_true(nfv_pinhole_holds(t, used));
	later(11);
	assert_int_equal(find("10.0.0.9", "10.0.0.1", 2), 0);
	assert_int_equal(find("10.0.0.9", "10.0.0.1", 4), used);
	assert_true(nfv_pinhole_refresh(t, fresh, now));
	assert_int_equal(t->stats.expired, 1);
	later(61); /* and now nothing has come since the timer began anew */
	assert_int_equal(find("10.0.0.9", "10.0.0.1", 4), 0);
	assert_int_equal(t->stats.expired, 3);
	assert_int_equal(t->stats.owners, 0);
	end();
}

static void
no_room(void **state)
{
	struct nfv_err err;
	uint64_t owner;

	(void)state;
	assert_int_equal(nfv_pinholes_create(0, &pages, NULL, 7, HZ, now, &t, &err), -EINVAL);
	pages = (struct nfv_pages){ NULL, 0 };
	assert_int_equal(nfv_pinholes_create(8, &pages, NULL, 7, HZ, now, &t, &err), -ENOMEM);
	begin(300);
	owner = nfv_pinhole_owner(t, 60, now);
	for (uint16_t i = 1; i <= NFV_PINHOLES_PER_OWNER; i++)
		assert_int_equal(open_hole(owner, NULL, "10.0.0.1", i), 0);
	assert_int_equal(open_hole(owner, NULL, "10.0.0.1", 1), 0);
	assert_int_equal(open_hole(owner, NULL, "10.0.0.1", 1000), -ENOSPC);
	for (int i = 1; i < 150; i++)
		assert_int_not_equal(nfv_pinhole_owner(t, 60, now), 0);
	assert_int_equal(nfv_pinhole_owner(t, 60, now), 0);
	assert_int_equal(t->stats.refused, 2);
	end();
	begin(2);
	owner = nfv_pinhole_owner(t, 60, now);
	assert_int_equal(open_hole(owner, NULL, "10.0.0.1", 1), 0);
	assert_int_equal(open_hole(owner, NULL, "10.0.0.1", 2), 0);
	assert_int_equal(open_hole(owner, NULL, "10.0.0.1", 3), -ENOSPC);
	nfv_pinhole_close(t, owner);
	owner = nfv_pinhole_owner(t, 60, now);
	assert_int_equal(open_hole(owner, NULL, "10.0.0.1", 3), 0);
	end();
}

/* So many keys that buckets have several, each with two owners: whichever goes first, the rest stays. */
static void
crowded(void **state)
{
	enum { OWNERS = 15, EACH = 128 };
	uint64_t owner[2][OWNERS];

	(void)state;
	begin(2 * OWNERS * EACH);
	for (uint32_t i = 0; i < 2 * OWNERS * EACH; i++) {
		uint16_t k = (uint16_t)(i % (OWNERS * EACH));
		uint64_t *o = &owner[i / (OWNERS * EACH)][k / EACH];

		if (k % EACH == 0)
			*o = nfv_pinhole_owner(t, 60, now);
		assert_int_equal(open_hole(*o, NULL, "10.0.0.1", k), 0);
	}
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < OWNERS; i++) {
			nfv_pinhole_close(t, owner[round][i]);
			for (uint32_t k = 0; k < OWNERS * EACH; k++) {
				uint64_t found = find("10.0.0.9", "10.0.0.1", (uint16_t)k);

				if (round == 1 && k / EACH <= i)
					assert_int_equal(found, 0);
				else if (round == 1 || k / EACH <= i)
					assert_int_equal(found, owner[1][k / EACH]);
				else
					assert_int_not_equal(found, 0);
			}
		}
	}
	assert_int_equal(t->stats.open, 0);
	end();
}

/* Few keys, many owners, everything at random, against a table without any art. */
#define MODEL  24
#define TOS    3
#define FROMS  3 /* the last: anybody */
#define PORTS  4
#define HOLES_ 48

static struct {
	uint64_t token, deadline;
	bool used, has[TOS][FROMS][PORTS];
} model[MODEL];

static const char *const tos[TOS] = { "10.0.0.1", "10.0.0.2", "fd00::1" };
static const char *const froms[FROMS] = { "192.0.2.1", "192.0.2.2", NULL };

static bool
may(uint64_t token, uint32_t to, uint32_t from, uint32_t port)
{
	for (uint32_t i = 0; i < MODEL; i++)
		if (model[i].token == token)
			return model[i].has[to][from][port];
	return false;
}

static uint32_t
held(uint32_t to, uint32_t from, uint32_t port)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < MODEL; i++)
		n += model[i].token != 0 && model[i].has[to][from][port];
	return n;
}

static void
look(void)
{
	uint32_t open = 0;

	for (uint32_t to = 0; to < TOS; to++)
		for (uint32_t port = 0; port < PORTS; port++)
			for (uint32_t from = 0; from < FROMS; from++) {
				const char *who = froms[from] != NULL ? froms[from] : "192.0.2.9";
				uint64_t token = find(who, tos[to], (uint16_t)port);
				bool exact = held(to, from, port) > 0;

				open += held(to, from, port);
				if (!exact && held(to, FROMS - 1, port) == 0)
					assert_int_equal(token, 0);
				else
					assert_true(may(token, to, exact ? from : FROMS - 1, port));
			}
	assert_int_equal(t->stats.open, open);
}

static void
against_a_model(void **state)
{
	(void)state;
	seed = 1;
	begin(HOLES_);
	for (int step = 0; step < 30000; step++) {
		uint32_t i = rnd(MODEL), to = rnd(TOS), from = rnd(FROMS), port = rnd(PORTS);
		uint64_t token = model[i].token;

		switch (rnd(16)) {
		case 0:
			if (token == 0) {
				memset(&model[i], 0, sizeof(model[i]));
				model[i].token = nfv_pinhole_owner(t, 10, now);
				assert_int_not_equal(model[i].token, 0);
				model[i].deadline = now + 10 * HZ;
			}
			break;
		case 1:
			if (rnd(6) == 0) {
				nfv_pinhole_close(t, token);
				model[i].token = 0;
			}
			break;
		case 2:
			assert_int_equal(nfv_pinhole_refresh(t, token, now), token != 0);
			model[i].deadline = now + 10 * HZ;
			break;
		case 3:
			if (token != 0) {
				assert_true(nfv_pinhole_holds(t, token));
				model[i].used = true;
			}
			break;
		case 4:
			later(1);
			for (i = 0; i < MODEL; i++) {
				/* What is due just now comes with the next tick of the wheel. */
				if (model[i].token == 0 || model[i].deadline >= now)
					continue;
				if (model[i].used)
					model[i].deadline = now + 10 * HZ;
				else
					model[i].token = 0;
				model[i].used = false;
			}
			break;
		default: {
			int rc = open_hole(token, froms[from], tos[to], (uint16_t)port);

			if (token == 0)
				assert_int_equal(rc, -ESTALE);
			else if (rc == 0)
				model[i].has[to][from][port] = true;
			else
				assert_int_equal(t->stats.open, HOLES_);
			break;
		}
		}
		look();
	}
	assert_true(t->stats.expired > 100 && t->stats.opened > 1000 && t->stats.refused > 0);
	end();
}

/* Tokens say which table: who finds in a set holds in it, and no other table takes them. */
static void
in_a_set(void **state)
{
	struct nfv_pinhole_set set = { .n = 3 }; /* the second shard's is not there */
	struct nfv_addr to = addr("10.1.0.2"), from = addr("10.2.0.2");
	struct nfv_pages more = nfv_pages_alloc(nfv_pinholes_pages(16));
	uint64_t own, other;

	(void)state;
	begin(16);
	set.table[0] = t;
	assert_int_equal(nfv_pinholes_create(16, &more, NULL, 9, HZ, now, &set.table[2], NULL), 0);
	set.table[2]->number = 2;
	own = nfv_pinhole_owner(t, 60, now);
	other = nfv_pinhole_owner(set.table[2], 60, now);
	assert_int_not_equal(own, other);
	assert_int_equal(open_hole(other, NULL, "10.1.0.2", 4000), -ESTALE);
	assert_false(nfv_pinhole_lives(t, other));
	assert_int_equal(open_hole(own, NULL, "10.1.0.2", 4000), 0);
	assert_int_equal(
		nfv_pinhole_open(set.table[2], other,
			&(struct nfv_pinhole){ .to = to, .port = 4002, .proto = NFV_PROTO_UDP }),
		0);
	assert_int_equal(nfv_pinholes_find(&set, NFV_PROTO_UDP, &from, &to, 4000), own);
	assert_int_equal(nfv_pinholes_find(&set, NFV_PROTO_UDP, &from, &to, 4002), other);
	assert_int_equal(nfv_pinholes_find(&set, NFV_PROTO_UDP, &from, &to, 4004), 0);
	assert_true(nfv_pinholes_hold(&set, other));
	/* That was a use, in its own table. */
	nfv_pinholes_expire(set.table[2], now + 61 * HZ, 32);
	assert_true(nfv_pinholes_hold(&set, other));
	nfv_pinhole_close(set.table[2], other);
	assert_false(nfv_pinholes_hold(&set, other));
	assert_true(nfv_pinholes_hold(&set, own));
	nfv_pinholes_destroy(set.table[2]);
	nfv_pages_free(&more);
	end();
}

/* One thread opens and closes without a pause while another looks: it finds what is there all the time,
 * never what never was, and what comes and goes it never takes for anything else. */
#define CHURN 64u

static _Atomic bool churning;

static void *
churn(void *arg)
{
	uint64_t owner[CHURN] = { 0 };

	(void)arg;
	for (unsigned int i = 0; i < 200000; i++) {
		unsigned int k = i % CHURN;
		struct nfv_pinhole hole = { .to = addr("10.1.0.2"),
			.port = (uint16_t)(5000 + k % 16),
			.proto = NFV_PROTO_UDP };

		nfv_pinhole_close(t, owner[k]);
		owner[k] = nfv_pinhole_owner(t, 60, now);
		nfv_pinhole_open(t, owner[k], &hole);
		hole.port = (uint16_t)(6000 + k);
		nfv_pinhole_open(t, owner[k], &hole);
	}
	churning = false;
	return NULL;
}

static void
beside_its_writer(void **state)
{
	struct nfv_addr to = addr("10.1.0.2"), from = addr("10.2.0.2");
	uint64_t rounds = 0, seen = 0;
	pthread_t writer;
	uint64_t stays;

	(void)state;
	begin(256);
	stays = nfv_pinhole_owner(t, 60, now);
	assert_int_equal(open_hole(stays, "10.2.0.2", "10.1.0.2", 4000), 0);
	churning = true;
	assert_int_equal(pthread_create(&writer, NULL, churn, NULL), 0);
	while (churning) {
		uint16_t port =
			(uint16_t)(rounds++ % 2 == 0 ? 5000 + rounds % 16 : 6000 + rounds % CHURN);
		uint64_t is = nfv_pinhole_find(t, NFV_PROTO_UDP, &from, &to, 4000), passes;

		/* A writer that does not get to its change's end can hide it for once. */
		if (is != 0 && is != stays)
			fail_msg("found %lx in place of %lx", is, stays);
		seen += is == stays;
		assert_true(nfv_pinhole_holds(t, stays));
		assert_int_equal(nfv_pinhole_find(t, NFV_PROTO_UDP, &from, &to, 7000), 0);
		passes = nfv_pinhole_find(t, NFV_PROTO_UDP, &from, &to, port);
		assert_int_not_equal(passes, stays);
		if (passes != 0)
			nfv_pinhole_holds(t, passes);
	}
	pthread_join(writer, NULL);
	assert_int_equal(nfv_pinhole_find(t, NFV_PROTO_UDP, &from, &to, 4000), stays);
	assert_true(rounds < 100 || seen > 0);
	assert_int_equal(t->stats.open, 1 + 2 * CHURN);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_may),
		cmocka_unit_test(time_and_use),
		cmocka_unit_test(no_room),
		cmocka_unit_test(crowded),
		cmocka_unit_test(against_a_model),
		cmocka_unit_test(in_a_set),
		cmocka_unit_test(beside_its_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
