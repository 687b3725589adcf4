#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "spread.h"
#include "watch.h"

const char *const nfv_part_name[NFV_PARTS] = {
	[NFV_RX] = "rx",
	[NFV_L3_IN] = "l3-in",
	[NFV_FLOW] = "flow",
	[NFV_L3_OUT] = "l3-out",
	[NFV_TX] = "tx",
};

const char *const nfv_loop_drop_name[NFV_LOOP_DROPS] = {
	[NFV_LOOP_SEGMENTED] = "larger-than-buffer",
	[NFV_LOOP_NO_BUFFER] = "no-buffer",
	[NFV_LOOP_BAD_ORIGIN] = "bad-origin",
	[NFV_LOOP_DEPTH] = "answer-loop",
	[NFV_LOOP_TX_FULL] = "tx-full",
	[NFV_LOOP_HANDOVER_FULL] = "handover-full",
};

const char *const nfv_away_lost_name[NFV_AWAY_LOSSES] = {
	[NFV_AWAY_FULL] = "stage-full",
	[NFV_AWAY_DOWN] = "stage-down",
	[NFV_AWAY_FOREIGN] = "foreign",
	[NFV_AWAY_UNREADABLE] = "unreadable",
	[NFV_AWAY_SWEPT] = "stage-died",
};

/* A flow is over: every stage that has a slot is told; it knows whether the slot was ever filled. */
static void
flow_end(void *arg, void *slots)
{
	const struct segment *seg = arg;

	for (int i = seg->first; i <= seg->last; i++) {
		const struct stage *s = &seg->chain->stage[i];

		if (s->ops->flow_end != NULL && s->ops->flow_size > 0 && s->started)
			s->ops->flow_end(s->state, (uint8_t *)slots + s->flow_off);
	}
}

/* Whether the flow's record does not reach beyond this stage. */
static bool
stands_alone(const struct nfv_stage_use *use)
{
	return use->ops->ends_flows || use->send_away != NULL;
}

/* Cut the chain where flows end, and give each stage its place in its segment's record. */
static void
cut_segments(struct nfv_chain *c, const struct nfv_stage_use *use)
{
	struct segment *seg = NULL;
	size_t off = 0;

	for (int i = 0; i < c->n; i++) {
		struct stage *s = &c->stage[i];

		if (i == 0 || stands_alone(&use[i]) || stands_alone(&use[i - 1])) {
			seg = &c->segment[c->n_segments++];
			*seg = (struct segment){ .chain = c, .first = i };
			off = 0;
		}
		seg->last = i;
		s->segment = c->n_segments - 1;
		s->flow_off = (uint16_t)off;
		off += use[i].send_away == NULL ? (s->ops->flow_size + 7) / 8 * 8 : 0;
		/* Far too much either way, and refused when the table is made. */
		seg->slots = (uint16_t)(off < UINT16_MAX ? off : UINT16_MAX);
	}
}

static int
create_tables(struct segment *seg, const struct nfv_chain_conf *conf, struct nfv_err *err)
{
	static const uint8_t family[2] = { 4, 6 };
	char class_name[16];

	for (int i = 0; i < 2 && seg->slots > 0; i++) {
		struct nfv_flow_conf flow = { .family = family[i],
			.max = conf->flows,
			.slot = seg->slots,
			.seed = conf->seed + (uint64_t)seg->first,
			.timeouts = conf->timeouts,
			.end = flow_end,
			.arg = seg };
		int rc;

		/* Of several segments, all but the first tell by their first stage. */
		snprintf(class_name, sizeof(class_name), seg->first > 0 ? "flow%u:%d" : "flow%u",
			family[i], seg->first);
		seg->pages[i] = nfv_lender_take(conf->lender, class_name, nfv_flow_pages(&flow));
		rc = nfv_flow_create(&flow, &seg->pages[i], &seg->table[i], err);
		if (rc < 0)
			return nfv_fail_in(err, rc, "flows: max: %u", conf->flows);
	}
	return 0;
}

