/* The SIP stage from its configuration, and down again. */
#include "media_carry.h"
#include "sip_stage.h"

/* Two words of key from a seed, or from a text that several workers or machines share. */
static struct siphash_key
make_key(uint64_t seed, const char *text)
{
	struct siphash_key from = { { text == NULL ? seed : 0, 0 } }, key;

	for (uint64_t i = 0; i < 2; i++) {
		struct siphash h;

		siphash_init(&h, &from);
		siphash_add(&h, &i, sizeof(i));
		if (text != NULL)
			siphash_add(&h, text, strlen(text));
		key.k[i] = siphash_end(&h);
	}
	return key;
}

/* Of what has to be the same in all shards. */
static uint64_t
group_seed(const struct nfv_stage_ctx *ctx)
{
	return ctx->shards > 1 ? ctx->group_seed : ctx->seed;
}

static int
init_txns(struct sip_state *s, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	const struct sip_conf *conf = ctx->conf;
	const struct sip_txns_conf tc = { .max = sip_share_part(
						  &s->server.share, conf->transactions, 64),
		.timer_c = conf->ring_time,
		.tsc_hz = ctx->tsc_hz,
		.now = ctx->tsc };
	struct sip_txns_pages *p = &s->pages;
	size_t slots, buckets, texts;

	sip_txns_need(tc.max, &slots, &buckets, &texts);
	p->slots = nfv_lender_take(s->lender, "sip.transactions", slots);
	p->buckets = nfv_lender_take(s->lender, "sip.buckets", buckets);
	p->texts = nfv_lender_take(s->lender, "sip.messages", texts);
	if (p->slots.page == NULL || p->buckets.page == NULL || p->texts.page == NULL)
		return nfv_fail(err, ENOMEM,
			"sip: no memory for %u transactions: %zu MiB with their messages", tc.max,
			(slots + buckets + texts) / 256);
	sip_txns_init(&s->server.txns, &tc, p, (uint32_t)(s->server.px.key.k[0] >> 17));
	s->server.failover_ms = conf->failover_time;
	s->server.probe_every = conf->probe_interval * ctx->tsc_hz;
	s->server.px.overload = &s->server.overload;
	sip_overload_init(&s->server.overload, ctx->tsc_hz,
		conf->call_rate > 0 ? sip_share_part(&s->server.share, conf->call_rate, 1) : 0,
		conf->call_burst / 1000.0);
	s->server.sink = (struct sip_sink){ s, sip_stage_send };
	return 0;
}

static int
add_trunk(struct sip_proxy *px, const struct nfv_stage_ctx *ctx, const struct nfv_endpoint *to,
	uint32_t weight, uint32_t priority, struct nfv_err *err)
{
	if (sip_is_self(px, to))
		return nfv_conf_fail(ctx->doc, to, err, "the trunk is the proxy itself");
	if (px->trunks.n == SIP_TRUNKS_MAX)
		return nfv_conf_fail(
			ctx->doc, to, err, "more than %d trunks are not supported", SIP_TRUNKS_MAX);
	if (sip_trunk_find(&px->trunks, to) >= 0)
		return nfv_conf_fail(ctx->doc, to, err, "this trunk is there twice");
	px->trunks.trunk[px->trunks.n++] = (struct sip_trunk){
		.to = *to, .weight = (uint16_t)weight, .priority = (uint16_t)priority
	};
	return 0;
}

static int
add_trunks(struct sip_proxy *px, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	const struct sip_conf *conf = ctx->conf;
	const struct sip_conf_trunk *t = conf->trunks.item;
	int rc = 0;

	if (conf->trunk.addr.family != NFV_NO_ADDR)
		rc = add_trunk(px, ctx, &conf->trunk, 1, 0, err);
	for (uint32_t i = 0; i < conf->trunks.n && rc == 0; i++)
		rc = add_trunk(px, ctx, &t[i].to, t[i].weight, t[i].priority, err);
	return rc;
}

static int
init_users(struct sip_state *s, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	const struct sip_conf *conf = ctx->conf;
	struct sip_proxy *px = &s->server.px;
	const struct sip_users_conf uc = { .registrations = conf->registrations,
		.contacts = conf->contacts,
		.min_expires = conf->min_expires,
		.default_expires = conf->default_expires,
		.max_expires = conf->max_expires,
		.journal = conf->journal != NULL ? conf->journal : "",
		.sync_ms = conf->journal_sync,
		.credentials = conf->credentials != NULL ? conf->credentials : "",
		.authenticate = (enum sip_authenticate)conf->authenticate,
		.lender = ctx->lender,
		.own = px->own,
		.n_own = px->n_own,
		.tsc_hz = ctx->tsc_hz,
		.now = ctx->tsc,
		.seed = group_seed(ctx),
		.replica = ctx->shard > 0,
		.tell = ctx->tell,
		.succeeds = ctx->succeeds };
	int rc;

	if (conf->registrations == 0 && uc.journal[0] != '\0')
		return nfv_conf_fail(ctx->doc, &conf->journal, err,
			"a journal is for registrations, and there are none: set `registrations`");
	if (conf->registrations == 0 && uc.credentials[0] == '\0')
		return 0;
	rc = sip_users_create(&uc, &s->server.users, err);
	if (rc == 0 && conf->registrations > 0) {
		px->locate = sip_users_locate;
		px->locate_ctx = s->server.users;
	}
	return rc;
}

