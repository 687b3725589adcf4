/*
 * Pinholes that an isolated stage opens are in the chain's table before the packet comes back that they belong
 * to, for as long as the stage wants them, whoever of its processes lives; and one that means harm opens
 * no more than it may.
 */
#include <signal.h>
#include <string.h>

#include "iso_rig.h"
#include "nfv_tsc.h"

#define MAX 512u

static struct nfv_pinholes *table;
static struct nfv_pages pages;
static struct iso_rig *r;

static uint64_t
find(uint32_t seq)
{
	struct nfv_addr from = nfv_addr4(htobe32(0x0a010002)), to;

	assert_int_equal(nfv_addr_parse(nfv_sv_str(OPENER_TO), &to), 0);
	return nfv_pinhole_find(table, NFV_PROTO_UDP, &from, &to, (uint16_t)(OPENER_PORT + seq));
}

static void
begin(const char *mode)
{
	pages = nfv_pages_alloc(nfv_pinholes_pages(MAX));
	assert_int_equal(
		nfv_pinholes_create(MAX, &pages, NULL, 3, 2000000000, nfv_tsc(), &table, NULL), 0);
	r = iso_rig(&stage_opener, mode);
	r->ctx.pinholes = table;
	if (iso_rig_start(r) < 0)
		fail_msg("%s", r->err.text);
	iso_rig_live(r);
}

static void
end(void)
{
	iso_rig_end(r);
	nfv_pinholes_destroy(table);
	nfv_pages_free(&pages);
}

/* Whoever works has said all that there is. */
static void
ask(enum ask what, uint16_t n)
{
	iso_rig_send(r, what, n, NFV_OUTWARD);
	iso_rig_settle(r);
}

static void
until_owners(uint32_t n)
{
	for (int i = 0; table->stats.owners != n; i++) {
		assert_true(i < 1000000);
		if (iso_rig_collect(r) == 0)
			nfv_isolated_control(r->iso, 1);
	}
}

static void
see_open(struct iso_rig *rig, const struct nfv_pkt *p)
{
	uint32_t seq;

	memcpy(&seq, (const uint8_t *)nfv_pkt_l4(p) + NFV_UDP_LEN + 2, sizeof(seq));
	if (rig->first == ASK_HOLE)
		assert_int_not_equal(find(seq), 0);
}

static void
there_before_the_packet(void **state)
{
	(void)state;
	begin("stage");
	r->see = see_open;
	for (int i = 0; i < 8; i++)
		ask(ASK_HOLE, 16);
	/* More at once than are heard in a poll. */
	iso_rig_send(r, ASK_HOLE, 32, NFV_OUTWARD);
	iso_rig_send(r, ASK_HOLE, 32, NFV_OUTWARD);
	iso_rig_settle(r);
	assert_int_equal(r->kept, 192);
	assert_int_equal(table->stats.owners, 192);
	assert_int_equal(r->stats->pinholes, 192);
	ask(ASK_CLOSE, 32);
	until_owners(160);
	assert_int_equal(find(0), 0);
	assert_int_equal(find(31), 0);
	assert_int_not_equal(find(32), 0);
	assert_int_equal(r->stats->pinholes_refused, 0);
	end();
}

/* As nobody in the chain's table lives longer than it is used, the stage learns that its owner has gone. */
static void
expired_ones_are_told(void **state)
{
	uint64_t later = nfv_tsc() + (OPENER_IDLE + 1) * 2000000000ull;

	(void)state;
	begin("stage");
	ask(ASK_HOLE, 2);
	ask(ASK_LIVES, 1);
	assert_int_equal(r->kept, 3);
	for (int i = 0; table->stats.owners > 0; i++) {
		assert_true(i < 100000);
		nfv_pinholes_expire(table, later, 32);
	}
	for (int i = 0; r->dropped == 0; i++) {
		assert_true(i < 100000);
		ask(ASK_LIVES, 1);
	}
	ask(ASK_REFRESH, 1);
	assert_int_equal(r->dropped, 2);
	/* That one is the stage's to close, and nothing to the table. */
	ask(ASK_CLOSE, 2);
	ask(ASK_HOLE, 1);
	assert_int_not_equal(find(r->next_seq - 1), 0);
	assert_int_equal(r->stats->pinholes_refused, 0);
	end();
}

