/**
 * @file
 * Rules compiled for look-up: which rule is the first that a packet matches. The one place that
 * knows rte_acl (one context for IPv4, one for IPv6); needs a started EAL.
 *
 * Ownership: the compiled form copies what it needs of the rules. Threads: made and destroyed by
 * one thread; fw_acl_match may be called by any number of threads at once.
 */
#ifndef ACL_H
#define ACL_H

#include "rules.h"

/** What rules can ask of a packet, in network order, zero where unused. */
struct fw_key {
	uint8_t proto;
	uint8_t family; /* 4 or 6: which context; no field of it */
	uint8_t pad[2];
	uint8_t src[16], dst[16];    /* IPv4: the first four */
	uint16_t be_sport, be_dport; /* of ICMP: type and code; 0 for protocols without */
	uint32_t be_mark;            /* fw_mark() */
};

/** Direction and TCP flags as one number, so that they are one field. */
static inline uint32_t
fw_mark(enum nfv_dir dir, uint8_t flags)
{
	return (uint32_t)dir << 6 | (flags & 0x3fu);
}

#define FW_NO_RULE UINT32_MAX

struct fw_acl;

/**
 * Compile `rules`; memory comes from NUMA node `socket` (-1: any). `name` stands in messages.
 * Errors: -ENOMEM, or what rte_acl says.
 */
int fw_acl_create(const char *name, const struct fw_rules *rules, int socket, struct fw_acl **out,
	struct nfv_err *err);
void fw_acl_destroy(struct fw_acl *acl);

/** first[i] = index of the first rule that key[i] matches, or FW_NO_RULE; n <= NFV_BURST_MAX. */
void fw_acl_match(const struct fw_acl *acl, const struct fw_key *key, uint32_t n, uint32_t *first);

#endif
