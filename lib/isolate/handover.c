#include <stdlib.h>

#include "nfv_handover.h"

/* Room that flows leave in the pipe, for those that end meanwhile. */
#define SPARE 4096u

int
nfv_giver_init(struct nfv_giver *g, const struct nfv_handover_of *of, struct nfv_err *err)
{
	int rc;

	*g = (struct nfv_giver){ .of = *of, .words = (nfv_handover_flows(of) + 63) / 64 };
	rc = nfv_items_init(&g->items, of->ops, of->state, err);
	if (rc < 0)
		return rc;
	for (int i = 0; i < 2 && g->words > 0; i++) {
		g->dirty[i] = calloc(g->words, 8);
		g->sent[i] = calloc(g->words, 8);
		if (g->dirty[i] == NULL || g->sent[i] == NULL) {
			nfv_giver_fini(g);
			return nfv_fail(err, ENOMEM, "out of memory");
		}
	}
	return 0;
}

void
nfv_giver_fini(struct nfv_giver *g)
{
	for (int i = 0; i < 2; i++) {
		free(g->dirty[i]);
		free(g->sent[i]);
		g->dirty[i] = g->sent[i] = NULL;
	}
	nfv_items_fini(&g->items);
}

/* Of flows. */
static void
all_anew(struct nfv_giver *g)
{
	for (int i = 0; i < 2 && g->words > 0; i++) {
		memset(g->dirty[i], 0xff, (size_t)g->words * 8);
		memset(g->sent[i], 0, (size_t)g->words * 8);
	}
	g->at = g->rounds = 0;
	g->again = false;
}

void
nfv_giver_start(struct nfv_giver *g, struct nfv_pipe *pipe, uint32_t use)
{
	struct nfv_handover_begin b = { .format = NFV_HANDOVER_FORMAT,
		.version = g->of.ops->state_version };

	g->out = nfv_pipe_write(pipe, use);
	strncpy(b.stage, g->of.ops->name, sizeof(b.stage) - 1);
	nfv_pipe_put(&g->out, NFV_HANDOVER_BEGIN, &b, sizeof(b), NULL, 0);
	all_anew(g);
	nfv_items_start(&g->items);
	g->on = true;
}

void
nfv_giver_gone(struct nfv_giver *g, unsigned int six, uint32_t index)
{
	struct nfv_handover_gone r = { six ? 6 : 4, index };
	uint64_t bit = 1ull << index % 64;

	if (!(g->sent[six][index / 64] & bit))
		return;
	g->sent[six][index / 64] &= ~bit;
	if (!nfv_pipe_put(&g->out, NFV_HANDOVER_GONE, &r, sizeof(r), NULL, 0))
		g->again = true;
}

/* False: no room. */
static bool
write_flow(struct nfv_giver *g, unsigned int six, uint32_t index, uint32_t now)
{
	const struct nfv_stage_ops *ops = g->of.ops;
	struct nfv_flow_table *t = g->of.table[six];
	const struct nfv_flow *f = nfv_flow_at(t, index);
	struct nfv_handover_flow r = { .index = index };
	_Alignas(8) uint8_t own[NFV_CARRY_MAX];

	/* What hands nothing over has nothing to write but the end. */
	if (f == NULL || ops->state_version == 0)
		return true;
	nfv_flow_save(t, f, now, &r.flow);
	if (ops->export_flow != NULL)
		r.n = (uint32_t)ops->export_flow(
			g->of.state, nfv_flow_slot(t, f), own, sizeof(own));
	if (!nfv_pipe_put(&g->out, NFV_HANDOVER_FLOW, &r, sizeof(r), own, r.n))
		return false;
	g->sent[six][index / 64] |= 1ull << index % 64;
	return true;
}

/* Those of one word of the bits; how many were written, or -1: no room. */
static int
write_word(struct nfv_giver *g, uint32_t at, uint32_t room, uint32_t now)
{
	unsigned int six = at >= g->words;
	uint32_t word = at - six * g->words;
	uint64_t *dirty = &g->dirty[six][word];
	int n = 0;

	for (; *dirty != 0; n++) {
		uint32_t bit = (uint32_t)__builtin_ctzll(*dirty);

		if (nfv_pipe_room(&g->out) < room || !write_flow(g, six, word * 64 + bit, now))
			return -1;
		*dirty &= *dirty - 1;
	}
	return n;
}

static uint32_t
left(const struct nfv_giver *g)
{
	uint32_t n = 0;

	for (int i = 0; i < 2; i++)
		for (uint32_t k = 0; k < g->words; k++)
			n += (uint32_t)__builtin_popcountll(g->dirty[i][k]);
	return n;
}

/* What has come is void, if there is room to say so. */
static bool
begin_again(struct nfv_giver *g)
{
	if (!g->again)
		return true;
	if (!nfv_pipe_put(&g->out, NFV_HANDOVER_AGAIN, NULL, 0, NULL, 0))
		return false;
	all_anew(g);
	return true;
}

/* --- items --------------------------------------------------------------------------------------- */

