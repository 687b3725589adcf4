/* The NAT's state scribbled over and made anew of what its flows say, and flows that say what cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nat_mend.h"
#include "nat_table.h"
#include "nfv_flow.h"

#define HOST(n) htobe32(0x0a000000u + (n))
#define EXT(n)  htobe32(0xc6336400u + (n))
#define MAX     400u

static const uint8_t ip_proto[NAT_PROTOS] = { NFV_PROTO_UDP, NFV_PROTO_TCP, NFV_PROTO_ICMP };

/* Flows as the runtime has them. */
struct flow {
	struct nat_slot slot;
	struct nfv_flow_key key;
	uint8_t family;
	bool gone;
};

struct fixture {
	struct nat nat;
	struct flow flow[MAX];
	uint32_t n, dropped;
};

static struct nat_endpoint
ep(uint32_t be_addr, uint16_t port)
{
	return (struct nat_endpoint){ be_addr, htobe16(port) };
}

static struct fixture *
make(void)
{
	const uint32_t ext_addr[] = { EXT(1), EXT(2), EXT(3) };
	const struct nat_table_conf conf = { .be_addr = ext_addr,
		.n_addr = 3,
		.lo = 1000,
		.hi = 1999,
		.mappings = MAX,
		.statics = 2,
		.seed = 3 };
	struct fixture *x = calloc(1, sizeof(*x));
	struct nfv_err err;

	assert_non_null(x);
	assert_int_equal(nat_table_create(&conf, &x->nat.table, &err), 0);
	assert_int_equal(
		nat_map_static(x->nat.table, NAT_TCP, ep(HOST(200), 80), ep(EXT(1), 80)), 0);
	assert_int_equal(
		nat_map_static(x->nat.table, NAT_UDP, ep(HOST(201), 53), ep(EXT(2), 1053)), 0);
	return x;
}

static void
drop_fixture(struct fixture *x)
{
	nat_table_destroy(x->nat.table);
	free(x);
}

/* As the stage begins a flow, outward or, to a static mapping, inward. */
static void
begin(struct fixture *x, enum nat_proto proto, struct nat_endpoint in)
{
	struct flow *f = &x->flow[x->n++];
	enum nat_refusal why;
	struct nat_mapping *m = nat_map_outward(x->nat.table, proto, in, &why);

	assert_non_null(m);
	nat_slot_fill(&f->slot, nat_mapping_id(x->nat.table, m), m);
	f->family = 4;
	f->key = (struct nfv_flow_key){ .be_sport = in.be_port,
		.be_dport = htobe16((uint16_t)x->n),
		.proto = ip_proto[proto],
		.v4 = { in.be_addr, HOST(99) } };
}

static void
begin_inward(struct fixture *x, enum nat_proto proto, struct nat_endpoint ext)
{
	struct flow *f = &x->flow[x->n++];
	struct nat_mapping *m = nat_find_external(x->nat.table, proto, ext);

	assert_non_null(m);
	nat_hold(m);
	nat_slot_fill(&f->slot, nat_mapping_id(x->nat.table, m), m);
	f->family = 4;
	f->key = (struct nfv_flow_key){ .be_sport = htobe16((uint16_t)x->n),
		.be_dport = ext.be_port,
		.proto = ip_proto[proto],
		.dir = NFV_INWARD,
		.v4 = { HOST(99), ext.be_addr } };
}

static void
begin_many(struct fixture *x)
{
	for (uint32_t i = 0; i < 300; i++)
		begin(x, i % NAT_PROTOS, ep(HOST(i % 40), (uint16_t)(1500 + i % 7)));
	for (uint32_t i = 0; i < 5; i++) {
		begin_inward(x, NAT_TCP, ep(EXT(1), 80));
		begin_inward(x, NAT_UDP, ep(EXT(2), 1053));
	}
	x->flow[x->n++] = (struct flow){ .family = 4 }; /* not translated */
	x->flow[x->n++] = (struct flow){ .family = 6 };
}

