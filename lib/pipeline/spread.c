#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>

#include "nfv_spread.h"
#include "spread.h"

#define SLOTS 2048u /* packets from one shard to another */
#define WORDS 1024u /* what is told, the same way */

/* What is told: a neighbour's news, or a stage's message in a buffer of its own. */
struct words {
	struct rte_mbuf *text; /* NULL: news */
	union {
		struct nfv_l3_news news;
		uint8_t stage;
	};
} __attribute__((aligned(8)));

struct nfv_spread {
	uint32_t n;
	uint64_t seed;
	struct nfv_pinhole_set pinholes;
	struct rte_ring **packets, **words; /* from * n + to; NULL where they are the same */
};

/* The message of a stage that is to be told, until it is: a buffer for each of the others. */
struct draft {
	struct rte_mbuf *text[NFV_SHARDS_MAX];
};

struct shard {
	struct nfv_spread *spread;
	uint32_t self;
	struct draft draft;
	struct nfv_tell tell[NFV_STAGES_MAX];
	struct teller {
		struct nfv_chain *chain;
		uint8_t stage;
	} teller[NFV_STAGES_MAX];
	struct {
		uint16_t n;
		struct nfv_pkt pkt[NFV_BURST_MAX];
	} staged[]; /* by shard */
};

/* --- rings --- */

static struct rte_ring *
ring(uint32_t size, uint32_t slots, int socket)
{
	ssize_t bytes = rte_ring_get_memsize_elem(size, slots);
	struct rte_ring *r =
		bytes > 0 ? rte_zmalloc_socket("spread", (size_t)bytes, 64, socket) : NULL;

	if (r != NULL && rte_ring_init(r, "spread", slots, RING_F_SP_ENQ | RING_F_SC_DEQ) < 0) {
		rte_free(r);
		return NULL;
	}
	return r;
}

int
nfv_spread_create(uint32_t shards, uint32_t slots, uint64_t seed, int socket,
	struct nfv_spread **out, struct nfv_err *err)
{
	struct nfv_spread *s;

	if (shards == 0 || shards > NFV_SHARDS_MAX)
		return nfv_fail(err, EINVAL, "a chain runs on 1 to %d workers, not on %u",
			NFV_SHARDS_MAX, shards);
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return nfv_fail(err, ENOMEM, "out of memory for %u workers", shards);
	s->n = shards;
	s->seed = seed;
	s->pinholes.n = shards;
	s->packets = calloc((size_t)shards * shards, sizeof(void *));
	s->words = calloc((size_t)shards * shards, sizeof(void *));
	if (s->packets == NULL || s->words == NULL)
		goto fail;
	for (uint32_t i = 0; i < shards * shards; i++) {
		if (i / shards == i % shards)
			continue;
		s->packets[i] = ring(sizeof(struct nfv_pkt), slots > 0 ? slots : SLOTS, socket);
		s->words[i] = ring(sizeof(struct words), WORDS, socket);
		if (s->packets[i] == NULL || s->words[i] == NULL)
			goto fail;
	}
	*out = s;
	return 0;
fail:
	nfv_spread_destroy(s);
	return nfv_fail(err, ENOMEM, "no memory for the rings between %u workers", shards);
}

void
nfv_spread_destroy(struct nfv_spread *s)
{
	struct words w;
	struct nfv_pkt p;

	if (s == NULL)
		return;
	for (uint32_t i = 0; s->packets != NULL && s->words != NULL && i < s->n * s->n; i++) {
		while (s->packets[i] != NULL &&
			rte_ring_sc_dequeue_elem(s->packets[i], &p, sizeof(p)) == 0)
			rte_pktmbuf_free(p.buf);
		while (s->words[i] != NULL &&
			rte_ring_sc_dequeue_elem(s->words[i], &w, sizeof(w)) == 0)
			rte_pktmbuf_free(w.text);
		rte_free(s->packets[i]);
		rte_free(s->words[i]);
	}
	free(s->packets);
	free(s->words);
	free(s);
}

