#include <rte_malloc.h>

#include "icmp.h"
#include "reassemble.h"
#include "resolve.h"

#define TICK_BUDGET 32 /* neighbours a tick at most: as many frames as a burst takes */

const char *const nfv_l3_drop_name[NFV_L3_REASONS] = {
	NFV_PARSE_NAMES,
	[NFV_L3_NOT_FOR_US] = "not-for-us",
	[NFV_L3_MULTICAST] = "multicast",
	[NFV_L3_FRAGMENT] = "fragment",
	[NFV_L3_FRAG_DUPLICATE] = "fragment-duplicate",
	[NFV_L3_FRAG_OVERLAP] = "fragment-overlap",
	[NFV_L3_FRAG_LENGTH] = "fragment-length",
	[NFV_L3_FRAG_PIECES] = "fragment-pieces",
	[NFV_L3_FRAG_FULL] = "fragment-full",
	[NFV_L3_ARP_BAD] = "arp-malformed",
	[NFV_L3_ND_BAD] = "nd-malformed",
	[NFV_L3_ICMP_CHECKSUM] = "icmp-checksum",
	[NFV_L3_SPOOFED] = "spoofed",
	[NFV_L3_TTL] = "ttl",
	[NFV_L3_NO_ROUTE] = "no-route",
	[NFV_L3_WRONG_WAY] = "wrong-way",
	[NFV_L3_NO_LISTENER] = "no-listener",
	[NFV_L3_TOO_BIG] = "too-big",
	[NFV_L3_NO_NEIGHBOUR] = "no-neighbour",
	[NFV_L3_QUEUE_FULL] = "queue-full",
	[NFV_L3_NO_BUFFER] = "no-buffer",
};

static const char *const side[2] = { "inside", "outside" };

const struct nfv_addr *
host_source(const struct nfv_l3 *l3, uint8_t port, const struct nfv_addr *to)
{
	const struct host_port *h = &l3->port[port];
	const struct nfv_addr *any = NULL;

	for (uint32_t i = 0; i < h->n_addr; i++) {
		const struct nfv_prefix *p = &h->addr[i];

		if (nfv_prefix_has(p, to))
			return &p->addr;
		if (any == NULL && p->addr.family == to->family && !addr_link_local(&p->addr))
			any = &p->addr;
	}
	return any;
}

/* IPv6 is spoken at both ports if it is configured anywhere; every port then has a link-local
 * address made of its MAC address (RFC 4291 app. A). */
static bool
speaks_ip6(const struct nfv_l3_conf *conf)
{
	for (uint32_t i = 0; i < conf->n_route; i++)
		if (conf->route[i].to.addr.family == NFV_IPV6)
			return true;
	for (int port = 0; port < 2; port++)
		for (uint32_t i = 0; i < conf->port[port].n_addr; i++)
			if (conf->port[port].addr[i].addr.family == NFV_IPV6)
				return true;
	return false;
}

static struct nfv_prefix
link_local(const uint8_t mac[6])
{
	return (struct nfv_prefix){ { { 0xfe, 0x80, [8] = mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe,
					      mac[3], mac[4], mac[5] },
					    NFV_IPV6 },
		64 };
}

/* The first and the last address of an on-link IPv4 network with at least two hosts. */
static bool
broadcasts(const struct nfv_prefix *p, struct nfv_addr both[2])
{
	uint32_t be, mask;

	if (p->addr.family != NFV_IPV4 || p->len > 30)
		return false;
	memcpy(&be, p->addr.b, sizeof(be));
	mask = htobe32(UINT32_MAX << (32 - p->len));
	both[0] = nfv_addr4(be & mask);
	both[1] = nfv_addr4(be | ~mask);
	return true;
}

static int
check_addr(const struct nfv_prefix *p, uint8_t port, struct nfv_err *err)
{
	const struct nfv_addr *a = &p->addr;
	struct nfv_addr both[2];
	char text[NFV_ADDR_TEXT];
	bool host;

	host = a->family == NFV_IPV4 ? a->b[0] != 0 && a->b[0] != 127 && a->b[0] < 224 :
				       a->family == NFV_IPV6 && a->b[0] != 0xff &&
			memcmp(a->b, (uint8_t[16]){ 0 }, 15) != 0;
	if (p->len == 0 || p->len > nfv_addr_bits(a))
		host = false;
	if (host && broadcasts(p, both))
		host = !nfv_addr_eq(a, &both[0]) && !nfv_addr_eq(a, &both[1]);
	return host ? 0 :
		      nfv_fail(err, EINVAL, "%s cannot be an address of a host (%s port)",
			      nfv_prefix_text(p, text), side[port]);
}

/* A host with one port has it outside. */
static bool
is_absent(const struct nfv_l3_conf *conf, uint8_t port)
{
	return port == 0 && conf->port[0].mtu == 0 && conf->port[0].n_addr == 0;
}