/* A flow is let in by one pinhole at the most, and media have one for either way. */
static int
create_pinholes(struct nfv_chain *c, const struct nfv_chain_conf *conf, struct nfv_err *err)
{
	uint32_t max = conf->flows / 2 > 64 ? conf->flows / 2 : 64;
	bool wanted = false;
	int rc;

	for (int i = 0; i < c->n; i++)
		wanted |= c->stage[i].ops->pinholes;
	if (!wanted)
		return 0;
	max = max < 1u << 24 ? max : 1u << 24;
	c->shared = conf->shared != NULL ? conf->shared : conf->lender;
	c->pinhole_pages = nfv_lender_take(c->shared, "pinholes", nfv_pinholes_pages(max));
	rc = nfv_pinholes_create(max, &c->pinhole_pages, NULL, conf->seed, conf->tsc_hz,
		c->tsc_zero, &c->pinholes, err);
	if (rc == 0 && conf->shared != NULL) {
		c->marks = nfv_lender_alloc(conf->shared, nfv_pinholes_owners(max));
		if (c->marks == NULL)
			return nfv_fail(err, ENOMEM, "no memory for %u pinholes", max);
		nfv_pinholes_mark_in(c->pinholes, c->marks);
	}
	c->own_set = (struct nfv_pinhole_set){ { c->pinholes }, 1 };
	c->pinhole_set = rc == 0 ? &c->own_set : NULL;
	return rc;
}

static int
by_length(const void *a, const void *b)
{
	const struct nfv_toward *x = a, *y = b;

	return (int)y->prefix.len - (int)x->prefix.len;
}

/* Routes and on-link prefixes as stages get them: which way an address lies. */
static struct nfv_toward *
list_toward(const struct nfv_l3_conf *l3, uint32_t *n)
{
	uint32_t room = l3->n_route + l3->port[0].n_addr + l3->port[1].n_addr;
	struct nfv_toward *t = calloc(room + 1, sizeof(*t));

	*n = 0;
	if (t == NULL)
		return NULL;
	for (unsigned int p = 0; p < 2; p++)
		for (uint32_t i = 0; i < l3->port[p].n_addr; i++)
			t[(*n)++] = (struct nfv_toward){ l3->port[p].addr[i],
				p == 0 ? NFV_INWARD : NFV_OUTWARD };
	for (uint32_t i = 0; i < l3->n_route; i++)
		t[(*n)++] = (struct nfv_toward){ l3->route[i].to,
			l3->route[i].port == 0 ? NFV_INWARD : NFV_OUTWARD };
	qsort(t, *n, sizeof(*t), by_length);
	return t;
}

int
chain_start(struct stage *s, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	size_t size = s->ops->state_size > 0 ? (s->ops->state_size + 63) / 64 * 64 : 64;

	s->state = aligned_alloc(64, size);
	if (s->state == NULL)
		return nfv_fail(err, ENOMEM, "out of memory");
	memset(s->state, 0, size);
	s->started = true;
	return s->ops->init != NULL ? s->ops->init(s->state, ctx, err) : 0;
}

/* What every stage is told, kept for those that come later. */
static int
keep_context(struct nfv_chain *c, const struct nfv_chain_conf *conf, struct nfv_err *err)
{
	c->told = (struct nfv_stage_ctx){ .chain = c->name,
		.toward = c->toward,
		.n_toward = c->n_toward,
		.pinholes = c->pinholes,
		.lender = c->lender,
		.pinhole_set = c->pinhole_set,
		.tsc_hz = conf->tsc_hz,
		.seed = conf->seed,
		.shards = 1,
		.group_seed = conf->seed,
		.socket = conf->socket };
	for (int dir = NFV_OUTWARD; dir <= NFV_INWARD; dir++) {
		const struct nfv_l3_port *p = &conf->l3.port[dir == NFV_OUTWARD];

		c->own[dir] = calloc(p->n_addr + 1, sizeof(*c->own[dir]));
		if (c->own[dir] == NULL)
			return nfv_fail(err, ENOMEM, "chain %s: out of memory", c->name);
		if (p->n_addr > 0)
			memcpy(c->own[dir], p->addr, p->n_addr * sizeof(*c->own[dir]));
		c->told.own[dir] = c->own[dir];
		c->told.n_own[dir] = p->n_addr;
	}
	return 0;
}

void
chain_context(const struct nfv_chain *c, int at, struct nfv_stage_ctx *ctx)
{
	*ctx = c->told;
	ctx->tsc = rte_rdtsc();
	spread_context(c, at, ctx);
}

static int
start_stages(struct nfv_chain *c, const struct nfv_chain_conf *conf, struct nfv_err *err)
{
	struct nfv_stage_ctx ctx;

	for (int i = 0; i < c->n; i++) {
		const struct nfv_stage_use *use = &conf->stage[i];
		struct stage *s = &c->stage[i];
		int rc;

		chain_context(c, i, &ctx);
		ctx.doc = conf->doc;
		ctx.conf = use->conf;
		if (use->parts > 1) {
			ctx.shard *= use->parts;
			ctx.shards *= use->parts;
		}
		rc = use->send_away == NULL ? chain_start(s, &ctx, err) :
					      use->send_away(use->arg, s->ops, &ctx, &s->away, err);
		c->sends_away |= is_away(s);
		if (rc < 0)
			return nfv_fail_in(err, rc, "chain %s, stage %s", c->name, s->ops->name);
	}
	return 0;
}

