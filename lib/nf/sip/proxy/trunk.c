/* Trunks: of those with the lowest priority number each gets calls by its weight; the others, and those
 * that are not there, are for when those fail. */
#include "nfv_hash.h"
#include "proxy.h"

static bool
same(const struct nfv_endpoint *a, const struct nfv_endpoint *b)
{
	return a->port == b->port && nfv_addr_eq(&a->addr, &b->addr);
}

int
sip_trunk_find(const struct sip_trunks *t, const struct nfv_endpoint *to)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (same(&t->trunk[i].to, to))
			return (int)i;
	return -1;
}

unsigned int
sip_trunks_pick(const struct sip_trunks *t, uint64_t hash, struct sip_hop *hop, unsigned int max)
{
	bool taken[SIP_TRUNKS_MAX] = { false };
	unsigned int n = 0;

	for (; n < t->n && n < max; n++) {
		uint32_t best = UINT32_MAX, weights = 0, at;

		/* The living before the dead, lower numbers before higher ones. */
		for (uint32_t i = 0; i < t->n; i++) {
			uint32_t rank = t->trunk[i].priority + (t->trunk[i].dead ? 1u << 16 : 0);

			if (!taken[i] && rank < best) {
				best = rank;
				weights = 0;
			}
			if (!taken[i] && rank == best)
				weights += t->trunk[i].weight;
		}
		hash = nfv_hash_mix(hash ^ 0x9e3779b97f4a7c15u, 0xd1b54a32d192ed03u);
		at = (uint32_t)(((hash >> 32) * weights) >> 32);
		for (uint32_t i = 0; i < t->n; i++) {
			uint32_t rank = t->trunk[i].priority + (t->trunk[i].dead ? 1u << 16 : 0);

			if (taken[i] || rank != best)
				continue;
			if (at >= t->trunk[i].weight) {
				at -= t->trunk[i].weight;
				continue;
			}
			taken[i] = true;
			hop[n] = (struct sip_hop){
				.to = t->trunk[i].to, .q = (uint16_t)(1000 - n), .failover = true
			};
			break;
		}
	}
	return n;
}

bool
sip_trunk_asks(const struct sip_trunks *t, const struct nfv_addr *src)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (nfv_addr_eq(&t->trunk[i].to.addr, src))
			return true;
	return false;
}
