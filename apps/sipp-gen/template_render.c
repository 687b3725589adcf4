#define _GNU_SOURCE /* memmem */
#include <math.h>
#include <stdlib.h>

#include "put.h"
#include "template.h"

#define AUTH_MAX 2048

static void
put_variable(struct cursor *c, const struct value *v)
{
	if (v == NULL || v->kind == VALUE_UNSET)
		return;
	if (v->kind == VALUE_TEXT)
		put(c, v->text, v->n);
	else if (v->kind == VALUE_NUMBER)
		put_number(c, v->number);
	else
		put_sv(c, v->truth ? NFV_SV("true") : NFV_SV("false"));
}

/* A header field's lines, each with its name; or its values alone, as one list. */
static void
put_last(struct cursor *c, const struct piece *p, const struct nfv_sip_msg *m)
{
	const struct nfv_sip_hdr *h;
	bool first = true;

	if (m == NULL)
		return;
	h = p->field != NFV_SIP_H_OTHER ? nfv_sip_first_hdr(m, p->field) : m->hdr;
	while (h != NULL && h < m->hdr + m->n_hdr) {
		if (p->field != NFV_SIP_H_OTHER ||
			(h->name_n == p->text.n &&
				nfv_sv_ieq(nfv_sv(m->p + h->at, h->name_n), p->text))) {
			if (!first)
				put(c, p->value_only ? ", " : "\r\n", 2);
			first = false;
			if (p->value_only)
				put_sv(c, nfv_sip_value(m, h));
			else
				put(c, m->p + h->at, (size_t)(h->value + h->value_n - h->at));
		}
		h = p->field != NFV_SIP_H_OTHER ? nfv_sip_next_hdr(m, h) : h + 1;
	}
}

static void
put_last_cseq(struct cursor *c, const struct piece *p, const struct nfv_sip_msg *m)
{
	const struct nfv_sip_hdr *h = m != NULL ? nfv_sip_first_hdr(m, NFV_SIP_H_CSEQ) : NULL;
	struct nfv_sip_cseq cseq;

	if (h == NULL || nfv_sip_cseq(nfv_sip_value(m, h), &cseq) < 0)
		cseq.number = 0;
	put_i64(c, (int64_t)cseq.number + p->offset);
}

static void
put_last_branch(struct cursor *c, const struct nfv_sip_msg *m)
{
	struct nfv_sip_iter it;
	struct nfv_sip_via via;

	if (m == NULL)
		return;
	nfv_sip_iter(&it, m, NFV_SIP_H_VIA);
	if (nfv_sip_next_via(&it, &via) > 0)
		put_sv(c, via.branch);
}

static void
put_fill(struct cursor *c, const struct piece *p, const struct value *v)
{
	double n = v != NULL && v->kind == VALUE_NUMBER ? v->number : 0;
	size_t left = n > 0 ? (size_t)(n < 1e6 ? n : 1e6) : 0;

	while (left > 0 && !c->full) {
		size_t step = left < p->text.n ? left : p->text.n;

		put(c, p->text.p, step);
		left -= step;
	}
}

struct render {
	const struct facts *f;
	const struct template *username, *password; /* of [authentication] */
	struct nfv_sv user, secret;                 /* of one that a field had in it */
	char *auth_at, *len_at;                     /* NULL: none */
	bool missing;
};

static void
put_field(struct cursor *c, const struct piece *p, struct render *r)
{
	const struct facts *f = r->f;
	const struct value *v = p->var >= 0 ? facts_value(f, p->var) : NULL;
	int64_t line = p->offset;
	struct nfv_sv s;

	if (p->var >= 0)
		line = v != NULL && v->kind == VALUE_NUMBER && fabs(v->number) < 1e15 ?
			(int64_t)v->number :
			-1;
	s = f->field != NULL ? f->field(f->ctx, p->text, line, p->field) : nfv_sv(NULL, 0);
	if (s.p == NULL) {
		r->missing = true;
	} else if (s.n > 15 && memcmp(s.p, "[authentication", 15) == 0 && r->auth_at == NULL) {
		/* A field may hold credentials the way a message would have them. */
		s = nfv_sv(s.p + 15, s.n - 15 - (s.p[s.n - 1] == ']'));
		r->user = f->auth_user;
		r->secret = f->auth_password;
		template_param(s, NFV_SV("username"), &r->user);
		template_param(s, NFV_SV("password"), &r->secret);
		r->auth_at = c->at;
	} else {
		put_sv(c, s);
	}
}