static bool
next(const struct nfv_mend *m, struct nfv_mend_flow *f)
{
	struct fixture *x = m->arg;

	while (f->next < x->n && x->flow[f->next].gone)
		f->next++;
	if (f->next == x->n)
		return false;
	f->slot = &x->flow[f->next].slot;
	f->key = &x->flow[f->next].key;
	f->family = x->flow[f->next++].family;
	return true;
}

static void
drop(const struct nfv_mend *m, const struct nfv_mend_flow *f)
{
	struct fixture *x = m->arg;

	((struct flow *)f->slot)->gone = true; /* the slot is its first part */
	x->dropped++;
}

static void
mend(struct fixture *x)
{
	const struct nfv_mend m = { .next = next, .drop = drop, .arg = x };

	assert_int_equal(nat_mend(&x->nat, &m), 0);
}

/* What the flows that are left say is what there is, and nothing else is. */
static void
check(const struct fixture *x)
{
	const struct nat_table *t = x->nat.table;
	uint32_t used = 0, n_free = 0, taken[3][NAT_PROTOS] = { { 0 } }, list = 0;
	uint32_t refs[MAX + 3] = { 0 };

	for (uint32_t i = 0; i < x->n; i++) {
		const struct nat_slot *s = &x->flow[i].slot;
		const struct nat_mapping *m;

		if (x->flow[i].gone || s->mapping == 0)
			continue;
		refs[s->mapping]++;
		m = nat_mapping_by_id(t, s->mapping);
		assert_true(same(m->in, s->in) && same(m->ext, s->ext));
		assert_ptr_equal(nat_find_external(t, m->proto, s->ext), m);
		assert_ptr_equal(nat_find_inside(t, m->proto, s->in), m);
		assert_int_equal(m->id, s->mapping);
		assert_int_equal(host_at(t, m->host)->be_addr, s->in.be_addr);
		assert_int_equal(t->be_addr[m->pool], s->ext.be_addr);
	}
	for (uint32_t i = 1; i <= t->n_entries; i++) {
		const struct nat_mapping *m = nat_mapping_by_id(t, i);

		assert_int_equal(m->refs, refs[i] + m->is_static);
		used += m->refs > 0;
		if (m->refs > 0 && be16toh(m->ext.be_port) >= 1000)
			taken[m->pool][m->proto]++;
	}
	assert_int_equal(nat_table_used(t), used);
	assert_int_equal(t->counts->dynamic, used - 2);
	for (uint32_t i = 0; i < 3; i++)
		for (int p = 0; p < NAT_PROTOS; p++)
			assert_int_equal(ports_of(t, i, p)->n_free, 1000 - taken[i][p]);
	for (uint32_t i = t->counts->free_mapping; i != 0; i = nat_mapping_by_id(t, i)->next_in)
		list++;
	assert_int_equal(list, t->n_entries - used);
	for (uint32_t i = t->counts->free_host; i != 0; i = host_at(t, i)->next)
		n_free++;
	assert_true(n_free >= list); /* no more hosts than mappings */
}

static void
scribble(void *at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (rand() % 3 == 0)
			((uint8_t *)at)[i] = (uint8_t)rand();
}

static void
scribble_all(struct nat_table *t)
{
	const struct nfv_pages *all[] = { &t->mappings, &t->hosts, &t->heads };

	for (size_t k = 0; k < 3; k++)
		for (size_t i = 0; i < all[k]->n; i++)
			scribble(all[k]->page[i], NFV_PAGE);
	scribble(t->counts, sizeof(*t->counts));
	scribble(t->ports, 3 * NAT_PROTOS * sizeof(*t->ports));
}

