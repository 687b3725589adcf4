/**
 * @file
 * What a stage sees: packets in bursts, with a verdict to set on each.
 *
 * A packet is a pointer into a buffer that the runtime owns, a length, and the room before and
 * after. Nothing here knows what kind of buffer it is, so the same stage runs fused into a worker's
 * loop, in a process without DPDK, and in a unit test on the stack. libc only.
 *
 * Ownership: the runtime owns every buffer; a stage may read and write the bytes from
 * `data - headroom` to `data + len + tailroom` during its call and keeps no pointer afterwards.
 * Threads: a burst belongs to the worker that runs it.
 */
#ifndef NFV_PKT_H
#define NFV_PKT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nfv_hdr.h"

#define NFV_BURST_MAX 32
#define NFV_OUT_MAX   128   /* pieces of the largest packet at the smallest MTU */
#define NFV_LARGE_MAX 4     /* large packets that lie ready */
#define NFV_FRAME_MAX 65535 /* what a large packet has room for; an IP packet: 14 bytes less */

/** A chain has an inside and an outside; packets travel through its stages either way. */
enum nfv_dir { NFV_OUTWARD, NFV_INWARD };

static inline enum nfv_dir
nfv_dir_back(enum nfv_dir dir)
{
	return dir == NFV_OUTWARD ? NFV_INWARD : NFV_OUTWARD;
}

/**
 * Verdicts. NFV_CONSUMED: the stage has dealt with the packet itself, for instance by answering it.
 * NFV_DROP(i): dropped for the stage's i-th reason (nfv_stage_ops.drops), and counted there.
 */
enum nfv_verdict { NFV_KEEP, NFV_CONSUMED, NFV_DROP_BASE };
#define NFV_DROP(reason) ((uint8_t)(NFV_DROP_BASE + (reason)))

enum nfv_pkt_flag {
	/** Addressed to one of the chain's own addresses. */
	NFV_PKT_LOCAL = 1 << 0,
	/** Written here: by a stage that ends flows (a proxy), or originated through nfv_out. It has
	 * a new identity: the runtime parses it again and looks its flow up anew. */
	NFV_PKT_OWN = 1 << 1,
	/** An ICMP error; `flow` is the flow that its quoted packet belongs to. */
	NFV_PKT_RELATED = 1 << 2,
	/** The flow began in the other direction. */
	NFV_PKT_REPLY = 1 << 3,
	/** An IP fragment; `l4` holds a transport header only in the first one. */
	NFV_PKT_FRAGMENT = 1 << 4,
	/** The packet made its flow: nothing of the flow has passed the whole chain before. */
	NFV_PKT_NEW = 1 << 5,
};

/** One cache line. `data` is the frame from its Ethernet header on; `len` excludes any padding. */
struct nfv_pkt {
	uint8_t *data;
	void *buf;  /* the runtime's handle of the buffer; stages leave it alone */
	void *flow; /* this stage's slot of the flow record, zeroed when the flow begins; NULL if the
	             * packet has no flow (nfv_stage_ops.flow_size == 0, table full, not trackable) */
	void *rec;  /* the runtime's flow record */
	uint16_t len, headroom, tailroom;
	uint8_t verdict; /* enum nfv_verdict; stages find NFV_KEEP */
	uint8_t port;    /* where it came in, later where it goes out: the runtime's */
	uint16_t l3,
		l4;     /* offsets from `data` of the IP header and of what the IP header carries */
	uint16_t flags; /* enum nfv_pkt_flag */
	uint8_t family; /* 4, 6, or 0 if it is not IP */
	uint8_t proto;  /* of what stands at l4, extension headers passed over */
	uint32_t hash;  /* of the addresses and ports, the same in one flow direction */
	uint8_t depth; /* 0: it came from outside; else 1 more than what it answers: the runtime's */
} __attribute__((aligned(64)));

struct nfv_burst {
	uint64_t tsc;  /* when the burst was taken; NFV ticks are derived from it */
	uint64_t idle; /* TSC cycles for which the worker has had nothing to do, since it began */
	uint16_t n;
	enum nfv_dir dir;
	struct nfv_pkt pkt[NFV_BURST_MAX];
};

/** Empty packets with room for NFV_FRAME_MAX bytes, few and shared: those taken were exchanged for
 * the packets that lie in their places now. */
struct nfv_large {
	uint16_t n, room; /* taken, armed */
	struct nfv_pkt pkt[NFV_LARGE_MAX];
};

/**
 * Where a stage writes what it originates. The runtime arms NFV_BURST_MAX entries with empty buffers
 * before the call (more only for packets that l3 sends in many pieces); the stage takes them in
 * order. Each continues from the stage's own place in the chain, through its neighbours in direction
 * `dir`, as an NFV_PKT_OWN packet.
 */
struct nfv_out {
	uint16_t n;              /* taken */
	uint16_t room;           /* armed */
	uint32_t starved;        /* times nothing was left: the runtime counts it as `no-buffer` */
	struct nfv_large *large; /* NULL: the runtime has none */
	enum nfv_dir dir[NFV_OUT_MAX];
	struct nfv_pkt pkt[NFV_OUT_MAX];
};

/**
 * Take the next empty packet, or NULL if there is none. `data` has room for an Ethernet header
 * (l3 == NFV_ETH_LEN == len), which the runtime fills in; write an IP packet behind it and set len.
 */
static inline struct nfv_pkt *
nfv_out_take(struct nfv_out *out, enum nfv_dir dir)
{
	if (out->n == out->room) {
		out->starved++;
		return NULL;
	}
	out->dir[out->n] = dir;
	return &out->pkt[out->n++];
}

