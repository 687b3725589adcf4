#include <stdio.h>

#include "proxy.h"

static void
add_own(struct sip_proxy *px, const struct nfv_prefix *prefix, enum nfv_dir dir)
{
	struct sip_own *own = &px->own[px->n_own++];
	const struct nfv_endpoint e = { prefix->addr, px->port };
	char text[NFV_ADDR_TEXT];

	*own = (struct sip_own){ .prefix = *prefix, .dir = dir };
	nfv_endpoint_text(&e, text);
	own->text_n = (uint8_t)snprintf(own->text, sizeof(own->text), "%s", text);
	own->record_n = (uint8_t)snprintf(own->record, sizeof(own->record), "<sip:%s;lr>", text);
}

int
sip_proxy_init(struct sip_proxy *px, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	static const enum nfv_dir dirs[] = { NFV_OUTWARD, NFV_INWARD };

	for (int d = 0; d < 2; d++) {
		for (uint32_t i = 0; i < ctx->n_own[dirs[d]]; i++) {
			if (px->n_own == SIP_OWN_MAX)
				return nfv_fail(err, EINVAL,
					"sip: the chain's ports have more than %d addresses",
					SIP_OWN_MAX);
			add_own(px, &ctx->own[dirs[d]][i], dirs[d]);
		}
	}
	if (px->n_own == 0)
		return nfv_fail(err, EINVAL,
			"sip: a proxy needs an address: give the chain's ports at least one");
	px->toward = ctx->toward;
	px->n_toward = ctx->n_toward;
	return 0;
}

int
sip_own_find(const struct sip_proxy *px, const struct nfv_addr *addr)
{
	for (uint32_t i = 0; i < px->n_own; i++)
		if (nfv_addr_eq(&px->own[i].prefix.addr, addr))
			return (int)i;
	return -1;
}

bool
sip_is_own_text(const struct sip_proxy *px, struct nfv_sv hostport)
{
	for (uint32_t i = 0; i < px->n_own; i++)
		if (nfv_sv_eq(sip_own_text(&px->own[i]), hostport))
			return true;
	return false;
}

bool
sip_is_self(const struct sip_proxy *px, const struct nfv_endpoint *e)
{
	return e->port == px->port && sip_own_find(px, &e->addr) >= 0;
}

enum nfv_dir
sip_dir_of(const struct sip_proxy *px, const struct nfv_addr *addr)
{
	if (sip_own_find(px, addr) >= 0)
		return NFV_INWARD;
	return nfv_stage_toward(px->toward, px->n_toward, addr, NFV_OUTWARD);
}

int
sip_own_toward(const struct sip_proxy *px, enum nfv_dir dir, const struct nfv_addr *to)
{
	int any = -1;

	for (uint32_t i = 0; i < px->n_own; i++) {
		const struct sip_own *own = &px->own[i];

		if (own->dir != dir || own->prefix.addr.family != to->family)
			continue;
		if (nfv_prefix_has(&own->prefix, to))
			return (int)i;
		if (any < 0)
			any = (int)i;
	}
	return any;
}

bool
sip_is_host(const struct nfv_addr *a)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t low[15];

	switch (a->family) {
	case NFV_IPV4:
		return a->b[0] != 0 && a->b[0] != 127 && a->b[0] < 224;
	case NFV_IPV6:
		return a->b[0] != 0xff && memcmp(a->b, mapped, sizeof(mapped)) != 0 &&
			!(memcmp(a->b, low, sizeof(low)) == 0 && a->b[15] <= 1);
	default:
		return false;
	}
}

bool
sip_is_domain(const struct sip_proxy *px, struct nfv_sv host)
{
	for (uint32_t i = 0; i < px->n_domains; i++)
		if (nfv_sv_ieq(host, nfv_sv_str(px->domains[i])))
			return true;
	return false;
}

struct nfv_endpoint
sip_uri_endpoint(const struct nfv_sip_uri *uri)
{
	struct nfv_endpoint e = { .port = uri->port != 0 ? uri->port : NFV_SIP_PORT };

	nfv_addr_parse(uri->host, &e.addr);
	return e;
}

bool
sip_uri_leads_here(const struct sip_proxy *px, const struct nfv_sip_uri *uri,
	const struct nfv_endpoint *e, bool domains)
{
	if (uri->scheme != NFV_SIP_SCHEME_SIP)
		return false;
	if (e->addr.family != NFV_NO_ADDR)
		return sip_is_self(px, e);
	return domains && (uri->port == 0 || uri->port == px->port) && sip_is_domain(px, uri->host);
}

bool
sip_uri_is_self(const struct sip_proxy *px, const struct nfv_sip_uri *uri, bool domains)
{
	const struct nfv_endpoint e = sip_uri_endpoint(uri);

	return sip_uri_leads_here(px, uri, &e, domains);
}
