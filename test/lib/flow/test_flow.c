#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "guard.h"
#include "mkpkt.h"
#include "nfv_flow.h"
#include "restless.h"

static unsigned int ended;

static void
count_end(void *arg, void *slots)
{
	(void)arg;
	(void)slots;
	ended++;
}

struct fixture {
	struct nfv_pages pages;
	struct nfv_flow_table *t;
};

static struct fixture
make(uint8_t family, uint32_t max, uint16_t slot)
{
	struct nfv_flow_conf conf = { .family = family,
		.max = max,
		.slot = slot,
		.seed = 42,
		.timeouts = { 300, 7440, 240, 60, 600 },
		.end = count_end };
	struct fixture x;
	struct nfv_err err;

	ended = 0;
	x.pages = nfv_pages_alloc(nfv_flow_pages(&conf));
	if (x.pages.page == NULL || nfv_flow_create(&conf, &x.pages, &x.t, &err) < 0)
		fail_msg("%s", err.text);
	return x;
}

static void
drop(struct fixture *x)
{
	nfv_flow_destroy(x->t);
	nfv_pages_free(&x->pages);
}

static struct nfv_flow_key
key4(uint32_t n)
{
	return (struct nfv_flow_key){ .be_sport = (uint16_t)n,
		.be_dport = htobe16(5060),
		.proto = NFV_PROTO_UDP,
		.v4 = { htobe32(0x0a000000 + (n >> 4)), htobe32(0x0a020002) } };
}

static struct nfv_flow *
add(struct fixture *x, const struct nfv_flow_key *k, uint32_t now)
{
	return nfv_flow_add(x->t, k, nfv_flow_hash(x->t, k), now);
}

static struct nfv_flow *
get(struct fixture *x, const struct nfv_flow_key *k)
{
	struct nfv_flow *one = nfv_flow_find1(x->t, k, nfv_flow_hash(x->t, k)), *burst;
	uint64_t hash;

	nfv_flow_find(x->t, k, &hash, &burst, 1);
	assert_ptr_equal(one, burst);
	return one;
}

static void
both_keys_find_the_record(void **state)
{
	static const uint8_t families[] = { 4, 6 };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct fixture x = make(families[i], 1000, 40);
		struct nfv_flow_key k = key4(7), back;
		struct nfv_flow *f = add(&x, &k, 1), *other;

		back = nfv_flow_mirror(&k, families[i]);
		assert_non_null(f);
		assert_null(get(&x, &back));
		assert_int_equal(nfv_flow_alias(x.t, f, &back), 0);
		assert_int_equal(nfv_flow_alias(x.t, f, &back), -EEXIST);
		assert_ptr_equal(get(&x, &k), f);
		assert_ptr_equal(get(&x, &back), f);
		k.be_sport++;
		other = add(&x, &k, 1);
		assert_int_equal(nfv_flow_alias(x.t, other, &back), -EEXIST);
		nfv_flow_del(x.t, f);
		assert_null(get(&x, &back));
		assert_ptr_equal(get(&x, &k), other);
		assert_int_equal(ended, 1);
		drop(&x);
		assert_int_equal(ended, 2);
	}
}

/* Thousands of random additions and removals against a plain array. */
static void
agrees_with_a_plain_model(void **state)
{
	enum { FLOWS = 3000, ROUNDS = 200000 };
	struct fixture x = make(4, FLOWS, 64);
	struct nfv_flow **model = calloc(FLOWS, sizeof(*model));

	(void)state;
	srand(1);
	for (int r = 0; r < ROUNDS; r++) {
		uint32_t n = (uint32_t)rand() % FLOWS;
		struct nfv_flow_key k = key4(n), m = nfv_flow_mirror(&k, 4);

		assert_ptr_equal(get(&x, &k), model[n]);
		assert_ptr_equal(get(&x, &m), model[n]);
		if (model[n] == NULL) {
			model[n] = add(&x, &k, 1);
			assert_non_null(model[n]);
			assert_int_equal(nfv_flow_alias(x.t, model[n], &m), 0);
			memset(nfv_flow_slot(x.t, model[n]), 0xee, 64);
		} else if (rand() % 2) {
			nfv_flow_del(x.t, model[n]);
			model[n] = NULL;
		}
	}
	assert_int_equal(nfv_flow_stats(x.t).refused, 0);
	free(model);
	drop(&x);
}

