/* A stage replaced in its chain. */
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "chain.h"
#include "nfv_change.h"
#include "nfv_items.h"

/* Of one table, by the records' numbers. */
struct beside {
	uint8_t *slots, *refused;
};

struct nfv_change {
	struct nfv_chain *chain;
	uint32_t at;
	size_t room; /* of a slot */
	struct beside beside[2];
	struct nfv_items_out items;
	bool begun, near; /* the old one tells which of its items change; few have */
	struct stage out; /* the new one until it is switched in, then the old one */
	struct nfv_change_result result;
};

static uint32_t
n_drops(const struct nfv_stage_ops *ops)
{
	uint32_t n = 0;

	while (ops->drops != NULL && ops->drops[n] != NULL)
		n++;
	return n;
}

/* Whether one may stand where the other does. */
static const char *
differs(const struct nfv_stage_ops *is, const struct nfv_stage_ops *new)
{
	if (strcmp(is->name, new->name) != 0)
		return "is another stage";
	if (is->access != new->access || is->ends_flows != new->ends_flows ||
		is->pinholes != new->pinholes)
		return "is another kind of stage";
	if (n_drops(is) != n_drops(new))
		return "has another number of reasons to drop packets";
	if ((is->flow_size + 7) / 8 < (new->flow_size + 7) / 8)
		return "keeps more of a flow than the chain's records have room for";
	if (is->state_version == 0 && is->flow_size == 0)
		return NULL;
	if (is->state_version == 0 || new->state_version == 0)
		return "takes over no flows, or the one that works hands none over";
	if (is->state_version < new->state_since || is->state_version > new->state_version)
		return "does not read the records of the one that works; take a version in between "
		       "first";
	return NULL;
}

static void
end(struct nfv_change *ch)
{
	struct stage *s = &ch->out;

	if (s->started && s->ops->fini != NULL)
		s->ops->fini(s->state);
	free(s->state);
	nfv_items_fini(&ch->items);
	for (int i = 0; i < 2; i++) {
		free(ch->beside[i].slots);
		free(ch->beside[i].refused);
	}
	free(ch);
}

static int
take_memory(struct nfv_change *ch, struct nfv_err *err)
{
	const struct segment *seg = &ch->chain->segment[ch->out.segment];

	for (int i = 0; i < 2 && seg->table[i] != NULL && ch->room > 0; i++) {
		size_t n = nfv_flow_stats(seg->table[i]).max;

		ch->beside[i] = (struct beside){ calloc(n, ch->room), calloc(n, 1) };
		if (ch->beside[i].slots == NULL || ch->beside[i].refused == NULL)
			return nfv_fail(err, ENOMEM, "out of memory for its flows");
	}
	return 0;
}

int
nfv_change_prepare(struct nfv_chain *c, uint32_t at, const struct nfv_stage_use *use,
	const struct nfv_conf *doc, struct nfv_change **out, struct nfv_err *err)
{
	const struct stage *is = at < (uint32_t)c->n ? &c->stage[at] : NULL;
	struct nfv_stage_ctx ctx;
	struct nfv_change *ch;
	const char *why;
	int rc;

	if (is == NULL || is_away(is))
		return nfv_fail(err, EINVAL, "chain %s: it has no stage at place %u, or elsewhere",
			c->name, at);
	why = differs(is->ops, use->ops);
	if (why != NULL)
		return nfv_fail(err, EINVAL, "chain %s, stage %s: the new version %s", c->name,
			is->ops->name, why);
	ch = calloc(1, sizeof(*ch));
	if (ch == NULL)
		return nfv_fail(err, ENOMEM, "out of memory");
	*ch = (struct nfv_change){ .chain = c,
		.at = at,
		.room = (is->ops->flow_size + 7) / 8 * 8,
		.out = { .ops = use->ops, .flow_off = is->flow_off, .segment = is->segment } };
	ch->result.rc = -ECANCELED;
	chain_context(c, (int)at, &ctx);
	ctx.succeeds = is->ops->state_version > 0;
	ctx.conf = use->conf;
	ctx.doc = doc;
	rc = take_memory(ch, err);
	if (rc == 0)
		rc = nfv_items_init(&ch->items, is->ops, is->state, err);
	if (rc == 0)
		rc = chain_start(&ch->out, &ctx, err);
	if (rc == 0 && use->ops->selftest != NULL)
		rc = use->ops->selftest(ch->out.state, err);
	if (rc < 0) {
		end(ch);
		return nfv_fail_in(err, rc, "chain %s, stage %s", c->name, use->ops->name);
	}
	*out = ch;
	return 0;
}

/* --- on the worker -------------------------------------------------------------------------------- */

/* What the old version writes, the new one reads at once. */
static int
put(void *arg, const void *bytes, size_t n)
{
	const struct nfv_change *ch = arg;
	const struct nfv_stage_ops *is = ch->chain->stage[ch->at].ops, *new = ch->out.ops;

	if (n > NFV_CARRY_MAX)
		return -E2BIG;
	return new->import != NULL ? new->import(ch->out.state, is->state_version, bytes, n) : 0;
}

