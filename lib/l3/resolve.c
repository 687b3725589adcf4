#include "frag.h"
#include "icmp.h"
#include "resolve.h"

static void
ask(const struct turn *t, const struct neigh *e)
{
	if (e->addr.family == NFV_IPV4)
		arp_ask(t, e);
	else
		nd_ask(t, e);
}

/* The last step: less time to live, an Ethernet header, in pieces if need be. */
static uint8_t
deliver(const struct turn *t, struct nfv_pkt *p, const uint8_t mac[6])
{
	if (p->len - p->l3 > t->l3->port[t->port].mtu)
		return frag_send(t, p, mac) ? NFV_CONSUMED : NFV_DROP(NFV_L3_NO_BUFFER);
	host_frame(t, p, mac, p->family == 4 ? NFV_ETH_IP4 : NFV_ETH_IP6);
	return NFV_KEEP;
}

static void
pass_on(struct nfv_pkt *p)
{
	if (p->flags & NFV_PKT_OWN)
		return;
	if (p->family == 4) {
		struct nfv_ip4 *ip = nfv_pkt_ip4(p);
		uint16_t before, after;

		memcpy(&before, &ip->ttl, sizeof(before)); /* with the protocol: one word */
		ip->ttl--;
		memcpy(&after, &ip->ttl, sizeof(after));
		ip->be_csum = nfv_csum_update(ip->be_csum, nfv_csum_delta16(before, after));
	} else {
		nfv_pkt_ip6(p)->hops--;
	}
}

static uint8_t
hold(const struct turn *t, struct nfv_pkt *p, struct neigh *e)
{
	if (e->wait != NULL)
		return NFV_DROP(NFV_L3_QUEUE_FULL);
	if (!neigh_wait(&t->l3->neigh, e, p))
		return NFV_DROP(NFV_L3_NO_BUFFER);
	pass_on(&e->wait->pkt);
	return NFV_CONSUMED;
}

struct neigh *
resolve_begin(const struct turn *t, const struct nfv_addr *who)
{
	struct neigh *e = neigh_add(&t->l3->neigh, t->port, who, NULL, t->now);

	ask(t, e);
	return e;
}

uint8_t
resolve_send(const struct turn *t, struct nfv_pkt *p, const struct nfv_addr *to, uint64_t hash,
	struct resolve_last *last)
{
	struct neigh_cache *c = &t->l3->neigh;
	struct neigh *e = to == last->to ? last->e : neigh_find(c, hash, t->port, to);

	/* What is added below may take another's place, so that nothing is known any more. */
	*last = (struct resolve_last){ e != NULL ? to : NULL, e };
	if (e == NULL)
		return hold(t, p, resolve_begin(t, to));
	if (e->state == NEIGH_INCOMPLETE)
		return hold(t, p, e);
	if (e->state == NEIGH_UNREACHABLE) {
		icmp_error_back(t, ICMP_HOST, 0, p);
		return NFV_DROP(NFV_L3_NO_NEIGHBOUR);
	}
	neigh_touch(c, e, t->now);
	if (e->state == NEIGH_STALE ||
		(e->state == NEIGH_REACHABLE && (int64_t)(t->now - e->due) >= 0)) {
		neigh_probe(c, e, t->now);
		ask(t, e);
	}
	pass_on(p);
	return deliver(t, p, e->mac);
}

/* The packet that waited leaves, in a buffer of its own. */
static void
flush(const struct turn *t, struct neigh *e)
{
	struct nfv_pkt *p = &e->wait->pkt, *out;
	uint8_t verdict = deliver(t, p, e->mac);

	if (verdict == NFV_KEEP) {
		out = host_take(t);
		if (out != NULL && nfv_pkt_resize(out, p->len - out->len))
			memcpy(out->data, p->data, p->len);
		else
			verdict = NFV_DROP(NFV_L3_NO_BUFFER);
		if (out != NULL && verdict != NFV_KEEP)
			host_untake(t->wire);
	}
	t->l3->count.wait_lost += verdict >= NFV_DROP_BASE;
	neigh_wait_end(&t->l3->neigh, e);
}

void
resolve_learn(const struct turn *t, struct neigh *e, const uint8_t mac[6], enum neigh_state state)
{
	neigh_settle(&t->l3->neigh, e, mac, state, t->now);
	if (e->wait != NULL)
		flush(t, e);
}

