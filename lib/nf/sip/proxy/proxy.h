/**
 * @file
 * A record-routing SIP proxy's handling of one message: what is wrong with it, where it goes, what has
 * to be changed in it. sip_proxy() makes a stateless proxy of that (RFC 3261 §16.11), a function from
 * a datagram and its addresses to what is to be sent where; server.h makes one with transactions.
 * Knows nothing of packets; libc, lib/base and lib/sip only.
 *
 * Of the stateless one: everything that has to be remembered travels in the messages. The branch of the Via that the
 * proxy adds holds the own address that the request was sent to, so that the response leaves from
 * there and a NAT in front of the client sees it come from where the request went; a hash that is
 * the same for a request, its retransmissions, its CANCEL and its ACK (§16.11); and a keyed hash of
 * where the response has to go, so that nobody can make up a response and have it sent through the
 * proxy to an address of his choice.
 *
 * Threads: pure functions; struct sip_proxy is not changed after sip_proxy_init().
 */
#ifndef PROXY_H
#define PROXY_H

#include "nfv_err.h"
#include "nfv_sip.h"
#include "nfv_sip_write.h"
#include "nfv_stage.h"
#include "overload.h"
#include "siphash.h"

#define SIP_OWN_MAX 32

#define SIP_HOPS_MAX   8  /* targets of one request */
#define SIP_BRANCH_MAX 64 /* bytes of a branch of ours */

struct sip_own {
	struct nfv_prefix prefix; /* the address with its network */
	enum nfv_dir dir;         /* packets that travel so leave from it */
	char text[NFV_ADDR_TEXT]; /* with the proxy's port, as in a URI */
	uint8_t text_n;
	char record[NFV_ADDR_TEXT + 16]; /* as in a Record-Route of ours */
	uint8_t record_n;
};

/** Where a request goes. */
struct sip_hop {
	struct nfv_endpoint to;
	struct nfv_sv uri;  /* the Request-URI it gets; n == 0: its own */
	struct nfv_sv path; /* Path values (RFC 3327) that become its Route; n == 0: none */
	uint16_t q;         /* 0…1000; equal ones are tried at once, higher ones first */
	uint8_t own;        /* index of the own address it leaves from */
	uint8_t dir;        /* enum nfv_dir */
	bool fixed;         /* `own` and `dir` are known; else they follow from the address */
	bool failover; /* the next one is for when this one is not there, not for its refusal */
};

#define SIP_TRUNKS_MAX 16

/** Another server that takes what has no address here. */
struct sip_trunk {
	struct nfv_endpoint to;
	uint16_t weight,
		priority; /* of those with the lowest number each gets calls by its weight */
	bool dead;        /* passed over as long as another one is not */
	uint64_t absences;
};

struct sip_trunks {
	struct sip_trunk trunk[SIP_TRUNKS_MAX];
	uint32_t n;
};

/** The users of own domains: fills in up to `max` hops, by falling q; 0: not here. The views hold
 * until the next message. */
typedef unsigned int sip_locate(
	void *ctx, struct nfv_sv user, struct nfv_sv domain, struct sip_hop *hop, unsigned int max);

struct sip_work;

/** What edits bodies: the message in `work` is going to `to`, which lies in `dir`, from our address
 * `own`. False: it must not go. */
typedef bool sip_body(void *ctx, struct sip_work *work, const struct nfv_endpoint *to,
	const struct nfv_addr *own, enum nfv_dir dir);

struct sip_proxy {
	uint16_t port;
	sip_body *body; /* NULL: bodies pass as they are */
	void *body_ctx;
	sip_locate *locate; /* NULL: there are no users here */
	void *locate_ctx;
	bool record_route;
	bool relay; /* forward from outside to outside */
	struct sip_trunks trunks;
	const struct sip_overload *overload; /* to be told upstream; NULL: nothing */
	const char *const *domains;
	uint32_t n_domains;
	struct sip_own own[SIP_OWN_MAX];
	uint32_t n_own;
	const struct nfv_toward *toward;
	uint32_t n_toward;
	struct siphash_key key;
};

/** A datagram that was sent to one of the proxy's own addresses. */
struct sip_in {
	struct nfv_sv text;
	struct nfv_endpoint src, dst;
	enum nfv_dir dir; /* it travels so */
};

enum sip_drop {
	SIP_DROP_UDP_CHECKSUM,
	SIP_DROP_NOT_SIP,
	SIP_DROP_MALFORMED,      /* a response or an ACK that cannot be trusted */
	SIP_DROP_RESPONSE_STRAY, /* to no request that went through here */
	SIP_DROP_ACK_UNROUTABLE, /* an ACK is never answered (§17.1.1.3) */
	SIP_DROP_NO_NEXT_HOP,    /* nowhere to send a response or an answer */
	SIP_DROP_TOO_LARGE,
	SIP_DROP_ERROR_LIMITED,
	SIP_DROPS
};

