/**
 * @file
 * The section `nat:` of the configuration, and a struct nat made of it.
 *
 * Threads: nat_init and nat_fini run on the lcore that owns the state.
 */
#ifndef NAT_CONF_H
#define NAT_CONF_H

#include "nat.h"
#include "nfv_stage.h"

struct nat_forward {
	uint32_t proto; /* NAT_UDP or NAT_TCP */
	struct nfv_endpoint outside, inside;
};

struct nat_conf {
	struct nfv_conf_list addresses; /* struct nfv_addr */
	struct nfv_conf_range ports;
	uint32_t mappings, ports_per_host;
	uint32_t filtering;           /* enum nat_filtering */
	struct nfv_conf_list inside;  /* struct nfv_prefix */
	struct nfv_conf_list forward; /* struct nat_forward */
};

extern const struct nfv_conf_schema nat_conf_schema;

/** `nat` is zeroed; ctx->conf is a struct nat_conf. On failure nat_fini cleans up. */
int nat_init(struct nat *nat, const struct nfv_stage_ctx *ctx, struct nfv_err *err);
void nat_fini(struct nat *nat);

#endif
