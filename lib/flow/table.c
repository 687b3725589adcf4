#include <stdlib.h>
#include <string.h>

#include "table.h"

#define LINE 64u

/* What the shape of a table follows from. */
struct shape {
	uint32_t buckets, record_size, per_page, slot_off;
	uint16_t key_len;
};

static struct shape
shape_of(const struct nfv_flow_conf *conf)
{
	struct shape s = { .key_len = conf->family == 4 ? 16 : sizeof(struct nfv_flow_key) };

	s.slot_off = (uint32_t)sizeof(struct nfv_flow) + 2u * s.key_len;
	s.record_size = (s.slot_off + conf->slot + LINE - 1) / LINE * LINE;
	s.per_page = s.record_size <= NFV_PAGE ? NFV_PAGE / s.record_size : 1; /* refused later */
	/* Two keys a record; half of all places taken when the table is full keeps overflow rare. */
	for (s.buckets = 64; (uint64_t)s.buckets * WAYS < 4ull * conf->max; s.buckets *= 2)
		;
	return s;
}

static size_t
bucket_pages(const struct shape *s)
{
	return s->buckets / (NFV_PAGE / sizeof(struct bucket));
}

size_t
nfv_flow_pages(const struct nfv_flow_conf *conf)
{
	struct shape s = shape_of(conf);

	return bucket_pages(&s) + (conf->max + s.per_page - 1) / s.per_page;
}

static struct nfv_flow_timeouts
in_ticks(struct nfv_flow_timeouts seconds)
{
	return (struct nfv_flow_timeouts){ seconds.udp * NFV_FLOW_HZ,
		seconds.tcp_open * NFV_FLOW_HZ, seconds.tcp * NFV_FLOW_HZ,
		seconds.icmp * NFV_FLOW_HZ, seconds.other * NFV_FLOW_HZ };
}

int
nfv_flow_create(const struct nfv_flow_conf *conf, const struct nfv_pages *pages,
	struct nfv_flow_table **out, struct nfv_err *err)
{
	struct shape s = shape_of(conf);
	struct nfv_flow_table *t;
	struct heads *heads;

	if (conf->max == 0 || conf->max > 1u << 25)
		return nfv_fail(err, EINVAL, "a flow table holds 1 to %u flows, not %u", 1u << 25,
			conf->max);
	if (s.record_size > 1024)
		return nfv_fail(err, EINVAL,
			"the stages' flow state takes %u bytes a flow; at most %u fit", conf->slot,
			1024 - s.slot_off);
	if (pages->n < nfv_flow_pages(conf))
		return nfv_fail(err, ENOMEM, "%u flows need %zu pages, %zu were given", conf->max,
			nfv_flow_pages(conf), pages->n);
	t = aligned_alloc(LINE, (sizeof(*t) + LINE - 1) / LINE * LINE);
	heads = nfv_lender_alloc(conf->lender, sizeof(*heads));
	if (t == NULL || heads == NULL) {
		free(t);
		nfv_lender_free(conf->lender, heads);
		return nfv_fail(err, ENOMEM, "out of memory");
	}
	*t = (struct nfv_flow_table){ .heads = heads,
		.lender = conf->lender,
		.bucket_page = pages->page,
		.record_page = pages->page + bucket_pages(&s),
		.bucket_mask = s.buckets - 1,
		.per_page = s.per_page,
		.record_size = s.record_size,
		.per_magic = UINT32_MAX / s.per_page + 1,
		.key_len = s.key_len,
		.slot_off = (uint16_t)s.slot_off,
		.family = conf->family,
		.hash_key = nfv_hash_key(conf->seed),
		.max = conf->max,
		.timeouts = in_ticks(conf->timeouts),
		.end = conf->end,
		.arg = conf->arg };
	memset(heads->wheel, 0xff, sizeof(heads->wheel));
	heads->stats.max = conf->max;
	heads->free = NIL;
	for (uint32_t i = conf->max; i-- > 0;) {
		struct nfv_flow *f = record_at(t, i);

		*f = (struct nfv_flow){ .index = i, .next = heads->free };
		heads->free = i;
	}
	*out = t;
	return 0;
}

void
nfv_flow_destroy(struct nfv_flow_table *t)
{
	if (t == NULL)
		return;
	for (uint32_t i = 0; i < t->max; i++)
		if (record_at(t, i)->flags & NFV_FLOW_LIVE)
			nfv_flow_del(t, record_at(t, i));
	nfv_lender_free(t->lender, t->heads);
	free(t);
}

void *
nfv_flow_slot(const struct nfv_flow_table *t, const struct nfv_flow *flow)
{
	return (uint8_t *)(uintptr_t)flow + t->slot_off;
}

const struct nfv_flow_key *
nfv_flow_key_of(const struct nfv_flow_table *t, const struct nfv_flow *flow, unsigned int which)
{
	return which == 0 || flow->flags & NFV_FLOW_ALIASED ? key_at(t, flow, which) : NULL;
}

struct nfv_flow *
nfv_flow_at(const struct nfv_flow_table *t, uint32_t index)
{
	struct nfv_flow *f = index < t->max ? record_at(t, index) : NULL;

	return f != NULL && f->flags & NFV_FLOW_LIVE ? f : NULL;
}

struct nfv_flow *
nfv_flow_of(const struct nfv_flow_table *t, const void *slots)
{
	return (struct nfv_flow *)((uint8_t *)(uintptr_t)slots - t->slot_off);
}

const struct nfv_flow *
nfv_flow_each(const struct nfv_flow_table *t, uint32_t *at)
{
	while (*at < t->max) {
		const struct nfv_flow *f = record_at(t, (*at)++);

		if (f->flags & NFV_FLOW_LIVE)
			return f;
	}
	return NULL;
}

struct nfv_flow_stats
nfv_flow_stats(const struct nfv_flow_table *t)
{
	return t->heads->stats;
}
