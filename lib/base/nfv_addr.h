/**
 * @file
 * Addresses as plain data: IPv4 or IPv6 address, prefix, transport endpoint, and their text.
 *
 * Bytes are in network order; an IPv4 address is the first four. Equal addresses are equal byte for
 * byte, because what a family does not use is zero. Threads: plain data.
 */
#ifndef NFV_ADDR_H
#define NFV_ADDR_H

#include <stdbool.h>
#include <stdint.h>

#include "nfv_sv.h"

enum nfv_family { NFV_NO_ADDR = 0, NFV_IPV4 = 4, NFV_IPV6 = 6 };

struct nfv_addr {
	uint8_t b[16];
	uint8_t family; /* enum nfv_family */
};

struct nfv_prefix {
	struct nfv_addr addr; /* host bits are kept: 10.0.0.1/24 is also an interface's address */
	uint8_t len;          /* 0…32 or 0…128 */
};

struct nfv_endpoint {
	struct nfv_addr addr;
	uint16_t port; /* host order */
};

/** Room for any of the texts below, the NUL included. */
#define NFV_ADDR_TEXT 64

/** Bits of an address of this family: 32 or 128. */
static inline unsigned int
nfv_addr_bits(const struct nfv_addr *a)
{
	return a->family == NFV_IPV4 ? 32 : 128;
}

/*
 * The next three are used several times a packet. They write and read addresses as two 64-bit words
 * each: a load that is wider than the stores before it would wait for them to reach the cache.
 */

/** Byte for byte, as equal addresses are. */
static inline bool
nfv_addr_eq(const struct nfv_addr *a, const struct nfv_addr *b)
{
	uint64_t x[2], y[2];

	memcpy(x, a->b, sizeof(x));
	memcpy(y, b->b, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0 && a->family == b->family;
}

/** An IPv4 address from network-order bytes as they stand in a header. */
static inline struct nfv_addr
nfv_addr4(uint32_t be)
{
	struct nfv_addr a = { .family = NFV_IPV4 };
	uint64_t w[2] = { 0, 0 };

	memcpy(w, &be, sizeof(be));
	memcpy(a.b, &w[0], 8);
	memcpy(a.b + 8, &w[1], 8);
	return a;
}

/** An IPv6 address from sixteen bytes. */
static inline struct nfv_addr
nfv_addr6(const uint8_t bytes[16])
{
	struct nfv_addr a = { .family = NFV_IPV6 };
	uint64_t w[2];

	memcpy(w, bytes, sizeof(w));
	memcpy(a.b, &w[0], 8);
	memcpy(a.b + 8, &w[1], 8);
	return a;
}

/** Whether `a` lies in the prefix; other family: no. */
bool nfv_prefix_has(const struct nfv_prefix *p, const struct nfv_addr *a);

/* All parsers return 0 or -EINVAL and leave the output untouched on failure. */
int nfv_addr_parse(struct nfv_sv s, struct nfv_addr *out);
/** `ADDR/LEN`, or `ADDR` alone for the one host. */
int nfv_prefix_parse(struct nfv_sv s, struct nfv_prefix *out);
/** `10.0.0.1:5060` or `[fd00::1]:5060`. */
int nfv_endpoint_parse(struct nfv_sv s, struct nfv_endpoint *out);

/* Writers return `buf`. */
const char *nfv_addr_text(const struct nfv_addr *a, char buf[NFV_ADDR_TEXT]);
const char *nfv_prefix_text(const struct nfv_prefix *p, char buf[NFV_ADDR_TEXT]);
const char *nfv_endpoint_text(const struct nfv_endpoint *e, char buf[NFV_ADDR_TEXT]);

#endif