static int
check_port(const struct nfv_l3_conf *conf, uint8_t port, bool ip6, struct nfv_err *err)
{
	const struct nfv_l3_port *p = &conf->port[port];
	uint16_t least = ip6 ? 1280 : 576;
	int rc = 0;

	if (is_absent(conf, port))
		return 0;
	if (p->n_addr == 0)
		return nfv_fail(err, EINVAL, "the %s port has no address", side[port]);
	if (p->mtu < least || p->mtu > 9000)
		return nfv_fail(err, ERANGE, "the %s port's MTU is %u: it must be %u…9000%s",
			side[port], p->mtu, least, ip6 ? " with IPv6" : "");
	if (mac_is_group(p->mac))
		return nfv_fail(err, EINVAL, "the %s port's MAC address is a group's", side[port]);
	for (uint32_t i = 0; i < p->n_addr && rc == 0; i++)
		rc = check_addr(&p->addr[i], port, err);
	return rc;
}

static int
check(const struct nfv_l3_conf *conf, bool ip6, struct nfv_err *err)
{
	uint64_t total = (uint64_t)conf->n_route + conf->port[0].n_addr + conf->port[1].n_addr;

	if (total > ROUTES_MAX)
		return nfv_fail(err, E2BIG, "%llu routes and own addresses: at most %d fit",
			(unsigned long long)total, ROUTES_MAX);
	if (conf->neighbours == 0 || conf->neighbours > 1u << 20)
		return nfv_fail(err, ERANGE, "a cache of %u neighbours: it must hold 1…%u",
			conf->neighbours, 1u << 20);
	if (conf->reassembly > REASM_MAX)
		return nfv_fail(err, ERANGE, "%u datagrams put together at once: at most %u",
			conf->reassembly, REASM_MAX);
	if (conf->tsc_hz == 0)
		return nfv_fail(err, EINVAL, "the clock's frequency is not given");
	for (uint8_t port = 0; port < 2; port++) {
		int rc = check_port(conf, port, ip6, err);

		if (rc != 0)
			return rc;
	}
	return 0;
}

/* An address of ours, and the broadcast addresses of its network. */
static int
own_network(struct nfv_l3 *l3, const struct nfv_prefix *p, uint8_t port, struct nfv_err *err)
{
	struct nfv_addr both[2];
	char text[NFV_ADDR_TEXT];

	if (own_add(&l3->own, &p->addr, OWN_HOST, port) != 0)
		return nfv_fail(err, EEXIST, "the address %s is given twice",
			nfv_addr_text(&p->addr, text));
	if (broadcasts(p, both)) {
		own_add(&l3->own, &both[0], OWN_BROADCAST, port); /* may be there already: */
		own_add(&l3->own, &both[1], OWN_BROADCAST, port); /* two addresses, one network */
	}
	return 0;
}

static int
setup_port(struct nfv_l3 *l3, const struct nfv_l3_conf *conf, uint8_t port, bool ip6,
	struct nfv_err *err)
{
	const struct nfv_l3_port *from = &conf->port[port];
	struct nfv_prefix own_link = link_local(from->mac);
	struct host_port *h = &l3->port[port];
	int rc = 0;

	if (is_absent(conf, port))
		return 0;
	memcpy(h->mac, from->mac, sizeof(h->mac));
	h->mtu = from->mtu;
	h->addr = rte_zmalloc("l3_addr", (from->n_addr + 1) * sizeof(*h->addr), 0);
	if (h->addr == NULL)
		return nfv_fail(err, ENOMEM, "no memory for %u addresses", from->n_addr);
	for (uint32_t i = 0; i < from->n_addr && rc == 0; i++) {
		h->addr[h->n_addr++] = from->addr[i];
		rc = own_network(l3, &from->addr[i], port, err);
	}
	if (rc == 0 && ip6 && !own_host_on(&l3->own, &own_link.addr, port)) {
		h->addr[h->n_addr++] = own_link;
		rc = own_network(l3, &own_link, port, err);
	}
	return rc;
}

static int
check_gateways(const struct nfv_l3 *l3, struct nfv_err *err)
{
	char text[NFV_ADDR_TEXT];

	for (uint32_t i = HOP_GATEWAYS; i < l3->routes.n_hop; i++)
		if (own_find(&l3->own, &l3->routes.hop[i].via)->kind != OWN_NO)
			return nfv_fail(err, EINVAL,
				"the next hop %s is an own or a broadcast address",
				nfv_addr_text(&l3->routes.hop[i].via, text));
	return 0;
}