/* All pages move, again and again; every record is found by both keys, with what it holds, and in time
 * all expire. */
static void
pages_may_move(void **state)
{
	enum { FLOWS = 500 };
	struct nfv_flow_conf conf = { .family = 4,
		.max = FLOWS,
		.slot = 40,
		.seed = 42,
		.timeouts = { 300, 7440, 240, 60, 600 },
		.end = count_end };
	struct fixture x = { .pages = restless_alloc(nfv_flow_pages(&conf)) };

	(void)state;
	ended = 0;
	assert_int_equal(nfv_flow_create(&conf, &x.pages, &x.t, NULL), 0);
	for (uint32_t i = 0; i < FLOWS; i++) {
		struct nfv_flow_key k = key4(i), back = nfv_flow_mirror(&k, 4);
		struct nfv_flow *f = add(&x, &k, 1);

		assert_non_null(f);
		assert_int_equal(nfv_flow_alias(x.t, f, &back), 0);
		memset(nfv_flow_slot(x.t, f), (int)i, 40);
		restless_move_all(&x.pages);
	}
	for (uint32_t i = 0; i < FLOWS; i++) {
		struct nfv_flow_key k = key4(i), back = nfv_flow_mirror(&k, 4);
		const uint8_t *slot = nfv_flow_slot(x.t, get(&x, &back));

		assert_ptr_equal(get(&x, &k), get(&x, &back));
		assert_int_equal(slot[0], i & 255);
		assert_memory_equal(slot, slot + 1, 39);
	}
	for (uint32_t now = 1; now < 700 * NFV_FLOW_HZ; now++) {
		restless_move(&x.pages, now % x.pages.n);
		nfv_flow_expire(x.t, now, 64);
	}
	assert_int_equal(ended, FLOWS);
	nfv_flow_destroy(x.t);
	restless_free(&x.pages);
}

static void
slots_begin_zeroed(void **state)
{
	struct fixture x = make(6, 1, 100);
	struct nfv_flow_key k = key4(1);
	struct nfv_flow *f = add(&x, &k, 1);
	static const uint8_t zero[100];

	(void)state;
	memset(nfv_flow_slot(x.t, f), 0xff, 100);
	nfv_flow_del(x.t, f);
	f = add(&x, &k, 1);
	assert_memory_equal(nfv_flow_slot(x.t, f), zero, 100);
	drop(&x);
}

static void
records_expire_and_use_keeps_them(void **state)
{
	struct fixture x = make(4, 100, 8);
	struct nfv_flow_key a = key4(1), b = key4(2);
	struct mk m;
	struct nfv_pkt p = mk_udp(&m, "10.0.0.1", 1, "10.0.0.2", 2, NULL, 0);
	uint32_t at = 0;

	(void)state;
	nfv_flow_track(x.t, add(&x, &a, 0), &p, NFV_OUTWARD, 0);
	nfv_flow_track(x.t, add(&x, &b, 0), &p, NFV_OUTWARD, 0);
	for (; at < 200 * NFV_FLOW_HZ; at++)
		nfv_flow_expire(x.t, at, 100);
	nfv_flow_track(x.t, get(&x, &b), &p, NFV_OUTWARD, at);
	for (; at < 299 * NFV_FLOW_HZ; at++)
		nfv_flow_expire(x.t, at, 100);
	assert_non_null(get(&x, &a));
	for (; at < 301 * NFV_FLOW_HZ; at++)
		nfv_flow_expire(x.t, at, 100);
	assert_null(get(&x, &a));
	assert_non_null(get(&x, &b));
	nfv_flow_expire(x.t, at + 1000 * NFV_FLOW_HZ, 100); /* the worker was stopped meanwhile */
	assert_null(get(&x, &b));
	assert_int_equal(nfv_flow_stats(x.t).live, 0);
	assert_int_equal(nfv_flow_stats(x.t).expired, 2);
	drop(&x);
}

