#include <stdlib.h>
#include <string.h>

#include "nfv_csum.h"
#include "nfv_tsc.h"
#include "sessions.h"

#define HOST(i)   htobe32(0x0a010000u + (i) % 1000 + 2)
#define PORT(i)   htobe16((uint16_t)(5000 + (i) / 1000 % 60000))
#define REMOTE    htobe32(0xcb007109u) /* RFC 5737 */
#define BE_REMOTE htobe16(9)
#define TEXT      18 /* bytes of payload: frames of 60 */

const struct nfv_prefix sessions_own[1] = { { { { 198, 51, 100, 1 }, NFV_IPV4 }, 24 } };
const char sessions_conf[] = "nat: {ports: 10000-65000, mappings: 40000}\n";

static void
write_udp(struct nfv_pkt *p, uint32_t be_src, uint16_t be_sport, uint32_t be_dst, uint16_t be_dport,
	uint32_t i)
{
	uint8_t text[TEXT] = { 0 };
	struct nfv_udp *u;

	nfv_pkt_ip_header(p, 4, &be_src, &be_dst, NFV_PROTO_UDP, NFV_UDP_LEN + TEXT);
	u = nfv_pkt_l4(p);
	*u = (struct nfv_udp){ be_sport, be_dport, htobe16(NFV_UDP_LEN + TEXT), 0 };
	text[0] = 'k';
	memcpy(text + 4, &i, sizeof(i));
	memcpy(u + 1, text, TEXT);
	nfv_csum_l4_set(p);
}

static void
write_one(const struct sessions *x, struct nfv_pkt *p, uint32_t i, enum nfv_dir dir)
{
	if (dir == NFV_OUTWARD)
		write_udp(p, HOST(i), PORT(i), REMOTE, BE_REMOTE, i);
	else
		write_udp(p, REMOTE, BE_REMOTE, x->s[i].be_addr, x->s[i].be_port, i);
}

uint16_t
sessions_send(struct sessions *x, struct nfv_isolated *iso, const struct nfv_isolated_pool *pool,
	uint32_t first, enum nfv_dir dir)
{
	struct nfv_burst b = { .dir = dir, .tsc = nfv_tsc() };
	uint16_t n = b.n = (uint16_t)pool->take(pool->arg, b.pkt, NFV_BURST_MAX);

	for (uint16_t i = 0; i < n; i++) {
		write_one(x, &b.pkt[i], first < x->n ? (first + i) % x->n : first + i, dir);
		if (nfv_pkt_parse_ip(&b.pkt[i]) != NFV_PARSE_OK)
			abort();
	}
	nfv_isolated_process(iso, &b);
	return n;
}

static bool
is_right(struct sessions *x, const struct nfv_pkt *p, uint32_t i, enum nfv_dir dir)
{
	const struct nfv_ip4 *ip = nfv_pkt_ip4(p);
	const struct nfv_udp *u = nfv_pkt_l4(p);

	if (dir == NFV_INWARD)
		return i < x->n && ip->be_src == REMOTE && u->be_sport == BE_REMOTE &&
			ip->be_dst == HOST(i) && u->be_dport == PORT(i);
	if (ip->be_dst != REMOTE || u->be_dport != BE_REMOTE ||
		memcmp(&ip->be_src, sessions_own[0].addr.b, 4) != 0)
		return false;
	if (i < x->n && x->s[i].be_port == 0) {
		x->s[i].be_addr = ip->be_src;
		x->s[i].be_port = u->be_sport;
		x->taken[u->be_sport] = true;
	}
	/* Nobody who came later has the endpoint of one that is kept. */
	return i >= x->n ? !x->taken[u->be_sport] :
			   x->s[i].be_addr == ip->be_src && x->s[i].be_port == u->be_sport;
}

static void
read_one(struct sessions *x, const struct nfv_pkt *p, enum nfv_dir dir)
{
	uint32_t i;

	if (p->verdict != NFV_KEEP)
		return;
	memcpy(&i, (const uint8_t *)nfv_pkt_l4(p) + NFV_UDP_LEN + 4, sizeof(i));
	if (!is_right(x, p, i, dir) || !nfv_csum_l4_ok(p))
		x->wrong++;
	else if (i < x->n && dir == NFV_INWARD)
		x->s[i].kept = true;
}

uint32_t
sessions_collect(struct sessions *x, struct nfv_isolated *iso, const struct nfv_isolated_pool *pool)
{
	struct nfv_burst back[2], origin[2];
	uint32_t n = nfv_isolated_collect(iso, back, origin);

	for (int dir = 0; dir < 2; dir++)
		for (uint16_t i = 0; i < back[dir].n; i++) {
			read_one(x, &back[dir].pkt[i], (enum nfv_dir)dir);
			pool->give(pool->arg, &back[dir].pkt[i].buf, 1);
		}
	return n;
}

void
sessions_ask(struct sessions *x)
{
	for (uint32_t i = 0; i < x->n; i++)
		x->s[i].kept = false;
}

uint32_t
sessions_kept(const struct sessions *x)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < x->n; i++)
		kept += x->s[i].kept;
	return kept;
}
