/**
 * @file
 * The NAT in a box: inside 10.0.0.0/8 behind 10.0.0.1, external 198.51.100.1 and .2.
 */
#ifndef NATBOX_H
#define NATBOX_H

#include "box.h"
#include "nat_conf.h"

#define EXT1 "198.51.100.1"
#define EXT2 "198.51.100.2"

static const struct nfv_prefix natbox_outside[] = {
	{ { { 198, 51, 100, 1 }, NFV_IPV4 }, 24 },
	{ { { 198, 51, 100, 2 }, NFV_IPV4 }, 24 },
	{ { { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 }, NFV_IPV6 }, 64 },
};

static const struct nfv_prefix natbox_inside[] = {
	{ { { 10, 0, 0, 1 }, NFV_IPV4 }, 8 },
};

/** Start the stage with what stands under `nat:` in `yaml`, as one of `shards`; 0 or the error of conf or
 * init. */
static inline int
natbox_open_shard(
	struct box *b, const char *yaml, uint32_t shard, uint32_t shards, struct nfv_err *err)
{
	struct nfv_stage_ctx ctx = { .chain = "c",
		.own = { [NFV_OUTWARD] = natbox_outside, [NFV_INWARD] = natbox_inside },
		.n_own = { [NFV_OUTWARD] = 3, [NFV_INWARD] = 1 },
		.tsc_hz = 1000000000,
		.seed = 42 + shard,
		.shard = shard,
		.shards = shards,
		.group_seed = 4242 };
	struct nat_conf conf;
	struct nfv_conf *doc;
	int rc;

	memset(b, 0, sizeof(*b));
	rc = nfv_conf_parse("t.yaml", yaml, strlen(yaml), &doc, err);
	if (rc < 0)
		return rc;
	rc = nfv_conf_read(doc, "nat", &nat_conf_schema, &conf, err);
	if (rc == 0) {
		ctx.conf = &conf;
		ctx.doc = doc;
		b->ops = nfv_stage_find("nat");
		b->state = calloc(1, b->ops->state_size);
		rc = b->ops->init(b->state, &ctx, err);
	}
	nfv_conf_close(doc); /* the stage keeps nothing of it */
	if (rc < 0)
		box_close(b);
	return rc;
}

static inline int
natbox_open(struct box *b, const char *yaml, struct nfv_err *err)
{
	return natbox_open_shard(b, yaml, 0, 1, err);
}

static inline struct nat *
natbox_nat(struct box *b)
{
	return b->state;
}

#endif
