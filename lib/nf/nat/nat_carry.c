#include <string.h>

#include "nat_carry.h"
#include "nfv_csum.h"

size_t
nat_export_flow(const void *state, const void *slot, void *to, size_t room)
{
	const struct nat *nat = state;
	const struct nat_slot *s = slot;
	const struct nat_mapping *m;
	struct nat_carried c;

	if (s->mapping == 0 || room < sizeof(c))
		return 0;
	m = nat_mapping_by_id(nat->table, s->mapping);
	c = (struct nat_carried){ .be_in_addr = m->in.be_addr,
		.be_ext_addr = m->ext.be_addr,
		.be_in_port = m->in.be_port,
		.be_ext_port = m->ext.be_port,
		.proto = m->proto,
		.is_static = m->is_static };
	memcpy(to, &c, sizeof(c));
	return sizeof(c);
}

int
nat_import_flow(void *state, uint32_t version, const void *bytes, size_t n, void *slot)
{
	struct nat *nat = state;
	const struct nat_mapping *m;
	struct nat_carried c;

	(void)version; /* there has been no other yet */
	if (n == 0)
		return 0;
	if (n != sizeof(c))
		return -EINVAL;
	memcpy(&c, bytes, sizeof(c));
	if (c.proto >= NAT_PROTOS)
		return -EINVAL;
	m = nat_map_exact(nat->table, (enum nat_proto)c.proto,
		(struct nat_endpoint){ c.be_in_addr, c.be_in_port },
		(struct nat_endpoint){ c.be_ext_addr, c.be_ext_port }, c.is_static != 0);
	if (m == NULL)
		return -EADDRNOTAVAIL;
	nat_slot_fill(slot, nat_mapping_id(nat->table, m), m);
	return 0;
}

int
nat_export(void *state, const struct nfv_put *to)
{
	struct nat *nat = state;

	return to->put(
		to->arg, nat_table_refused(nat->table), sizeof(uint64_t[NAT_REFUSALS][NAT_PROTOS]));
}

int
nat_import(void *state, uint32_t version, const void *bytes, size_t n)
{
	uint64_t more[NAT_REFUSALS][NAT_PROTOS];
	struct nat *nat = state;

	(void)version;
	if (n != sizeof(more))
		return -EINVAL;
	memcpy(more, bytes, sizeof(more));
	for (int r = 0; r < NAT_REFUSALS; r++)
		for (int p = 0; p < NAT_PROTOS; p++)
			nat_table_refused(nat->table)[r][p] += more[r][p];
	return 0;
}

/* A datagram of four bytes from one endpoint to another. */
static struct nfv_pkt
datagram(uint8_t frame[64], struct nat_endpoint from, struct nat_endpoint to)
{
	struct nfv_pkt p = { .data = frame, .len = NFV_ETH_LEN, .l3 = NFV_ETH_LEN, .tailroom = 50 };
	struct nfv_udp *u;

	nfv_pkt_ip_header(&p, 4, &from.be_addr, &to.be_addr, NFV_PROTO_UDP, NFV_UDP_LEN + 4);
	u = nfv_pkt_l4(&p);
	*u = (struct nfv_udp){ from.be_port, to.be_port, htobe16(NFV_UDP_LEN + 4), 0 };
	memcpy(u + 1, "test", 4);
	nfv_csum_l4_set(&p);
	return p;
}

/* There and back, as an established flow's packets go. */
static const char *
wrong(const struct nat *nat, const struct nat_mapping *m)
{
	const struct nat_endpoint remote = { htobe32(0xcb007109), htobe16(9) }; /* RFC 5737 */
	uint8_t frame[64] = { 0 };
	struct nfv_pkt p = datagram(frame, m->in, remote);
	struct nat_endpoint is;
	struct nat_slot slot;

	nat_slot_fill(&slot, nat_mapping_id(nat->table, m), m);
	if (!nat_rewrite(&slot, &p, NFV_OUTWARD))
		return "a packet outward is not translated";
	is = nat_pkt_src(&p, NAT_UDP);
	if (is.be_addr != m->ext.be_addr || is.be_port != m->ext.be_port || !nfv_csum_l4_ok(&p))
		return "a packet outward is translated into a wrong one";
	p = datagram(frame, remote, m->ext);
	if (!nat_rewrite(&slot, &p, NFV_INWARD))
		return "an answer is not translated";
	is = nat_pkt_dst(&p, NAT_UDP);
	if (is.be_addr != m->in.be_addr || is.be_port != m->in.be_port || !nfv_csum_l4_ok(&p))
		return "an answer is translated into a wrong packet";
	return NULL;
}

int
nat_selftest(void *state, struct nfv_err *err)
{
	const struct nat_endpoint in = { htobe32(0xc0000201), htobe16(40000) }; /* RFC 5737 */
	struct nat *nat = state;
	uint32_t before = nat_table_used(nat->table);
	struct nat_mapping *m;
	enum nat_refusal why;
	const char *what;

	m = nat_map_outward(nat->table, NAT_UDP, in, &why);
	if (m == NULL)
		return nfv_fail(
			err, EIO, "the NAT's test of itself: there is no mapping to be had");
	what = nat_find_external(nat->table, NAT_UDP, m->ext) == m ? wrong(nat, m) :
								     "a mapping is not found";
	nat_release(nat->table, m);
	if (what == NULL && nat_table_used(nat->table) != before)
		what = "a mapping that is given back stays";
	return what == NULL ? 0 : nfv_fail(err, EIO, "the NAT's test of itself: %s", what);
}