static void
used_or_refreshed_ones_stay(void **state)
{
	uint64_t half = OPENER_IDLE / 2 * 2000000000ull, now = nfv_tsc(), first;

	(void)state;
	begin("stage");
	ask(ASK_HOLE, 1);
	first = find(0);
	assert_true(nfv_pinhole_holds(table, first));
	for (int i = 0; i < 1000; i++)
		nfv_pinholes_expire(table, now + 3 * half, 32);
	assert_int_equal(find(0), first);
	ask(ASK_REFRESH, 1);
	assert_int_equal(r->dropped, 0);
	end();
}

static void
kill_live(void)
{
	uint64_t gone = r->stats->ends[NFV_END_GONE];
	int pid;

	assert_true(nfv_isolated_live(r->iso, &pid));
	kill(pid, SIGKILL);
	iso_rig_until(r, &r->stats->ends[NFV_END_GONE], gone + 1);
	iso_rig_live(r);
}

static void
they_outlive_a_process(void **state)
{
	uint64_t token[8];

	(void)state;
	begin("stage");
	ask(ASK_HOLE, 8);
	for (uint32_t i = 0; i < 8; i++)
		token[i] = find(i);
	kill_live();
	ask(ASK_LIVES, 1);
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(find(i), token[i]);
	/* As soon as there is a spare, and the one before it has settled in. */
	for (int i = 0; nfv_isolated_replace(r->iso, &r->err) < 0; i++) {
		assert_true(i < 100000);
		iso_rig_collect(r);
		nfv_isolated_control(r->iso, 1);
	}
	iso_rig_until(r, &r->stats->ends[NFV_END_REPLACED], 1);
	ask(ASK_CLOSE, 1);
	until_owners(7);
	assert_int_equal(find(0), 0);
	for (uint32_t i = 1; i < 8; i++)
		assert_int_equal(find(i), token[i]);
	end();
}

/* With the state they go: nobody knows any more what they were for. */
static void
they_go_with_the_state(void **state)
{
	(void)state;
	begin("stage");
	ask(ASK_HOLE, 20);
	assert_int_equal(table->stats.owners, 20);
	iso_rig_send(r, ASK_CRASH, 1, NFV_OUTWARD);
	iso_rig_until(r, &r->stats->afresh, 1);
	iso_rig_live(r);
	until_owners(0);
	ask(ASK_HOLE, 3);
	assert_int_equal(table->stats.owners, 3);
	end();
}

/* A version that takes over has opened its own before the old ones are closed; here it has none. */
static void
another_version(void **state)
{
	const struct nfv_isolated_version same = { .object = NULL };

	(void)state;
	begin("stage");
	ask(ASK_HOLE, 5);
	assert_int_equal(nfv_isolated_replace_by(r->iso, &same, &r->err), 0);
	iso_rig_until(r, &r->stats->replaced, 1);
	until_owners(0);
	ask(ASK_HOLE, 2);
	assert_int_equal(table->stats.owners, 2);
	/* It dies on probation: the old one goes on, and its pinholes are there again. */
	kill_live();
	iso_rig_until(r, &r->stats->rolled_back, 1);
	until_owners(5);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_not_equal(find(i), 0);
	end();
}

/* --- one that finds ------------------------------------------------------------------------------- */

static uint64_t
open_port(uint32_t seq)
{
	struct nfv_pinhole hole = { .port = (uint16_t)(OPENER_PORT + seq), .proto = NFV_PROTO_UDP };
	uint64_t owner = nfv_pinhole_owner(table, OPENER_IDLE, nfv_tsc());

	assert_int_equal(nfv_addr_parse(nfv_sv_str(OPENER_TO), &hole.to), 0);
	assert_int_equal(nfv_pinhole_open(table, owner, &hole), 0);
	return owner;
}

