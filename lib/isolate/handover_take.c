#include <stdlib.h>

#include "nfv_handover.h"

/* In the list of records: a flow that the stage has not taken. */
#define REFUSED UINT32_MAX

static int
take_item_memory(struct nfv_taker *t, struct nfv_err *err)
{
	const struct nfv_stage_ops *ops = t->of.ops;
	const struct nfv_items *items;

	if (ops->items == NULL)
		return 0;
	t->whole = malloc(NFV_ITEM_MAX);
	for (uint32_t k = 0; k < NFV_ITEM_KINDS && (items = ops->items(t->of.state, k)) != NULL;
		k++) {
		t->items[k] = items->n;
		t->item[k] = calloc(items->n / 64 + 1, 8);
		t->lost[k] = calloc(items->n / 64 + 1, 8);
		if (t->item[k] == NULL || t->lost[k] == NULL)
			return nfv_fail(err, ENOMEM, "out of memory");
	}
	return t->whole != NULL ? 0 : nfv_fail(err, ENOMEM, "out of memory");
}

int
nfv_taker_init(struct nfv_taker *t, const struct nfv_handover_of *of, struct nfv_err *err)
{
	memset(t, 0, sizeof(*t));
	t->of = *of;
	for (int i = 0; i < 2 && nfv_handover_flows(of) > 0; i++) {
		t->record[i] = calloc(of->max, sizeof(*t->record[i]));
		if (t->record[i] == NULL) {
			nfv_taker_fini(t);
			return nfv_fail(err, ENOMEM, "out of memory");
		}
	}
	if (take_item_memory(t, err) < 0) {
		nfv_taker_fini(t);
		return -ENOMEM;
	}
	return 0;
}

void
nfv_taker_fini(struct nfv_taker *t)
{
	for (int k = 0; k < (int)NFV_ITEM_KINDS; k++) {
		free(t->item[k]);
		free(t->lost[k]);
		t->item[k] = t->lost[k] = NULL;
	}
	free(t->whole);
	t->whole = NULL;
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

static uint64_t
items_in(const struct nfv_taker *t, uint64_t *const bits[NFV_ITEM_KINDS])
{
	uint64_t n = 0;

	for (int k = 0; k < (int)NFV_ITEM_KINDS && bits[k] != NULL; k++)
		for (uint32_t w = 0; w < t->items[k] / 64 + 1; w++)
			n += (uint64_t)__builtin_popcountll(bits[k][w]);
	return n;
}

/* Of flows; items are told of as they are. */
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
	t->refused = (uint32_t)items_in(t, t->lost);
}

static void
mark(uint64_t *bits, uint32_t i, bool on)
{
	uint64_t bit = 1ull << i % 64;

	bits[i / 64] = on ? bits[i / 64] | bit : bits[i / 64] & ~bit;
}

static int
take_item(struct nfv_taker *t, int len, struct nfv_err *err)
{
	const struct nfv_stage_ops *ops = t->of.ops;
	struct nfv_handover_item r;
	uint32_t part;
	int rc;

	if (len < (int)sizeof(r))
		return spoiled(err, "an item is none");
	memcpy(&r, t->room, sizeof(r));
	part = (uint32_t)len - (uint32_t)sizeof(r);
	if (r.kind >= NFV_ITEM_KINDS || t->item[r.kind] == NULL || r.index >= t->items[r.kind] ||
		r.n > NFV_ITEM_MAX || r.at > r.n || part > r.n - r.at || (part == 0 && r.n > 0) ||
		(r.at != 0 && memcmp(&r, &t->part, sizeof(r)) != 0))
		return spoiled(err, "an item is none");
	memcpy(t->whole + r.at, t->room + sizeof(r), part);
	r.at += part;
	t->part = r;
	if (r.at < r.n)
		return 0;
	t->refused -= t->lost[r.kind][r.index / 64] >> r.index % 64 & 1;
	rc = ops->import_item(t->of.state, t->version, r.kind, r.index, t->whole, r.n);
	mark(t->item[r.kind], r.index, r.n > 0);
	mark(t->lost[r.kind], r.index, rc < 0 && r.n > 0);
	t->refused += rc < 0 && r.n > 0;
	return 0;
}

static int
take_end(struct nfv_taker *t, int len, struct nfv_err *err)
{
	struct nfv_handover_end e;
	const struct nfv_stage_ops *ops = t->of.ops;
	uint64_t live = t->refused - items_in(t, t->lost);

	memcpy(&e, t->room, sizeof(e));
	for (int i = 0; i < 2 && t->record[i] != NULL; i++)
		live += nfv_flow_stats(t->of.table[i]).live;
	if (len != (int)sizeof(e) || e.flows != live)
		return spoiled(err, "flows are missing");
	if (e.items != items_in(t, t->item))
		return spoiled(err, "items are missing");
	if (t->item[0] != NULL && ops->import != NULL &&
		ops->import(t->of.state, t->version, NULL, 0) < 0)
		return spoiled(err, "its stage does not read it");
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
	case NFV_HANDOVER_ITEM:
		rc = take_item(t, n, err);
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
