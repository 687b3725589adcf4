/**
 * @file
 * A conversation through the NAT: records of one byte (direction, what to mend, whether to end all
 * flows), one byte of length in units of two, and that many bytes of an IPv4 packet. What came with
 * right checksums must leave with right ones, and once all flows have ended nothing is held.
 */
#include <stdlib.h>

#include "natbox.h"

enum { INWARD = 1, MEND_IP = 2, MEND_L4 = 4, END = 8, FULL = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A message of nothing but zeros adds up to +0; all right ones to -0, and an edit by increment cannot
 * tell the two apart (RFC 1624 §3). */
static bool
is_nothing(const struct nfv_pkt *p)
{
	const uint8_t *l4 = nfv_pkt_l4(p);
	unsigned int n = nfv_pkt_l4_len(p);

	while (n > 0 && l4[n - 1] == 0)
		n--;
	return n == 0;
}

/* `ip` becomes the end of an allocation of its own, so that the sanitizer sees over-reads. */
static void
send_one(struct box *box, uint8_t what, const uint8_t *ip, size_t n)
{
	struct nfv_pkt p = { .data = malloc(NFV_ETH_LEN + n), .len = (uint16_t)(NFV_ETH_LEN + n) };
	struct nfv_eth eth = { .be_type = htobe16(NFV_ETH_IP4) };
	struct nfv_ip4 *h;
	bool right;

	memcpy(p.data, &eth, sizeof(eth));
	memcpy(p.data + NFV_ETH_LEN, ip, n);
	h = (struct nfv_ip4 *)(p.data + NFV_ETH_LEN);
	if ((what & MEND_IP) && n >= NFV_IP4_LEN && nfv_ip4_hlen(h) <= n)
		nfv_csum_ip4_set(h);
	if (nfv_pkt_parse(&p) == NFV_PARSE_OK && !(p.flags & NFV_PKT_FRAGMENT) && !is_nothing(&p)) {
		if (what & MEND_L4)
			nfv_csum_l4_set(&p);
		right = nfv_csum_l4_ok(&p);
		box->full = what & FULL;
		if (box_send(box, what & INWARD ? NFV_INWARD : NFV_OUTWARD, &p) == NFV_KEEP &&
			(nfv_pkt_parse(&p) != NFV_PARSE_OK || nfv_csum_l4_ok(&p) != right))
			abort();
	}
	free(p.data);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct box box;
	struct nfv_err err;
	size_t at = 0;

	if (box.ops == NULL &&
		natbox_open(&box,
			"nat:\n  ports: 40000-40003\n  mappings: 8\n  ports-per-host: 3\n"
			"  forward:\n"
			"  - {proto: udp, outside: '" EXT1 ":53', inside: '10.0.0.9:53'}\n",
			&err) < 0)
		abort();
	while (size - at >= 2) {
		size_t n = data[at + 1] * 2u;

		if (n > size - at - 2)
			n = size - at - 2;
		if (data[at] & END)
			box_end_all(&box);
		send_one(&box, data[at], data + at + 2, n);
		at += 2 + n;
	}
	box_end_all(&box);
	if (nat_table_used(natbox_nat(&box)->table) != 1) /* the forward */
		abort();
	return 0;
}
