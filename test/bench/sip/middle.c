#include <stdio.h>
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include "middle.h"
#include "party.h"

#define BUFFERS 32767

static struct nfv_prefix
prefix(const char *text)
{
	struct nfv_prefix p = { 0 };

	party_need(nfv_prefix_parse(nfv_sv_str(text), &p) == 0, text);
	return p;
}

static void
open_port(struct middle *m, int i)
{
	static const char *const name[2] = { "inside", "outside" };
	static const char *const device[2] = { MIDDLE_INSIDE "a", MIDDLE_OUTSIDE "a" };
	struct nfv_port_conf conf = { .name = name[i],
		.device = device[i],
		.mtu = 1500,
		.descriptors = 1024,
		.pool = m->pool };
	struct nfv_err err;

	party_need(nfv_port_open(&conf, &m->port[i], &err) == 0, err.text);
}

struct creation {
	struct nfv_chain_conf conf;
	struct nfv_chain *chain;
	struct nfv_err err;
};

/* On the worker, where the chain's memory belongs. */
static int
create(void *arg)
{
	struct creation *c = arg;

	return nfv_chain_create(&c->conf, &c->chain, &c->err);
}

static int
destroy(void *arg)
{
	nfv_chain_destroy(arg);
	return 0;
}

static void
read_section(struct middle *m, const char *yaml)
{
	struct nfv_err err;

	m->ops = nfv_stage_find("sip");
	party_need(m->ops != NULL, "there is no stage sip");
	m->section = calloc(1, m->ops->conf->size);
	party_need(m->section != NULL, "out of memory");
	party_need(nfv_conf_parse("--sip", yaml, strlen(yaml), &m->doc, &err) == 0 &&
			nfv_conf_read(m->doc, "sip", m->ops->conf, m->section, &err) == 0 &&
			nfv_conf_unread(m->doc, &err) == 0,
		err.text);
}

void
middle_create(struct middle *m, const char *yaml)
{
	struct nfv_prefix own[2] = { prefix("10.1.0.1/24"), prefix("10.2.0.1/24") };
	struct nfv_stage_use use;
	struct creation c = {
		.conf = { .name = "bench",
			.stage = &use,
			.n_stages = yaml != NULL,
			.flows = 1024,
			.timeouts = { 300, 7440, 240, 60, 600 },
			.seed = 12345,
			.l3 = { .neighbours = 64, .icmp_rate = 1000, .seed = 12345 } }
	};

	*m = (struct middle){ .worker = { .name = "bench",
				      .lcore = rte_get_next_lcore(-1, 1, 0),
				      .tsc_hz = rte_get_tsc_hz(),
				      .state = NFV_WORKER_RUNNING } };
	party_need(m->worker.lcore < RTE_MAX_LCORE, "the stage needs an lcore of its own: -l 0-1");
	if (yaml != NULL)
		read_section(m, yaml);
	use = (struct nfv_stage_use){ m->ops, m->section };
	m->pool = rte_pktmbuf_pool_create("stage", BUFFERS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
		(int)rte_lcore_to_socket_id(m->worker.lcore));
	party_need(m->pool != NULL, "no memory for packet buffers; give EAL more (-m)");
	c.conf.socket = c.conf.l3.socket = (int)rte_lcore_to_socket_id(m->worker.lcore);
	c.conf.tsc_hz = c.conf.l3.tsc_hz = m->worker.tsc_hz;
	c.conf.pool = m->pool;
	c.conf.doc = m->doc;
	for (int i = 0; i < 2; i++) {
		open_port(m, i);
		c.conf.port[i] = m->port[i].id;
		c.conf.l3.port[i] =
			(struct nfv_l3_port){ .mtu = 1500, .addr = &own[i], .n_addr = 1 };
		memcpy(c.conf.l3.port[i].mac, m->port[i].mac, 6);
	}
	party_need(nfv_worker_call(&m->worker, create, &c) == 0, c.err.text);
	m->worker.chain[m->worker.n_chains++] = c.chain;
	party_need(nfv_worker_start(&m->worker, &c.err) == 0, c.err.text);
}

void
middle_destroy(struct middle *m)
{
	nfv_worker_stop(&m->worker);
	nfv_worker_call(&m->worker, destroy, m->worker.chain[0]);
	for (int i = 0; i < 2; i++)
		nfv_port_close(&m->port[i]);
	rte_mempool_free(m->pool);
	nfv_conf_close(m->doc);
	free(m->section);
}

void
middle_mark(struct middle *m)
{
	m->before = *nfv_chain_stats(m->worker.chain[0]);
	m->busy_before = m->worker.busy_cycles;
	m->tsc_before = rte_rdtsc();
}

static double
per(uint64_t cycles, uint64_t messages)
{
	return messages > 0 ? (double)cycles / (double)messages : 0;
}

static json_t *
cycles_json(const struct middle *m, const struct nfv_chain_stats *s, uint64_t messages)
{
	json_t *out = json_object();

	for (int i = 0; i < NFV_PARTS; i++)
		json_object_set_new(out, nfv_part_name[i],
			json_real(per(s->part[i].cycles - m->before.part[i].cycles, messages)));
	json_object_set_new(out, "sip",
		json_real(per(s->stage[0].cycles - m->before.stage[0].cycles, messages)));
	json_object_set_new(
		out, "busy", json_real(per(m->worker.busy_cycles - m->busy_before, messages)));
	return out;
}

static void
add_drop(json_t *out, const char *name, uint64_t n)
{
	if (n > 0)
		json_object_set_new(out, name, json_integer((json_int_t)n));
}

static json_t *
drops_json(const struct middle *m, const struct nfv_chain_stats *s)
{
	json_t *out = json_object();

	for (int i = 0; i < NFV_LOOP_DROPS; i++)
		add_drop(out, nfv_loop_drop_name[i], s->loop_drop[i] - m->before.loop_drop[i]);
	for (int i = 0; i < NFV_L3_REASONS; i++)
		add_drop(out, nfv_l3_drop_name[i], s->l3_drop[i] - m->before.l3_drop[i]);
	for (int i = 0; m->ops != NULL && m->ops->drops != NULL && m->ops->drops[i] != NULL; i++)
		add_drop(out, m->ops->drops[i], s->stage[0].drop[i] - m->before.stage[0].drop[i]);
	return out;
}

static json_t *
shown_json(const struct middle *m)
{
	json_t *out = json_array();
	char *text = NULL, *rest;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	party_need(f != NULL, "out of memory");
	if (m->ops != NULL)
		nfv_chain_show_stage(m->worker.chain[0], 0, f);
	fclose(f);
	for (char *l = strtok_r(text, "\n", &rest); l != NULL; l = strtok_r(NULL, "\n", &rest))
		json_array_append_new(out, json_string(l));
	free(text);
	return out;
}

json_t *
middle_json(const struct middle *m)
{
	const struct nfv_chain_stats s = *nfv_chain_stats(m->worker.chain[0]);
	uint64_t messages = s.part[NFV_RX].packets - m->before.part[NFV_RX].packets;

	return json_pack("{s:f, s:I, s:o, s:o, s:o}", "busy",
		per(m->worker.busy_cycles - m->busy_before, rte_rdtsc() - m->tsc_before),
		"messages", (json_int_t)messages, "cycles", cycles_json(m, &s, messages), "drops",
		drops_json(m, &s), "shown", shown_json(m));
}
