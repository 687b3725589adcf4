/*
 * What a flow has seen, and how long it may stay silent. TCP as RFC 5382 §5 wants it: a connection
 * is open once the handshake has passed in all three steps, and transitory before and after; a RST
 * makes it transitory again, a new SYN on a closing one begins anew.
 */
#include "table.h"

enum {
	SYN = 1,     /* from the beginner */
	SYN_ACK = 2, /* from the other side */
	FIN_TO = 4,  /* from the beginner */
	FIN_FRO = 8, /* from the other side */
};

static void
track_tcp(struct nfv_flow *f, uint8_t flags, bool reply)
{
	if (flags & NFV_TCP_RST) {
		f->state = NFV_FLOW_CLOSING;
		return;
	}
	if (flags & NFV_TCP_SYN) {
		if (f->state == NFV_FLOW_CLOSING && !reply) {
			f->state = NFV_FLOW_OPENING;
			f->seen = 0;
		}
		if (f->state == NFV_FLOW_OPENING)
			f->seen |= reply ? SYN_ACK : SYN;
		return;
	}
	if (f->state == NFV_FLOW_OPENING && f->seen == (SYN | SYN_ACK) && !reply &&
		flags & NFV_TCP_ACK) {
		f->state = NFV_FLOW_OPEN;
	}
	if (flags & NFV_TCP_FIN) {
		f->seen |= reply ? FIN_FRO : FIN_TO;
		if ((f->seen & (FIN_TO | FIN_FRO)) == (FIN_TO | FIN_FRO))
			f->state = NFV_FLOW_CLOSING;
	}
}

void
nfv_flow_track(const struct nfv_flow_table *t, struct nfv_flow *f, const struct nfv_pkt *p,
	enum nfv_dir dir, uint32_t now)
{
	bool reply = (uint8_t)dir != f->dir;

	f->last = now;
	f->packets[dir]++;
	switch (p->proto) {
	case NFV_PROTO_TCP:
		track_tcp(f, ((const struct nfv_tcp *)nfv_pkt_l4(p))->flags, reply);
		f->timeout = f->state == NFV_FLOW_OPEN ? t->timeouts.tcp_open : t->timeouts.tcp;
		return;
	case NFV_PROTO_UDP:
		f->timeout = t->timeouts.udp;
		break;
	case NFV_PROTO_ICMP:
	case NFV_PROTO_ICMP6:
		f->timeout = t->timeouts.icmp;
		break;
	default:
		f->timeout = t->timeouts.other;
		break;
	}
	if (reply)
		f->state = NFV_FLOW_OPEN;
}
