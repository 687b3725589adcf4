#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "media_call.h"
#include "nfv_watch.h"

#define HEADS    (NFV_PAGE / sizeof(uint32_t))
#define PER_PAGE (NFV_PAGE / sizeof(struct call))

struct call *
media_call(const struct sip_media *m, uint32_t i)
{
	struct call *c =
		(struct call *)(void *)m->call_page[(i - 1) / PER_PAGE] + (i - 1) % PER_PAGE;

	nfv_watch(c, sizeof(*c));
	return c;
}

static uint32_t *
head_of(const struct sip_media *m, uint64_t id)
{
	uint32_t i = (uint32_t)id & m->mask;
	uint32_t *head = (uint32_t *)(void *)m->head_page[i / HEADS] + i % HEADS;

	nfv_watch(head, sizeof(*head));
	return head;
}

static uint32_t
heads_for(uint32_t calls)
{
	uint32_t n = HEADS;

	while (n < calls)
		n *= 2;
	return n;
}

size_t
sip_media_pages(const struct sip_media_conf *conf)
{
	return heads_for(conf->calls) / HEADS + (conf->calls + PER_PAGE - 1) / PER_PAGE;
}

int
sip_media_create(const struct sip_media_conf *conf, const struct nfv_stage_ctx *ctx,
	const struct nfv_pages *pages, uint64_t now, struct sip_media **out, struct nfv_err *err)
{
	uint32_t heads = heads_for(conf->calls);
	struct sip_media *m;

	if (conf->calls == 0 || conf->calls > 1u << 24 || conf->idle < 2)
		return nfv_fail(err, EINVAL,
			"media of 1 to %u calls can be watched, idle for 2 seconds or more; "
			"not %u, %u seconds",
			1u << 24, conf->calls, conf->idle);
	m = pages->page != NULL ? nfv_lender_alloc(ctx->lender, sizeof(*m)) : NULL;
	if (m == NULL)
		return nfv_fail(err, ENOMEM, "out of memory for media of %u calls", conf->calls);
	m->conf = *conf;
	m->lender = ctx->lender;
	m->head_page = pages->page;
	m->call_page = pages->page + heads / HEADS;
	m->call_pages = (struct nfv_pages){ m->call_page, (conf->calls + PER_PAGE - 1) / PER_PAGE };
	m->mask = heads - 1;
	m->tsc_hz = ctx->tsc_hz;
	m->key = (struct siphash_key){ { ctx->seed, ~ctx->seed } };
	m->rules = (struct media_rules){ .own = { ctx->own[0], ctx->own[1] },
		.n_own = { ctx->n_own[0], ctx->n_own[1] },
		.toward = ctx->toward,
		.n_toward = ctx->n_toward,
		.relay = conf->relay,
		.foreign = &m->stats.foreign };
	m->stats.max = conf->calls;
	/* In a table of its own there is nobody yet. */
	m->shares = ctx->succeeds && conf->pinholes != NULL && conf->pinholes->stats.owners > 0;
	m->items.n = conf->calls;
	for (uint32_t i = conf->calls; i > 0; i--) {
		media_call(m, i)->next = m->free;
		media_call(m, i)->invite_cseq = i - 1; /* the free one before, for media_carry.c */
		m->free = i;
	}
	nfv_wheel_init_pages(&m->wheel, &m->call_pages, sizeof(struct call),
		offsetof(struct call, timer), m->tsc_hz, now);
	*out = m;
	return 0;
}

void
media_close_holes(struct sip_media *m, struct call *c)
{
	if (c->holes != 0 && !m->given)
		nfv_pinhole_close(m->conf.pinholes, c->holes);
	c->holes = 0;
}

void
media_close_stream(struct sip_media *m, struct call *c, uint32_t i)
{
	if (c->relay[i] != 0)
		sip_relay_close(m->conf.relay, c->relay[i]);
	c->relay[i] = 0;
}

void
media_end(struct sip_media *m, uint32_t i)
{
	struct call *c = media_call(m, i);
	uint32_t *at = head_of(m, c->id);

	media_close_holes(m, c);
	for (uint32_t s = 0; s < SIP_MEDIA_STREAMS; s++)
		media_close_stream(m, c, s);
	nfv_wheel_cancel(&m->wheel, i - 1);
	while (*at != i)
		at = &media_call(m, *at)->next;
	*at = c->next;
	c->id = 0;
	nfv_item_touch(&m->items, i - 1);
	c->next = m->free;
	m->free = i;
	m->stats.calls--;
}

void
sip_media_destroy(struct sip_media *m)
{
	if (m == NULL)
		return;
	for (uint32_t i = 1; i <= m->conf.calls; i++)
		if (media_call(m, i)->id != 0)
			media_end(m, i);
	nfv_lender_free(m->lender, m);
}

uint64_t
media_hash(const struct sip_media *m, struct nfv_sv a, struct nfv_sv b)
{
	uint64_t n = a.n, h;
	struct siphash s;

	siphash_init(&s, &m->key);
	siphash_add(&s, &n, sizeof(n));
	siphash_add(&s, a.p, a.n);
	siphash_add(&s, b.p, b.n);
	h = siphash_end(&s);
	return h != 0 ? h : 1;
}

uint64_t
media_tag_hash(const struct sip_media *m, struct nfv_sv tag)
{
	return tag.n > 0 ? media_hash(m, tag, nfv_sv(NULL, 0)) : 0;
}

static uint32_t
find_id(const struct sip_media *m, uint64_t id)
{
	uint32_t i = *head_of(m, id);

	while (i != 0 && media_call(m, i)->id != id)
		i = media_call(m, i)->next;
	return i;
}

uint32_t
media_find(const struct sip_media *m, const struct nfv_sip_core *core, bool *begun_by_from)
{
	uint32_t i = find_id(m, media_hash(m, core->call_id, core->from.tag));

	*begun_by_from = true;
	if (i == 0 && core->to.tag.n > 0) {
		i = find_id(m, media_hash(m, core->call_id, core->to.tag));
		*begun_by_from = i == 0;
	}
	return i;
}

void
media_put(struct sip_media *m, uint32_t i, uint64_t id)
{
	struct call *c = media_call(m, i);
	uint32_t *head = head_of(m, id);

	nfv_item_touch(&m->items, i - 1);
	c->id = id;
	c->next = *head;
	*head = i;
	m->stats.calls++;
}

uint32_t
media_new(struct sip_media *m, const struct nfv_sip_core *core)
{
	uint32_t i = m->free;
	struct call *c;

	if (i == 0)
		return 0;
	c = media_call(m, i);
	m->free = c->next;
	memset(c, 0, sizeof(*c));
	c->invite_cseq = core->cseq.number;
	media_put(m, i, media_hash(m, core->call_id, core->from.tag));
	return i;
}

const struct sip_media_stats *
sip_media_stats(const struct sip_media *m)
{
	return &m->stats;
}

void
sip_media_show(const struct sip_media *m, FILE *to)
{
	const struct sip_media_stats *s = &m->stats;

	fprintf(to,
		"media: calls %u of %u; offers %" PRIu64 " answers %" PRIu64 " ended %" PRIu64
		" expired %" PRIu64 "; refused %" PRIu64 " unreadable %" PRIu64 " foreign %" PRIu64
		" pinholes not opened %" PRIu64 "\n",
		s->calls, s->max, s->offers, s->answers, s->ended, s->expired, s->refused,
		s->unreadable, s->foreign, s->unopened);
}
