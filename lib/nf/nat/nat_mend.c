/*
 * The NAT after a death in the middle of something. What a flow's slot says, and its key bears out, is
 * the truth: of that the table of mappings is made anew, ports, hosts and counts with it.
 */
#include "nat_mend.h"
#include "nat_table.h"
#include "nfv_flow.h"

void
nat_mend_begin(struct nat_table *t)
{
	table_clear(t);
	/* In the order in which they were, so each gets the number it had. */
	for (uint32_t i = 0; i < t->n_statics; i++)
		table_enter_static(t, &t->statics[i]);
}

/* Of an entry that no flow has told of yet. */
static struct nat_mapping *
enter(struct nat_table *t, uint32_t id, enum nat_proto proto, struct nat_endpoint in,
	struct nat_endpoint ext)
{
	struct nat_mapping m = { .proto = (uint8_t)proto, .in = in, .ext = ext };

	while (m.pool < t->n_pool && t->be_addr[m.pool] != ext.be_addr)
		m.pool++;
	m.host = table_find_host(t, in.be_addr);
	if (m.pool == t->n_pool || t->counts->dynamic == t->limit ||
		(m.host != 0 && host_at(t, m.host)->pool != m.pool) ||
		nat_find_inside(t, proto, in) != NULL ||
		!nat_ports_take(ports_of(t, m.pool, proto), be16toh(ext.be_port)))
		return NULL;
	return table_enter(t, id, &m);
}

struct nat_mapping *
nat_mend_hold(struct nat_table *t, uint32_t id, enum nat_proto proto, struct nat_endpoint in,
	struct nat_endpoint ext)
{
	struct nat_mapping *m;

	if (id == 0 || id > t->n_entries)
		return NULL;
	m = nat_mapping_by_id(t, id);
	if (m->refs == 0)
		return enter(t, id, proto, in, ext);
	if (m->proto != proto || !same(m->in, in) || !same(m->ext, ext))
		return NULL;
	m->refs++;
	return m;
}

void
nat_mend_end(struct nat_table *t)
{
	table_free_list(t);
}

static int
proto_of(const struct nfv_flow_key *key)
{
	return key->proto == NFV_PROTO_UDP   ? NAT_UDP :
		key->proto == NFV_PROTO_TCP  ? NAT_TCP :
		key->proto == NFV_PROTO_ICMP ? NAT_ICMP :
					       -1;
}

/* The packet that began it came from the inside endpoint, or went to the external one. */
static bool
borne_out(const struct nat_slot *slot, const struct nfv_flow_key *key)
{
	struct nat_endpoint src = { key->v4.be_src, key->be_sport };
	struct nat_endpoint dst = { key->v4.be_dst, key->be_dport };

	return key->dir == NFV_OUTWARD ? same(slot->in, src) : same(slot->ext, dst);
}

int
nat_mend(struct nat *nat, const struct nfv_mend *mend)
{
	struct nfv_mend_flow f = { .slot = NULL };

	nat_mend_begin(nat->table);
	while (mend->next(mend, &f)) {
		struct nat_slot *slot = f.slot;
		const struct nat_mapping *m = NULL;
		int proto = f.family == 4 ? proto_of(f.key) : -1;

		if (slot->mapping == 0)
			continue;
		if (proto >= 0 && borne_out(slot, f.key))
			m = nat_mend_hold(nat->table, slot->mapping, (enum nat_proto)proto,
				slot->in, slot->ext);
		if (m != NULL)
			nat_slot_fill(slot, slot->mapping, m);
		else
			mend->drop(mend, &f);
	}
	nat_mend_end(nat->table);
	return 0;
}