static void
expiry_keeps_to_its_budget(void **state)
{
	struct fixture x = make(4, 1000, 8);

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		struct nfv_flow_key k = key4(i);

		add(&x, &k, 0)->timeout = 8;
	}
	/* They were put on the wheel with the transitory timeout; it notices on its round. */
	nfv_flow_expire(x.t, 100000, 0);
	assert_int_equal(nfv_flow_stats(x.t).live, 1000);
	nfv_flow_expire(x.t, 100000, 10);
	assert_int_equal(nfv_flow_stats(x.t).live, 990);
	nfv_flow_expire(x.t, 100000, 10000);
	assert_int_equal(nfv_flow_stats(x.t).live, 0);
	drop(&x);
}

static void
a_full_table_evicts_only_what_never_opened(void **state)
{
	enum { MAX = 64 };
	struct fixture x = make(4, MAX, 8);
	struct nfv_flow_key k;

	(void)state;
	for (uint32_t i = 0; i < MAX; i++) {
		k = key4(i);
		add(&x, &k, 1)->state = i % 2 ? NFV_FLOW_OPEN : NFV_FLOW_OPENING;
	}
	k = key4(MAX);
	assert_null(add(&x, &k, 1)); /* all were used in this very tick */
	for (uint32_t i = 0; i < MAX / 2; i++) {
		k = key4(MAX + i);
		assert_non_null(add(&x, &k, 2));
		get(&x, &k)->state = NFV_FLOW_OPEN;
	}
	k = key4(3 * MAX);
	assert_null(add(&x, &k, 3));
	for (uint32_t i = 1; i < MAX; i += 2) {
		k = key4(i);
		assert_non_null(get(&x, &k));
	}
	assert_int_equal(nfv_flow_stats(x.t).evicted, MAX / 2);
	assert_int_equal(nfv_flow_stats(x.t).refused, 2);
	drop(&x);
}

static void
tcp_states(void **state)
{
	static const struct {
		uint8_t flags;
		bool reply;
		enum nfv_flow_state state;
		uint32_t timeout;
	} t[] = {
		{ NFV_TCP_SYN, false, NFV_FLOW_OPENING, 240 },
		{ NFV_TCP_SYN | NFV_TCP_ACK, true, NFV_FLOW_OPENING, 240 },
		{ NFV_TCP_ACK, true, NFV_FLOW_OPENING, 240 },
		{ NFV_TCP_ACK, false, NFV_FLOW_OPEN, 7440 },
		{ NFV_TCP_FIN | NFV_TCP_ACK, true, NFV_FLOW_OPEN, 7440 },
		{ NFV_TCP_ACK, false, NFV_FLOW_OPEN, 7440 },
		{ NFV_TCP_FIN | NFV_TCP_ACK, false, NFV_FLOW_CLOSING, 240 },
		{ NFV_TCP_SYN, true, NFV_FLOW_CLOSING, 240 },
		{ NFV_TCP_SYN, false, NFV_FLOW_OPENING, 240 },
		{ NFV_TCP_ACK, false, NFV_FLOW_OPENING, 240 },
		{ NFV_TCP_RST, true, NFV_FLOW_CLOSING, 240 },
	};
	struct fixture x = make(4, 10, 8);
	struct nfv_flow_key k = key4(1);
	struct nfv_flow *f = add(&x, &k, 0);
	struct mk m;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct nfv_pkt p = mk_tcp(&m, "10.0.0.1", 1, "10.0.0.2", 2, t[i].flags);

		nfv_flow_track(x.t, f, &p, t[i].reply ? NFV_INWARD : NFV_OUTWARD, 5);
		assert_int_equal(f->state, t[i].state);
		assert_int_equal(f->timeout, t[i].timeout * NFV_FLOW_HZ);
	}
	drop(&x);
}

