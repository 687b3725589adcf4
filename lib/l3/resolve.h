/**
 * @file
 * Address resolution, whatever the protocol: asks for neighbours, lets packets wait for them, gives
 * up on them; and what arp.c and nd.c, the two protocols, offer it.
 */
#ifndef RESOLVE_H
#define RESOLVE_H

#include "host.h"

/** The next hop that was sent to last, by the place its address stands at; of one burst. */
struct resolve_last {
	const struct nfv_addr *to; /* NULL: none */
	struct neigh *e;
};

/**
 * Send a packet, routed and checked, to the next hop `to` at t->port: hash is its neigh_hash.
 * Returns the verdict.
 */
uint8_t resolve_send(const struct turn *t, struct nfv_pkt *p, const struct nfv_addr *to,
	uint64_t hash, struct resolve_last *last);

/** A neighbour's MAC address is known, or has changed; what waits for it leaves. */
void resolve_learn(
	const struct turn *t, struct neigh *e, const uint8_t mac[6], enum neigh_state state);

/** News of a neighbour at news->port, which is t->port: believed if they may be. */
void resolve_news(const struct turn *t, const struct nfv_l3_news *news);
/** The same, of one that has told us; others are told. `mac` may be NULL; `what`: enum nfv_l3_what. */
void resolve_hear(
	const struct turn *t, const struct nfv_addr *who, const uint8_t *mac, unsigned int what);

/**
 * A packet came to us from a neighbour that may not be known: its MAC address serves until somebody
 * answers, for everybody is asked at once, and is forgotten if nobody does. Never in place of what is
 * known, nor of another neighbour where the cache is full.
 */
void resolve_heard(const struct turn *t, const struct nfv_addr *who, const uint8_t mac[6]);

/** The neighbour at t->port, or NULL. */
struct neigh *resolve_find(const struct turn *t, const struct nfv_addr *who);

/** A new entry for a next hop, asked for; nothing waits for it yet. */
struct neigh *resolve_begin(const struct turn *t, const struct nfv_addr *who);

/** One neighbour's second is over: t->port is set here. */
void resolve_due(struct turn *t, struct neigh *e);

/** ARP (RFC 826) for a frame whose Ethernet header has been judged. Returns the verdict. */
uint8_t arp_input(const struct turn *t, const struct nfv_pkt *p);
/** Ask for `e`: everybody, or where its MAC address is known only itself. */
void arp_ask(const struct turn *t, const struct neigh *e);

/** Neighbour solicitation or advertisement (RFC 4861), parsed. Returns the verdict. */
uint8_t nd_input(const struct turn *t, const struct nfv_pkt *p);
void nd_ask(const struct turn *t, const struct neigh *e);
/** Whether it is one of the two, judging by its type only. */
bool nd_is_ours(const struct nfv_pkt *p);

#endif