struct neigh *
resolve_find(const struct turn *t, const struct nfv_addr *who)
{
	struct neigh_cache *c = &t->l3->neigh;

	return neigh_find(c, neigh_hash(c, t->port, who), t->port, who);
}

/* Somebody asked for one of our addresses and so told us their own. */
static void
note_asked(const struct turn *t, const struct nfv_addr *who, const uint8_t mac[6])
{
	struct neigh *e = resolve_find(t, who);

	if (e == NULL && routes_on_link(&t->l3->routes, t->port, who))
		neigh_add(&t->l3->neigh, t->port, who, mac, t->now);
	else if (e != NULL && (!neigh_is_settled(e) || memcmp(e->mac, mac, sizeof(e->mac)) != 0))
		resolve_learn(t, e, mac, NEIGH_STALE);
}

/*
 * RFC 4861 §7.2.5, but that "solicited" is believed only where we did solicit; of ARP a reply is
 * solicited and overrides, an announcement overrides. So what comes unasked is heard only where there is
 * an entry (RFC 5227 §3: the neighbour has moved), and makes it stale: its next use asks the new place
 * whether it is true.
 */
static void
note_answer(const struct turn *t, const struct nfv_addr *who, const uint8_t *mac, unsigned int what)
{
	struct neigh *e = resolve_find(t, who);
	bool other;

	if (e == NULL || (what & NFV_L3_SOLICITED && !neigh_is_asked(e)))
		return;
	if (!neigh_is_settled(e)) {
		if (mac != NULL)
			resolve_learn(
				t, e, mac, what & NFV_L3_SOLICITED ? NEIGH_REACHABLE : NEIGH_STALE);
		return;
	}
	other = mac != NULL && memcmp(mac, e->mac, sizeof(e->mac)) != 0;
	if (other && !(what & NFV_L3_OVERRIDE)) {
		if (e->state == NEIGH_REACHABLE)
			resolve_learn(t, e, e->mac, NEIGH_STALE);
	} else if (what & NFV_L3_SOLICITED) {
		resolve_learn(t, e, other ? mac : e->mac, NEIGH_REACHABLE);
	} else if (other) {
		resolve_learn(t, e, mac, NEIGH_STALE);
	}
}

void
resolve_news(const struct turn *t, const struct nfv_l3_news *news)
{
	if (news->what & NFV_L3_ASKED)
		note_asked(t, &news->who, news->mac);
	else
		note_answer(
			t, &news->who, news->what & NFV_L3_HAS_MAC ? news->mac : NULL, news->what);
}

void
resolve_hear(
	const struct turn *t, const struct nfv_addr *who, const uint8_t *mac, unsigned int what)
{
	struct nfv_l3_news news = { .who = *who, .port = t->port, .what = (uint8_t)what };

	if (mac != NULL) {
		memcpy(news.mac, mac, sizeof(news.mac));
		news.what |= NFV_L3_HAS_MAC;
	}
	resolve_news(t, &news);
	if (t->l3->tell != NULL)
		t->l3->tell(t->l3->tell_arg, &news);
}

void
resolve_heard(const struct turn *t, const struct nfv_addr *who, const uint8_t mac[6])
{
	struct neigh_cache *c = &t->l3->neigh;
	struct neigh *e = resolve_find(t, who);

	if (!mac_is_host(mac) || (e != NULL && neigh_is_settled(e)))
		return;
	if (e == NULL) {
		if (TAILQ_EMPTY(&c->empty) || c->n_unresolved == c->max_unresolved)
			return;
		e = resolve_begin(t, who);
	} else if (e->state == NEIGH_UNREACHABLE) {
		ask(t, e);
	}
	resolve_learn(t, e, mac, NEIGH_STALE);
	/* Asked already, and everybody, not only that address: whose it really is answers too. */
	neigh_probe(c, e, t->now);
}

void
resolve_due(struct turn *t, struct neigh *e)
{
	struct nfv_l3 *l3 = t->l3;

	t->port = e->port;
	if (e->tries < NEIGH_TRIES) {
		neigh_again(&l3->neigh, e, t->now);
		if (e->state != NEIGH_UNREACHABLE)
			ask(t, e);
	} else if (e->state == NEIGH_INCOMPLETE) {
		l3->count.unanswered++;
		if (e->wait != NULL)
			icmp_error_back(t, ICMP_HOST, 0, &e->wait->pkt);
		neigh_give_up(&l3->neigh, e, t->now);
	} else {
		neigh_remove(&l3->neigh, e);
	}
}
