/**
 * @file
 * Where an address lies: connected prefixes and static routes in rte_fib and rte_fib6, which give
 * the number of a next hop; next hops in a small table. Never changed after it is built.
 */
#ifndef ROUTE_H
#define ROUTE_H

#include <rte_fib.h>
#include <rte_fib6.h>

#include "nfv_l3.h"

#define ROUTES_MAX 4096 /* connected prefixes and static routes together */

/** The first three next hops are always there; gateways follow. */
enum { HOP_NONE, HOP_LINK, HOP_GATEWAYS = HOP_LINK + 2 };

struct next_hop {
	struct nfv_addr via; /* NFV_NO_ADDR: on-link, the destination is the next hop */
	uint8_t port;
};

struct routes {
	struct rte_fib *fib4; /* NULL: no IPv4 anywhere */
	struct rte_fib6 *fib6;
	struct next_hop *hop;
	uint32_t n_hop;
	struct nfv_l3_route *stat; /* static routes as configured, for show */
	uint32_t n_stat;
};

int routes_init(struct routes *r, const struct nfv_l3_conf *conf, bool ip6, struct nfv_err *err);
void routes_fini(struct routes *r);

/** Next hops of `n` IPv4 addresses in host order; HOP_NONE where there is no route. */
void routes_find4(const struct routes *r, uint32_t *ip, uint64_t *hop, unsigned int n);
void routes_find6(const struct routes *r, uint8_t (*ip)[16], uint64_t *hop, unsigned int n);

/** Whether `a` is a neighbour at `port`. */
bool routes_on_link(const struct routes *r, uint8_t port, const struct nfv_addr *a);

#endif
