#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mapping.h"

#define HOST(n) htobe32(0x0a000000u + (n))
#define EXT(n)  htobe32(0xc6336400u + (n))

static struct nat_endpoint
ep(uint32_t be_addr, uint16_t port)
{
	return (struct nat_endpoint){ be_addr, htobe16(port) };
}

static struct nat_table *
table(struct nat_table_conf conf)
{
	const uint32_t ext_addr[] = { EXT(1), EXT(2), EXT(3) };
	struct nat_table *t = NULL;
	struct nfv_err err;

	conf.be_addr = ext_addr;
	conf.seed = 3;
	if (conf.n_addr == 0)
		conf.n_addr = 1;
	assert_int_equal(nat_table_create(&conf, &t, &err), 0);
	return t;
}

static void
endpoint_independent(void **state)
{
	struct nat_table *t =
		table((struct nat_table_conf){ .lo = 1000, .hi = 2000, .mappings = 8 });
	struct nat_mapping *a, *b, *c;
	enum nat_refusal why;

	(void)state;
	a = nat_map_outward(t, NAT_UDP, ep(HOST(1), 1500), &why);
	assert_int_equal(a->ext.be_addr, EXT(1));
	assert_int_equal(a->ext.be_port, htobe16(1500)); /* preserved */
	assert_ptr_equal(nat_map_outward(t, NAT_UDP, ep(HOST(1), 1500), &why), a);
	assert_int_equal(a->refs, 2);
	b = nat_map_outward(t, NAT_UDP, ep(HOST(2), 1500), &why); /* the port is taken */
	assert_ptr_not_equal(a, b);
	assert_int_not_equal(b->ext.be_port, a->ext.be_port);
	assert_in_range(be16toh(b->ext.be_port), 1000, 2000);
	c = nat_map_outward(t, NAT_TCP, ep(HOST(2), 1500), &why); /* a port space of its own */
	assert_int_equal(c->ext.be_port, htobe16(1500));
	c = nat_map_outward(t, NAT_UDP, ep(HOST(2), 80), &why); /* outside the range */
	assert_in_range(be16toh(c->ext.be_port), 1000, 2000);
	assert_ptr_equal(nat_find_external(t, NAT_UDP, c->ext), c);
	assert_ptr_equal(nat_find_inside(t, NAT_UDP, c->in), c);
	assert_null(nat_find_external(t, NAT_ICMP, c->ext));
	assert_int_equal(nat_table_used(t), 4);
	nat_table_destroy(t);
}

static void
lives_while_held(void **state)
{
	struct nat_table *t =
		table((struct nat_table_conf){ .lo = 1000, .hi = 1000, .mappings = 8 });
	struct nat_endpoint in = ep(HOST(1), 5);
	enum nat_refusal why;
	struct nat_mapping *m;

	(void)state;
	m = nat_map_outward(t, NAT_TCP, in, &why);
	assert_ptr_equal(nat_mapping_by_id(t, nat_mapping_id(t, m)), m);
	assert_int_not_equal(nat_mapping_id(t, m), 0);
	nat_hold(m);
	nat_release(t, m);
	assert_ptr_equal(nat_find_inside(t, NAT_TCP, in), m);
	assert_null(nat_map_outward(t, NAT_TCP, ep(HOST(2), 5), &why));
	assert_int_equal(why, NAT_NO_PORT);
	nat_release(t, m);
	assert_null(nat_find_inside(t, NAT_TCP, in));
	assert_null(nat_find_external(t, NAT_TCP, ep(EXT(1), 1000)));
	assert_int_equal(nat_table_used(t), 0);
	/* The port is free again. */
	assert_non_null(nat_map_outward(t, NAT_TCP, ep(HOST(2), 5), &why));
	nat_table_destroy(t);
}

static void
full_table_refuses_only_new_ones(void **state)
{
	struct nat_table *t =
		table((struct nat_table_conf){ .lo = 1000, .hi = 2000, .mappings = 3 });
	struct nat_mapping *m[3];
	enum nat_refusal why;

	(void)state;
	for (uint16_t i = 0; i < 3; i++)
		m[i] = nat_map_outward(t, NAT_UDP, ep(HOST(i), 5), &why);
	assert_null(nat_map_outward(t, NAT_UDP, ep(HOST(3), 5), &why));
	assert_int_equal(why, NAT_TABLE_FULL);
	for (uint16_t i = 0; i < 3; i++)
		assert_ptr_equal(nat_map_outward(t, NAT_UDP, ep(HOST(i), 5), &why), m[i]);
	nat_table_destroy(t);
}