static struct rte_ring *
to(struct rte_ring **rings, const struct shard *sh, uint32_t other)
{
	return rings[sh->self * sh->spread->n + other];
}

static struct rte_ring *
from(struct rte_ring **rings, const struct shard *sh, uint32_t other)
{
	return rings[other * sh->spread->n + sh->self];
}

/* --- telling --- */

static void
tell_news(void *arg, const struct nfv_l3_news *news)
{
	struct nfv_chain *c = arg;
	const struct shard *sh = c->shard;
	struct words w = { .news = *news };

	for (uint32_t i = 0; i < sh->spread->n; i++) {
		if (i == sh->self)
			continue;
		if (rte_ring_sp_enqueue_elem(to(sh->spread->words, sh, i), &w, sizeof(w)) == 0)
			c->stats.told++;
		else
			c->stats.untold++;
	}
}

/* Room for the message of one stage: a buffer and a place for each of the others. They are kept if it is
 * not told after all, and serve the next one. */
static bool
tell_room(void *arg, size_t bytes)
{
	struct teller *t = arg;
	struct nfv_chain *c = t->chain;
	struct shard *sh = c->shard;

	for (uint32_t i = 0; i < sh->spread->n; i++) {
		struct rte_mbuf **m = &sh->draft.text[i];
		bool large = bytes + RTE_PKTMBUF_HEADROOM > rte_pktmbuf_data_room_size(c->pool);
		struct rte_mempool *pool = large ? c->large_pool : c->pool;

		if (i == sh->self)
			continue;
		if (*m != NULL && rte_pktmbuf_tailroom(*m) < bytes) {
			rte_pktmbuf_free(*m);
			*m = NULL;
		}
		if (*m == NULL && pool != NULL && (*m = rte_pktmbuf_alloc(pool)) != NULL && large)
			(*m)->data_off = 0;
		if (*m == NULL || rte_pktmbuf_tailroom(*m) < bytes ||
			rte_ring_full(to(sh->spread->words, sh, i))) {
			c->stats.untold++;
			return false;
		}
	}
	return true;
}

static void
tell_text(void *arg, const void *bytes, size_t n)
{
	struct teller *t = arg;
	struct nfv_chain *c = t->chain;
	struct shard *sh = c->shard;

	for (uint32_t i = 0; i < sh->spread->n; i++) {
		struct words w = { .text = sh->draft.text[i], .stage = t->stage };

		if (i == sh->self)
			continue;
		memcpy(rte_pktmbuf_append(w.text, (uint16_t)n), bytes, n);
		/* There is a place: nobody else takes any. */
		rte_ring_sp_enqueue_elem(to(sh->spread->words, sh, i), &w, sizeof(w));
		sh->draft.text[i] = NULL;
		c->stats.told++;
	}
}

static void
hear(struct nfv_chain *c, const struct words *w, uint64_t tsc)
{
	if (w->text != NULL) {
		const struct stage *s = &c->stage[w->stage];

		if (s->ops->told != NULL && !is_away(s))
			s->ops->told(s->state, rte_pktmbuf_mtod(w->text, void *), w->text->data_len,
				tsc);
		rte_pktmbuf_free(w->text);
		return;
	}
	if (c->wire.room < NFV_BURST_MAX)
		chain_arm(c, &c->wire);
	nfv_l3_told(c->l3, &w->news, tsc, &c->wire);
	chain_send_wire(c);
}

void
spread_hear(struct nfv_chain *c, uint64_t tsc)
{
	const struct shard *sh = c->shard;
	struct words w;

	for (uint32_t i = 0; i < sh->spread->n; i++)
		for (uint32_t n = 0; i != sh->self && n < WORDS &&
			rte_ring_sc_dequeue_elem(from(sh->spread->words, sh, i), &w, sizeof(w)) ==
				0;
			n++)
			hear(c, &w, tsc);
}

/* --- whose a packet is --- */

/* Of a key that repeats every 16 bits all words count alike: they may be added up first. */
static uint32_t
toeplitz(uint16_t word)
{
	uint32_t key = NFV_SPREAD_KEY << 16 | NFV_SPREAD_KEY, h = 0;

	for (unsigned int i = 0; i < 16; i++)
		if (word & 0x8000u >> i)
			h ^= key << i | key >> (32 - i) % 32;
	return h;
}

