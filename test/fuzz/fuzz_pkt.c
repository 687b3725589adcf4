/**
 * @file
 * Any bytes as a frame: headers are parsed, a flow's key is taken, checksums are looked at and set.
 *
 * Input: the frame; the first byte's lowest bit is flipped out of it as the direction of travel.
 * Besides the sanitizers' own findings: offsets lie within the packet, a key turned around twice is
 * itself, a checksum that was set is right.
 */
#include <stdlib.h>
#include <string.h>

#include "nfv_csum.h"
#include "nfv_flow.h"
#include "nfv_pkt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool ok)
{
	if (!ok)
		abort();
}

static void
check_key(const struct nfv_pkt *p, enum nfv_dir dir)
{
	struct nfv_flow_key key, back;
	enum nfv_flow_kind kind = nfv_flow_key(p, dir, &key);

	if (kind == NFV_FLOW_NONE)
		return;
	check(key.zero == 0);
	/* An error is looked up as what the quoted flow's packets this way carry. */
	check(key.dir == (uint8_t)dir);
	back = nfv_flow_mirror(&key, p->family);
	check(back.dir != key.dir);
	back = nfv_flow_mirror(&back, p->family);
	check(memcmp(&back, &key, p->family == 4 ? 16 : sizeof(key)) == 0);
}

static bool
has_csum(const struct nfv_pkt *p)
{
	return p->proto == NFV_PROTO_UDP || p->proto == NFV_PROTO_TCP ||
		p->proto == NFV_PROTO_ICMP || p->proto == NFV_PROTO_ICMP6;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Exactly as large as it is: to read past it is to be caught. */
	uint8_t *frame = malloc(size > 0 ? size : 1);
	struct nfv_pkt p = { .data = frame, .len = (uint16_t)size };
	enum nfv_dir dir = size > 0 && data[0] & 1 ? NFV_INWARD : NFV_OUTWARD;
	enum nfv_parse why;

	if (frame == NULL || size > UINT16_MAX) {
		free(frame);
		return 0;
	}
	memcpy(frame, data, size);
	if (size >= NFV_ETH_LEN + NFV_IP4_LEN && frame[NFV_ETH_LEN] >> 4 == 4) {
		struct nfv_ip4 *ip = (struct nfv_ip4 *)(frame + NFV_ETH_LEN);

		if (NFV_ETH_LEN + nfv_ip4_hlen(ip) <= size)
			nfv_csum_ip4_set(ip); /* a fuzzer does not guess it */
	}
	why = nfv_pkt_parse(&p);
	check(why < NFV_PARSE_REASONS && nfv_parse_name[why] != NULL);
	if (why == NFV_PARSE_OK && p.family != 0) {
		check(p.len <= size && p.l3 >= NFV_ETH_LEN && p.l4 > p.l3 && p.l4 <= p.len);
		if (!(p.flags & NFV_PKT_FRAGMENT)) {
			check_key(&p, dir);
			(void)nfv_csum_l4_ok(&p);
			nfv_csum_l4_set(&p);
			check(!has_csum(&p) || nfv_csum_l4_ok(&p));
		}
		/* The same again, from the IP header on. */
		check(nfv_pkt_parse_ip(&p) == NFV_PARSE_OK);
	}
	free(frame);
	return 0;
}
