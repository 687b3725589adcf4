/*
 * Statistics as a table and as JSON. Workers' counters only ever grow and have one writer; `clear`
 * remembers where they stood and everything shown is the difference.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <rte_cycles.h>

#include "app.h"
#include "scale.h"

struct baseline {
	struct nfv_chain_stats *shard[PORTS_MAX / 2]; /* of each chain as many as it has */
	struct nfv_port_stats port[PORTS_MAX];
	uint64_t tsc;
};

int
stats_init(struct app *app)
{
	app->baseline = calloc(1, sizeof(*app->baseline));
	if (app->baseline == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < app->conf.chains.n; i++) {
		app->baseline->shard[i] = calloc(app->chain[i].n, sizeof(*app->baseline->shard[i]));
		if (app->baseline->shard[i] == NULL)
			return -ENOMEM;
	}
	app->baseline->tsc = app->start_tsc;
	return 0;
}

void
stats_fini(struct app *app)
{
	for (int i = 0; app->baseline != NULL && i < PORTS_MAX / 2; i++)
		free(app->baseline->shard[i]);
	free(app->baseline);
	app->baseline = NULL;
}

void
stats_clear(struct app *app)
{
	for (uint32_t i = 0; i < app->conf.chains.n; i++)
		for (uint32_t k = 0; k < app->chain[i].n; k++)
			app->baseline->shard[i][k] = *nfv_chain_stats(app->chain[i].shard[k]);
	for (uint32_t i = 0; i < app->conf.ports.n; i++)
		nfv_port_stats(&app->port[i], &app->baseline->port[i]);
	app->baseline->tsc = rte_rdtsc();
}

/* Both structs are nothing but 64-bit counters. */
static void
subtract(void *from, const void *what, size_t size)
{
	uint64_t *a = from;
	const uint64_t *b = what;

	for (size_t i = 0; i < size / sizeof(*a); i++)
		a[i] -= b[i];
}

static void
add(void *to, const void *what, size_t size)
{
	uint64_t *a = to;
	const uint64_t *b = what;

	for (size_t i = 0; i < size / sizeof(*a); i++)
		a[i] += b[i];
}

static void
get_shard(const struct app *app, uint32_t i, uint32_t k, struct nfv_chain_stats *out)
{
	*out = *nfv_chain_stats(app->chain[i].shard[k]);
	subtract(out, &app->baseline->shard[i][k], sizeof(*out));
}

/* Of all its shards. */
static void
get_chain(const struct app *app, uint32_t i, struct nfv_chain_stats *out)
{
	struct nfv_chain_stats one;

	memset(out, 0, sizeof(*out));
	for (uint32_t k = 0; k < app->chain[i].n; k++) {
		get_shard(app, i, k, &one);
		add(out, &one, sizeof(*out));
	}
}

static struct nfv_flow_stats
get_flows(const struct app *app, uint32_t i)
{
	struct nfv_flow_stats sum = { 0 };

	for (uint32_t k = 0; k < app->chain[i].n; k++) {
		struct nfv_flow_stats s = nfv_chain_flow_stats(app->chain[i].shard[k]);

		sum.added += s.added;
		sum.expired += s.expired;
		sum.evicted += s.evicted;
		sum.refused += s.refused;
		sum.live += s.live;
		sum.max += s.max;
	}
	return sum;
}

static const char *
shard_name(const struct app *app, uint32_t i, uint32_t k)
{
	return *config_shard((const struct conf_chain *)app->conf.chains.item + i, k);
}

static void
get_port(const struct app *app, uint32_t i, struct nfv_port_stats *out)
{
	nfv_port_stats(&app->port[i], out);
	subtract(out, &app->baseline->port[i], sizeof(*out));
}

static double
seconds(const struct app *app)
{
	return (double)(rte_rdtsc() - app->baseline->tsc) / (double)app->tsc_hz;
}

