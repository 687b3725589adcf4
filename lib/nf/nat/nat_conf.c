#include <stdlib.h>
#include <string.h>

#include "nat_conf.h"

static const char *const protos[] = { "udp", "tcp", NULL };                   /* enum nat_proto */
static const char *const filterings[] = { "endpoint", "address-port", NULL }; /* nat_filtering */

static const struct nfv_conf_field forward_fields[] = {
	{ .name = "proto",
		.help = "transport protocol",
		.type = NFV_CONF_CHOICE,
		.choices = protos,
		.offset = offsetof(struct nat_forward, proto) },
	{ .name = "outside",
		.help = "external address and port",
		.type = NFV_CONF_ENDPOINT,
		.offset = offsetof(struct nat_forward, outside) },
	{ .name = "inside",
		.help = "inside address and port it leads to",
		.type = NFV_CONF_ENDPOINT,
		.offset = offsetof(struct nat_forward, inside) },
	{ .name = NULL },
};

static const struct nfv_conf_schema forward_schema = {
	.size = sizeof(struct nat_forward),
	.help = "a port of an external address that leads inside",
	.fields = forward_fields,
};

static const struct nfv_conf_field nat_conf_fields[] = {
	{ .name = "addresses",
		.help = "of the outside port; default: its first IPv4 address",
		.def = "",
		.type = NFV_CONF_ADDR,
		.list = true,
		.offset = offsetof(struct nat_conf, addresses) },
	{ .name = "ports",
		.help = "external ports to use; keep those of services out",
		.def = "10000-65535",
		.type = NFV_CONF_RANGE,
		.min = 1,
		.max = 65535,
		.offset = offsetof(struct nat_conf, ports) },
	{ .name = "mappings",
		.help = "mappings at most",
		.def = "65536",
		.type = NFV_CONF_UINT,
		.min = 1,
		.max = 1u << 24,
		.offset = offsetof(struct nat_conf, mappings) },
	{ .name = "ports-per-host",
		.help = "mappings of one inside address at most; 0: no limit",
		.def = "0",
		.type = NFV_CONF_UINT,
		.max = 3 * 65535,
		.offset = offsetof(struct nat_conf, ports_per_host) },
	{ .name = "filtering",
		.help = "who may send to a mapping: everybody, or who was sent to",
		.def = "endpoint",
		.type = NFV_CONF_CHOICE,
		.choices = filterings,
		.offset = offsetof(struct nat_conf, filtering) },
	{ .name = "inside",
		.help = "sources to translate; default: all but the chain's own addresses",
		.def = "",
		.type = NFV_CONF_PREFIX,
		.list = true,
		.offset = offsetof(struct nat_conf, inside) },
	{ .name = "forward",
		.help = "{proto: udp|tcp, outside: ADDR:PORT, inside: ADDR:PORT}",
		.def = "",
		.type = NFV_CONF_SECTION,
		.section = &forward_schema,
		.list = true,
		.offset = offsetof(struct nat_conf, forward) },
	{ .name = NULL },
};

const struct nfv_conf_schema nat_conf_schema = {
	.size = sizeof(struct nat_conf),
	.help = "translate inside IPv4 addresses into external ones",
	.fields = nat_conf_fields,
};

static uint32_t
be_of(const struct nfv_addr *a)
{
	uint32_t be;

	memcpy(&be, a->b, sizeof(be));
	return be;
}

static bool
is_outside_own(const struct nfv_stage_ctx *ctx, const struct nfv_addr *a)
{
	for (uint32_t i = 0; i < ctx->n_own[NFV_OUTWARD]; i++)
		if (nfv_addr_eq(&ctx->own[NFV_OUTWARD][i].addr, a))
			return true;
	return false;
}

/* The configured ones, or the outside port's first. */
static int
external_addresses(const struct nfv_stage_ctx *ctx, uint32_t be_addr[NAT_ADDRESSES_MAX],
	uint32_t *n, struct nfv_err *err)
{
	const struct nat_conf *conf = ctx->conf;
	const struct nfv_addr *a = conf->addresses.item;
	char text[NFV_ADDR_TEXT];

	if (conf->addresses.n > NAT_ADDRESSES_MAX)
		return nfv_conf_fail(ctx->doc, &conf->addresses, err,
			"addresses has %u items; at most %u are taken", conf->addresses.n,
			NAT_ADDRESSES_MAX);
	for (uint32_t i = 0; i < conf->addresses.n; i++) {
		nfv_addr_text(&a[i], text);
		if (a[i].family != NFV_IPV4)
			return nfv_conf_fail(ctx->doc, &a[i], err,
				"%s is not an IPv4 address; IPv6 is not translated", text);
		if (!is_outside_own(ctx, &a[i]))
			return nfv_conf_fail(ctx->doc, &a[i], err,
				"%s is not an address of the outside port; add it there", text);
		for (uint32_t j = 0; j < i; j++)
			if (be_addr[j] == be_of(&a[i]))
				return nfv_conf_fail(ctx->doc, &a[i], err, "%s stands twice", text);
		be_addr[i] = be_of(&a[i]);
	}
	*n = conf->addresses.n;
	for (uint32_t i = 0; i < ctx->n_own[NFV_OUTWARD] && *n == 0; i++)
		if (ctx->own[NFV_OUTWARD][i].addr.family == NFV_IPV4)
			be_addr[(*n)++] = be_of(&ctx->own[NFV_OUTWARD][i].addr);
	if (*n == 0)
		return nfv_conf_fail(ctx->doc, conf, err,
			"chain %s: nat needs an IPv4 address on the outside port; add one there",
			ctx->chain);
	return 0;
}