/* Only stages write anything large; what l3 originates is short, or cut. */
static void
lend_large(struct nfv_chain *c)
{
	for (int d = 0; d < DEPTH_MAX && c->large_pool != NULL; d++)
		c->out[d].large = &c->large;
}

int
nfv_chain_create(const struct nfv_chain_conf *conf, struct nfv_chain **out, struct nfv_err *err)
{
	struct nfv_err why = { "" };
	struct nfv_chain *c;
	int rc = 0;

	if (conf->n_stages > NFV_STAGES_MAX)
		return nfv_fail(err, EINVAL, "chain %s has %u stages; at most %d are taken",
			conf->name, conf->n_stages, NFV_STAGES_MAX);
	c = aligned_alloc(64, (sizeof(*c) + 63) / 64 * 64);
	if (c == NULL)
		return nfv_fail(err, ENOMEM, "chain %s: out of memory", conf->name);
	memset(c, 0, sizeof(*c));
	snprintf(c->name, sizeof(c->name), "%s", conf->name);
	c->pool = conf->pool;
	c->large_pool = conf->large_pool;
	c->lender = conf->lender;
	lend_large(c);
	c->n = (int)conf->n_stages;
	c->tsc_zero = rte_rdtsc();
	c->tsc_per_tick = conf->tsc_hz / NFV_FLOW_HZ;
	for (int i = 0; i < c->n; i++)
		c->stage[i].ops = conf->stage[i].ops;
	for (int p = 0; p < 2; p++) {
		c->rx_port[p] = c->tx[p].port = conf->port[p];
		c->copies[p] = watch_copies(conf->port[p]);
		c->mtu[p] = conf->l3.port[p].mtu;
	}
	c->queue = (uint16_t)conf->shard;
	cut_segments(c, conf->stage);
	c->toward = list_toward(&conf->l3, &c->n_toward);
	if (c->toward == NULL)
		rc = nfv_fail(err, ENOMEM, "chain %s: out of memory", c->name);
	if (rc == 0 && nfv_l3_create(&conf->l3, &c->l3, &why) < 0)
		rc = nfv_conf_fail(conf->doc, conf->at, err, "chain %s: %s", c->name, why.text);
	for (int i = 0; rc == 0 && i < c->n_segments; i++)
		rc = create_tables(&c->segment[i], conf, err);
	if (rc == 0)
		rc = create_pinholes(c, conf, err);
	if (rc == 0)
		rc = spread_join(c, conf, err);
	if (rc == 0)
		rc = keep_context(c, conf, err);
	if (rc == 0)
		rc = start_stages(c, conf, err);
	if (rc < 0) {
		nfv_chain_destroy(c);
		return rc;
	}
	*out = c;
	return 0;
}

static void
free_out(struct nfv_out *out)
{
	for (uint16_t i = 0; i < out->room; i++)
		rte_pktmbuf_free(out->pkt[i].buf);
	out->room = 0;
}

void
nfv_chain_destroy(struct nfv_chain *c)
{
	if (c == NULL)
		return;
	/* Flows before stages: their ends are told to stages that still live. */
	for (int i = 0; i < c->n_segments; i++) {
		for (int f = 0; f < 2; f++) {
			nfv_flow_destroy(c->segment[i].table[f]);
			nfv_lender_give(c->lender, &c->segment[i].pages[f]);
		}
	}
	for (int i = 0; i < c->n; i++) {
		if (c->stage[i].started && c->stage[i].ops->fini != NULL)
			c->stage[i].ops->fini(c->stage[i].state);
		if (is_away(&c->stage[i]))
			c->stage[i].away.ops->close(c->stage[i].away.arg);
		free(c->stage[i].state);
	}
	for (int p = 0; p < 2; p++)
		rte_pktmbuf_free_bulk(c->tx[p].m, c->tx[p].n);
	for (uint16_t i = 0; i < c->large.room; i++)
		rte_pktmbuf_free(c->large.pkt[i].buf);
	nfv_chain_disarm(c);
	spread_leave(c);
	nfv_pinholes_destroy(c->pinholes);
	nfv_lender_give(c->shared, &c->pinhole_pages);
	nfv_lender_free(c->shared, c->marks);
	nfv_l3_destroy(c->l3);
	free(c->toward);
	free(c->own[NFV_OUTWARD]);
	free(c->own[NFV_INWARD]);
	free(c);
}