#define PART (NFV_PIPE_RECORD - sizeof(struct nfv_handover_item))

/* The words that an item takes in the pipe, in all of its parts. */
static uint32_t
item_words(size_t n)
{
	size_t parts = n / PART + 1;

	return (uint32_t)(parts * (nfv_pipe_words(NFV_PIPE_RECORD)));
}

static void
put_item(struct nfv_giver *g, uint32_t kind, uint32_t i, const uint8_t *bytes, size_t n)
{
	struct nfv_handover_item r = { kind, i, (uint32_t)n, 0 };

	do {
		size_t part = n - r.at < PART ? n - r.at : PART;

		nfv_pipe_put(&g->out, NFV_HANDOVER_ITEM, &r, sizeof(r), bytes + r.at, part);
		r.at += (uint32_t)part;
	} while (r.at < n);
}

/* While it works on: as flows, it leaves room for those that end meanwhile. */
static bool
write_item(void *arg, uint32_t kind, uint32_t i, const uint8_t *bytes, size_t n)
{
	struct nfv_giver *g = arg;

	if (nfv_pipe_room(&g->out) < SPARE + item_words(n))
		return false;
	put_item(g, kind, i, bytes, n);
	return true;
}

/* --- while it works ------------------------------------------------------------------------------ */

bool
nfv_giver_step(struct nfv_giver *g, uint32_t now, uint32_t budget)
{
	enum { LITTLE = 256, ROUNDS = 200, BEHIND = 2048, BYTES_EACH = 64 };
	const uint32_t end = 2 * g->words;

	if (!begin_again(g))
		return false;
	for (uint32_t seen = 0; g->at < end && seen < budget; g->at++) {
		int n = write_word(g, g->at, SPARE, now);

		if (n < 0)
			return false;
		seen += (uint32_t)n + 1;
	}
	if (g->at < end ||
		nfv_items_write(&g->items, (size_t)budget * BYTES_EACH, write_item, g) != 1)
		return false;
	g->at = 0;
	/* Who does not read what there is will not read the rest in time. Where flows change faster than they
	 * are written down it will not get better than this. */
	if (NFV_PIPE_WORDS - nfv_pipe_room(&g->out) > BEHIND)
		return false;
	return ++g->rounds >= ROUNDS || left(g) + nfv_items_left(&g->items) <= LITTLE;
}

/* --- its last words ------------------------------------------------------------------------------ */

struct last {
	struct nfv_giver *g;
	bool (*patience)(void *arg);
	void *arg;
};

static bool
wait_room(const struct last *l, uint32_t words)
{
	while (nfv_pipe_room(&l->g->out) < words)
		if (l->g->out.bad || !l->patience(l->arg))
			return false;
	return true;
}

static bool
write_last_item(void *arg, uint32_t kind, uint32_t i, const uint8_t *bytes, size_t n)
{
	const struct last *l = arg;

	if (!wait_room(l, item_words(n)))
		return false;
	put_item(l->g, kind, i, bytes, n);
	return true;
}

static int
put_state(void *arg, const void *bytes, size_t n)
{
	const struct last *l = arg;

	if (n > NFV_CARRY_MAX)
		return -E2BIG;
	if (!wait_room(l, nfv_pipe_words(n)))
		return -ETIMEDOUT;
	nfv_pipe_put(&l->g->out, NFV_HANDOVER_STATE, bytes, n, NULL, 0);
	return 0;
}

int
nfv_giver_finish(struct nfv_giver *g, uint32_t now, bool (*patience)(void *arg), void *arg)
{
	const uint32_t most = nfv_pipe_words(NFV_PIPE_RECORD);
	const struct nfv_stage_ops *ops = g->of.ops;
	struct last l = { g, patience, arg };
	const struct nfv_put to = { put_state, &l };
	struct nfv_handover_end e = { .flows = 0 };
	int rc = 0;

	nfv_giver_stop(g);
	if (!wait_room(&l, most) || !begin_again(g))
		return -ETIMEDOUT;
	for (uint32_t at = 0; at < 2 * g->words; at++)
		while (write_word(g, at, most, now) < 0)
			if (!wait_room(&l, most))
				return -ETIMEDOUT;
	/* From the begin, since a round may have been under way. */
	g->items.kind = g->items.word = 0;
	if (nfv_items_write(&g->items, SIZE_MAX, write_last_item, &l) < 0)
		return -ETIMEDOUT;
	if (ops->export_ != NULL && ops->state_version > 0)
		rc = ops->export_(g->of.state, &to);
	if (rc < 0)
		return rc;
	for (int i = 0; i < 2 && g->words > 0 && ops->state_version > 0; i++)
		e.flows += nfv_flow_stats(g->of.table[i]).live;
	e.items = nfv_items_sent(&g->items);
	if (!wait_room(&l, most))
		return -ETIMEDOUT;
	nfv_pipe_put(&g->out, NFV_HANDOVER_END, &e, sizeof(e), NULL, 0);
	return 0;
}
