/* Any bytes: framed, indexed, validated, every lazy parser on every header field. Besides what the
 * sanitizers find, the index must tile the message and views must lie in it. */
#include <stdlib.h>

#include "nfv_sip.h"
#include "nfv_sip_write.h"

static struct nfv_sip_msg m;

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
inside(struct nfv_sv s)
{
	must(s.n == 0 || (s.p >= m.p && s.p + s.n <= m.p + m.n));
}

static void
lazy(enum nfv_sip_field field)
{
	struct nfv_sip_name name;
	struct nfv_sip_iter it;
	struct nfv_sip_uri uri;
	struct nfv_sip_via via;
	struct nfv_sv token;

	nfv_sip_iter(&it, &m, field);
	while (nfv_sip_next_via(&it, &via) > 0) {
		inside(via.text);
		inside(via.branch);
		must(it.at < it.end && it.end <= it.hdr->end);
	}
	nfv_sip_iter(&it, &m, field);
	while (nfv_sip_next_name(&it, &name) > 0) {
		inside(name.text);
		inside(name.params);
		if (nfv_sip_uri(name.uri, &uri) == 0)
			inside(nfv_sip_uri_param(&uri, "lr"));
	}
	nfv_sip_iter(&it, &m, field);
	while (nfv_sip_next_token(&it, &token) > 0)
		inside(token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static char buf[NFV_SIP_BYTES_MAX];
	struct nfv_sip_writer w = nfv_sip_writer(buf, sizeof(buf));
	struct nfv_sip_edits edits = { 0 };
	const char *text = NULL;
	struct nfv_sip_core core;
	uint16_t at;

	if (nfv_sip_parse(&m, (const char *)data, n) != NFV_SIP_MESSAGE_OK)
		return 0;
	must(m.p >= (const char *)data && m.p + m.n <= (const char *)data + n);
	must(m.body + m.body_n == m.n);
	at = m.headers;
	for (uint16_t i = 0; i < m.n_hdr; i++) {
		const struct nfv_sip_hdr *h = &m.hdr[i];

		must(h->at >= at && h->value >= h->at && h->value + h->value_n <= h->end);
		must(h->end > h->at && h->end <= m.body);
		at = h->end;
	}
	must((nfv_sip_validate(&m, &core, &text) == 0) == (text == NULL));
	inside(core.via.text);
	inside(core.from.tag);
	for (int f = 0; f < NFV_SIP_H_FIELDS; f++)
		lazy(f);
	nfv_sip_edit_apply(&edits, &m, 0, m.n, &w);
	must(!w.full && w.n == m.n && memcmp(buf, m.p, m.n) == 0);
	return 0;
}