void
nfv_chain_disarm(struct nfv_chain *c)
{
	free_out(&c->wire);
	for (int d = 0; d < DEPTH_MAX; d++) {
		free_out(&c->out[d]);
		free_out(&c->back[d]);
	}
	spread_disarm(c);
}

/* A large buffer has no room in front: all of its 16 bits of length are the packet's. */
static struct nfv_pkt
empty(struct rte_mbuf *m, bool large)
{
	if (large)
		m->data_off = 0;
	return (struct nfv_pkt){ .data = rte_pktmbuf_mtod(m, uint8_t *),
		.buf = m,
		.len = NFV_ETH_LEN,
		.l3 = NFV_ETH_LEN,
		.headroom = rte_pktmbuf_headroom(m),
		.tailroom = (uint16_t)(rte_pktmbuf_tailroom(m) - NFV_ETH_LEN) };
}

/* What was taken was exchanged for smaller packets, which are not missed. */
static void
arm_large(struct nfv_chain *c, struct nfv_large *l)
{
	struct rte_mbuf *m;

	for (; l->n > 0; l->n--) {
		rte_pktmbuf_free(l->pkt[l->n - 1].buf);
		l->pkt[l->n - 1] = l->pkt[--l->room];
	}
	while (l->room < NFV_LARGE_MAX && (m = rte_pktmbuf_alloc(c->large_pool)) != NULL)
		l->pkt[l->room++] = empty(m, true);
}

void
chain_arm_for(struct nfv_chain *c, struct nfv_out *out, uint16_t n)
{
	struct rte_mbuf *m[NFV_OUT_MAX];
	uint16_t need;

	/* What is left moves down over what was taken, so that the free places are at the end. */
	if (out->n > 0) {
		memmove(&out->pkt[0], &out->pkt[out->n],
			(size_t)(out->room - out->n) * sizeof(out->pkt[0]));
		out->room = (uint16_t)(out->room - out->n);
		out->n = 0;
	}
	if (out->large != NULL && (c->large.n > 0 || c->large.room < NFV_LARGE_MAX))
		arm_large(c, &c->large);
	if (out->room >= n)
		return;
	need = (uint16_t)(n - out->room);
	if (rte_pktmbuf_alloc_bulk(c->pool, m, need) != 0)
		return;
	for (uint16_t i = 0; i < need; i++)
		out->pkt[out->room++] = empty(m[i], false);
}

void
chain_arm(struct nfv_chain *c, struct nfv_out *out)
{
	chain_arm_for(c, out, NFV_BURST_MAX);
}

bool
chain_alloc(struct nfv_chain *c, uint32_t len, struct nfv_pkt *out)
{
	bool large = len + RTE_PKTMBUF_HEADROOM > rte_pktmbuf_data_room_size(c->pool);
	struct rte_mempool *pool = large ? c->large_pool : c->pool;
	struct rte_mbuf *m = pool != NULL ? rte_pktmbuf_alloc(pool) : NULL;

	if (m == NULL)
		return false;
	*out = empty(m, large);
	return true;
}

const char *
nfv_chain_name(const struct nfv_chain *c)
{
	return c->name;
}

uint32_t
nfv_chain_stages(const struct nfv_chain *c)
{
	return (uint32_t)c->n;
}

const struct nfv_stage_ops *
nfv_chain_stage(const struct nfv_chain *c, uint32_t i)
{
	return c->stage[i].ops;
}

const struct nfv_chain_stats *
nfv_chain_stats(const struct nfv_chain *c)
{
	return &c->stats;
}

void
nfv_chain_tap_seam(struct nfv_chain *c, uint32_t seam, struct nfv_tap *tap)
{
	atomic_store_explicit(&c->seam[seam], tap, memory_order_release);
}

void
nfv_chain_tap_port(struct nfv_chain *c, unsigned int port, struct nfv_tap *tap)
{
	atomic_store_explicit(&c->port_tap[port], tap, memory_order_release);
}

void
nfv_chain_upkeep(struct nfv_chain *c, uint64_t tsc)
{
	for (int i = 0; i < c->n; i++) {
		const struct stage *s = &c->stage[i];

		if (is_away(s))
			s->away.ops->control(s->away.arg);
		else if (s->ops->upkeep != NULL)
			s->ops->upkeep(s->state, tsc);
	}
}