static uint16_t
sum(const void *bytes, size_t n)
{
	uint16_t w, x = 0;

	for (size_t i = 0; i < n; i += sizeof(w)) {
		memcpy(&w, (const uint8_t *)bytes + i, sizeof(w));
		x ^= w;
	}
	return be16toh(x);
}

uint32_t
nfv_spread_hash(const struct nfv_pkt *p, enum nfv_dir dir)
{
	struct nfv_flow_key key;
	enum nfv_flow_kind kind = nfv_flow_key(p, dir, &key);
	uint16_t x;

	if (kind == NFV_FLOW_NONE)
		x = p->family == 4 ? sum(&nfv_pkt_ip4(p)->be_src, 8) : sum(nfv_pkt_ip6(p)->src, 32);
	else
		x = p->family == 4 ? sum(&key.v4, 8) : sum(&key.v6, 32);
	/* An echo's id is no port to a card. */
	if (kind != NFV_FLOW_NONE && key.proto != NFV_PROTO_ICMP && key.proto != NFV_PROTO_ICMP6)
		x ^= be16toh(key.be_sport) ^ be16toh(key.be_dport);
	return toeplitz(x);
}

static uint32_t
owner(const struct nfv_chain *c, int at, const struct nfv_pkt *p, enum nfv_dir dir)
{
	const struct segment *seg = &c->segment[c->stage[at].segment];
	const struct shard *sh = c->shard;
	int step = dir == NFV_OUTWARD ? 1 : -1;

	for (; at >= seg->first && at <= seg->last; at += step) {
		const struct stage *s = &c->stage[at];
		int who =
			s->ops->steer != NULL && !is_away(s) ? s->ops->steer(s->state, p, dir) : -1;

		if (who >= 0)
			return (uint32_t)who < sh->spread->n ? (uint32_t)who : sh->self;
	}
	if (seg->table[0] == NULL && !is_away(&c->stage[seg->first]))
		return sh->self;
	return nfv_spread_hash(p, dir) % NFV_SPREAD_ENTRIES % sh->spread->n;
}

/* --- handing over --- */

/* While it is handed over a packet's hash says where it is: nobody reads it there. */
static uint32_t
place(int at, enum nfv_dir dir, unsigned int depth)
{
	return (uint32_t)at | (uint32_t)dir << 8 | depth << 16;
}

static void
flush_to(struct nfv_chain *c, uint32_t other)
{
	struct shard *sh = c->shard;
	uint16_t n = sh->staged[other].n;
	struct nfv_pkt *p = sh->staged[other].pkt;
	unsigned int sent = rte_ring_sp_enqueue_burst_elem(
		to(sh->spread->packets, sh, other), p, sizeof(*p), n, NULL);

	c->stats.handed += sent;
	c->stats.loop_drop[NFV_LOOP_HANDOVER_FULL] += n - sent;
	while (n > sent)
		rte_pktmbuf_free(p[--n].buf);
	sh->staged[other].n = 0;
}

void
spread_sort(struct nfv_chain *c, int at, struct nfv_burst *b, unsigned int depth)
{
	struct shard *sh = c->shard;
	uint16_t kept = 0;

	for (uint16_t i = 0; i < b->n; i++) {
		uint32_t who = owner(c, at, &b->pkt[i], b->dir);
		struct nfv_pkt *to_place;

		if (who == sh->self) {
			if (kept != i)
				b->pkt[kept] = b->pkt[i];
			kept++;
			continue;
		}
		to_place = &sh->staged[who].pkt[sh->staged[who].n++];
		*to_place = b->pkt[i];
		to_place->hash = place(at, b->dir, depth);
		if (sh->staged[who].n == NFV_BURST_MAX)
			flush_to(c, who);
	}
	b->n = kept;
}