static void
found_from_another_process(void **state)
{
	uint64_t later = nfv_tsc() + 3ull * OPENER_IDLE * 2000000000, owner[3];
	struct nfv_isolated_pinholes mem;
	struct nfv_pinhole_set set;
	uint8_t *marks;

	(void)state;
	nfv_isolated_pinholes_init(&mem);
	pages = nfv_lender_take(&mem.lender, "pinholes", nfv_pinholes_pages(MAX));
	marks = nfv_lender_alloc(&mem.lender, nfv_pinholes_owners(MAX));
	assert_non_null(marks);
	assert_int_equal(
		nfv_pinholes_create(MAX, &pages, NULL, 3, 2000000000, nfv_tsc(), &table, NULL), 0);
	nfv_pinholes_mark_in(table, marks);
	set = (struct nfv_pinhole_set){ { table }, 1 };
	r = iso_rig(&stage_porter, "stage");
	r->ctx.pinhole_set = &set;
	r->conf.pinholes = &mem;
	if (iso_rig_start(r) < 0)
		fail_msg("%s", r->err.text);
	iso_rig_live(r);
	ask(ASK_KEEP, 4); /* 0 to 3 */
	assert_int_equal(r->dropped, 4);
	owner[0] = open_port(5);
	owner[1] = open_port(7);
	owner[2] = open_port(100);
	ask(ASK_KEEP, 6); /* 4 to 9 */
	assert_int_equal(r->kept, 2);
	/* Those that have been used stay. */
	for (int i = 0; i < 100 && table->stats.owners > 2; i++)
		nfv_pinholes_expire(table, later - OPENER_IDLE * 2000000000ull, 32);
	assert_true(nfv_pinhole_lives(table, owner[0]) && nfv_pinhole_lives(table, owner[1]));
	assert_false(nfv_pinhole_lives(table, owner[2]));
	nfv_pinhole_close(table, owner[0]);
	r->next_seq = 5;
	r->last_seq[0] = 0;
	ask(ASK_KEEP, 5);
	assert_int_equal(r->kept, 3);
	/* Nor can it write there what is not so. */
	iso_rig_send(r, ASK_WRITE, 1, NFV_OUTWARD);
	iso_rig_until(r, &r->stats->ends[NFV_END_GONE], 1);
	assert_true(nfv_pinhole_lives(table, owner[1]));
	iso_rig_end(r);
	nfv_pinholes_destroy(table);
	nfv_lender_give(&mem.lender, &pages);
	nfv_lender_free(&mem.lender, marks);
}

/* --- harm ----------------------------------------------------------------------------------------- */

static void
mischief(const char *mode)
{
	struct nfv_pinhole mine = { .port = 4000, .proto = NFV_PROTO_UDP };
	uint64_t owner;

	begin(mode);
	assert_int_equal(nfv_addr_parse(nfv_sv_str("192.0.2.1"), &mine.to), 0);
	owner = nfv_pinhole_owner(table, 60, nfv_tsc());
	assert_int_equal(nfv_pinhole_open(table, owner, &mine), 0);
	for (int i = 0; r->stats->pinholes_refused < 20000; i++) {
		assert_true(i < 10000000);
		iso_rig_send(r, ASK_KEEP, 4, NFV_OUTWARD);
		iso_rig_collect(r);
		nfv_isolated_control(r->iso, 0);
		assert_true(table->stats.open <= MAX && table->stats.owners <= MAX / 2);
	}
	assert_true(nfv_pinhole_lives(table, owner));
	iso_rig_settle(r);
	end();
}

static void
nonsense_is_refused_and_counted(void **state)
{
	(void)state;
	mischief("holes-random");
	mischief("holes-taken");
}

static void
what_there_is_not_ends_it(void **state)
{
	(void)state;
	begin("holes-wild");
	iso_rig_until(r, &r->stats->ends[NFV_END_MESSAGE], 2);
	assert_int_equal(table->stats.owners, 0);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_before_the_packet),
		cmocka_unit_test(expired_ones_are_told),
		cmocka_unit_test(used_or_refreshed_ones_stay),
		cmocka_unit_test(they_outlive_a_process),
		cmocka_unit_test(they_go_with_the_state),
		cmocka_unit_test(another_version),
		cmocka_unit_test(found_from_another_process),
		cmocka_unit_test(nonsense_is_refused_and_counted),
		cmocka_unit_test(what_there_is_not_ends_it),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
