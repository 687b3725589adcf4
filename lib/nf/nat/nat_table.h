/** @file  The inside of the table of mappings, shared by its sources. */
#ifndef NAT_TABLE_H
#define NAT_TABLE_H

#include "mapping.h"
#include "nfv_hash.h"
#include "nfv_watch.h"
#include "ports.h"

/* An inside address that has mappings: it keeps one external address for all of them. */
struct host {
	uint32_t be_addr;
	uint16_t pool;
	uint32_t mappings, dynamic; /* all of them, and those that count against the limit */
	uint32_t next;              /* in its bucket, or among the free */
};

/* Of the hashes; their heads stand one hash behind the other. */
enum by { BY_IN, BY_EXT, BY_HOST, HASHES };

#define MAPPINGS (NFV_PAGE / sizeof(struct nat_mapping)) /* a page */
#define HOSTS    (NFV_PAGE / sizeof(struct host))
#define HEADS    (NFV_PAGE / sizeof(uint32_t))

/* Beside the pages all that changes. */
struct counts {
	uint32_t free_mapping, free_host;
	uint32_t used[NAT_PROTOS], dynamic;
	uint64_t refused[NAT_REFUSALS][NAT_PROTOS];
	uint64_t random;
};

struct static_mapping {
	enum nat_proto proto;
	struct nat_endpoint in, ext;
};

/* Mapping 0 and host 0 are nobody's, so that 0 can mean none. This itself does not change once the static
 * mappings are there. */
struct nat_table {
	const struct nfv_lender *lender;
	struct nfv_pages mappings, hosts, heads;
	struct counts *counts;
	struct nat_ports *ports; /* NAT_PROTOS for each external address */
	uint32_t *be_addr;       /* these */
	struct static_mapping *statics;
	uint32_t n_statics, n_pool, n_entries, mask;
	uint32_t lo, hi;
	uint32_t limit, ports_per_host; /* limit: of dynamic mappings */
	struct nfv_hash_key key;
};

/* All entries free, all ports, in no bucket anything. */
void table_clear(struct nat_table *t);
/* Those that are not held are free, the lowest numbers first. */
void table_free_list(struct nat_table *t);
uint32_t table_find_host(const struct nat_table *t, uint32_t be_addr);
/* A static mapping; errors as nat_map_static. */
int table_enter_static(struct nat_table *t, const struct static_mapping *s);
/* Make a mapping of a free entry; the free list is the caller's business. */
struct nat_mapping *table_enter(struct nat_table *t, uint32_t i, const struct nat_mapping *what);

static inline struct nat_ports *
ports_of(const struct nat_table *t, uint32_t pool, enum nat_proto proto)
{
	return &t->ports[pool * NAT_PROTOS + proto];
}

/* Without the key nobody can tell which endpoints meet in a bucket. */
static inline uint32_t
hash(const struct nat_table *t, uint64_t x)
{
	return (uint32_t)nfv_hash2(&t->key, x, 0) & t->mask;
}

static inline uint32_t *
head_at(const struct nat_table *t, enum by by, uint32_t hash)
{
	uint32_t i = (uint32_t)by * (t->mask + 1) + hash;
	uint32_t *head = (uint32_t *)(void *)t->heads.page[i / HEADS] + i % HEADS;

	nfv_watch(head, sizeof(*head));
	return head;
}

static inline uint32_t *
bucket(const struct nat_table *t, enum by by, enum nat_proto proto, struct nat_endpoint e)
{
	return head_at(
		t, by, hash(t, (uint64_t)e.be_addr << 32 | (uint64_t)e.be_port << 16 | proto));
}

static inline struct host *
host_at(const struct nat_table *t, uint32_t i)
{
	struct host *h = (struct host *)(void *)t->hosts.page[i / HOSTS] + i % HOSTS;

	nfv_watch(h, sizeof(*h));
	return h;
}

static inline bool
same(struct nat_endpoint a, struct nat_endpoint b)
{
	return a.be_addr == b.be_addr && a.be_port == b.be_port;
}

#endif