int
nfv_l3_create(const struct nfv_l3_conf *conf, struct nfv_l3 **out, struct nfv_err *err)
{
	bool ip6 = speaks_ip6(conf);
	uint16_t mtu =
		conf->port[0].mtu > conf->port[1].mtu ? conf->port[0].mtu : conf->port[1].mtu;
	struct nfv_l3 *l3 = NULL;
	int rc = check(conf, ip6, err);

	if (rc != 0)
		goto fail;
	l3 = rte_zmalloc_socket("l3", sizeof(*l3), 64, conf->socket);
	if (l3 == NULL ||
		own_init(&l3->own, 3 * (conf->port[0].n_addr + conf->port[1].n_addr + 2),
			conf->seed, conf->socket) != 0) {
		rc = nfv_fail(err, ENOMEM, "no memory for the port's addresses");
		goto fail;
	}
	for (uint8_t port = 0; port < 2; port++)
		if ((rc = setup_port(l3, conf, port, ip6, err)) != 0)
			goto fail;
	if ((rc = routes_init(&l3->routes, conf, ip6, err)) != 0 ||
		(rc = check_gateways(l3, err)) != 0)
		goto fail;
	if (neigh_init(&l3->neigh, conf->neighbours, (size_t)NFV_ETH_LEN + mtu, conf->tsc_hz,
		    conf->seed ^ 0x5bd1e995, conf->socket) != 0) {
		rc = nfv_fail(
			err, ENOMEM, "no memory for a cache of %u neighbours", conf->neighbours);
		goto fail;
	}
	if (reasm_init(&l3->reasm, conf->reassembly, conf->tsc_hz, conf->seed, conf->socket) != 0) {
		rc = nfv_fail(err, ENOMEM,
			"no memory to put %u datagrams together, 64 KiB each; lower `reassembly`",
			conf->reassembly);
		goto fail;
	}
	icmp_limit_init(&l3->limit, conf->tsc_hz, conf->icmp_rate);
	l3->ip_id = (uint16_t)conf->seed;
	l3->ip6_id = (uint32_t)(conf->seed >> 16);
	*out = l3;
	return 0;
fail:
	nfv_l3_destroy(l3);
	return rc;
}

void
nfv_l3_destroy(struct nfv_l3 *l3)
{
	if (l3 == NULL)
		return;
	reasm_fini(&l3->reasm);
	neigh_fini(&l3->neigh);
	routes_fini(&l3->routes);
	own_fini(&l3->own);
	for (int port = 0; port < 2; port++)
		rte_free(l3->port[port].addr);
	rte_free(l3);
}

/* The neighbour that packets to `to` go to at this port; NULL: no route leads there. */
static const struct nfv_addr *
next_hop(const struct turn *t, const struct nfv_addr *to)
{
	const struct routes *r = &t->l3->routes;
	uint64_t hop = HOP_NONE;

	if (to->family == NFV_IPV4) {
		uint32_t ip = (uint32_t)to->b[0] << 24 | (uint32_t)to->b[1] << 16 |
			(uint32_t)to->b[2] << 8 | to->b[3];

		routes_find4(r, &ip, &hop, 1);
	} else if (to->family == NFV_IPV6) {
		uint8_t ip[1][16];

		memcpy(ip[0], to->b, sizeof(ip[0]));
		routes_find6(r, ip, &hop, 1);
	}
	if (hop == HOP_NONE || r->hop[hop].port != t->port)
		return NULL;
	return r->hop[hop].via.family != NFV_NO_ADDR ? &r->hop[hop].via : to;
}

int
nfv_l3_reach(struct nfv_l3 *l3, const struct nfv_addr *to, uint64_t tsc, struct nfv_out *wire)
{
	const struct turn t = { .l3 = l3, .now = tsc, .port = 1, .wire = wire };
	const struct nfv_addr *next = next_hop(&t, to);
	struct neigh *e;

	if (next == NULL)
		return -ENETUNREACH;
	e = resolve_find(&t, next);
	if (e == NULL)
		e = resolve_begin(&t, next);
	return neigh_is_settled(e)            ? 0 :
		e->state == NEIGH_UNREACHABLE ? -EHOSTUNREACH :
						-EINPROGRESS;
}

void
nfv_l3_heard(struct nfv_l3 *l3, const struct nfv_addr *from, const uint8_t mac[6], uint64_t tsc,
	struct nfv_out *wire)
{
	const struct turn t = { .l3 = l3, .now = tsc, .port = 1, .wire = wire };
	const struct nfv_addr *next = addr_link_local(from) ? from : next_hop(&t, from);

	if (next != NULL)
		resolve_heard(&t, next, mac);
}

void
nfv_l3_on_news(
	struct nfv_l3 *l3, void (*tell)(void *arg, const struct nfv_l3_news *news), void *arg)
{
	l3->tell = tell;
	l3->tell_arg = arg;
}

void
nfv_l3_told(struct nfv_l3 *l3, const struct nfv_l3_news *news, uint64_t tsc, struct nfv_out *wire)
{
	const struct turn t = { .l3 = l3, .now = tsc, .port = news->port, .wire = wire };

	resolve_news(&t, news);
}

void
nfv_l3_tick(struct nfv_l3 *l3, uint64_t tsc, struct nfv_out *wire, struct nfv_out *back)
{
	struct turn t = { .l3 = l3, .now = tsc, .wire = wire, .back = back };
	struct neigh *e;

	l3->now = tsc;
	for (int i = 0; i < TICK_BUDGET && (e = neigh_due(&l3->neigh, tsc)) != NULL; i++)
		resolve_due(&t, e);
	neigh_forget(&l3->neigh, tsc);
	if (l3->reasm.used > 0)
		reasm_tick(&t);
}
