#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "colour.h"
#include "middle.h"
#include "party.h"

volatile sig_atomic_t app_quit;

void
middle_create(struct middle *m, const char *config, const char *profile)
{
	struct profile_spec spec;
	struct nfv_err err;

	memset(m, 0, sizeof(*m));
	party_need(config_load(config, &m->app.conf, &err) == 0 && wiring_up(&m->app, &err) == 0,
		err.text);
	if (profile == NULL)
		return;
	party_need(profile_parse(profile, &spec, &err) == 0, err.text);
	profile_plan(&m->app, &spec);
}

void
middle_destroy(struct middle *m)
{
	profile_end(&m->app);
	wiring_down(&m->app);
	config_free(&m->app.conf);
}

void
middle_tick(struct middle *m)
{
	uint64_t now = rte_rdtsc();

	if (now < m->next_tick)
		return;
	m->next_tick = now + m->app.tsc_hz / 500;
	profile_tick(&m->app);
	colour_tick(&m->app);
	for (uint32_t i = 0; i < m->app.conf.chains.n; i++)
		nfv_chain_upkeep(m->app.chain[i].shard[0], now);
}

void
middle_mark(struct middle *m)
{
	for (uint32_t i = 0; i < m->app.conf.chains.n; i++)
		m->before[i] = *nfv_chain_stats(m->app.chain[i].shard[0]);
	m->busy_before = m->app.worker[0].busy_cycles;
	m->tsc_before = rte_rdtsc();
}

static double
per(uint64_t cycles, uint64_t packets)
{
	return packets > 0 ? (double)cycles / (double)packets : 0;
}

static json_t *
cycles_json(const struct nfv_chain *c, const struct nfv_chain_stats *s,
	const struct nfv_chain_stats *before, uint64_t packets)
{
	json_t *out = json_object();
	uint64_t all = 0, n;

	for (int i = 0; i < NFV_PARTS; i++) {
		all += n = s->part[i].cycles - before->part[i].cycles;
		json_object_set_new(out, nfv_part_name[i], json_real(per(n, packets)));
	}
	for (uint32_t i = 0; i < nfv_chain_stages(c); i++) {
		all += n = s->stage[i].cycles - before->stage[i].cycles;
		json_object_set_new(out, nfv_chain_stage(c, i)->name, json_real(per(n, packets)));
	}
	json_object_set_new(out, "all", json_real(per(all, packets)));
	return out;
}

static void
add_drop(json_t *out, const char *name, uint64_t n)
{
	if (n > 0)
		json_object_set_new(out, name, json_integer((json_int_t)n));
}

static json_t *
drops_json(const struct nfv_chain *c, const struct nfv_chain_stats *s,
	const struct nfv_chain_stats *before)
{
	json_t *out = json_object();

	for (int i = 0; i < NFV_LOOP_DROPS; i++)
		add_drop(out, nfv_loop_drop_name[i], s->loop_drop[i] - before->loop_drop[i]);
	for (int i = 0; i < NFV_L3_REASONS; i++)
		add_drop(out, nfv_l3_drop_name[i], s->l3_drop[i] - before->l3_drop[i]);
	for (uint32_t k = 0; k < nfv_chain_stages(c); k++) {
		const char *const *name = nfv_chain_stage(c, k)->drops;

		for (int i = 0; name != NULL && name[i] != NULL; i++)
			add_drop(out, name[i], s->stage[k].drop[i] - before->stage[k].drop[i]);
	}
	return out;
}

static json_t *
shown_json(const struct nfv_chain *c)
{
	json_t *out = json_array();
	char *text = NULL, *rest;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	party_need(f != NULL, "out of memory");
	for (uint32_t i = 0; i < nfv_chain_stages(c); i++)
		nfv_chain_show_stage(c, i, f);
	fclose(f);
	for (char *l = strtok_r(text, "\n", &rest); l != NULL; l = strtok_r(NULL, "\n", &rest))
		json_array_append_new(out, json_string(l));
	free(text);
	return out;
}

json_t *
middle_json(const struct middle *m)
{
	json_t *chains = json_object();
	uint64_t all = 0, busy = m->app.worker[0].busy_cycles - m->busy_before;

	for (uint32_t i = 0; i < m->app.conf.chains.n; i++) {
		const struct nfv_chain *c = m->app.chain[i].shard[0];
		const struct nfv_chain_stats s = *nfv_chain_stats(c), *before = &m->before[i];
		uint64_t packets = s.part[NFV_RX].packets - before->part[NFV_RX].packets;

		all += packets;
		json_object_set_new(chains, nfv_chain_name(c),
			json_pack("{s:I, s:o, s:o, s:o}", "packets", (json_int_t)packets, "cycles",
				cycles_json(c, &s, before, packets), "drops",
				drops_json(c, &s, before), "shown", shown_json(c)));
	}
	return json_pack("{s:f, s:f, s:o}", "busy", per(busy, rte_rdtsc() - m->tsc_before),
		"cycles", per(busy, all), "chains", chains);
}