static void
put_address(struct cursor *c, const struct piece *p, const struct facts *f)
{
	switch (p->keyword) {
	case KW_LOCAL_IP:
		put_sv(c, f->local_ip);
		break;
	case KW_REMOTE_IP:
	case KW_REMOTE_HOST:
		put_sv(c, f->remote_ip);
		break;
	case KW_MEDIA_IP:
		put_sv(c, f->media_ip);
		break;
	case KW_LOCAL_PORT:
		put_i64(c, f->local_port + p->offset);
		break;
	case KW_REMOTE_PORT:
		put_i64(c, f->remote_port + p->offset);
		break;
	case KW_MEDIA_PORT:
		put_i64(c, f->media_port + p->offset);
		break;
	case KW_AUTO_MEDIA_PORT: /* four to a call, so that calls side by side differ */
		put_i64(c, f->media_port + (int64_t)(4 * (f->call_number - 1) % 10000) + p->offset);
		break;
	default: /* the types */
		put(c, f->ip6 ? "6" : "4", 1);
	}
}

/* What few messages have. */
static void
put_rare(struct cursor *c, const struct piece *p, const struct facts *f)
{
	switch (p->keyword) {
	case KW_LAST_MESSAGE:
		if (f->last != NULL)
			put(c, f->last->p, f->last->n);
		break;
	case KW_LAST_REQUEST_URI:
		if (f->last != NULL && !f->last->response)
			put_sv(c, f->last->uri);
		break;
	case KW_LAST_CSEQ_NUMBER:
		put_last_cseq(c, p, f->last);
		break;
	case KW_LAST_BRANCH:
		put_last_branch(c, f->last);
		break;
	case KW_ROUTES:
		if (f->routes.n > 0) {
			put(c, "Route: ", 7);
			put_sv(c, f->routes);
		}
		break;
	case KW_NEXT_URL:
		put_sv(c, f->next_url);
		break;
	case KW_CLOCK_TICK:
		put_u64(c, f->clock_ms);
		break;
	case KW_TIMESTAMP:
		put_timestamp(c, f->wall_us);
		break;
	case KW_DATE:
		put_date(c, f->wall_us);
		break;
	case KW_SIPP_VERSION:
		put(c, "sipp-gen", 8);
		break;
	case KW_USERS:
		put_u64(c, f->users);
		break;
	case KW_USERID:
		put_u64(c, f->userid);
		break;
	case KW_FILL:
		put_fill(c, p, facts_value(f, p->var));
		break;
	default: /* KW_FILE, KW_GENERIC */
		put_sv(c, p->text);
	}
}

static void
put_piece(struct cursor *c, const struct piece *p, struct render *r)
{
	const struct facts *f = r->f;

	switch (p->keyword) {
	case KW_SERVICE:
		put_sv(c, f->service);
		break;
	case KW_CALL_ID:
		put_sv(c, f->call_id);
		break;
	case KW_CALL_NUMBER:
		put_u64(c, f->call_number);
		break;
	case KW_CSEQ:
		put_i64(c, (int64_t)f->cseq + p->offset);
		break;
	case KW_BRANCH:
		put_sv(c, f->branch);
		put(c, "-", 1);
		put_i64(c, (int64_t)f->msg_index + p->offset);
		break;
	case KW_LEN:
		r->len_at = c->at;
		put(c, "00000", 5);
		break;
	case KW_PID:
		put_u64(c, f->pid);
		break;
	case KW_MSG_INDEX:
		put_u64(c, f->msg_index);
		break;
	case KW_TRANSPORT:
		put(c, "UDP", 3);
		break;
	case KW_PEER_TAG_PARAM:
		if (f->peer_tag.n > 0) {
			put(c, ";tag=", 5);
			put_sv(c, f->peer_tag);
		}
		break;
	case KW_LAST_HEADER:
		put_last(c, p, f->last);
		break;
	case KW_FIELD:
		put_field(c, p, r);
		break;
	case KW_VARIABLE:
		put_variable(c, facts_value(f, p->var));
		break;
	case KW_AUTHENTICATION:
		r->username = p->username;
		r->password = p->password;
		r->user = f->auth_user;
		r->secret = f->auth_password;
		r->auth_at = c->at;
		break;
	case KW_LOCAL_IP ... KW_REMOTE_HOST:
	case KW_MEDIA_IP ... KW_AUTO_MEDIA_PORT:
		put_address(c, p, f);
		break;
	default:
		put_rare(c, p, f);
	}
}

