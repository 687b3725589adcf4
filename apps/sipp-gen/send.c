/* A step's message: what it is made of, and how it leaves. */
#include "call.h"
#include "nfv_digest.h"

/* ---- what messages are made of ---- */

static struct nfv_sv
host(struct nfv_sip_writer *w, const struct nfv_addr *addr)
{
	size_t at = w->n;

	nfv_sip_put_host(w, addr);
	return nfv_sip_written(w, at);
}

/* z9hG4bK-SSSSSSSS-TTTTTTTTTTTTTTTT: slot and time of sending, for match.c; the template puts the
 * message's number behind it. */
static struct nfv_sv
write_branch(struct nfv_sip_writer *w, const struct agent *a, const struct call *c)
{
	size_t at = w->n;

	nfv_sip_put(w, NFV_SV(NFV_SIP_COOKIE "-"));
	nfv_sip_put_hex(w, call_index(a, c), 8);
	nfv_sip_put(w, NFV_SV("-"));
	nfv_sip_put_hex(w, c->sent, 16);
	return nfv_sip_written(w, at);
}

static struct nfv_sv
write_call_id(struct nfv_sip_writer *w, const struct agent *a, const struct call *c)
{
	size_t at = w->n;

	nfv_sip_put_hex(w, call_index(a, c), 8);
	nfv_sip_put(w, NFV_SV("-"));
	nfv_sip_put_hex(w, c->generation, 8);
	nfv_sip_put(w, NFV_SV("@"));
	nfv_sip_put(w, nfv_sv_str(a->local_ip));
	return nfv_sip_written(w, at);
}

/* The answer to the challenge in the message last received. The request's method and URI are what
 * the writer holds already. */
static void
authenticate(void *ctx, struct nfv_sv user, struct nfv_sv password, struct nfv_sv body,
	struct nfv_sip_writer *w)
{
	struct agent *a = ctx;
	enum nfv_sip_field field = NFV_SIP_H_WWW_AUTHENTICATE;
	struct nfv_sv head = nfv_sip_written(w, 0), method = nfv_sv_word(&head);
	struct nfv_digest_request r = { .user = user,
		.password = password,
		.method = method,
		.uri = nfv_sv_word(&head),
		.body = body,
		.nc = 1 };
	struct nfv_digest_challenge c;
	char cnonce[16];
	struct nfv_sip_writer cw = nfv_sip_writer(cnonce, sizeof(cnonce));

	if (a->last == NULL)
		return;
	if (nfv_sip_first_hdr(a->last, field) == NULL)
		field = NFV_SIP_H_PROXY_AUTHENTICATE;
	if (nfv_digest_choose(a->last, field, &c) < 0) {
		a->stats.warnings++;
		return;
	}
	nfv_sip_put_hex(&cw, rnd_u64(&a->random) >> 8, 14);
	r.cnonce = nfv_sip_written(&cw, 0);
	nfv_sip_put_str(w,
		field == NFV_SIP_H_WWW_AUTHENTICATE ? "Authorization: " : "Proxy-Authorization: ");
	nfv_digest_answer(&c, &r, w);
}

void
send_facts(struct agent *a, struct call *c, uint16_t step, const struct nfv_sip_msg *last,
	struct nfv_sip_writer *w, struct facts *f)
{
	const struct facts vars = call_vars(a, c);

	a->last = last;
	a->current = c;
	*f = (struct facts){ .service = a->conf.service,
		.call_id = c->caller ? write_call_id(w, a, c) : call_text(c, TEXT_CALL_ID),
		.next_url = call_text(c, TEXT_NEXT_URL),
		.routes = call_text(c, TEXT_ROUTES),
		.peer_tag = call_text(c, TEXT_PEER_TAG),
		.local_ip = host(w, &a->conf.local.addr),
		.remote_ip = host(w, &c->peer.addr),
		.media_ip = host(w, &a->conf.media.addr),
		.branch = write_branch(w, a, c),
		.auth_user = a->conf.auth_user,
		.auth_password = a->conf.auth_password,
		.call_number = c->number,
		.users = a->crowd.n,
		.userid = c->user,
		.clock_ms = a->now / a->ms,
		.cseq = a->sc->step[step].method == NFV_SIP_ACK ? c->invite_cseq : c->cseq,
		.msg_index = step - a->sc->n_init,
		.local_port = a->conf.local.port,
		.remote_port = c->peer.port,
		.media_port = a->conf.media.port,
		.ip6 = a->conf.local.addr.family == NFV_IPV6,
		.pid = 1,
		.wall_us = a->wall_us + (a->now - a->created) * 1000 / a->ms,
		.last = last,
		.ctx = a,
		.field = agent_field,
		.authenticate = authenticate };
	memcpy(f->vars, vars.vars, sizeof(f->vars));
}