static const char *
drop_name(const struct nfv_stage_ops *ops, unsigned int i)
{
	unsigned int n = 0;

	while (ops->drops != NULL && ops->drops[n] != NULL && n < i)
		n++;
	return ops->drops != NULL && ops->drops[n] != NULL ? ops->drops[n] : "other";
}

/* A stage that stands in the chain again is told by its place: "nat", and "nat:3". */
static const char *
stage_label(const struct nfv_chain *c, uint32_t k, char buf[48])
{
	const struct nfv_stage_ops *ops = nfv_chain_stage(c, k);

	for (uint32_t i = 0; i < k; i++) {
		if (nfv_chain_stage(c, i) == ops) {
			snprintf(buf, 48, "%.32s:%u", ops->name, k);
			return buf;
		}
	}
	return ops->name;
}

/* One line of drops, "reason 3, reason 4", behind a label; nothing if there were none. */
static void
print_drops(FILE *to, const char *label, const uint64_t *drop, unsigned int n,
	const struct nfv_stage_ops *ops, const char *const *name)
{
	const char *sep = "";

	for (unsigned int i = 0; i < n; i++) {
		if (drop[i] == 0)
			continue;
		if (sep[0] == '\0')
			fprintf(to, "  drops %-9s", label);
		fprintf(to, "%s %s %" PRIu64, sep, ops != NULL ? drop_name(ops, i) : name[i],
			drop[i]);
		sep = ",";
	}
	if (sep[0] != '\0')
		fputc('\n', to);
}

static void
print_row(FILE *to, const char *name, uint64_t packets, uint64_t cycles, const char *more)
{
	fprintf(to, "  %-12s %14" PRIu64, name, packets);
	if (packets > 0)
		fprintf(to, " %10.0f", (double)cycles / (double)packets);
	else
		fprintf(to, " %10s", "-");
	fprintf(to, "  %s\n", more);
}

void
stats_chain(const struct app *app, int i, FILE *to)
{
	const struct nfv_chain *c = app->chain[i].shard[0];
	struct nfv_flow_stats flows = get_flows(app, (uint32_t)i);
	struct nfv_chain_stats s;
	char more[128], label[48];

	get_chain(app, (uint32_t)i, &s);
	fprintf(to, "chain %-8s %14s %10s\n", nfv_chain_name(c), "packets", "cycles/pkt");
	for (int p = 0; p < NFV_PARTS; p++) {
		more[0] = '\0';
		if (p == NFV_FLOW)
			snprintf(more, sizeof(more), "%u of %u flows", flows.live, flows.max);
		print_row(to, nfv_part_name[p], s.part[p].packets, s.part[p].cycles, more);
	}
	for (uint32_t k = 0; k < nfv_chain_stages(c); k++) {
		snprintf(more, sizeof(more), "%" PRIu64 " answered, %" PRIu64 " originated",
			s.stage[k].consumed, s.stage[k].originated);
		print_row(
			to, stage_label(c, k, label), s.stage[k].packets, s.stage[k].cycles, more);
	}
	for (uint32_t k = 0; k < nfv_chain_stages(c); k++)
		print_drops(to, stage_label(c, k, label), s.stage[k].drop, NFV_STAGE_DROPS,
			nfv_chain_stage(c, k), NULL);
	for (uint32_t k = 0; k < nfv_chain_stages(c); k++)
		print_drops(to, stage_label(c, k, label), s.stage[k].lost, NFV_AWAY_LOSSES, NULL,
			nfv_away_lost_name);
	print_drops(to, "l3", s.l3_drop, NFV_L3_REASONS, NULL, nfv_l3_drop_name);
	print_drops(to, "loop", s.loop_drop, NFV_LOOP_DROPS, NULL, nfv_loop_drop_name);
	for (uint32_t k = 0; app->chain[i].n > 1 && k < app->chain[i].n; k++) {
		get_shard(app, (uint32_t)i, k, &s);
		fprintf(to,
			"  worker %-8s received %" PRIu64 ", sent %" PRIu64 ", handed over %" PRIu64
			", taken over %" PRIu64 ", told %" PRIu64 ", not told %" PRIu64 "\n",
			shard_name(app, (uint32_t)i, k), s.rx[0] + s.rx[1], s.tx[0] + s.tx[1],
			s.handed, s.taken, s.told, s.untold);
	}
}