/* Put the number of bytes behind the empty line where five digits stand. */
static void
patch_len(struct cursor *c, struct render *r, int32_t offset)
{
	char *at = r->len_at;
	char *body = memmem(at, (size_t)(c->at - at), "\r\n\r\n", 4);
	struct cursor digits = { .at = at, .end = at + 5 };
	int64_t n = body != NULL ? c->at - (body + 4) : 0;

	n += offset;
	put_u64(&digits, n > 0 ? (uint64_t)n : 0);
	memmove(digits.at, at + 5, (size_t)(c->at - (at + 5)));
	c->at -= at + 5 - digits.at;
}

/* [authentication] may cover the body, so it is made when all else stands: behind the message, from
 * where it is moved to its place. */
static void
insert_auth(struct cursor *c, struct render *r, char *start)
{
	char line[AUTH_MAX], names[512];
	struct nfv_sip_writer w = { start, (size_t)(c->at - start), (size_t)(c->end - start),
		false };
	struct nfv_sip_writer words = nfv_sip_writer(names, sizeof(names));
	/* searched from here on: the line that is missing leaves an empty one */
	char *body = memmem(r->auth_at, (size_t)(c->at - r->auth_at), "\r\n\r\n", 4), *was = c->at;
	size_t n, cut = 0;

	if (r->username != NULL && template_render(r->username, r->f, &words))
		r->user = nfv_sip_written(&words, 0);
	n = words.n;
	if (r->password != NULL && template_render(r->password, r->f, &words))
		r->secret = nfv_sip_written(&words, n);
	body = body != NULL ? body + 4 : c->at;
	if (r->f->authenticate != NULL)
		r->f->authenticate(
			r->f->ctx, r->user, r->secret, nfv_sv(body, (size_t)(c->at - body)), &w);
	n = w.n - (size_t)(c->at - start);
	c->full |= w.full || words.full || n > AUTH_MAX;
	if (c->full)
		return;
	if (n == 0 && (r->auth_at == start || r->auth_at[-1] == '\n') && was - r->auth_at >= 2 &&
		memcmp(r->auth_at, "\r\n", 2) == 0)
		cut = 2;
	memcpy(line, was, n);
	memmove(r->auth_at + n, r->auth_at + cut, (size_t)(was - r->auth_at) - cut);
	memcpy(r->auth_at, line, n);
	c->at = was + n - cut;
	if (r->len_at > r->auth_at)
		r->len_at = r->len_at + n - cut;
}

bool
template_render(const struct template *t, const struct facts *f, struct nfv_sip_writer *w)
{
	struct cursor c = { w->p + w->n, w->p + w->room, w->full };
	struct render r = { .f = f };
	char *start = c.at, *before;
	bool skip = false; /* nothing stands on this line: its end is left out as well */

	for (uint16_t i = 0; i < t->n; i++) {
		const struct piece *p = &t->piece[i];

		if (p->keyword == KW_TEXT) {
			size_t cut = skip && p->text.n >= 2 && p->text.p[0] == '\r' &&
					p->text.p[1] == '\n' ?
				2 :
				0;

			put_literal(&c, p->text.p + cut, p->text.n - cut);
			skip = false;
			continue;
		}
		before = c.at;
		put_piece(&c, p, &r);
		skip = c.at == before && (before == start || before[-1] == '\n') &&
			r.auth_at != c.at;
	}
	if (r.auth_at != NULL && !c.full)
		insert_auth(&c, &r, start);
	if (r.len_at != NULL && !c.full)
		patch_len(&c, &r, t->piece[t->len_at].offset);
	w->full = c.full;
	if (!c.full)
		w->n = (size_t)(c.at - w->p);
	return !c.full && !r.missing;
}
