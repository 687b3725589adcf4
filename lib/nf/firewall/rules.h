/**
 * @file
 * The firewall's rule language: text to an array of rules, in the order they are tried.
 *
 * One rule a line, `#` starts a comment, lines may end in CRLF. First match wins:
 *
 *     ACTION [out|in|any] PROTO from ADDR [port A[-B]] to ADDR [port A[-B]] [OPTION]…
 *     default ACTION
 *
 *     ACTION  allow | drop | reject
 *     PROTO   any | tcp | udp | sctp | icmp | icmp6 | 0…255
 *     ADDR    any | 10.0.0.0/8 | fd00::/8 | one host's address
 *     OPTION  flags syn,!ack    TCP: these are set, those with `!` are not; fin syn rst psh ack urg
 *             type N [code N]   ICMP and ICMPv6
 *             stateless         allow each packet by itself, whatever the flow's state
 *             name "label"      shown beside the counters; at most 31 characters
 *
 * `out` is a packet travelling NFV_OUTWARD. The family follows from the addresses and from icmp and
 * icmp6; a rule that names none holds for both. Ports belong to tcp, udp and sctp.
 *
 * Errors are `file:line: what, and what would be right`; the first in the file is told, and nothing
 * is returned unless all of it is right. Bounds: FW_LINE_MAX, FW_RULES_MAX, FW_FILE_MAX.
 *
 * libc only. Threads: control thread; the rules are read-only afterwards.
 */
#ifndef RULES_H
#define RULES_H

#include <stdio.h>

#include "nfv_addr.h"
#include "nfv_err.h"
#include "nfv_pkt.h"

#define FW_LINE_MAX  512u /* bytes of a line, its comment included */
#define FW_RULES_MAX (1u << 18)
#define FW_FILE_MAX  (64u << 20)
#define FW_NAME      32u

enum fw_action { FW_ALLOW, FW_DROP, FW_REJECT };
/** Indexed by enum fw_action, NULL-terminated. */
extern const char *const fw_action_name[];

enum fw_families { FW_IPV4 = 1, FW_IPV6 = 2 };
enum fw_dirs { FW_OUT = 1 << NFV_OUTWARD, FW_IN = 1 << NFV_INWARD };

#define FW_PROTO_ANY (-1)

struct fw_range {
	uint16_t lo, hi;
};

struct fw_rule {
	struct nfv_prefix from, to;   /* family NFV_NO_ADDR: any; host bits are zero */
	struct fw_range sport, dport; /* of ICMP: type and code */
	uint32_t line;
	int16_t proto; /* or FW_PROTO_ANY */
	uint8_t action, dirs, families;
	uint8_t flags, flags_mask; /* TCP flags under the mask are as in `flags` */
	bool stateless;
	char name[FW_NAME]; /* "" if it has none */
};

struct fw_rules {
	struct fw_rule *rule;
	uint32_t n;
	enum fw_action otherwise; /* for what no rule matches */
	uint32_t otherwise_line;  /* of its `default` line; 0 if the file has none */
};

/**
 * Parse `len` bytes of rules; `name` stands for the file in messages, `otherwise` is the default
 * unless a line says another. The caller destroys what it gets.
 * Errors: -EINVAL (the text), -E2BIG (too many rules, too large), -ENOMEM.
 */
int fw_rules_parse(const char *name, const char *text, size_t len, enum fw_action otherwise,
	struct fw_rules **out, struct nfv_err *err);

/** The same from a file; in addition -errno if it cannot be read. */
int fw_rules_load(
	const char *path, enum fw_action otherwise, struct fw_rules **out, struct nfv_err *err);

void fw_rules_destroy(struct fw_rules *rules);

/** The rule as it would be written, without a newline: parsing it gives the same rule. */
void fw_rule_print(const struct fw_rule *r, FILE *to);

/** What a number means here is shared by parser and printer. */
static inline bool
fw_proto_has_ports(int proto)
{
	return proto == NFV_PROTO_TCP || proto == NFV_PROTO_UDP || proto == NFV_PROTO_SCTP;
}

static inline bool
fw_proto_is_icmp(int proto)
{
	return proto == NFV_PROTO_ICMP || proto == NFV_PROTO_ICMP6;
}

/** Names of protocols and TCP flags, ended by NULL. */
struct fw_word {
	const char *name;
	int value;
};
extern const struct fw_word fw_proto_word[], fw_flag_word[];

#endif
