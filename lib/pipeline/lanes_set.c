/* Lanes made, opened, shown, closed. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "lanes.h"

static uint32_t
waiting(const void *arg)
{
	const struct nfv_lanes *l = arg;
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->most; i++)
		if (l->lane[i].away.ops != NULL)
			n += l->lane[i].away.ops->waiting(l->lane[i].away.arg);
	return n;
}

static void
add_lost(uint64_t sum[NFV_AWAY_LOSSES], const struct nfv_away *away)
{
	uint64_t one[NFV_AWAY_LOSSES] = { 0 };

	away->ops->lost(away->arg, one);
	for (int i = 0; i < NFV_AWAY_LOSSES; i++)
		sum[i] += one[i];
}

static void
lost(const void *arg, uint64_t out[NFV_AWAY_LOSSES])
{
	const struct nfv_lanes *l = arg;
	uint64_t sum[NFV_AWAY_LOSSES];

	memcpy(sum, l->lost, sizeof(sum));
	for (uint32_t i = 0; i < l->most; i++)
		if (l->lane[i].away.ops != NULL)
			add_lost(sum, &l->lane[i].away);
	memcpy(out, sum, sizeof(sum));
}

static void
control(void *arg)
{
	struct nfv_lanes *l = arg;

	for (uint32_t i = 0; i < l->most; i++)
		if (l->lane[i].away.ops != NULL)
			l->lane[i].away.ops->control(l->lane[i].away.arg);
}

static double
ms_between(const struct nfv_lanes *l, uint64_t from, uint64_t to)
{
	return (double)(to - from) * 1000 / (double)l->tsc_hz;
}

static void
show(void *arg, FILE *to)
{
	const struct nfv_lanes *l = arg;

	fprintf(to, "new flows over %u of at most %u instances", l->dealt, l->most);
	if (l->key_taken > 0)
		fprintf(to, ", return keys taken %" PRIu64, l->key_taken);
	fputc('\n', to);
	for (uint32_t i = 0; i < l->most; i++) {
		struct nfv_lane_stats s = nfv_lane_stats(l, i);

		if (!s.open)
			continue;
		fprintf(to, "instance %u: %u flows%s, %" PRIu64 " packets, %" PRIu64 " back", i,
			s.flows, s.dealt ? "" : ", ends with them", s.packets, s.returned);
		if (s.asked > 0)
			fprintf(to, "; joined after %.1f ms", ms_between(l, s.asked, s.joined));
		if (s.asked > 0 && s.first > 0)
			fprintf(to, ", first packet after %.1f ms",
				ms_between(l, s.asked, s.first));
		fputc('\n', to);
		l->lane[i].away.ops->show(l->lane[i].away.arg, to);
	}
}

static void
end(void *arg)
{
	nfv_lanes_destroy(arg);
}

bool
nfv_lanes_can(const struct nfv_stage_ops *ops, const char **why)
{
	if (!ops->ends_flows || ops->steer == NULL)
		return true;
	*why = "all its instances would have to know what each knows, and only those of a chain's "
	       "workers tell each other: give the chain more `workers` instead, and do not isolate it";
	return false;
}

static int
create_table(struct nfv_lanes *l, const struct nfv_lanes_conf *conf, int v6, bool ends,
	struct nfv_err *err)
{
	const struct nfv_flow_timeouts *t = &conf->timeouts;
	struct nfv_pages *pages = ends ? &l->end_pages[v6] : &l->flow_pages[v6];
	struct nfv_flow_conf flow = { .family = v6 ? 6 : 4,
		.max = conf->flows,
		.slot = ends ? sizeof(struct stay) : sizeof(struct place),
		.seed = conf->seed + (ends ? 1 : 0),
		/* An instance's flow is over before ours. */
		.timeouts = { t->udp + 1, t->tcp_open + 1, t->tcp + 1, t->icmp + 1, t->other + 1 },
		.end = ends ? NULL : lanes_flow_end,
		.arg = &l->side[v6] };

	l->side[v6] = (struct side){ l, v6 };
	*pages = nfv_pages_alloc(nfv_flow_pages(&flow));
	return nfv_flow_create(&flow, pages, ends ? &l->ends[v6] : &l->flows[v6], err);
}