static void
all_is_made_anew_of_what_flows_hold(void **state)
{
	struct fixture *x = make();
	struct nat_slot was[MAX];

	(void)state;
	srand(1);
	begin_many(x);
	check(x);
	for (uint32_t i = 0; i < x->n; i++)
		was[i] = x->flow[i].slot;
	for (int round = 0; round < 30; round++) {
		scribble_all(x->nat.table);
		mend(x);
		check(x);
		assert_int_equal(x->dropped, 0);
		for (uint32_t i = 0; i < x->n; i++) {
			assert_true(same(was[i].in, x->flow[i].slot.in));
			assert_true(same(was[i].ext, x->flow[i].slot.ext));
			assert_int_equal(was[i].mapping, x->flow[i].slot.mapping);
			assert_int_equal(was[i].ip_delta, x->flow[i].slot.ip_delta);
			assert_int_equal(was[i].l4_delta, x->flow[i].slot.l4_delta);
		}
		/* Some end, and others begin, as if nothing had been. */
		for (int i = 0; i < 5; i++) {
			struct flow *f = &x->flow[rand() % 300];

			if (!f->gone)
				nat_flow_end(&x->nat, &f->slot);
			f->gone = true;
		}
		if (x->n < MAX)
			begin(x, NAT_UDP, ep(HOST(100), (uint16_t)(3000 + round)));
		was[x->n - 1] = x->flow[x->n - 1].slot;
		check(x);
		for (uint32_t i = 0; i < x->n; i++)
			was[i] = x->flow[i].slot;
	}
	for (uint32_t i = 0; i < x->n; i++)
		if (!x->flow[i].gone)
			nat_flow_end(&x->nat, &x->flow[i].slot);
	assert_int_equal(nat_table_used(x->nat.table), 2); /* all ports are free again */
	drop_fixture(x);
}

static void
flows_that_say_what_cannot_be_are_dropped(void **state)
{
	struct fixture *x = make();
	uint32_t n;

	(void)state;
	begin_many(x);
	n = x->n;
	for (uint32_t i = 0; i < 10; i++) {
		x->flow[x->n] = x->flow[i];
		switch (i) {
		case 0: /* another's number */
			x->flow[x->n].slot.mapping = x->flow[1].slot.mapping;
			break;
		case 1: /* no number that there is */
			x->flow[x->n].slot.mapping = MAX + 3;
			break;
		case 2: /* another's port, with a number that is free */
			x->flow[x->n].slot.mapping = MAX;
			break;
		case 3: /* a port that is not to be given, and an inside endpoint that has one */
			x->flow[x->n].slot.mapping = MAX;
			x->flow[x->n].slot.ext.be_port = htobe16(2000);
			break;
		case 4: /* an address that is not ours */
			x->flow[x->n].slot.mapping = MAX;
			x->flow[x->n].slot.ext.be_addr = EXT(9);
			break;
		case 5: /* not what its first packet had */
			x->flow[x->n].key.be_sport ^= 1;
			break;
		case 6: /* a protocol without ports */
			x->flow[x->n].key.proto = 47;
			break;
		case 7: /* IPv6 is not translated */
			x->flow[x->n].family = 6;
			break;
		case 8: /* an inside host with two external addresses */
			x->flow[x->n].slot.mapping = MAX;
			x->flow[x->n].slot.in.be_port = x->flow[x->n].key.be_sport = htobe16(9);
			x->flow[x->n].slot.ext = ep(
				x->flow[x->n].slot.ext.be_addr == EXT(1) ? EXT(2) : EXT(1), 1999);
			break;
		default: /* the static one's */
			x->flow[x->n].slot.mapping = 1;
		}
		x->n++;
	}
	mend(x);
	check(x);
	assert_int_equal(x->dropped, 10);
	for (uint32_t i = 0; i < x->n; i++)
		assert_int_equal(x->flow[i].gone, i >= n);
	drop_fixture(x);
}

/* Nonsense in slots, too. */
static void
whatever_is_found_what_is_left_is_consistent(void **state)
{
	(void)state;
	srand(2);
	for (int round = 0; round < 200; round++) {
		struct fixture *x = make();

		begin_many(x);
		scribble_all(x->nat.table);
		for (int i = 0; i < 100; i++) {
			uint8_t *at = (uint8_t *)&x->flow[rand() % 300].slot;

			at[(size_t)rand() % sizeof(struct nat_slot)] = (uint8_t)rand();
		}
		mend(x);
		check(x);
		drop_fixture(x);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_is_made_anew_of_what_flows_hold),
		cmocka_unit_test(flows_that_say_what_cannot_be_are_dropped),
		cmocka_unit_test(whatever_is_found_what_is_left_is_consistent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
