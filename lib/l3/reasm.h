/**
 * @file
 * The table of datagrams that are being put together: what reassemble.c works on.
 *
 * A place holds one datagram: its payload at full length, the bounds of the pieces that have come, the
 * headers of the first. All memory is taken at the start; what is new pushes out the oldest of its own
 * source (of IPv6: of its /64) once that has its share, else the oldest of all.
 */
#ifndef REASM_H
#define REASM_H

#include "nfv_addr.h"
#include "nfv_hash.h"
#include "nfv_pkt.h"

#define REASM_MAX    1024u
#define REASM_BYTES  65536u
#define REASM_PIECES 128 /* as many as the longest datagram has at the smallest MTU */
#define REASM_HEAD   256 /* up to the end of the first piece's last header that is not payload */
#define REASM_S4     30  /* seconds from the first piece on (RFC 791 §3.2 lets us choose) */
#define REASM_S6     60  /* RFC 8200 §4.5 */

struct reasm_piece {
	uint16_t from, to; /* bytes of the payload */
};

struct reasm_key {
	struct nfv_addr src, dst;
	uint32_t id;         /* as on the wire */
	uint8_t proto, port; /* proto: 0 for IPv6 (RFC 8200 §4.5) */
};

struct reasm {
	struct reasm_key key;
	uint64_t serial; /* the smaller, the older */
	uint8_t *bytes;
	uint32_t have, total; /* payload that has come; that there is, 0: unknown */
	uint8_t spoilt;       /* enum nfv_l3_drop of all that still comes, 0: none */
	uint8_t proto;        /* of the first piece */
	uint16_t n, head_len; /* pieces; 0: the first is not among them */
	struct reasm_piece piece[REASM_PIECES]; /* in order, disjoint */
	uint8_t head[REASM_HEAD]; /* as received, from the Ethernet header to the payload */
};

/** What is looked through, apart from what is found by it. */
struct reasm_place {
	uint64_t hash; /* 0: free */
	uint64_t due;  /* TSC */
	bool whole;    /* waits to be taken */
};

struct reasm_table {
	struct reasm_place *place; /* n of each */
	struct reasm *reasm;
	uint8_t *bytes;
	uint32_t n, used, share;       /* share: places of one source at most */
	uint16_t whole[NFV_BURST_MAX]; /* queue of those to be taken */
	uint16_t n_whole, n_taken;
	uint64_t serial, hz;
	struct nfv_hash_key hash;
};

/** n: 0 is fine. Returns 0 or -ENOMEM; reasm_fini takes what came of it. */
int reasm_init(struct reasm_table *t, uint32_t n, uint64_t hz, uint64_t seed, int socket);
void reasm_fini(struct reasm_table *t);

#endif
