#include <stdlib.h>

#include "nfv_handover.h"

/* Room that flows leave in the pipe, for those that end meanwhile. */
#define SPARE 4096u

/* In the taker's list: a flow that its stage has not taken. */
#define REFUSED UINT32_MAX

static uint32_t
bits_of(const struct nfv_handover_of *of)
{
	return of->table != NULL && of->table[0] != NULL ? of->max : 0;
}

/* --- the giver ----------------------------------------------------------------------------------- */

int
nfv_giver_init(struct nfv_giver *g, const struct nfv_handover_of *of, struct nfv_err *err)
{
	*g = (struct nfv_giver){ .of = *of, .words = (bits_of(of) + 63) / 64 };
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
}

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

bool
nfv_giver_step(struct nfv_giver *g, uint32_t now, uint32_t budget)
{
	enum { LITTLE = 256, ROUNDS = 200, BEHIND = 2048 };
	const uint32_t end = 2 * g->words;

	if (!begin_again(g))
		return false;
	for (uint32_t seen = 0; g->at < end && seen < budget; g->at++) {
		int n = write_word(g, g->at, SPARE, now);

		if (n < 0)
			return false;
		seen += (uint32_t)n + 1;
	}
	if (g->at < end)
		return false;
	g->at = 0;
	/* Who does not read what there is will not read the rest in time. Where flows change faster than they
	 * are written down it will not get better than this. */
	if (NFV_PIPE_WORDS - nfv_pipe_room(&g->out) > BEHIND)
		return false;
	return ++g->rounds >= ROUNDS || left(g) <= LITTLE;
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

	g->on = false;
	if (!wait_room(&l, most) || !begin_again(g))
		return -ETIMEDOUT;
	for (uint32_t at = 0; at < 2 * g->words; at++)
		while (write_word(g, at, most, now) < 0)
			if (!wait_room(&l, most))
				return -ETIMEDOUT;
	if (ops->export_ != NULL && ops->state_version > 0)
		rc = ops->export_(g->of.state, &to);
	if (rc < 0)
		return rc;
	for (int i = 0; i < 2 && g->words > 0 && ops->state_version > 0; i++)
		e.flows += nfv_flow_stats(g->of.table[i]).live;
	if (!wait_room(&l, most))
		return -ETIMEDOUT;
	nfv_pipe_put(&g->out, NFV_HANDOVER_END, &e, sizeof(e), NULL, 0);
	return 0;
}

/* --- the taker ----------------------------------------------------------------------------------- */

int
nfv_taker_init(struct nfv_taker *t, const struct nfv_handover_of *of, struct nfv_err *err)
{
	memset(t, 0, sizeof(*t));
	t->of = *of;
	for (int i = 0; i < 2 && bits_of(of) > 0; i++) {
		t->record[i] = calloc(of->max, sizeof(*t->record[i]));
		if (t->record[i] == NULL) {
			nfv_taker_fini(t);
			return nfv_fail(err, ENOMEM, "out of memory");
		}
	}
	return 0;
}

void
nfv_taker_fini(struct nfv_taker *t)
{
	for (int i = 0; i < 2; i++) {
		free(t->record[i]);
		t->record[i] = NULL;
	}
}

static int
spoiled(struct nfv_err *err, const char *why)
{
	return nfv_fail(err, EPROTO, "what the old version hands over is refused: %s", why);
}

static int
take_begin(struct nfv_taker *t, int n, struct nfv_err *err)
{
	const struct nfv_stage_ops *ops = t->of.ops;
	struct nfv_handover_begin b;

	if (n != (int)sizeof(b) || t->begun)
		return spoiled(err, "it does not begin as it must");
	memcpy(&b, t->room, sizeof(b));
	b.stage[sizeof(b.stage) - 1] = 0;
	if (b.format != NFV_HANDOVER_FORMAT || strcmp(b.stage, ops->name) != 0)
		return spoiled(err, "it is another stage's, or another build's");
	if (b.version > 0 && ops->state_version == 0)
		return nfv_fail(err, ENOTSUP,
			"the old version hands over its state, and the new one takes none: its flows "
			"would be lost");
	if (b.version > 0 && (b.version < ops->state_since || b.version > ops->state_version))
		return nfv_fail(err, ENOTSUP,
			"the old version's state is of version %u, and the new one reads %u to %u: take "
			"a version in between first",
			b.version, ops->state_since, ops->state_version);
	t->version = b.version;
	t->begun = true;
	return 0;
}

