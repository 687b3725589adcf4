/* A response goes the way its request has come: our Via is taken off, the next one tells where to
 * (RFC 3261 §16.7, 16.11, 18.1.2). */
#include "proxy.h"

static bool
via_is_ours(const struct sip_proxy *px, const struct nfv_sip_via *via)
{
	struct nfv_endpoint e = { .port = via->port != 0 ? via->port : NFV_SIP_PORT };

	return sip_is_own_text(px, via->sent_by) ||
		(nfv_addr_parse(via->host, &e.addr) == 0 && sip_is_self(px, &e));
}

unsigned int
sip_response_vias(const struct sip_work *work)
{
	return via_is_ours(work->px, &work->core.via) ? work->core.n_vias : 0;
}

/* The one below; false: it is none. */
static bool
next_via(const struct sip_work *work, struct nfv_sip_via *next)
{
	struct nfv_sip_iter it;

	nfv_sip_iter_behind(&it, &work->msg, &work->core);
	return nfv_sip_next_via(&it, next) > 0;
}

void
sip_response_oc(struct sip_work *work)
{
	const struct nfv_sip_msg *m = &work->msg;
	const struct nfv_sip_hdr *h = nfv_sip_first_hdr(m, NFV_SIP_H_VIA);
	struct nfv_sip_via next;

	if (work->px->overload == NULL)
		return;
	if (work->core.via_line_done)
		h = nfv_sip_next_hdr(m, h);
	if (h != NULL && sip_may_oc(nfv_sip_value(m, h)) && next_via(work, &next))
		sip_via_oc(work, &next);
}

bool
sip_response_write(struct sip_work *work, struct nfv_sip_writer *w)
{
	const struct nfv_sip_msg *m = &work->msg;
	const struct nfv_sip_hdr *h = nfv_sip_first_hdr(m, NFV_SIP_H_VIA);

	if (work->core.via_line_done)
		nfv_sip_edit(&work->edits, h->at, (size_t)h->end - h->at, nfv_sv(NULL, 0));
	else
		nfv_sip_edit(&work->edits, h->value, (size_t)work->core.via_end - h->value,
			nfv_sv(NULL, 0));
	nfv_sip_edit_apply(&work->edits, m, 0, m->n, w);
	return !w->full && !work->edits.full && !work->ins.full;
}

void
sip_response(struct sip_work *work, char *buf, size_t room, struct sip_result *r)
{
	struct nfv_sip_writer w = nfv_sip_writer(buf, room);
	struct nfv_sip_via next;
	const char *text;
	int own = -1;

	if (nfv_sip_validate(&work->msg, &work->core, &text) != 0) {
		sip_drop(r, SIP_DROP_MALFORMED);
		return;
	}
	if (sip_response_vias(work) > 1 && next_via(work, &next) && sip_via_target(&next, &r->to))
		own = sip_branch_check(work->px, work->core.via.branch, &r->to);
	if (own < 0) {
		sip_drop(r, SIP_DROP_RESPONSE_STRAY);
		return;
	}
	if (sip_is_self(work->px, &r->to)) {
		sip_drop(r, SIP_DROP_NO_NEXT_HOP);
		return;
	}
	sip_response_oc(work);
	if (!sip_response_write(work, &w)) {
		sip_drop(r, SIP_DROP_TOO_LARGE);
		return;
	}
	r->action = SIP_FORWARD;
	r->from = (struct nfv_endpoint){ work->px->own[own].prefix.addr, work->px->port };
	r->dir = sip_dir_of(work->px, &r->to.addr);
	r->text = nfv_sip_written(&w, 0);
}
