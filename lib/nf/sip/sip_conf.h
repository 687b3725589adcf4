/** @file  The SIP stage's section of the configuration. */
#ifndef SIP_CONF_H
#define SIP_CONF_H

#include "nfv_conf.h"

enum sip_mode { SIP_STATELESS, SIP_STATEFUL };
enum sip_media_mode { SIP_MEDIA_NONE, SIP_MEDIA_PINHOLES, SIP_MEDIA_RELAY };

struct sip_conf {
	uint32_t port, mode, transactions, ring_time, failover_time, error_rate;
	bool record_route, relay;
	struct nfv_conf_list domains;
	struct nfv_endpoint trunk;
	struct nfv_conf_list trunks; /* of struct sip_conf_trunk */
	uint32_t registrations, contacts, min_expires, default_expires, max_expires, journal_sync;
	uint32_t authenticate;
	const char *journal, *credentials;
	uint32_t media, media_calls, media_setup, media_idle;
	bool media_any;
	struct nfv_conf_range rtp_ports;
	uint32_t probe_interval, call_rate, call_burst;
	const char *key;
};

struct sip_conf_trunk {
	struct nfv_endpoint to;
	uint32_t weight, priority;
};

extern const struct nfv_conf_schema sip_conf_schema;

#endif