static void
host_limit(void **state)
{
	struct nat_table *t = table((struct nat_table_conf){
		.lo = 1000, .hi = 2000, .mappings = 100, .statics = 1, .ports_per_host = 2 });
	struct nat_mapping *m;
	enum nat_refusal why;

	(void)state;
	assert_int_equal(nat_map_static(t, NAT_TCP, ep(HOST(1), 80), ep(EXT(1), 80)), 0);
	m = nat_map_outward(t, NAT_UDP, ep(HOST(1), 1), &why);
	/* Static ones do not count. */
	assert_non_null(nat_map_outward(t, NAT_ICMP, ep(HOST(1), 2), &why));
	assert_null(nat_map_outward(t, NAT_UDP, ep(HOST(1), 3), &why));
	assert_int_equal(why, NAT_HOST_LIMIT);
	assert_ptr_equal(nat_map_outward(t, NAT_UDP, ep(HOST(1), 1), &why), m); /* nothing new */
	assert_non_null(nat_map_outward(t, NAT_UDP, ep(HOST(2), 3), &why));
	nat_release(t, m);
	nat_release(t, m);
	assert_non_null(nat_map_outward(t, NAT_UDP, ep(HOST(1), 3), &why));
	nat_table_destroy(t);
}

static void
paired_pooling(void **state)
{
	struct nat_table *t = table(
		(struct nat_table_conf){ .lo = 1000, .hi = 1009, .mappings = 1000, .n_addr = 3 });
	uint32_t hosts_at[3] = { 0 };
	enum nat_refusal why;

	(void)state;
	for (uint16_t h = 0; h < 30; h++) {
		struct nat_mapping *m = nat_map_outward(t, NAT_UDP, ep(HOST(h), 1), &why);

		assert_non_null(m); /* thirty ports in all: a full address is passed over */
		hosts_at[m->pool]++;
		for (uint16_t port = 2; port < 5; port++) {
			struct nat_mapping *n;

			n = nat_map_outward(t, NAT_TCP, ep(HOST(h), port), &why);
			if (n != NULL) /* never elsewhere: the host would seem to be two */
				assert_int_equal(n->ext.be_addr, m->ext.be_addr);
			else
				assert_int_equal(why, NAT_NO_PORT);
		}
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(hosts_at[i], 10);
	assert_null(nat_map_outward(t, NAT_UDP, ep(HOST(99), 1), &why));
	assert_int_equal(why, NAT_NO_PORT);
	nat_table_destroy(t);
}

static void
static_mappings(void **state)
{
	struct nat_table *t = table((struct nat_table_conf){
		.lo = 1000, .hi = 1001, .mappings = 2, .statics = 2, .n_addr = 2 });
	enum nat_refusal why;
	struct nat_mapping *m;

	(void)state;
	assert_int_equal(
		nat_map_static(t, NAT_TCP, ep(HOST(1), 80), ep(EXT(9), 80)), -EADDRNOTAVAIL);
	assert_int_equal(nat_map_static(t, NAT_TCP, ep(HOST(1), 80), ep(EXT(2), 1000)), 0);
	assert_int_equal(nat_map_static(t, NAT_TCP, ep(HOST(2), 80), ep(EXT(2), 1000)), -EEXIST);
	assert_int_equal(nat_map_static(t, NAT_TCP, ep(HOST(1), 80), ep(EXT(2), 80)), 0);
	assert_int_equal(nat_map_static(t, NAT_TCP, ep(HOST(1), 80), ep(EXT(2), 81)), -ENOSPC);
	m = nat_map_outward(t, NAT_TCP, ep(HOST(1), 80), &why); /* the last one wins */
	assert_int_equal(m->ext.be_port, htobe16(80));
	nat_release(t, m);
	assert_ptr_equal(nat_find_external(t, NAT_TCP, ep(EXT(2), 80)), m); /* holds itself */
	m = nat_map_outward(t, NAT_TCP, ep(HOST(1), 1000), &why); /* paired with its static one */
	assert_int_equal(m->ext.be_addr, EXT(2));
	assert_int_equal(m->ext.be_port, htobe16(1001)); /* the static one is not given twice */
	nat_table_destroy(t);
}

/* A host that scans must not be able to see which port another one will get. */
static void
ports_are_scattered(void **state)
{
	struct nat_table *t =
		table((struct nat_table_conf){ .lo = 10000, .hi = 65535, .mappings = 1000 });
	enum nat_refusal why;
	uint16_t last = 0;
	int near = 0;

	(void)state;
	for (uint16_t i = 0; i < 1000; i++) {
		struct nat_mapping *m = nat_map_outward(t, NAT_UDP, ep(HOST(1), i), &why);
		uint16_t port = be16toh(m->ext.be_port);

		near += abs(port - last) < 64;
		last = port;
	}
	assert_in_range(near, 0, 20);
	nat_table_destroy(t);
}

/* Naive model: an array of what is held, searched from end to end. */
struct model {
	struct nat_endpoint in, ext;
	enum nat_proto proto;
	uint32_t refs;
};

#define MODEL 96

static int
model_find(const struct model *m, enum nat_proto proto, struct nat_endpoint e, bool by_ext)
{
	for (int i = 0; i < MODEL; i++) {
		struct nat_endpoint has = by_ext ? m[i].ext : m[i].in;

		if (m[i].refs > 0 && m[i].proto == proto && has.be_addr == e.be_addr &&
			has.be_port == e.be_port)
			return i;
	}
	return -1;
}

static void
model_map(struct nat_table *t, struct model *m, enum nat_proto proto, struct nat_endpoint in)
{
	uint32_t used = 0, of_host = 0;
	enum nat_refusal why;
	struct nat_mapping *got = nat_map_outward(t, proto, in, &why);
	int at = model_find(m, proto, in, false), slot = -1;

	for (int i = 0; i < MODEL; i++) {
		used += m[i].refs > 0;
		of_host += m[i].refs > 0 && m[i].in.be_addr == in.be_addr;
		if (m[i].refs == 0)
			slot = i;
	}
	if (at >= 0) {
		m[at].refs++;
		assert_int_equal(got->ext.be_port, m[at].ext.be_port);
		assert_int_equal(got->refs, m[at].refs);
		return;
	}
	if (got == NULL) {
		assert_int_equal(why,
			used == MODEL         ? NAT_TABLE_FULL :
				of_host >= 20 ? NAT_HOST_LIMIT :
						NAT_NO_PORT);
		return;
	}
	assert_true(used < MODEL && of_host < 20);
	assert_int_equal(model_find(m, proto, got->ext, true), -1); /* nobody else's */
	for (int i = 0; i < MODEL; i++)
		if (m[i].refs > 0 && m[i].in.be_addr == in.be_addr)
			assert_int_equal(m[i].ext.be_addr, got->ext.be_addr);
	m[slot] = (struct model){ in, got->ext, proto, 1 };
}

static void
churn_against_model(void **state)
{
	struct nat_table *t = table((struct nat_table_conf){
		.lo = 100, .hi = 119, .mappings = MODEL, .n_addr = 3, .ports_per_host = 20 });
	struct model m[MODEL] = { 0 };

	(void)state;
	srand(11);
	for (int round = 0; round < 200000; round++) {
		enum nat_proto proto = (enum nat_proto)(rand() % NAT_PROTOS);
		uint32_t a = (uint32_t)rand(), b = (uint32_t)rand();
		struct nat_endpoint in = ep(HOST(a % 8), (uint16_t)(95 + b % 40));
		struct nat_endpoint ext = ep(EXT(1 + a % 3), (uint16_t)(98 + b / 64 % 24));
		struct nat_mapping *got;
		int at;

		/* Waves, so that it runs full and empty. */
		if (rand() % 100 < (round / 5000 % 2 == 0 ? 60 : 35)) {
			model_map(t, m, proto, in);
		} else {
			at = rand() % MODEL;
			if (m[at].refs > 0) {
				got = nat_find_inside(t, m[at].proto, m[at].in);
				nat_release(t, got);
				m[at].refs--;
			}
		}
		at = model_find(m, proto, in, false);
		got = nat_find_inside(t, proto, in);
		assert_int_equal(got != NULL, at >= 0);
		assert_true(got == NULL || got->ext.be_port == m[at].ext.be_port);
		at = model_find(m, proto, ext, true);
		got = nat_find_external(t, proto, ext);
		assert_int_equal(got != NULL, at >= 0);
		assert_true(got == NULL ||
			(got->in.be_addr == m[at].in.be_addr &&
				got->in.be_port == m[at].in.be_port));
	}
	for (int i = 0; i < MODEL; i++)
		for (; m[i].refs > 0; m[i].refs--)
			nat_release(t, nat_find_external(t, m[i].proto, m[i].ext));
	assert_int_equal(nat_table_used(t), 0);
	nat_table_destroy(t);
}

static void
shows_what_is(void **state)
{
	struct nat_table *t = table(
		(struct nat_table_conf){ .lo = 1000, .hi = 2000, .mappings = 3, .statics = 1 });
	enum nat_refusal why;
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	(void)state;
	nat_map_static(t, NAT_TCP, ep(HOST(9), 80), ep(EXT(1), 8080));
	for (uint16_t i = 0; i < 4; i++)
		nat_map_outward(t, NAT_UDP, ep(HOST(i), 1111), &why);
	nat_table_show(t, to, 2);
	fclose(to);
	assert_non_null(strstr(text, "mappings 4 of 4\n"));
	assert_non_null(strstr(text, "udp  in use 3, refused (table full) 1,"));
	assert_non_null(strstr(text, "tcp  10.0.0.9:80 -> 198.51.100.1:8080 (static), flows 0\n"));
	assert_non_null(strstr(text, "udp  10.0.0.0:1111 -> 198.51.100.1:1111, flows 1\n"));
	assert_null(strstr(text, "10.0.0.2")); /* only the first two */
	free(text);
	nat_table_destroy(t);
	nat_table_destroy(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endpoint_independent),
		cmocka_unit_test(lives_while_held),
		cmocka_unit_test(full_table_refuses_only_new_ones),
		cmocka_unit_test(host_limit),
		cmocka_unit_test(paired_pooling),
		cmocka_unit_test(static_mappings),
		cmocka_unit_test(ports_are_scattered),
		cmocka_unit_test(churn_against_model),
		cmocka_unit_test(shows_what_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