/* A slot of the old version becomes one of the new, beside it: until all is well nothing is written over. */
static bool
carry(const struct nfv_change *ch, const uint8_t *slot, uint8_t *to)
{
	const struct stage *is = &ch->chain->stage[ch->at];
	const struct nfv_stage_ops *new = ch->out.ops;
	_Alignas(8) uint8_t bytes[NFV_CARRY_MAX];
	size_t n = 0;

	memset(to, 0, ch->room);
	if (is->ops->export_flow != NULL)
		n = is->ops->export_flow(is->state, slot, bytes, sizeof(bytes));
	if (new->import_flow == NULL)
		return true;
	if (new->import_flow(ch->out.state, is->ops->state_version, bytes, n, to) == 0)
		return true;
	memset(to, 0, ch->room);
	return false;
}

static void
carry_flows(struct nfv_change *ch, const struct nfv_flow_table *t, struct beside *to)
{
	const struct nfv_flow *f;
	uint32_t at = 0;

	while (to->slots != NULL && (f = nfv_flow_each(t, &at)) != NULL)
		to->refused[f->index] = !carry(ch,
			(const uint8_t *)nfv_flow_slot(t, f) + ch->chain->stage[ch->at].flow_off,
			to->slots + f->index * ch->room);
}

/* The new version's slots take their places; flows that it has not taken end, for all stages. */
static void
put_in_place(struct nfv_change *ch, struct nfv_flow_table *t, const struct beside *from)
{
	uint16_t off = ch->chain->stage[ch->at].flow_off;
	const struct nfv_flow *f;
	uint32_t at = 0;

	while (from->slots != NULL && (f = nfv_flow_each(t, &at)) != NULL) {
		memcpy((uint8_t *)nfv_flow_slot(t, f) + off, from->slots + f->index * ch->room,
			ch->room);
		if (from->refused[f->index])
			nfv_flow_del(t, (struct nfv_flow *)(uintptr_t)f);
		ch->result.flows += !from->refused[f->index];
		ch->result.refused += from->refused[f->index];
	}
}

/* One that the new version does not know comes to nothing. */
static bool
take_item(void *arg, uint32_t kind, uint32_t i, const uint8_t *bytes, size_t n)
{
	struct nfv_change *ch = arg;
	const struct nfv_stage_ops *new = ch->out.ops;
	uint32_t version = ch->chain->stage[ch->at].ops->state_version;

	if (new->import_item !=
		NULL &&new->import_item(ch->out.state, version, kind, i, bytes, n) < 0)
		ch->result.refused++;
	return true;
}

void
nfv_change_some(void *arg)
{
	enum { BYTES = 1 << 16, LITTLE = 256 };
	struct nfv_change *ch = arg;

	if (!ch->begun)
		nfv_items_start(&ch->items);
	ch->begun = true;
	ch->near = nfv_items_write(&ch->items, BYTES, take_item, ch) == 1 &&
		nfv_items_left(&ch->items) <= LITTLE;
}

bool
nfv_change_near(const struct nfv_change *ch)
{
	return ch->near;
}

static int
carry_items(struct nfv_change *ch)
{
	if (!ch->begun)
		nfv_items_start(&ch->items);
	nfv_items_stop(&ch->items);
	ch->items.kind = ch->items.word = 0;
	return nfv_items_write(&ch->items, SIZE_MAX, take_item, ch) < 0 ? -EIO : 0;
}

void
nfv_change_switch(void *arg)
{
	struct nfv_change *ch = arg;
	struct stage *is = &ch->chain->stage[ch->at], old = *is;
	struct segment *seg = &ch->chain->segment[is->segment];
	const struct nfv_put to = { put, ch };
	uint64_t t0 = rte_rdtsc();
	int rc = 0;

	for (int i = 0; i < 2; i++)
		carry_flows(ch, seg->table[i], &ch->beside[i]);
	rc = carry_items(ch);
	if (rc == 0 && is->ops->export_ != NULL && is->ops->state_version > 0)
		rc = is->ops->export_(is->state, &to);
	if (rc == 0 && ch->items.kinds > 0 && ch->out.ops->import != NULL)
		rc = ch->out.ops->import(ch->out.state, is->ops->state_version, NULL, 0);
	if (rc == 0) {
		*is = ch->out;
		ch->out = old;
		ch->result.items = nfv_items_sent(&ch->items);
		for (int i = 0; i < 2; i++)
			put_in_place(ch, seg->table[i], &ch->beside[i]);
	}
	ch->result.rc = rc;
	ch->result.cycles = rte_rdtsc() - t0;
}

struct nfv_change_result
nfv_change_finish(struct nfv_change *ch, struct nfv_err *err)
{
	struct nfv_change_result r = { .rc = 0 };

	if (ch == NULL)
		return r;
	r = ch->result;
	if (r.rc < 0)
		nfv_fail(err, -r.rc,
			"chain %s, stage %s: the new version %s, and the old one goes on",
			ch->chain->name, ch->out.ops->name,
			r.rc == -ECANCELED ? "was not switched to" :
					     "does not read what the old one keeps");
	end(ch);
	return r;
}