void
stats_port(const struct app *app, int i, FILE *to)
{
	struct nfv_port_stats s;
	const struct nfv_port *p = &app->port[i];

	get_port(app, (uint32_t)i, &s);
	fprintf(to,
		"port %-12s %s mac %02x:%02x:%02x:%02x:%02x:%02x mtu %u node %d\n"
		"  rx %" PRIu64 " packets %" PRIu64 " bytes, missed %" PRIu64 ", errors %" PRIu64
		", no-buffer %" PRIu64 "; tx %" PRIu64 " packets %" PRIu64 " bytes, errors %" PRIu64
		"\n",
		p->name, p->device, p->mac[0], p->mac[1], p->mac[2], p->mac[3], p->mac[4],
		p->mac[5], p->mtu, p->socket, s.rx_packets, s.rx_bytes, s.rx_missed, s.rx_errors,
		s.rx_nombuf, s.tx_packets, s.tx_bytes, s.tx_errors);
}

void
stats_table(const struct app *app, FILE *to)
{
	fprintf(to, "--- %.1f s\n", seconds(app));
	for (uint32_t i = 0; i < app->conf.ports.n; i++)
		stats_port(app, (int)i, to);
	for (uint32_t i = 0; i < app->conf.chains.n; i++)
		stats_chain(app, (int)i, to);
	fflush(to);
}

static json_t *
count(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *
json_drops(json_t *into, const uint64_t *drop, unsigned int n, const struct nfv_stage_ops *ops,
	const char *const *name)
{
	for (unsigned int i = 0; i < n; i++) {
		const char *key = ops != NULL ? drop_name(ops, i) : name[i];
		/* Reasons without a name share one. */
		uint64_t sum = (uint64_t)json_integer_value(json_object_get(into, key)) + drop[i];

		if (sum > 0)
			json_object_set_new(into, key, count(sum));
	}
	return into;
}

static json_t *
json_shards(const struct app *app, uint32_t i)
{
	json_t *o = json_object();

	for (uint32_t k = 0; k < app->chain[i].n; k++) {
		struct nfv_chain_stats s;

		get_shard(app, i, k, &s);
		json_object_set_new(o, shard_name(app, i, k),
			json_pack("{s:o,s:o,s:o,s:o,s:o,s:o}", "rx", count(s.rx[0] + s.rx[1]), "tx",
				count(s.tx[0] + s.tx[1]), "handed-over", count(s.handed),
				"taken-over", count(s.taken), "told", count(s.told), "not-told",
				count(s.untold)));
	}
	return o;
}

/* Instances that are side by side, those of the first worker first. */
static void
json_lanes(const struct app *app, uint32_t chain, const char *stage, json_t *into)
{
	json_t *lanes = json_array();
	const struct nfv_lanes *l;

	for (uint32_t k = 0; (l = scale_lanes(app, chain, stage, k)) != NULL; k++)
		for (uint32_t i = 0; i < nfv_lanes_most(l); i++) {
			struct nfv_lane_stats s = nfv_lane_stats(l, i);

			if (s.open)
				json_array_append_new(lanes,
					json_pack("{s:i,s:i,s:b,s:i,s:o,s:o}", "worker", (int)k,
						"instance", (int)i, "new-flows", s.dealt, "flows",
						(int)s.flows, "packets", count(s.packets),
						"returned", count(s.returned)));
		}
	if (json_array_size(lanes) > 0)
		json_object_set(into, "lanes", lanes);
	json_decref(lanes);
}

static json_t *
json_chain(const struct app *app, uint32_t i)
{
	const struct nfv_chain *c = app->chain[i].shard[0];
	struct nfv_flow_stats f = get_flows(app, i);
	json_t *o = json_object(), *parts = json_object(), *stages = json_object();
	struct nfv_chain_stats s;
	char label[48];

	get_chain(app, i, &s);
	for (int p = 0; p < NFV_PARTS; p++)
		json_object_set_new(parts, nfv_part_name[p],
			json_pack("{s:o,s:o}", "packets", count(s.part[p].packets), "cycles",
				count(s.part[p].cycles)));
	for (uint32_t k = 0; k < nfv_chain_stages(c); k++) {
		const struct nfv_stage_ops *ops = nfv_chain_stage(c, k);
		const struct nfv_stage_stats *st = &s.stage[k];

		json_object_set_new(stages, stage_label(c, k, label),
			json_pack("{s:o,s:o,s:o,s:o,s:o,s:o}", "packets", count(st->packets),
				"bursts", count(st->bursts), "cycles", count(st->cycles),
				"answered", count(st->consumed), "originated",
				count(st->originated), "drops",
				json_drops(json_drops(json_object(), st->drop, NFV_STAGE_DROPS, ops,
						   NULL),
					st->lost, NFV_AWAY_LOSSES, NULL, nfv_away_lost_name)));
		json_lanes(app, i, ops->name, json_object_get(stages, stage_label(c, k, label)));
	}
	json_object_set_new(o, "parts", parts);
	json_object_set_new(o, "stages", stages);
	json_object_set_new(o, "l3",
		json_pack("{s:o,s:o}", "answered", count(s.l3_consumed), "drops",
			json_drops(
				json_object(), s.l3_drop, NFV_L3_REASONS, NULL, nfv_l3_drop_name)));
	json_object_set_new(o, "loop",
		json_pack("{s:o}", "drops",
			json_drops(json_object(), s.loop_drop, NFV_LOOP_DROPS, NULL,
				nfv_loop_drop_name)));
	json_object_set_new(o, "flows",
		json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "live", count(f.live), "max",
			count(f.max), "added", count(f.added), "expired", count(f.expired),
			"evicted", count(f.evicted), "refused", count(f.refused),
			"return-key-taken", count(s.key_taken)));
	if (app->chain[i].n > 1)
		json_object_set_new(o, "workers", json_shards(app, i));
	return o;
}