/* ---- sending ---- */

static void
transmit(struct agent *a, struct call *c, const char *room, size_t n, double loss)
{
	a->stats.sent++;
	if (a->impair != NULL)
		impair_commit(a->impair, a->net, room, n, a->conf.local.port, &c->peer, loss,
			a->now, a->ms);
	else
		net_commit(a->net, n, a->conf.local.port, &c->peer);
}

/* The message that was received last, as it was kept. */
static const struct nfv_sip_msg *
kept_message(struct agent *a, struct call *c)
{
	struct nfv_sv kept;

	if (c->block_in == NO_BLOCK)
		return NULL;
	kept = call_kept(a, c->block_in, a->scratch);
	return nfv_sip_parse(&a->msg, kept.p, kept.n) == NFV_SIP_MESSAGE_OK ? &a->msg : NULL;
}

/* Put the message together; once more, from the start, where it turns out to be a long one. */
static bool
render(struct agent *a, const struct call *c, const struct step *s, const struct facts *f,
	struct nfv_sip_writer *w)
{
	if (template_render(&s->message, f, w))
		return true;
	if (!w->full)
		return false;
	net_abandon(a->net);
	*w = nfv_sip_writer(
		net_begin(a->net, c->peer.addr.family, NET_PAYLOAD_MAX), NET_PAYLOAD_MAX);
	return template_render(&s->message, f, w);
}

bool
send_step(
	struct agent *a, struct call *c, uint16_t step, const struct nfv_sip_msg *last, bool again)
{
	const struct step *s = &a->sc->step[step];
	char texts[512];
	struct nfv_sip_writer small = nfv_sip_writer(texts, sizeof(texts)), w;
	struct facts f;
	struct nfv_sv kept;
	char *room = net_begin(
		a->net, c->peer.addr.family, again && c->out_n > 0 ? c->out_n : NET_PAYLOAD);

	if (room == NULL)
		return false;
	w = nfv_sip_writer(room, NET_PAYLOAD);
	if (again && c->out_n > 0) {
		kept = call_kept(a, c->block_out, room);
		memmove(room, kept.p, kept.n); /* it may lie there already */
		transmit(a, c, room, c->out_n, (double)s->lost);
		return true;
	}
	if (again && s->keeps_message && last == NULL) {
		net_abandon(a->net);
		return false;
	}
	if (s->message.uses_last && last == NULL)
		last = kept_message(a, c);
	send_facts(a, c, step, last, &small, &f);
	if (small.full || !render(a, c, s, &f, &w)) {
		net_abandon(a->net);
		return false;
	}
	if (s->keeps_message && !again && s->retrans > 0 && a->conf.retransmit) {
		/* What cannot be kept is not sent again: its loss then is the call's. */
		c->out_n = call_keep(a, &c->block_out, nfv_sip_written(&w, 0)) ? (uint16_t)w.n : 0;
		a->stats.warnings += c->out_n == 0;
	}
	transmit(a, c, w.p, w.n, (double)s->lost);
	return true;
}

size_t
send_render(struct agent *a, struct call *c, uint16_t step, char *to, size_t room)
{
	char texts[512];
	struct nfv_sip_writer small = nfv_sip_writer(texts, sizeof(texts)),
			      w = nfv_sip_writer(to, room);
	struct facts f;

	if (c->out_n > 0 && c->last_send == step + 1 && c->out_n <= room) {
		struct nfv_sv kept = call_kept(a, c->block_out, to);

		memmove(to, kept.p, kept.n); /* it may lie there already */
		return c->out_n;
	}
	send_facts(a, c, step, NULL, &small, &f);
	return !small.full && template_render(&a->sc->step[step].message, &f, &w) ? w.n : 0;
}

void
send_again(struct agent *a, struct call *c, const struct nfv_sip_msg *m)
{
	uint16_t step;

	if (c->last_send == 0)
		return;
	step = (uint16_t)(c->last_send - 1);
	if (!send_step(a, c, step, m, true))
		return;
	a->stats.retransmitted++;
	a->stats.step[step].retransmissions++;
}