/**
 * The same for an IP packet of `bytes`: in a large buffer if it needs one. Where the runtime has no
 * large ones at all, or none so large, the packet has less room than was asked for.
 */
static inline struct nfv_pkt *
nfv_out_take_for(struct nfv_out *out, enum nfv_dir dir, size_t bytes)
{
	struct nfv_pkt *p = nfv_out_take(out, dir), small;
	struct nfv_large *large = out->large;

	if (p == NULL || bytes <= p->tailroom || large == NULL ||
		bytes > NFV_FRAME_MAX - NFV_ETH_LEN)
		return p;
	if (large->n == large->room) {
		out->n--;
		out->starved++;
		return NULL;
	}
	small = *p;
	*p = large->pkt[large->n];
	large->pkt[large->n++] = small;
	return p;
}

static inline struct nfv_ip4 *
nfv_pkt_ip4(const struct nfv_pkt *p)
{
	return (struct nfv_ip4 *)(p->data + p->l3);
}

static inline struct nfv_ip6 *
nfv_pkt_ip6(const struct nfv_pkt *p)
{
	return (struct nfv_ip6 *)(p->data + p->l3);
}

static inline void *
nfv_pkt_l4(const struct nfv_pkt *p)
{
	return p->data + p->l4;
}

/** Bytes from the transport header to the packet's end. */
static inline unsigned int
nfv_pkt_l4_len(const struct nfv_pkt *p)
{
	return (unsigned int)(p->len - p->l4);
}

/** Why a packet's headers are not what they claim; names in NFV_PARSE_NAMES. */
enum nfv_parse {
	NFV_PARSE_OK,
	NFV_PARSE_RUNT,       /* shorter than its Ethernet or IP header */
	NFV_PARSE_ETHERTYPE,  /* neither IP nor ARP (or a VLAN tag) */
	NFV_PARSE_IP_VERSION, /* the version disagrees with the ethertype */
	NFV_PARSE_IP_HEADER,  /* header length under 20 or past the total length */
	NFV_PARSE_IP_LENGTH,  /* claims more than was received */
	NFV_PARSE_IP_CHECKSUM,
	NFV_PARSE_IP_OPTIONS, /* source route, or an option that overruns (RFC 7126) */
	NFV_PARSE_IP_ADDRESS, /* martian: multicast, loopback or zero source (RFC 1812 §5.3.7) */
	NFV_PARSE_EXTENSION,  /* extension header cut off, too many, or type-0 routing (RFC 5095) */
	NFV_PARSE_FRAGMENT_TINY, /* a first fragment without its transport header, or one that wraps */
	NFV_PARSE_L4_TRUNCATED, /* no room for the transport header */
	NFV_PARSE_UDP_LENGTH,   /* UDP length under 8 or past the packet */
	NFV_PARSE_TCP_OFFSET,   /* TCP header length under 20 or past the packet */
	NFV_PARSE_REASONS
};

/** Names as they appear in counters; for tables that begin with these reasons. */
/* clang-format off */
#define NFV_PARSE_NAMES \
	[NFV_PARSE_OK] = "ok", \
	[NFV_PARSE_RUNT] = "runt", \
	[NFV_PARSE_ETHERTYPE] = "ethertype", \
	[NFV_PARSE_IP_VERSION] = "ip-version", \
	[NFV_PARSE_IP_HEADER] = "ip-header-length", \
	[NFV_PARSE_IP_LENGTH] = "ip-length", \
	[NFV_PARSE_IP_CHECKSUM] = "ip-checksum", \
	[NFV_PARSE_IP_OPTIONS] = "ip-options", \
	[NFV_PARSE_IP_ADDRESS] = "ip-address", \
	[NFV_PARSE_EXTENSION] = "ip6-extension", \
	[NFV_PARSE_FRAGMENT_TINY] = "fragment-tiny", \
	[NFV_PARSE_L4_TRUNCATED] = "l4-truncated", \
	[NFV_PARSE_UDP_LENGTH] = "udp-length", \
	[NFV_PARSE_TCP_OFFSET] = "tcp-offset"
/* clang-format on */

/** The same, indexed by enum nfv_parse. */
extern const char *const nfv_parse_name[NFV_PARSE_REASONS];

/**
 * Read the headers of `data[0, len)`: check every length and the IPv4 header checksum, set family,
 * l3, l4, proto, NFV_PKT_FRAGMENT, and cut Ethernet padding off `len`. ARP is OK with family 0.
 * On failure only the reason is returned; the fields it would have set are unspecified. Never reads
 * past len.
 */
enum nfv_parse nfv_pkt_parse(struct nfv_pkt *p);

/** The same for an IP packet that starts at `p->data + p->l3`, whatever stands before it. */
enum nfv_parse nfv_pkt_parse_ip(struct nfv_pkt *p);

/** Grow (n > 0) or shrink the packet at its end; false, and nothing changed, if there is no room. */
bool nfv_pkt_resize(struct nfv_pkt *p, int n);

/**
 * Write an IP header with no options for `payload` bytes of `proto` at p->l3, from `src` to `dst`
 * (4 or 16 network-order bytes by `family`), TTL 64, checksum done; set l4, len, family, proto.
 * The caller then fills the payload. False if the packet has not the room.
 */
bool nfv_pkt_ip_header(struct nfv_pkt *p, uint8_t family, const void *src, const void *dst,
	uint8_t proto, uint16_t payload);

#endif