static void
keys_of_packets(void **state)
{
	struct nfv_flow_key req, rep, out, back;
	struct nfv_pkt p;
	struct mk m, inner;

	(void)state;
	p = mk_icmp(&m, "10.0.0.1", "10.0.0.2", NFV_ICMP_ECHO, 0, 0x12340001, NULL, 0);
	assert_int_equal(nfv_flow_key(&p, NFV_OUTWARD, &req), NFV_FLOW_PACKET);
	p = mk_icmp(&m, "10.0.0.2", "10.0.0.1", NFV_ICMP_ECHO_REPLY, 0, 0x12340001, NULL, 0);
	assert_int_equal(nfv_flow_key(&p, NFV_INWARD, &rep), NFV_FLOW_PACKET);
	req = nfv_flow_mirror(&req, 4);
	assert_memory_equal(&req, &rep, sizeof(req));
	/* An error that quotes an outward packet is found where that packet's answers are. */
	p = mk_udp(&inner, "10.0.0.1", 7, "10.9.0.9", 9, "hello", 5);
	nfv_flow_key(&p, NFV_OUTWARD, &out);
	back = nfv_flow_mirror(&out, 4);
	p = mk_icmp(&m, "10.5.5.5", "10.0.0.1", NFV_ICMP_UNREACHABLE, 1, 0, p.data + p.l3,
		(size_t)(p.len - p.l3));
	assert_int_equal(nfv_flow_key(&p, NFV_INWARD, &req), NFV_FLOW_QUOTE);
	assert_memory_equal(&req, &back, sizeof(req));
	p = mk_udp(&inner, "fd00::1", 7, "fd00::9", 9, "hello", 5);
	nfv_flow_key(&p, NFV_OUTWARD, &out);
	back = nfv_flow_mirror(&out, 6);
	p = mk_icmp(&m, "fd00::5", "fd00::1", NFV_ICMP6_TOO_BIG, 0, 1280, p.data + p.l3,
		(size_t)(p.len - p.l3));
	assert_int_equal(nfv_flow_key(&p, NFV_INWARD, &req), NFV_FLOW_QUOTE);
	assert_memory_equal(&req, &back, sizeof(req));
	/* Quotes that are cut off or nonsense, and protocols without flows. */
	p = mk_udp(&inner, "10.0.0.1", 7, "10.9.0.9", 9, "hello", 5);
	for (size_t n = 0; n < 28; n++) {
		struct nfv_pkt e = mk_icmp(
			&m, "10.5.5.5", "10.0.0.1", NFV_ICMP_UNREACHABLE, 1, 0, p.data + p.l3, n);

		assert_int_equal(nfv_flow_key(&e, NFV_INWARD, &req), NFV_FLOW_NONE);
	}
	p = mk_ip(&m, "10.0.0.1", "10.0.0.2", 47, "12345678", 8);
	assert_int_equal(nfv_flow_key(&p, NFV_OUTWARD, &req), NFV_FLOW_NONE);
}

/* A packet that ends with its IP header: behind it is nothing to look at. */
static void
nothing_is_read_past_the_end(void **state)
{
	static const char *const addr[2][2] = { { "10.0.0.1", "10.0.0.2" },
		{ "fd00::1", "fd00::2" } };
	struct guard g = guard_new();

	(void)state;
	for (int f = 0; f < 2; f++) {
		struct nfv_flow_key key;
		struct mk m;
		struct nfv_pkt p = mk_ip(&m, addr[f][0], addr[f][1], 49, "", 0);

		p.data = guard_tail(&g, p.data, p.len);
		assert_int_equal(nfv_pkt_parse(&p), NFV_PARSE_OK);
		assert_int_equal(nfv_flow_key(&p, NFV_OUTWARD, &key), NFV_FLOW_NONE);
	}
	guard_free(&g);
}

static void
impossible_tables_are_refused(void **state)
{
	struct nfv_flow_conf conf = { .family = 4, .max = 0 };
	struct nfv_pages none = { NULL, 0 };
	struct nfv_flow_table *t = NULL;
	struct nfv_err err;

	(void)state;
	assert_int_equal(nfv_flow_create(&conf, &none, &t, &err), -EINVAL);
	conf.max = 100;
	assert_int_equal(nfv_flow_create(&conf, &none, &t, &err), -ENOMEM);
	conf.slot = 2000;
	assert_int_equal(nfv_flow_create(&conf, &none, &t, &err), -EINVAL);
	assert_null(t);
	nfv_flow_destroy(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_keys_find_the_record),
		cmocka_unit_test(agrees_with_a_plain_model),
		cmocka_unit_test(pages_may_move),
		cmocka_unit_test(slots_begin_zeroed),
		cmocka_unit_test(records_expire_and_use_keeps_them),
		cmocka_unit_test(expiry_keeps_to_its_budget),
		cmocka_unit_test(a_full_table_evicts_only_what_never_opened),
		cmocka_unit_test(tcp_states),
		cmocka_unit_test(keys_of_packets),
		cmocka_unit_test(nothing_is_read_past_the_end),
		cmocka_unit_test(impossible_tables_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
