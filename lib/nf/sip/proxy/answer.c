/* Answers of the proxy's own, as a stateless server gives them (RFC 3261 §8.2.6, 8.2.7). */
#include "proxy.h"

/* What an answer tells its receiver besides: where it has come from, how much to send, a To tag. */
static void
edit(struct sip_work *work, unsigned int status)
{
	const struct nfv_sip_msg *m = &work->msg;
	const struct nfv_sip_hdr *to = nfv_sip_first_hdr(m, NFV_SIP_H_TO);
	struct nfv_sip_writer *w = &work->ins;
	size_t from;

	sip_edits_reset(work);
	sip_via_fix(work);
	if (work->core.via_ok)
		sip_via_oc(work, &work->core.via);
	if (status == 100 || work->core.to.text.n == 0 || work->core.to.tag.p != NULL)
		return;
	from = w->n;
	nfv_sip_put_str(w, ";tag=");
	nfv_sip_put_hex(w, sip_tag(work), 16);
	nfv_sip_edit(&work->edits, (size_t)to->value + to->value_n, 0, nfv_sip_written(w, from));
}

static void
put_run(struct nfv_sip_writer *w, const struct sip_work *work, size_t from, size_t to)
{
	if (from == to)
		return;
	nfv_sip_edit_apply(&work->edits, &work->msg, from, to, w);
	nfv_sip_put_str(w, "\r\n");
}

/* All Vias, and the first line of what else is taken over; as they stand there, and those that follow
 * each other in one go. */
static void
put_lines(struct nfv_sip_writer *w, const struct sip_work *work)
{
	static const bool taken[NFV_SIP_H_FIELDS] = { [NFV_SIP_H_VIA] = true,
		[NFV_SIP_H_FROM] = true,
		[NFV_SIP_H_TO] = true,
		[NFV_SIP_H_CALL_ID] = true,
		[NFV_SIP_H_CSEQ] = true };
	const struct nfv_sip_msg *m = &work->msg;
	size_t from = 0, to = 0;

	for (uint16_t i = 0; i < m->n_hdr; i++) {
		const struct nfv_sip_hdr *h = &m->hdr[i];

		if (!taken[h->field] || (h->field != NFV_SIP_H_VIA && m->first[h->field] != i + 1))
			continue;
		if (i == 0 || to < m->hdr[i - 1].at) { /* one has been left out before it */
			put_run(w, work, from, to);
			from = h->at;
		}
		to = (size_t)h->value + h->value_n;
	}
	put_run(w, work, from, to);
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
	edit(work, status);
	put_lines(&w, work);
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