enum sip_action {
	SIP_FORWARD,
	SIP_ANSWER,    /* with `status` */
	SIP_DROP,      /* for `drop` */
	SIP_ABSORB,    /* it has done its work here */
	SIP_KEEPALIVE, /* nothing to do */
	SIP_STUN,
};

struct sip_result {
	enum sip_action action;
	enum sip_drop drop;
	uint16_t status;
	enum nfv_dir dir; /* the way the datagram goes */
	struct nfv_endpoint from, to;
	struct nfv_sv text; /* in the caller's buffer */
};

/** The way a request goes on, as its Request-URI and Route say (§16.4). */
struct sip_course {
	struct nfv_sip_uri target; /* the Request-URI, preprocessed */
	struct nfv_sip_uri route;  /* topmost Route that is not ours; text.n == 0: none */
	uint32_t n_routes;
	uint32_t skip;                      /* Route values that go from the top */
	bool last_taken;                    /* and the last one: it has become the Request-URI */
	const struct nfv_sip_hdr *last_hdr; /* of the last Route value */
};

/** What the functions below hand to each other about one message. */
struct sip_work {
	const struct sip_proxy *px;
	const struct sip_in *in;
	struct nfv_sip_msg msg;
	struct nfv_sip_core core;
	bool refusing; /* what is answered now has no transaction: sip_is_refusal */
	bool identified;
	uint64_t id[2]; /* if `identified`: what the request is known by, but for its method */
	struct nfv_sip_edits edits;
	struct nfv_sip_writer ins; /* texts the edits insert, in ins_room */
	char ins_room[1024 + NFV_SIP_URI_MAX];
};

/** Take own addresses and directions from `ctx`; the other members are the caller's to set, `port`
 * before. */
int sip_proxy_init(struct sip_proxy *px, const struct nfv_stage_ctx *ctx, struct nfv_err *err);

/** Decide about a datagram and write what is to be sent into `buf`; `work` is scratch. */
void sip_proxy(const struct sip_proxy *px, const struct sip_in *in, struct sip_work *work,
	char *buf, size_t room, struct sip_result *r);

/** Answer the request in `work` with `status` (`text` NULL: its usual phrase), and with `lines` of
 * header fields more. */
void sip_answer(struct sip_work *work, unsigned int status, const char *text, struct nfv_sv lines,
	char *buf, size_t room, struct sip_result *r);

static inline bool
sip_edit_body(
	struct sip_work *work, const struct nfv_endpoint *to, unsigned int own, enum nfv_dir dir)
{
	const struct sip_proxy *px = work->px;

	return px->body == NULL || px->body(px->body_ctx, work, to, &px->own[own].prefix.addr, dir);
}

static inline void
sip_edits_reset(struct sip_work *work)
{
	work->edits.n = 0;
	work->edits.full = false;
	work->ins = nfv_sip_writer(work->ins_room, sizeof(work->ins_room));
}

/** For another message. */
static inline void
sip_work_begin(struct sip_work *work, const struct sip_proxy *px, const struct sip_in *in)
{
	work->px = px;
	work->in = in;
	work->identified = false;
	sip_edits_reset(work);
}

/* request.c and response.c: a message that has been framed. */
void sip_request(struct sip_work *work, char *buf, size_t room, struct sip_result *r);
void sip_response(struct sip_work *work, char *buf, size_t room, struct sip_result *r);
/** A request that has been checked. */
void sip_request_pass(struct sip_work *work, char *buf, size_t room, struct sip_result *r);

/** Check a request: 0, or the status to answer it with. `topped`: nfv_sip_read_top() has taken it. */
unsigned int sip_request_check(struct sip_work *work, bool topped, const char **text);
/** Read its course: NULL, or what is wrong with it, for a 400. sip_edits_reset() takes it back. */
const char *sip_request_course(struct sip_work *work, struct sip_course *c);
/** Where it goes: 0 and `*n` hops, or the status to answer with. */
unsigned int sip_request_hops(struct sip_work *work, const struct sip_course *c,
	struct sip_hop hop[SIP_HOPS_MAX], unsigned int *n);
/** Write it as it goes to `hop`, with our branch. False: it does not fit. */
bool sip_request_write(struct sip_work *work, struct sip_course *c, const struct sip_hop *hop,
	struct nfv_sv branch, struct nfv_sip_writer *w);
/** A response without its topmost Via, which is ours. */
bool sip_response_write(struct sip_work *work, struct nfv_sip_writer *w);
/** 0: the topmost Via is not ours; 1: it is the only one; more: there is one
 * below. */
unsigned int sip_response_vias(const struct sip_work *work);
/** Tell whoever sent by the one below, as sip_via_oc(). */
void sip_response_oc(struct sip_work *work);
static inline struct nfv_sv
sip_own_text(const struct sip_own *own)
{
	return nfv_sv(own->text, own->text_n);
}

static inline struct nfv_sv
sip_own_record(const struct sip_own *own)
{
	return nfv_sv(own->record, own->record_n);
}

