/** @file  The inside of the SIP stage: packets in sip_stage.c, set-up in sip_setup.c, what it shows in
 * sip_show.c. */
#ifndef SIP_STAGE_H
#define SIP_STAGE_H

#include "nfv_stage.h"
#include "server.h"
#include "sip_conf.h"

struct sip_count {
	uint64_t requests[NFV_SIP_METHODS];
	uint64_t responses[7]; /* by class; 0: not a status */
	uint64_t answers[700]; /* by status */
	uint64_t forwarded, keepalives, stun;
};

struct sip_state {
	struct sip_server server;
	bool stateful;
	uint16_t be_port;
	uint16_t ip_id;
	struct sip_count count;
	struct nfv_items none; /* of what there is nothing */
	bool given;    /* another version may work: what both know is not this one's to end */
	uint64_t lost; /* of what was handed over what did not hold together */
	const struct nfv_lender *lender; /* of all that follow */
	struct sip_txns_pages pages;
	struct sip_relay *relay; /* NULL: none */
	struct nfv_pages relay_pages, media_pages;
	/* Where goes what the server sends at the moment. */
	struct nfv_pkt *pkt; /* in place, if it travels in direction `dir`; NULL: used, or none */
	enum nfv_dir dir;
	struct nfv_out *out;
};

/** A sip_sink's: in place where it travels on, into `out` where it turns back. */
bool sip_stage_send(void *state, enum nfv_dir dir, const struct nfv_endpoint *from,
	const struct nfv_endpoint *to, struct nfv_sv text);

int sip_setup(void *state, const struct nfv_stage_ctx *ctx, struct nfv_err *err);
void sip_teardown(void *state);
void sip_show(const void *state, FILE *to);

#endif
