/**
 * @file
 * Which addresses are the host's own, or the broadcasts of its networks: a small hash table, looked
 * into for both addresses of every packet, never changed after it is built.
 */
#ifndef OWN_H
#define OWN_H

#include "nfv_err.h"

#include "hash.h"

enum own_kind {
	OWN_NO,        /* somebody else's */
	OWN_HOST,      /* ours */
	OWN_BROADCAST, /* all hosts of an on-link IPv4 network, or its old all-zeroes form */
};

struct own_entry {
	struct nfv_addr addr;
	uint8_t kind;  /* enum own_kind; OWN_NO: an empty place */
	uint8_t ports; /* bit per port it belongs to */
};

struct own {
	struct own_entry *entry;
	uint64_t mask;
	struct nfv_hash_key key;
};

/** Room for `n` addresses. Returns 0 or -ENOMEM. */
int own_init(struct own *own, uint32_t n, uint64_t seed, int socket);
void own_fini(struct own *own);
/** -EEXIST if it is there: only link-local addresses may be at both ports. */
int own_add(struct own *own, const struct nfv_addr *a, enum own_kind kind, uint8_t port);

/** The entry of an address; one of kind OWN_NO if it is not there. */
static inline const struct own_entry *
own_find(const struct own *own, const struct nfv_addr *a)
{
	uint64_t i = hash_addr(&own->key, a, 0) & own->mask;

	while (own->entry[i].kind != OWN_NO && !nfv_addr_eq(&own->entry[i].addr, a))
		i = (i + 1) & own->mask;
	return &own->entry[i];
}

static inline bool
addr_link_local(const struct nfv_addr *a)
{
	return a->family == NFV_IPV6 && a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

static inline bool
addr_multicast(const struct nfv_addr *a)
{
	return a->family == NFV_IPV6 ? a->b[0] == 0xff : a->b[0] >= 224 && a->b[0] < 240;
}

/** One of the addresses of `port` itself. */
static inline bool
own_host_on(const struct own *own, const struct nfv_addr *a, uint8_t port)
{
	const struct own_entry *e = own_find(own, a);

	return e->kind == OWN_HOST && e->ports & 1u << port;
}

/** Ours as seen from `port`: a link-local address counts only where it belongs,
 * others from everywhere. */
static inline bool
own_host_at(const struct own *own, const struct nfv_addr *a, uint8_t port)
{
	const struct own_entry *e = own_find(own, a);

	return e->kind == OWN_HOST && (!addr_link_local(a) || e->ports & 1u << port);
}

#endif