static int
copy_inside(struct nat *nat, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	const struct nat_conf *conf = ctx->conf;
	const struct nfv_prefix *prefix = conf->inside.item;

	nat->inside = calloc((size_t)conf->inside.n + 1, sizeof(*nat->inside));
	if (nat->inside == NULL)
		return nfv_fail(err, ENOMEM, "no memory for %u inside prefixes", conf->inside.n);
	for (uint32_t i = 0; i < conf->inside.n; i++) {
		uint32_t mask;

		if (prefix[i].addr.family != NFV_IPV4)
			return nfv_conf_fail(ctx->doc, &prefix[i], err,
				"inside takes IPv4 prefixes; IPv6 is not translated");
		mask = prefix[i].len > 0 ? htobe32(~0u << (32 - prefix[i].len)) : 0;
		nat->inside[i] = (struct nat_net){ be_of(&prefix[i].addr) & mask, mask };
	}
	nat->n_inside = conf->inside.n;
	return 0;
}

static int
copy_own(struct nat *nat, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	static const enum nfv_dir order[] = { NFV_OUTWARD, NFV_INWARD };

	nat->be_own = calloc((size_t)ctx->n_own[0] + ctx->n_own[1] + 1, sizeof(*nat->be_own));
	if (nat->be_own == NULL)
		return nfv_fail(err, ENOMEM, "no memory for the chain's addresses");
	for (int d = 0; d < 2; d++) {
		for (uint32_t i = 0; i < ctx->n_own[order[d]]; i++)
			if (ctx->own[order[d]][i].addr.family == NFV_IPV4)
				nat->be_own[nat->n_own++] = be_of(&ctx->own[order[d]][i].addr);
		if (order[d] == NFV_OUTWARD)
			nat->n_own_outside = nat->n_own;
	}
	return 0;
}

/* From the last to the first: of several for one inside endpoint the first is used outward. */
static int
add_forwards(struct nat *nat, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	const struct nat_conf *conf = ctx->conf;
	const struct nat_forward *f = conf->forward.item;
	char text[NFV_ADDR_TEXT];

	for (uint32_t i = conf->forward.n; i-- > 0;) {
		struct nat_endpoint in = { be_of(&f[i].inside.addr), htobe16(f[i].inside.port) };
		struct nat_endpoint ext = { be_of(&f[i].outside.addr), htobe16(f[i].outside.port) };
		int rc;

		if (f[i].inside.addr.family != NFV_IPV4)
			return nfv_conf_fail(ctx->doc, &f[i].inside, err,
				"inside must be an IPv4 address and port");
		if (f[i].outside.addr.family != NFV_IPV4)
			return nfv_conf_fail(ctx->doc, &f[i].outside, err,
				"outside must be an IPv4 address and port");
		rc = nat_map_static(nat->table, f[i].proto, in, ext);
		if (rc == -EADDRNOTAVAIL)
			return nfv_conf_fail(ctx->doc, &f[i].outside, err,
				"%s is not one of nat's external addresses; see `addresses`",
				nfv_addr_text(&f[i].outside.addr, text));
		if (rc < 0)
			return nfv_conf_fail(ctx->doc, &f[i].outside, err,
				"%s port %s is forwarded twice", protos[f[i].proto],
				nfv_endpoint_text(&f[i].outside, text));
	}
	return 0;
}

/* Of one shard of several: its part of the ports, and of the mappings. */
static int
take_share(struct nat *nat, const struct nfv_stage_ctx *ctx, struct nat_table_conf *table,
	struct nfv_err *err)
{
	const struct nat_conf *conf = ctx->conf;
	struct nat_share *s = &nat->share;
	uint32_t part;

	if (ctx->shards <= 1)
		return 0;
	*s = (struct nat_share){ .shards = ctx->shards,
		.lo = table->lo,
		.hi = table->hi,
		.by_port = table->n_addr == 1 && conf->ports_per_host == 0,
		.key = nfv_hash_key(ctx->group_seed) };
	part = (table->hi - table->lo + 1) / ctx->shards;
	if (part == 0)
		return nfv_conf_fail(ctx->doc, &conf->ports, err,
			"ports: %u are too few for %u workers or instances; give nat one for each at "
			"least, or have fewer of them",
			table->hi - table->lo + 1, ctx->shards);
	table->lo += ctx->shard * part;
	if (ctx->shard + 1 < ctx->shards)
		table->hi = table->lo + part - 1;
	table->mappings = (table->mappings + ctx->shards - 1) / ctx->shards;
	return 0;
}

int
nat_init(struct nat *nat, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	const struct nat_conf *conf = ctx->conf;
	uint32_t be_addr[NAT_ADDRESSES_MAX];
	struct nat_table_conf table = { .be_addr = be_addr,
		.lo = conf->ports.lo,
		.hi = conf->ports.hi,
		.mappings = conf->mappings,
		.statics = conf->forward.n,
		.ports_per_host = conf->ports_per_host,
		.seed = ctx->seed,
		.lender = ctx->lender };
	int rc = external_addresses(ctx, be_addr, &table.n_addr, err);

	nat->filtering = conf->filtering;
	if (rc == 0)
		rc = take_share(nat, ctx, &table, err);
	if (rc == 0)
		rc = copy_own(nat, ctx, err);
	if (rc == 0)
		rc = copy_inside(nat, ctx, err);
	if (rc == 0)
		rc = nat_table_create(&table, &nat->table, err);
	if (rc == 0)
		rc = add_forwards(nat, ctx, err);
	return rc;
}

void
nat_fini(struct nat *nat)
{
	nat_table_destroy(nat->table);
	free(nat->inside);
	free(nat->be_own);
	*nat = (struct nat){ 0 };
}