/* The stage's part of a flow as it is now; what there was of it before is void. */
static int
take_slot(struct nfv_taker *t, unsigned int six, struct nfv_flow *f, bool known, const uint8_t *own,
	uint32_t n)
{
	const struct nfv_stage_ops *ops = t->of.ops;
	void *slot = nfv_flow_slot(t->of.table[six], f);

	if (known && ops->flow_end != NULL)
		ops->flow_end(t->of.state, slot);
	memset(slot, 0, ops->flow_size);
	if (ops->import_flow == NULL)
		return 0;
	if (ops->import_flow(t->of.state, t->version, own, n, slot) == 0)
		return 0;
	memset(slot, 0, ops->flow_size);
	return -EINVAL;
}

static int
take_flow(struct nfv_taker *t, int len, uint32_t now, struct nfv_err *err)
{
	struct nfv_handover_flow r;
	struct nfv_flow *f = NULL;
	uint32_t *record;
	unsigned int six;
	bool known;

	if (len < (int)sizeof(r) || t->record[0] == NULL)
		return spoiled(err, "a flow is none");
	memcpy(&r, t->room, sizeof(r));
	six = r.flow.family == 6;
	if (r.index >= t->of.max || r.n > NFV_CARRY_MAX || sizeof(r) + r.n != (size_t)len)
		return spoiled(err, "a flow is none");
	record = &t->record[six][r.index];
	t->refused -= *record == REFUSED;
	known = *record != 0 && *record != REFUSED;
	if (known)
		f = nfv_flow_at(t->of.table[six], *record - 1);
	if (known && f == NULL)
		return spoiled(err, "a flow has gone");
	if (nfv_flow_restore(t->of.table[six], &r.flow, now, &f) < 0) {
		if (known)
			return spoiled(err, "a flow has become another");
	} else if (take_slot(t, six, f, known, t->room + sizeof(r), r.n) < 0) {
		nfv_flow_del(t->of.table[six], f);
	} else {
		*record = f->index + 1;
		return 0;
	}
	*record = REFUSED;
	t->refused++;
	return 0;
}

static int
take_gone(struct nfv_taker *t, int len, struct nfv_err *err)
{
	struct nfv_handover_gone r;
	struct nfv_flow *f;
	uint32_t *record;

	memcpy(&r, t->room, sizeof(r));
	if (len != (int)sizeof(r) || t->record[0] == NULL || (r.family != 4 && r.family != 6) ||
		r.index >= t->of.max)
		return spoiled(err, "the end of a flow is none");
	record = &t->record[r.family == 6][r.index];
	t->refused -= *record == REFUSED;
	f = nfv_flow_at(t->of.table[r.family == 6], *record - 1);
	if (f != NULL)
		nfv_flow_del(t->of.table[r.family == 6], f);
	*record = 0;
	return 0;
}

static void
take_again(struct nfv_taker *t)
{
	for (int i = 0; i < 2 && t->record[i] != NULL; i++)
		for (uint32_t k = 0; k < t->of.max; k++) {
			struct nfv_flow *f = nfv_flow_at(t->of.table[i], t->record[i][k] - 1);

			if (f != NULL)
				nfv_flow_del(t->of.table[i], f);
			t->record[i][k] = 0;
		}
	t->refused = 0;
}

static int
take_end(struct nfv_taker *t, int len, struct nfv_err *err)
{
	struct nfv_handover_end e;
	uint64_t live = t->refused;

	memcpy(&e, t->room, sizeof(e));
	for (int i = 0; i < 2 && t->record[i] != NULL; i++)
		live += nfv_flow_stats(t->of.table[i]).live;
	if (len != (int)sizeof(e) || e.flows != live)
		return spoiled(err, "flows are missing");
	return 0;
}

int
nfv_taker_step(struct nfv_taker *t, uint32_t now, struct nfv_err *err)
{
	const struct nfv_stage_ops *ops = t->of.ops;
	uint32_t type;
	int n = nfv_pipe_get(&t->in, &type, t->room), rc = 0;

	if (n == -EAGAIN)
		return n;
	if (n < 0 || (type != NFV_HANDOVER_BEGIN && !t->begun))
		return spoiled(err, "it is no record");
	switch (type) {
	case NFV_HANDOVER_BEGIN:
		rc = take_begin(t, n, err);
		break;
	case NFV_HANDOVER_FLOW:
		rc = take_flow(t, n, now, err);
		break;
	case NFV_HANDOVER_GONE:
		rc = take_gone(t, n, err);
		break;
	case NFV_HANDOVER_AGAIN:
		take_again(t);
		break;
	case NFV_HANDOVER_STATE:
		rc = ops->import != NULL ?
			ops->import(t->of.state, t->version, t->room, (size_t)n) :
			0;
		if (rc < 0)
			rc = spoiled(err, "its stage does not read it");
		break;
	case NFV_HANDOVER_END:
		rc = take_end(t, n, err);
		return rc < 0 ? rc : 0;
	default:
		rc = spoiled(err, "it is no record");
	}
	return rc < 0 ? rc : 1;
}