void
stats_json(const struct app *app, FILE *to, bool final)
{
	json_t *o = json_object(), *ports = json_object(), *chains = json_object(),
	       *captures = json_object();

	json_object_set_new(o, "t", json_real(seconds(app)));
	if (final)
		json_object_set_new(o, "final", json_true());
	for (uint32_t i = 0; i < app->conf.ports.n; i++) {
		struct nfv_port_stats s;

		get_port(app, i, &s);
		json_object_set_new(ports, app->port[i].name,
			json_pack("{s:o,s:o,s:o,s:o,s:{s:o,s:o,s:o,s:o}}", "rx",
				count(s.rx_packets), "tx", count(s.tx_packets), "rx_bytes",
				count(s.rx_bytes), "tx_bytes", count(s.tx_bytes), "drops", "missed",
				count(s.rx_missed), "rx-errors", count(s.rx_errors), "no-buffer",
				count(s.rx_nombuf), "tx-errors", count(s.tx_errors)));
	}
	for (uint32_t i = 0; i < app->conf.chains.n; i++)
		json_object_set_new(
			chains, nfv_chain_name(app->chain[i].shard[0]), json_chain(app, i));
	for (uint32_t i = 0; i < app->n_taps; i++) {
		struct nfv_tap_stats s = nfv_tap_stats(app->tap[i].tap);

		json_object_set_new(captures, app->tap[i].where,
			json_pack("{s:o,s:o,s:o}", "matched", count(s.matched), "written",
				count(s.written), "lost", count(s.lost)));
	}
	json_object_set_new(o, "captures", captures);
	json_object_set_new(o, "ports", ports);
	json_object_set_new(o, "chains", chains);
	json_dumpf(o, to, JSON_COMPACT | JSON_REAL_PRECISION(6));
	fputc('\n', to);
	fflush(to);
	json_decref(o);
}
