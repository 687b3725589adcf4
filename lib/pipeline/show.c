#include <inttypes.h>
#include <stdio.h>

#include "chain.h"

struct nfv_flow_stats
nfv_chain_flow_stats(const struct nfv_chain *c)
{
	struct nfv_flow_stats sum = { 0 };

	for (int i = 0; i < c->n_segments; i++) {
		for (int f = 0; f < 2; f++) {
			struct nfv_flow_stats s;

			if (c->segment[i].table[f] == NULL)
				continue;
			s = nfv_flow_stats(c->segment[i].table[f]);
			sum.added += s.added;
			sum.expired += s.expired;
			sum.evicted += s.evicted;
			sum.refused += s.refused;
			sum.live += s.live;
			sum.max += s.max;
		}
	}
	return sum;
}

static void
show_flow(const struct nfv_flow_table *t, const struct nfv_flow *f, int family, FILE *to)
{
	static const char *const state[] = { "opening", "open", "closing" };
	static const char *const arrow[] = { "->", "<-" };
	char src[NFV_ADDR_TEXT], dst[NFV_ADDR_TEXT];

	fprintf(to, "%3u %-8s %6us %10u %10u ", nfv_flow_key_of(t, f, 0)->proto,
		state[f->state % 3], f->timeout / NFV_FLOW_HZ, f->packets[NFV_OUTWARD],
		f->packets[NFV_INWARD]);
	for (unsigned int which = 0; which < 2; which++) {
		const struct nfv_flow_key *k = nfv_flow_key_of(t, f, which);
		struct nfv_endpoint s, d;

		if (k == NULL)
			break;
		s.addr = family == 4 ? nfv_addr4(k->v4.be_src) : nfv_addr6(k->v6.src);
		d.addr = family == 4 ? nfv_addr4(k->v4.be_dst) : nfv_addr6(k->v6.dst);
		s.port = be16toh(k->be_sport);
		d.port = be16toh(k->be_dport);
		fprintf(to, " %s %s %s", nfv_endpoint_text(&s, src), arrow[k->dir & 1],
			nfv_endpoint_text(&d, dst));
	}
	fputc('\n', to);
}

void
nfv_chain_show_flows(const struct nfv_chain *c, FILE *to, uint32_t at_most)
{
	struct nfv_flow_stats sum = nfv_chain_flow_stats(c);
	uint32_t shown = 0;

	fprintf(to,
		"%u of %u flows; %" PRIu64 " added, %" PRIu64 " expired, %" PRIu64
		" evicted, %" PRIu64
		" refused\n%3s %-8s %7s %10s %10s  first packet, answers (-> outward, <- inward)\n",
		sum.live, sum.max, sum.added, sum.expired, sum.evicted, sum.refused, "pro", "state",
		"timeout", "outward", "inward");
	for (int i = 0; i < c->n_segments; i++) {
		for (int f = 0; f < 2; f++) {
			const struct nfv_flow_table *t = c->segment[i].table[f];
			const struct nfv_flow *flow;
			uint32_t at = 0;

			while (t != NULL && (flow = nfv_flow_each(t, &at)) != NULL)
				if (shown++ < at_most)
					show_flow(t, flow, f == 0 ? 4 : 6, to);
		}
	}
	if (shown > at_most)
		fprintf(to, "… and %u more\n", shown - at_most);
}

void
nfv_chain_show_l3(const struct nfv_chain *c, FILE *to)
{
	nfv_l3_show(c->l3, to);
}

void
nfv_chain_show_stage(const struct nfv_chain *c, uint32_t i, FILE *to)
{
	const struct stage *s = &c->stage[i];

	if (is_away(s))
		s->away.ops->show(s->away.arg, to);
	else if (s->ops->show != NULL)
		s->ops->show(s->state, to);
	else
		fprintf(to, "stage %s has nothing more to show than its counters\n", s->ops->name);
}
