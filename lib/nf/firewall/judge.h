/**
 * @file
 * The firewall on bursts: what packets of known flows, of new ones and of none get for a verdict.
 *
 * A flow that was admitted carries the generation of the rule set that admitted it, so its packets,
 * both ways, and the ICMP errors about it cost one test. All else of a burst is matched against the
 * rules in one call. Rules decide who may; to be allowed, a packet must also be one that can begin
 * a flow, unless its rule is stateless.
 *
 * A rule set is replaced between bursts by another one with another generation: established flows
 * are then judged again, as their first packet would be, when their next packet comes.
 *
 * Where no rule matches and the default would not allow it, a UDP packet that a pinhole of the chain
 * is open for (nfv_pinhole.h) begins a flow all the same; that flow is over when the pinhole's owner
 * goes. So a rule that drops or rejects goes before what a call has announced, and the default behind.
 *
 * Threads: a struct firewall belongs to one worker; the counters may be read beside it.
 */
#ifndef JUDGE_H
#define JUDGE_H

#include "acl.h"
#include "nfv_lender.h"
#include "nfv_pinhole.h"
#include "reject.h"

enum fw_drop {
	FW_DROP_RULE,             /* a drop rule */
	FW_DROP_DEFAULT,          /* no rule matches, and the default is drop */
	FW_DROP_REJECTED,         /* a reject rule or default; answered if the rate allows */
	FW_DROP_TCP_NOT_SYN,      /* allowed, but it cannot begin a connection */
	FW_DROP_ICMP_UNSOLICITED, /* allowed, but a reply to nothing */
	FW_DROP_ICMP_UNRELATED,   /* allowed, but about no flow that passes here */
	FW_DROP_NO_STATE,         /* allowed, but the flow table has no room */
	FW_DROP_PINHOLE_CLOSED,   /* of a flow that a pinhole had let in, and nothing else does */
	FW_DROP_MALFORMED,        /* not IP, a fragment, or cut off in its transport header */
	FW_DROPS
};
extern const char *const fw_drop_name[FW_DROPS + 1];

struct fw_hits {
	uint64_t packets; /* decided by the rule; not the later packets of an allowed flow */
	uint64_t flows;   /* opened by it */
};

/** The generation of flows that another firewall's rules have let in, whatever they were (carry.h). */
#define FW_ELSEWHERE 1u

/** A rule set, ready to use. `hits` has one more for the default, at index rules->n. */
struct fw_set {
	struct fw_rules *rules;
	struct fw_acl *acl;
	struct fw_hits *hits;
	uint64_t digest;     /* of the rules; never 0 */
	uint32_t generation; /* past FW_ELSEWHERE */
	const struct nfv_lender *lender;
};

/** Takes the rules over, also when it fails. `lender`: of the counters; NULL: the heap. */
int fw_set_create(const char *name, struct fw_rules *rules, int socket, uint32_t generation,
	const struct nfv_lender *lender, struct fw_set **out, struct nfv_err *err);
void fw_set_destroy(struct fw_set *set);

/** The slot of a flow record. */
struct fw_flow {
	uint32_t generation; /* of the set that admitted it; 0: not admitted yet */
	uint32_t rule;       /* index of the rule that did, rules->n for the default */
	uint64_t pinhole;    /* owner of the one that did in its place; 0: none */
};

struct firewall {
	struct fw_set *set;
	struct fw_bucket bucket;
	const struct nfv_pinhole_set *pinholes;  /* the chain's; NULL: none */
	const struct nfv_pinholes *own_pinholes; /* of it, the shard's own; to show */
	struct nfv_addr own[2][2]; /* [direction][is IPv6]: the source of ICMP errors that way */
	uint64_t established, related; /* packets */
	uint64_t answered, unanswered; /* of those rejected */
	uint64_t by_pinhole;           /* flows let in by one */
};

void firewall_process(struct firewall *fw, struct nfv_burst *burst, struct nfv_out *out);

/** Counters and rules for a person. */
void firewall_show(const struct firewall *fw, FILE *to);

#endif