static inline struct nfv_endpoint
sip_hop_from(const struct sip_proxy *px, const struct sip_hop *hop)
{
	return (struct nfv_endpoint){ px->own[hop->own].prefix.addr, px->port };
}

static inline void
sip_drop(struct sip_result *r, enum sip_drop why)
{
	r->action = SIP_DROP;
	r->drop = why;
}

/* where.c: addresses. */

/** Index into px->own, or -1. */
int sip_own_find(const struct sip_proxy *px, const struct nfv_addr *addr);
/** Whether host and port, as they stand in a Via or URI, are what we write there ourselves. */
bool sip_is_own_text(const struct sip_proxy *px, struct nfv_sv hostport);
/** Whether it is the proxy itself: own address and its port. */
bool sip_is_self(const struct sip_proxy *px, const struct nfv_endpoint *e);
/** Which way it lies: an own address at another port is a NAT's mapping, on the inside of here. */
enum nfv_dir sip_dir_of(const struct sip_proxy *px, const struct nfv_addr *addr);
/** The own address to send from to `to` in `dir`; -1 if none is of its family. */
int sip_own_toward(const struct sip_proxy *px, enum nfv_dir dir, const struct nfv_addr *to);
/** A unicast address that can be a next hop. */
bool sip_is_host(const struct nfv_addr *addr);
/** Whether a URI names the proxy: own address or, with `domains`, own domain, and its port. */
bool sip_uri_is_self(const struct sip_proxy *px, const struct nfv_sip_uri *uri, bool domains);
/** Host, if it is an address (else NFV_NO_ADDR), and port of a URI; and the same question with them. */
struct nfv_endpoint sip_uri_endpoint(const struct nfv_sip_uri *uri);
bool sip_uri_leads_here(const struct sip_proxy *px, const struct nfv_sip_uri *uri,
	const struct nfv_endpoint *e, bool domains);
bool sip_is_domain(const struct sip_proxy *px, struct nfv_sv host);

/* trunk.c */

/** All of them, in the order in which they are to be tried by who has this hash; at most `max`. Their
 * `q` falls from one to the next. */
unsigned int sip_trunks_pick(
	const struct sip_trunks *t, uint64_t hash, struct sip_hop *hop, unsigned int max);
/** Index by endpoint, or -1. */
int sip_trunk_find(const struct sip_trunks *t, const struct nfv_endpoint *to);
/** Whether a request from there comes from one of them. */
bool sip_trunk_asks(const struct sip_trunks *t, const struct nfv_addr *src);

/* via.c: branches, and where responses go. */

/** Where a response goes by the Via of the one who asked; false if that is no address. */
bool sip_via_target(const struct nfv_sip_via *via, struct nfv_endpoint *out);
/** Where responses to the request in `work` go, once sip_via_fix() has completed its Via. */
struct nfv_endpoint sip_via_back(const struct sip_work *work);
/** Tell who sent by `via`, if he has asked for it, what share of his new requests to keep to himself for
 * half a second (RFC 7339 §4, §6). */
void sip_via_oc(struct sip_work *work, const struct nfv_sip_via *via);
/** Whether a text looks as if it asked for that. */
bool sip_may_oc(struct nfv_sv text);
/** Add received and rport to the topmost Via (RFC 3261 §18.2.1, 3581 §4). */
void sip_via_fix(struct sip_work *work);
/** Write the stateless branch for the request in `work`. */
void sip_branch_put(struct sip_work *work, struct nfv_sip_writer *w);
/** The same for a request, its retransmissions, its CANCEL and the ACK of its refusal (§16.11). */
uint64_t sip_txn_hash(struct sip_work *work);
/** The branch of a client transaction. With a request in `work` it also says by which way that came
 * (RFC 5393 §4.2); NULL: it is one of our own. */
void sip_branch_txn(const struct sip_proxy *px, const struct sip_work *work, uint32_t txn,
	uint32_t generation, struct nfv_sip_writer *w);
/** Whether `branch` is that of a client transaction, and of which. */
bool sip_branch_txn_read(
	const struct sip_proxy *px, struct nfv_sv branch, uint32_t *txn, uint32_t *generation);
/** The request in `work` has come here before and would go the same way again (RFC 5393 §4.2.2). */
bool sip_is_loop(const struct sip_work *work);
/** What a request is known by (§17.2.3): the same for its retransmissions; an ACK and a CANCEL have
 * that of their INVITE. */
void sip_txn_key(struct sip_work *work, uint64_t key[2]);
/** The own address a request came in on, if `branch` is ours for a response to `to`; else -1. */
int sip_branch_check(
	const struct sip_proxy *px, struct nfv_sv branch, const struct nfv_endpoint *to);
/** A To tag for an answer: the same for every retransmission (§8.2.7). */
uint64_t sip_tag(struct sip_work *work);
/** Whether the To of an ACK, as it stands in the message, ends in the tag of an answer that was given
 * `refusing`: such tags prove themselves, so nothing else of the ACK needs to be read. */
bool sip_is_refusal(const struct sip_proxy *px, struct nfv_sv to);

#endif
