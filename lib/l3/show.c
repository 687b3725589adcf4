#include <inttypes.h>

#include "host.h"

static const char *const side[2] = { "inside", "outside" };

static const char *const state_name[NEIGH_STATES] = {
	[NEIGH_FREE] = "free",
	[NEIGH_INCOMPLETE] = "incomplete",
	[NEIGH_UNREACHABLE] = "unreachable",
	[NEIGH_REACHABLE] = "reachable",
	[NEIGH_STALE] = "stale",
	[NEIGH_PROBE] = "probe",
};

static void
show_port(const struct nfv_l3 *l3, int i, FILE *to)
{
	const struct host_port *h = &l3->port[i];
	char text[NFV_ADDR_TEXT];

	fprintf(to, "%s %02x:%02x:%02x:%02x:%02x:%02x mtu %u\n", side[i], h->mac[0], h->mac[1],
		h->mac[2], h->mac[3], h->mac[4], h->mac[5], h->mtu);
	for (uint32_t k = 0; k < h->n_addr; k++)
		fprintf(to, "  %s\n", nfv_prefix_text(&h->addr[k], text));
}

static void
show_routes(const struct nfv_l3 *l3, FILE *to)
{
	char prefix[NFV_ADDR_TEXT], via[NFV_ADDR_TEXT];

	fprintf(to, "routes\n");
	for (uint32_t i = 0; i < l3->routes.n_stat; i++) {
		const struct nfv_l3_route *r = &l3->routes.stat[i];
		bool direct = r->via.family == NFV_NO_ADDR;

		fprintf(to, "  %s %s%s %s\n", nfv_prefix_text(&r->to, prefix), direct ? "" : "via ",
			direct ? "on-link" : nfv_addr_text(&r->via, via), side[r->port]);
	}
}

static void
show_neighbours(const struct nfv_l3 *l3, FILE *to)
{
	uint32_t count[NEIGH_STATES] = { 0 };
	char text[NFV_ADDR_TEXT];

	fprintf(to, "neighbours\n");
	for (uint32_t i = 0; i < l3->neigh.n; i++) {
		struct neigh e = l3->neigh.entry[i]; /* the worker may be changing it */

		if (e.state >= NEIGH_STATES)
			continue;
		if (e.state == NEIGH_REACHABLE && (int64_t)(l3->now - e.due) >= 0)
			e.state = NEIGH_STALE;
		count[e.state]++;
		if (e.state == NEIGH_FREE)
			continue;
		fprintf(to, "  %s %02x:%02x:%02x:%02x:%02x:%02x %s %s\n",
			nfv_addr_text(&e.addr, text), e.mac[0], e.mac[1], e.mac[2], e.mac[3],
			e.mac[4], e.mac[5], state_name[e.state], side[e.port & 1]);
	}
	for (int s = 0; s < NEIGH_STATES; s++)
		fprintf(to, "  %s: %u\n", state_name[s], count[s]);
}

void
nfv_l3_show(const struct nfv_l3 *l3, FILE *to)
{
	const struct host_count *c = &l3->count;
	const struct {
		const char *name;
		uint64_t n;
	} counters[] = {
		{ "arp requests sent", c->arp_requests },
		{ "arp replies sent", c->arp_replies },
		{ "neighbour solicitations sent", c->ns },
		{ "neighbour advertisements sent", c->na },
		{ "echo replies sent", c->echo_replies },
		{ "icmp errors sent", c->errors },
		{ "icmp errors over the limit", c->errors_limited },
		{ "fragments sent", c->fragments },
		{ "datagrams put together", c->whole },
		{ "datagrams never complete", c->frag_late },
		{ "datagrams given up for newer ones", c->frag_evicted },
		{ "datagrams given up for newer ones of their source", c->frag_evicted_source },
		{ "neighbours that did not answer", c->unanswered },
		{ "waiting packets lost", c->wait_lost + l3->neigh.lost },
	};

	show_port(l3, 0, to);
	show_port(l3, 1, to);
	show_routes(l3, to);
	show_neighbours(l3, to);
	fprintf(to, "counters\n");
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		fprintf(to, "  %s: %" PRIu64 "\n", counters[i].name, counters[i].n);
}
