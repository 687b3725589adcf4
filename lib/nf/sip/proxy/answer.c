/* Answers of the proxy's own, as a stateless server gives them (RFC 3261 §8.2.6, 8.2.7). */
#include "proxy.h"

static void
put_first(struct nfv_sip_writer *w, const struct nfv_sip_msg *m, enum nfv_sip_field field,
	const char *name)
{
	const struct nfv_sip_hdr *h = nfv_sip_first_hdr(m, field);

	if (h != NULL)
		nfv_sip_put_header(w, name, nfv_sip_value(m, h));
}

static void
put_vias(struct nfv_sip_writer *w, struct sip_work *work)
{
	const struct nfv_sip_msg *m = &work->msg;
	const struct nfv_sip_hdr *h = nfv_sip_first_hdr(m, NFV_SIP_H_VIA);

	sip_edits_reset(work);
	sip_via_fix(work);
	if (work->core.via_ok)
		sip_via_oc(work, &work->core.via);
	for (; h != NULL; h = nfv_sip_next_hdr(m, h)) {
		nfv_sip_put_str(w, "Via: ");
		nfv_sip_edit_apply(&work->edits, m, h->value, (size_t)h->value + h->value_n, w);
		nfv_sip_put_str(w, "\r\n");
	}
}

static void
put_to(struct nfv_sip_writer *w, struct sip_work *work, bool tag)
{
	const struct nfv_sip_hdr *h = nfv_sip_first_hdr(&work->msg, NFV_SIP_H_TO);

	if (h == NULL)
		return;
	nfv_sip_put_str(w, "To: ");
	nfv_sip_put(w, nfv_sip_value(&work->msg, h));
	if (tag && work->core.to.text.n > 0 && work->core.to.tag.p == NULL) {
		nfv_sip_put_str(w, ";tag=");
		nfv_sip_put_hex(w, sip_tag(work), 16);
	}
	nfv_sip_put_str(w, "\r\n");
}

void
sip_answer(struct sip_work *work, unsigned int status, const char *text, struct nfv_sv lines,
	char *buf, size_t room, struct sip_result *r)
{
	struct nfv_sip_writer w = nfv_sip_writer(buf, room);
	const struct nfv_sip_msg *m = &work->msg;
	const struct nfv_sip_hdr *h;

	r->action = SIP_ANSWER;
	r->status = (uint16_t)status;
	r->dir = nfv_dir_back(work->in->dir);
	r->from = work->in->dst;
	r->to = sip_via_back(work);
	if (r->to.port == 0 || sip_is_self(work->px, &r->to)) {
		sip_drop(r, SIP_DROP_NO_NEXT_HOP);
		return;
	}
	nfv_sip_put_str(&w, "SIP/2.0 ");
	nfv_sip_put_u64(&w, status);
	nfv_sip_put_str(&w, " ");
	nfv_sip_put_str(&w, text != NULL ? text : nfv_sip_reason(status));
	nfv_sip_put_str(&w, "\r\n");
	put_vias(&w, work);
	put_first(&w, m, NFV_SIP_H_FROM, "From");
	put_to(&w, work, status > 100);
	put_first(&w, m, NFV_SIP_H_CALL_ID, "Call-ID");
	put_first(&w, m, NFV_SIP_H_CSEQ, "CSeq");
	h = status == 420 ? nfv_sip_first_hdr(m, NFV_SIP_H_PROXY_REQUIRE) : NULL;
	for (; h != NULL; h = nfv_sip_next_hdr(m, h))
		nfv_sip_put_header(&w, "Unsupported", nfv_sip_value(m, h));
	if (status == 200)
		nfv_sip_put_str(&w, "Allow: OPTIONS\r\n");
	nfv_sip_put(&w, lines);
	nfv_sip_put_str(&w, "Content-Length: 0\r\n\r\n");
	if (w.full)
		sip_drop(r, SIP_DROP_TOO_LARGE);
	r->text = nfv_sip_written(&w, 0);
}