static int
init_relay(struct sip_state *s, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	const struct sip_conf *conf = ctx->conf;
	struct sip_share *share = &s->server.share;
	struct sip_relay_conf rc = { .lo = (uint16_t)(conf->rtp_ports.lo + 1u) & ~1u,
		.hi = (uint16_t)((conf->rtp_ports.hi - 1u) | 1u),
		.streams = sip_share_part(share, conf->media_calls, 16),
		.any = conf->media_any,
		.drops = SIP_DROPS,
		.seed = ctx->seed,
		.tsc_hz = ctx->tsc_hz,
		.lender = s->lender };

	if (rc.lo >= rc.hi || (conf->port >= rc.lo && conf->port <= rc.hi))
		return nfv_conf_fail(ctx->doc, &conf->rtp_ports, err,
			"the relay needs pairs of ports, and not the proxy's own among them");
	if (ctx->shards > 1) {
		share->rtp_lo = rc.lo;
		share->rtp_hi = rc.hi;
		if (!sip_share_ports(share, &rc.lo, &rc.hi))
			return nfv_conf_fail(ctx->doc, &conf->rtp_ports, err,
				"rtp-ports: there is no pair for each of %u workers", ctx->shards);
	}
	s->relay_pages = nfv_lender_take(s->lender, "sip.relay", sip_relay_pages(&rc));
	if (s->relay_pages.page == NULL)
		return nfv_fail(err, ENOMEM, "sip: no memory for the relay");
	return sip_relay_create(&rc, &s->relay_pages, &s->relay, err);
}

static int
init_media(struct sip_state *s, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	const struct sip_conf *conf = ctx->conf;
	struct sip_media_conf mc = { .calls = sip_share_part(
					     &s->server.share, conf->media_calls, 16),
		.setup = conf->media_setup,
		.idle = conf->media_idle,
		.max = 24 * 3600,
		.any_source = conf->media_any,
		.pinholes = ctx->pinholes };
	struct sip_media *media;
	int rc = 0;

	if (conf->media == SIP_MEDIA_RELAY)
		rc = init_relay(s, ctx, err);
	if (rc < 0)
		return rc;
	mc.relay = s->relay;
	s->media_pages = nfv_lender_take(s->lender, "sip.media", sip_media_pages(&mc));
	if (s->media_pages.page == NULL)
		return nfv_fail(err, ENOMEM, "sip: no memory for %u calls' media", mc.calls);
	rc = sip_media_create(&mc, ctx, &s->media_pages, ctx->tsc, &media, err);
	if (rc < 0)
		return rc;
	sip_media_given(media, ctx->succeeds);
	sip_body_init(&s->server, media);
	return 0;
}

static int
init_stateful(struct sip_state *s, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	const struct sip_conf *conf = ctx->conf;
	int rc = init_txns(s, ctx, err);

	if (rc == 0)
		rc = init_users(s, ctx, err);
	if (rc == 0 && conf->media != SIP_MEDIA_NONE)
		rc = init_media(s, ctx, err);
	return rc;
}

int
sip_setup(void *state, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	const struct sip_conf *conf = ctx->conf;
	struct sip_state *s = state;
	struct sip_proxy *px = &s->server.px;
	int rc;

	s->lender = ctx->lender;
	s->given = ctx->succeeds;
	px->port = (uint16_t)conf->port;
	px->record_route = conf->record_route;
	px->relay = conf->relay;
	px->domains = conf->domains.item;
	px->n_domains = conf->domains.n;
	px->key = make_key(group_seed(ctx), conf->key);
	s->server.share = (struct sip_share){
		.shard = ctx->shard, .shards = ctx->shards, .key = make_key(ctx->group_seed, NULL)
	};
	s->stateful = conf->mode == SIP_STATEFUL;
	s->be_port = htobe16(px->port);
	s->server.refusals =
		sip_bucket(ctx->tsc_hz, sip_share_part(&s->server.share, conf->error_rate, 1), 1);
	rc = sip_proxy_init(px, ctx, err);
	if (rc < 0)
		return rc;
	rc = add_trunks(px, ctx, err);
	if (rc < 0)
		return rc;
	if (s->stateful)
		return init_stateful(s, ctx, err);
	if (conf->registrations > 0 || conf->media != SIP_MEDIA_NONE ||
		(conf->credentials != NULL && conf->credentials[0] != '\0'))
		return nfv_conf_fail(ctx->doc, &conf->mode, err,
			"registrations, credentials and media want `mode: stateful`");
	return 0;
}

void
sip_teardown(void *state)
{
	struct sip_state *s = state;

	sip_media_destroy(s->server.media);
	sip_relay_destroy(s->relay);
	nfv_lender_give(s->lender, &s->media_pages);
	nfv_lender_give(s->lender, &s->relay_pages);
	sip_users_destroy(s->server.users);
	nfv_lender_give(s->lender, &s->pages.slots);
	nfv_lender_give(s->lender, &s->pages.buckets);
	nfv_lender_give(s->lender, &s->pages.texts);
}
