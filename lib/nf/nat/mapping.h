/**
 * @file
 * The table of mappings between inside and external endpoints: endpoint-independent (RFC 4787
 * REQ-1), with paired pooling (REQ-2), never two mappings on one external endpoint (REQ-3), and
 * the inside port kept where it is free.
 *
 * A mapping lives while somebody holds it: nat_map_outward and nat_hold take a reference,
 * nat_release drops one, and with the last the external port is free again. Static mappings (port
 * forwards) hold themselves. UDP, TCP and ICMP have port spaces of their own; an ICMP echo's
 * identifier is its port.
 *
 * All memory is taken by nat_table_create, and all of it that changes of a lender. Finding a mapping by either
 * endpoint, making one and dropping one take constant time; the hashes are keyed by a secret, so nobody
 * can aim at a bucket. Addresses and ports are in network order, in fields that say so. Threads: one
 * owner; nat_table_show may run beside it.
 */
#ifndef NAT_MAPPING_H
#define NAT_MAPPING_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "nfv_err.h"
#include "nfv_lender.h"

enum nat_proto { NAT_UDP, NAT_TCP, NAT_ICMP, NAT_PROTOS };

extern const char *const nat_proto_name[NAT_PROTOS];

struct nat_endpoint {
	uint32_t be_addr;
	uint16_t be_port;
};

struct nat_mapping {
	uint32_t id;
	struct nat_endpoint in, ext;
	uint8_t proto; /* enum nat_proto */
	bool is_static;
	uint16_t pool;              /* index of the external address */
	uint32_t host;              /* index of the inside address's own entry */
	uint32_t refs;              /* 0: free */
	uint32_t next_in, next_ext; /* chains of the two hashes; 0 ends them */
};

/** Why there is no new mapping; in the order of the stage's drop reasons. */
enum nat_refusal {
	NAT_TABLE_FULL, /* as many mappings as the table has room for */
	NAT_NO_PORT,    /* the inside address's external address has no free port */
	NAT_HOST_LIMIT, /* the inside address has as many ports as it may have */
	NAT_REFUSALS
};

struct nat_table_conf {
	const uint32_t *be_addr; /* external addresses */
	uint32_t n_addr;         /* at least 1, at most NAT_ADDRESSES_MAX */
	uint32_t lo, hi;         /* ports to take */
	uint32_t mappings;       /* dynamic ones, at most */
	uint32_t statics;        /* room for static ones besides */
	uint32_t ports_per_host; /* dynamic mappings of an inside address; 0: no limit */
	uint64_t seed;
	const struct nfv_lender *lender; /* NULL: plain pages */
};

#define NAT_ADDRESSES_MAX 256u

struct nat_table;

/** Errors: -ENOMEM. */
int nat_table_create(
	const struct nat_table_conf *conf, struct nat_table **out, struct nfv_err *err);
void nat_table_destroy(struct nat_table *t);

/* Both return NULL if there is none. */
struct nat_mapping *nat_find_inside(
	const struct nat_table *t, enum nat_proto proto, struct nat_endpoint in);
struct nat_mapping *nat_find_external(
	const struct nat_table *t, enum nat_proto proto, struct nat_endpoint ext);

/**
 * The mapping of an inside endpoint, made if need be; the caller holds it. NULL if it is refused:
 * *why says the reason, which is counted, and nothing has changed.
 */
struct nat_mapping *nat_map_outward(
	struct nat_table *t, enum nat_proto proto, struct nat_endpoint in, enum nat_refusal *why);

/**
 * Add a static mapping. An inside endpoint may have several: the one added last is used outward.
 * Errors: -EEXIST (the external endpoint is taken), -EADDRNOTAVAIL (its address is not one of the
 * table's), -ENOSPC.
 */
int nat_map_static(
	struct nat_table *t, enum nat_proto proto, struct nat_endpoint in, struct nat_endpoint ext);

/**
 * A mapping between these two endpoints, found or made, for a flow that has it from elsewhere; the caller
 * holds it. NULL if there can be none: another has one of the endpoints, the external one is not the
 * table's, or there are too many.
 */
struct nat_mapping *nat_map_exact(struct nat_table *t, enum nat_proto proto, struct nat_endpoint in,
	struct nat_endpoint ext, bool is_static);

void nat_hold(struct nat_mapping *m);
void nat_release(struct nat_table *t, struct nat_mapping *m);

/*
 * Mending (nfv_stage_ops.mend): of the table nothing is believed. It is made anew of the static mappings
 * and of what each flow says that it holds.
 */
void nat_mend_begin(struct nat_table *t);
/** A flow says that it holds mapping `id`: it is there again. NULL: that cannot be, since the mapping
 * would have another's number, port or inside endpoint, or none that may be. */
struct nat_mapping *nat_mend_hold(struct nat_table *t, uint32_t id, enum nat_proto proto,
	struct nat_endpoint in, struct nat_endpoint ext);
void nat_mend_end(struct nat_table *t);

/** Whether this is one of its external addresses. */
bool nat_table_has(const struct nat_table *t, uint32_t be_addr);

/** A mapping's number: never 0, the same while it is held. */
uint32_t nat_mapping_id(const struct nat_table *t, const struct nat_mapping *m);
struct nat_mapping *nat_mapping_by_id(const struct nat_table *t, uint32_t id);

/** Counts of refusals, by reason. */
uint64_t (*nat_table_refused(struct nat_table *t))[NAT_PROTOS];

/** Mappings in use, static ones included. */
uint32_t nat_table_used(const struct nat_table *t);

/** Counts by protocol, refusals, and the first `n` mappings. */
void nat_table_show(const struct nat_table *t, FILE *to, uint32_t n);

#endif