int
nfv_lanes_create(const struct nfv_lanes_conf *conf, struct nfv_lanes **out, struct nfv_err *err)
{
	const char *name = conf->ops->name, *why;
	struct nfv_lanes *l;
	int rc = 0;

	if (conf->most == 0 || conf->most > NFV_LANES_MAX)
		return nfv_fail(err, EINVAL, "stage %s: 1 to %d instances are possible, not %u",
			name, NFV_LANES_MAX, conf->most);
	if (!nfv_lanes_can(conf->ops, &why))
		return nfv_fail(err, EINVAL, "stage %s: %s", name, why);
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return nfv_fail(err, ENOMEM, "stage %s: out of memory", name);
	l->ops = conf->ops;
	l->most = conf->most;
	l->dealt = 1;
	l->tsc_hz = conf->tsc_hz;
	l->tsc_zero = conf->tsc;
	l->tsc_per_tick = conf->tsc_hz / NFV_FLOW_HZ;
	for (int v6 = 0; rc == 0 && v6 < 2; v6++)
		rc = create_table(l, conf, v6, false, err);
	for (int v6 = 0; rc == 0 && v6 < 2 && conf->ops->steer != NULL; v6++)
		rc = create_table(l, conf, v6, true, err);
	if (rc < 0) {
		nfv_lanes_destroy(l);
		return nfv_fail_in(err, rc, "stage %s: flows of its instances", name);
	}
	*out = l;
	return 0;
}

void
nfv_lanes_destroy(struct nfv_lanes *l)
{
	if (l == NULL)
		return;
	/* Flows before endpoints, which they end. */
	for (int v6 = 0; v6 < 2; v6++)
		nfv_flow_destroy(l->flows[v6]);
	for (int v6 = 0; v6 < 2; v6++) {
		nfv_flow_destroy(l->ends[v6]);
		nfv_pages_free(&l->flow_pages[v6]);
		nfv_pages_free(&l->end_pages[v6]);
	}
	for (uint32_t i = 0; i < l->most; i++)
		if (l->lane[i].away.ops != NULL)
			l->lane[i].away.ops->close(l->lane[i].away.arg);
	free(l);
}

struct nfv_away
nfv_lanes_away(struct nfv_lanes *l)
{
	static const struct nfv_away_ops ops = { lanes_process, lanes_collect, waiting, lost,
		control, show, end };

	return (struct nfv_away){ &ops, l };
}

void
nfv_lanes_open(struct nfv_lanes *l, uint32_t i, struct nfv_away away, uint64_t asked)
{
	l->lane[i] = (struct lane){ .away = away,
		.stats = { .open = true, .asked = asked, .joined = rte_rdtsc() } };
}

void
nfv_lanes_deal(struct nfv_lanes *l, uint32_t n)
{
	for (uint32_t i = n; i < l->dealt; i++)
		l->lane[i].stats.left = rte_rdtsc();
	l->dealt = n;
}

uint32_t
nfv_lanes_purge(struct nfv_lanes *l)
{
	uint32_t n = 0;

	for (int v6 = 0; v6 < 2; v6++) {
		const struct nfv_flow *f;
		uint32_t at = 0;

		while ((f = nfv_flow_each(l->flows[v6], &at)) != NULL)
			if (place_of(l, v6, f)->lane > l->dealt) {
				nfv_flow_del(l->flows[v6], (struct nfv_flow *)(uintptr_t)f);
				n++;
			}
	}
	return n;
}

bool
nfv_lanes_close(struct nfv_lanes *l, uint32_t i, bool now, struct nfv_away *out)
{
	struct lane *lane = &l->lane[i];
	uint32_t n;

	if (lane->away.ops == NULL || i < l->dealt || lane->stats.flows > 0)
		return false;
	n = lane->away.ops->waiting(lane->away.arg);
	if (n > 0 && !now)
		return false;
	add_lost(l->lost, &lane->away);
	l->lost[NFV_AWAY_SWEPT] += n;
	*out = lane->away;
	*lane = (struct lane){ .away = { .ops = NULL } };
	return true;
}

uint32_t
nfv_lanes_most(const struct nfv_lanes *l)
{
	return l->most;
}

uint32_t
nfv_lanes_dealt(const struct nfv_lanes *l)
{
	return l->dealt;
}

uint64_t
nfv_lanes_key_taken(const struct nfv_lanes *l)
{
	return l->key_taken;
}

struct nfv_lane_stats
nfv_lane_stats(const struct nfv_lanes *l, uint32_t i)
{
	struct nfv_lane_stats s = l->lane[i].stats;

	s.dealt = i < l->dealt;
	return s;
}