void
spread_flush(struct nfv_chain *c)
{
	for (uint32_t i = 0; i < c->shard->spread->n; i++)
		if (c->shard->staged[i].n > 0)
			flush_to(c, i);
}

/* Those of one place go on together, in their order. */
static void
go_on(struct nfv_chain *c, struct nfv_pkt *p, unsigned int n, uint64_t tsc)
{
	while (n > 0) {
		uint32_t where = p[0].hash;
		struct nfv_burst b = { .tsc = tsc, .dir = (enum nfv_dir)(where >> 8 & 1) };
		unsigned int rest = 0;

		for (unsigned int i = 0; i < n; i++) {
			if (p[i].hash == where)
				b.pkt[b.n++] = p[i];
			else
				p[rest++] = p[i];
		}
		n = rest;
		chain_resume(c, (int)(where & 0xff), &b, where >> 16);
	}
}

unsigned int
spread_take(struct nfv_chain *c)
{
	const struct shard *sh = c->shard;
	struct nfv_pkt pkt[NFV_BURST_MAX];
	unsigned int total = 0;

	for (uint32_t i = 0; i < sh->spread->n; i++) {
		uint64_t tsc;
		unsigned int n;

		if (i == sh->self)
			continue;
		n = rte_ring_sc_dequeue_burst_elem(
			from(sh->spread->packets, sh, i), pkt, sizeof(pkt[0]), NFV_BURST_MAX, NULL);
		if (n == 0)
			continue;
		tsc = rte_rdtsc();
		spread_hear(c, tsc);
		c->stats.taken += n;
		go_on(c, pkt, n, tsc);
		total += n;
	}
	return total;
}

/* --- being a shard --- */

int
spread_join(struct nfv_chain *c, const struct nfv_chain_conf *conf, struct nfv_err *err)
{
	struct nfv_spread *s = conf->spread;
	size_t size;

	if (s == NULL || s->n == 1)
		return 0;
	if (conf->shard >= s->n)
		return nfv_fail(err, EINVAL, "chain %s: there is no shard %u of %u", c->name,
			conf->shard, s->n);
	size = sizeof(*c->shard) + s->n * sizeof(c->shard->staged[0]);
	c->shard = aligned_alloc(64, (size + 63) / 64 * 64);
	if (c->shard == NULL)
		return nfv_fail(err, ENOMEM, "chain %s: out of memory", c->name);
	memset(c->shard, 0, size);
	c->shard->spread = s;
	c->shard->self = conf->shard;
	for (int i = 0; i < c->n; i++) {
		c->shard->teller[i] = (struct teller){ c, (uint8_t)i };
		c->shard->tell[i] = (struct nfv_tell){ tell_room, tell_text, &c->shard->teller[i] };
	}
	if (c->pinholes != NULL) {
		c->pinholes->number = conf->shard;
		s->pinholes.table[conf->shard] = c->pinholes;
		c->pinhole_set = &s->pinholes;
	}
	nfv_l3_on_news(c->l3, tell_news, c);
	return 0;
}

void
spread_disarm(struct nfv_chain *c)
{
	struct shard *sh = c->shard;

	for (uint32_t i = 0; sh != NULL && i < sh->spread->n; i++) {
		rte_pktmbuf_free(sh->draft.text[i]);
		sh->draft.text[i] = NULL;
	}
}

void
spread_leave(struct nfv_chain *c)
{
	struct shard *sh = c->shard;

	if (sh == NULL)
		return;
	spread_disarm(c);
	for (uint32_t i = 0; i < sh->spread->n; i++)
		for (uint16_t k = 0; k < sh->staged[i].n; k++)
			rte_pktmbuf_free(sh->staged[i].pkt[k].buf);
	sh->spread->pinholes.table[sh->self] = NULL;
	free(sh);
}

void
spread_context(const struct nfv_chain *c, int at, struct nfv_stage_ctx *ctx)
{
	const struct shard *sh = c->shard;

	if (sh == NULL)
		return;
	ctx->shard = sh->self;
	ctx->shards = sh->spread->n;
	ctx->group_seed = sh->spread->seed;
	ctx->tell = &sh->tell[at];
}
