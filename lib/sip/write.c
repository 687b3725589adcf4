#include "nfv_sip_write.h"

void
nfv_sip_put_u64(struct nfv_sip_writer *w, uint64_t v)
{
	char text[20];
	size_t at = sizeof(text);

	do
		text[--at] = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	nfv_sip_put(w, nfv_sv(text + at, sizeof(text) - at));
}

void
nfv_sip_put_host(struct nfv_sip_writer *w, const struct nfv_addr *a)
{
	char text[NFV_ADDR_TEXT];

	if (a->family == NFV_IPV6)
		nfv_sip_put_str(w, "[");
	nfv_sip_put_str(w, nfv_addr_text(a, text));
	if (a->family == NFV_IPV6)
		nfv_sip_put_str(w, "]");
}

void
nfv_sip_put_hostport(struct nfv_sip_writer *w, const struct nfv_endpoint *e)
{
	nfv_sip_put_host(w, &e->addr);
	nfv_sip_put_str(w, ":");
	nfv_sip_put_u64(w, e->port);
}

void
nfv_sip_put_header(struct nfv_sip_writer *w, const char *name, struct nfv_sv value)
{
	nfv_sip_put_str(w, name);
	nfv_sip_put_str(w, ": ");
	nfv_sip_put(w, value);
	nfv_sip_put_str(w, "\r\n");
}

void
nfv_sip_edit(struct nfv_sip_edits *edits, size_t at, size_t del, struct nfv_sv ins)
{
	struct nfv_sip_edit *e = edits->e;
	uint16_t i = edits->n;

	if (i == NFV_SIP_EDITS_MAX) {
		edits->full = true;
		return;
	}
	for (; i > 0 && e[i - 1].at > at; i--)
		e[i] = e[i - 1];
	e[i] = (struct nfv_sip_edit){ (uint16_t)at, (uint16_t)del, ins };
	edits->n++;
	if ((i > 0 && e[i - 1].at + e[i - 1].del > at) ||
		(i + 1 < edits->n && at + del > e[i + 1].at))
		edits->full = true;
}

void
nfv_sip_edit_view(struct nfv_sip_edits *edits, const struct nfv_sip_msg *m, struct nfv_sv part,
	struct nfv_sv ins)
{
	nfv_sip_edit(edits, (size_t)(part.p - m->p), part.n, ins);
}

void
nfv_sip_edit_apply(const struct nfv_sip_edits *edits, const struct nfv_sip_msg *m, size_t from,
	size_t to, struct nfv_sip_writer *w)
{
	for (uint16_t i = 0; i < edits->n; i++) {
		const struct nfv_sip_edit *e = &edits->e[i];

		if (e->at < from || e->at + e->del > to)
			continue;
		nfv_sip_put(w, nfv_sv(m->p + from, e->at - from));
		nfv_sip_put(w, e->ins);
		from = (size_t)e->at + e->del;
	}
	nfv_sip_put(w, nfv_sv(m->p + from, to - from));
}
