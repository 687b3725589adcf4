#include <rte_malloc.h>
#include <rte_rib.h>
#include <rte_rib6.h>

#include "own.h"
#include "route.h"

static uint32_t
host_order(const struct nfv_addr *a)
{
	uint32_t be;

	memcpy(&be, a->b, sizeof(be));
	return be32toh(be);
}

/* The prefix with its host bits cleared, as the tables want it. */
static struct nfv_prefix
network(const struct nfv_prefix *p)
{
	struct nfv_prefix net = *p;

	for (unsigned int bit = p->len; bit < nfv_addr_bits(&p->addr); bit++)
		net.addr.b[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
	return net;
}

void
routes_find4(const struct routes *r, uint32_t *ip, uint64_t *hop, unsigned int n)
{
	if (r->fib4 == NULL)
		memset(hop, 0, n * sizeof(*hop));
	else
		rte_fib_lookup_bulk(r->fib4, ip, hop, (int)n);
}

/* Addresses are passed as void *: newer DPDK has a struct of sixteen bytes for them. */
void
routes_find6(const struct routes *r, uint8_t (*ip)[16], uint64_t *hop, unsigned int n)
{
	if (r->fib6 == NULL)
		memset(hop, 0, n * sizeof(*hop));
	else
		rte_fib6_lookup_bulk(r->fib6, (void *)ip, hop, (int)n);
}

bool
routes_on_link(const struct routes *r, uint8_t port, const struct nfv_addr *a)
{
	uint64_t hop = HOP_NONE;

	if (addr_link_local(a))
		return true;
	if (a->family == NFV_IPV4) {
		uint32_t ip = host_order(a);

		routes_find4(r, &ip, &hop, 1);
	} else {
		uint8_t ip[1][16];

		memcpy(ip[0], a->b, sizeof(ip[0]));
		routes_find6(r, ip, &hop, 1);
	}
	return hop == (uint64_t)HOP_LINK + port;
}

static bool
is_there(const struct routes *r, const struct nfv_prefix *net)
{
	void *bytes = (void *)(uintptr_t)net->addr.b;

	if (net->addr.family == NFV_IPV4)
		return rte_rib_lookup_exact(
			       rte_fib_get_rib(r->fib4), host_order(&net->addr), net->len) != NULL;
	return rte_rib6_lookup_exact(rte_fib6_get_rib(r->fib6), bytes, net->len) != NULL;
}

static int
add(const struct routes *r, const struct nfv_prefix *net, uint64_t hop, struct nfv_err *err)
{
	void *bytes = (void *)(uintptr_t)net->addr.b;
	char text[NFV_ADDR_TEXT];
	int rc;

	if (net->len == 0) /* is the table's default */
		return 0;
	if (is_there(r, net))
		return nfv_fail(
			err, EEXIST, "there are two routes to %s", nfv_prefix_text(net, text));
	rc = net->addr.family == NFV_IPV4 ?
		rte_fib_add(r->fib4, host_order(&net->addr), net->len, hop) :
		rte_fib6_add(r->fib6, bytes, net->len, hop);
	return rc == 0 ? 0 :
			 nfv_fail(err, -rc, "cannot add the route to %s: %s",
				 nfv_prefix_text(net, text), strerror(-rc));
}

/* The number of the next hop of a route; the table has room for one per route. */
static uint64_t
hop_of(struct routes *r, const struct nfv_l3_route *route)
{
	struct next_hop hop = { route->via, route->port };

	if (route->via.family == NFV_NO_ADDR)
		return (uint64_t)HOP_LINK + route->port;
	for (uint32_t i = HOP_GATEWAYS; i < r->n_hop; i++)
		if (r->hop[i].port == hop.port && nfv_addr_eq(&r->hop[i].via, &hop.via))
			return i;
	r->hop[r->n_hop] = hop;
	return r->n_hop++;
}

/* What one family's table must hold: known before it is made, since it never grows. */
struct demand {
	int n;              /* routes */
	uint32_t tables;    /* of 256 entries for what is longer than /24, at most */
	uint64_t otherwise; /* the default route's next hop */
};

static void
demand_add(struct demand *d, const struct nfv_prefix *p)
{
	d->n++;
	if (p->len > 24)
		d->tables += (p->len - 24u + 7) / 8;
}

static int
demand_default(struct demand *d, const struct nfv_prefix *p, uint64_t hop, struct nfv_err *err)
{
	if (p->len != 0)
		return 0;
	if (d->otherwise != HOP_NONE)
		return nfv_fail(
			err, EEXIST, "there are two default routes for IPv%d", p->addr.family);
	d->otherwise = hop;
	return 0;
}

/* The narrowest entries that can number both next hops and tables: one bit is the FIB's own. Both
 * families number the sizes alike. */
static int
entry_size(uint32_t n, int least)
{
	return n < 127 ? least : n < 32767 ? RTE_FIB_DIR24_8_2B : RTE_FIB_DIR24_8_4B;
}

static int
create_tables(struct routes *r, const struct demand *d4, const struct demand *d6, bool ip6,
	int socket, struct nfv_err *err)
{
	/* Ledges of a range may take a table each for a moment; hence some to spare. */
	uint32_t t4 = d4->tables + 8, t6 = d6->tables + 8;
	struct rte_fib_conf c4 = { .type = RTE_FIB_DIR24_8,
		.default_nh = d4->otherwise,
		.max_routes = d4->n + 2,
		.dir24_8 = { (enum rte_fib_dir24_8_nh_sz)entry_size(
				     t4 > r->n_hop ? t4 : r->n_hop, RTE_FIB_DIR24_8_1B),
			t4 } };
	struct rte_fib6_conf c6 = { .type = RTE_FIB6_TRIE,
		.default_nh = d6->otherwise,
		.max_routes = d6->n + 2,
		.trie = { (enum rte_fib_trie_nh_sz)entry_size(
				  t6 > r->n_hop ? t6 : r->n_hop, RTE_FIB_DIR24_8_2B),
			t6 } };
	char name[24];

	/* A name to each: DPDK refuses the same one twice, and allows few characters. */
	snprintf(name, sizeof(name), "l3_4_%zx", (size_t)r);
	if (d4->n > 0 && (r->fib4 = rte_fib_create(name, socket, &c4)) == NULL)
		return nfv_fail(err, ENOMEM, "no memory for the IPv4 routing table");
	name[3] = '6';
	if (ip6 && (r->fib6 = rte_fib6_create(name, socket, &c6)) == NULL)
		return nfv_fail(err, ENOMEM, "no memory for the IPv6 routing table");
	return 0;
}

/* Connected prefixes and routes to on-link prefixes first: gateways have to lie in them. */
static int
add_on_link(const struct routes *r, const struct nfv_l3_conf *conf, struct nfv_err *err)
{
	int rc = 0;

	for (uint8_t port = 0; port < 2; port++) {
		for (uint32_t i = 0; i < conf->port[port].n_addr && rc == 0; i++) {
			struct nfv_prefix net = network(&conf->port[port].addr[i]);

			/* Two own addresses in one network are fine; one network at two ports
			 * is not. */
			if (addr_link_local(&net.addr) ||
				(is_there(r, &net) && routes_on_link(r, port, &net.addr)))
				continue;
			rc = add(r, &net, (uint64_t)HOP_LINK + port, err);
		}
	}
	for (uint32_t i = 0; i < conf->n_route && rc == 0; i++) {
		struct nfv_prefix net = network(&conf->route[i].to);

		if (conf->route[i].via.family == NFV_NO_ADDR)
			rc = add(r, &net, (uint64_t)HOP_LINK + conf->route[i].port, err);
	}
	return rc;
}

static int
add_gateways(struct routes *r, const struct nfv_l3_conf *conf, struct nfv_err *err)
{
	char text[NFV_ADDR_TEXT];
	int rc = 0;

	for (uint32_t i = HOP_GATEWAYS; i < r->n_hop; i++)
		if (!routes_on_link(r, r->hop[i].port, &r->hop[i].via))
			return nfv_fail(err, EINVAL,
				"the next hop %s is not in any network of the %s port",
				nfv_addr_text(&r->hop[i].via, text),
				r->hop[i].port == 0 ? "inside" : "outside");
	for (uint32_t i = 0; i < conf->n_route && rc == 0; i++) {
		struct nfv_prefix net = network(&conf->route[i].to);

		if (conf->route[i].via.family != NFV_NO_ADDR)
			rc = add(r, &net, hop_of(r, &conf->route[i]), err);
	}
	return rc;
}

static int
check(const struct nfv_l3_route *route, struct nfv_err *err)
{
	char text[NFV_ADDR_TEXT], via[NFV_ADDR_TEXT];

	nfv_prefix_text(&route->to, text);
	if (route->port > 1)
		return nfv_fail(err, EINVAL, "the route to %s leaves by port %u: there are 0 and 1",
			text, route->port);
	if (addr_multicast(&route->to.addr) || addr_link_local(&route->to.addr))
		return nfv_fail(err, EINVAL,
			"a route to %s: neither groups nor a link's own can be routed", text);
	if (route->via.family != NFV_NO_ADDR &&
		(route->via.family != route->to.addr.family || addr_multicast(&route->via)))
		return nfv_fail(err, EINVAL, "%s cannot be the next hop to %s",
			nfv_addr_text(&route->via, via), text);
	return 0;
}

int
routes_init(struct routes *r, const struct nfv_l3_conf *conf, bool ip6, struct nfv_err *err)
{
	struct demand d4 = { 0 }, d6 = { 0 };
	int rc;

	r->hop = rte_zmalloc_socket(
		"l3_hops", (HOP_GATEWAYS + conf->n_route) * sizeof(*r->hop), 64, conf->socket);
	r->stat = rte_zmalloc("l3_routes", (conf->n_route + 1) * sizeof(*r->stat), 0);
	if (r->hop == NULL || r->stat == NULL)
		return nfv_fail(err, ENOMEM, "no memory for %u routes", conf->n_route);
	r->n_hop = HOP_GATEWAYS;
	r->hop[HOP_LINK + 1].port = 1;
	for (int port = 0; port < 2; port++)
		for (uint32_t i = 0; i < conf->port[port].n_addr; i++)
			demand_add(conf->port[port].addr[i].addr.family == NFV_IPV4 ? &d4 : &d6,
				&conf->port[port].addr[i]);
	for (uint32_t i = 0; i < conf->n_route; i++) {
		struct demand *d = conf->route[i].to.addr.family == NFV_IPV4 ? &d4 : &d6;

		if ((rc = check(&conf->route[i], err)) != 0)
			return rc;
		demand_add(d, &conf->route[i].to);
		rc = demand_default(d, &conf->route[i].to, hop_of(r, &conf->route[i]), err);
		if (rc != 0)
			return rc;
		r->stat[r->n_stat++] = conf->route[i];
	}
	rc = create_tables(r, &d4, &d6, ip6, conf->socket, err);
	if (rc == 0)
		rc = add_on_link(r, conf, err);
	if (rc == 0)
		rc = add_gateways(r, conf, err);
	return rc;
}

void
routes_fini(struct routes *r)
{
	rte_fib_free(r->fib4);
	rte_fib6_free(r->fib6);
	rte_free(r->hop);
	rte_free(r->stat);
}
