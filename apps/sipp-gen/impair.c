#include <string.h>

#include "impair.h"

static void
send_copy(struct net *net, const char *bytes, size_t n, uint16_t from_port,
	const struct nfv_endpoint *to)
{
	char *room = net_begin(net, to->addr.family, n);

	if (room == NULL)
		return;
	memmove(room, bytes, n); /* the memory for long ones is always the same */
	net_commit(net, n, from_port, to);
}

static bool
hold(struct impair *i, const char *bytes, size_t n, uint16_t from_port,
	const struct nfv_endpoint *to, uint64_t due)
{
	for (uint32_t k = 0; n <= NET_PAYLOAD && k < IMPAIR_HELD && i->n_held < IMPAIR_HELD; k++) {
		struct held *h = &i->held[k];

		if (h->due != 0)
			continue;
		*h = (struct held){
			.due = due, .to = *to, .from_port = from_port, .n = (uint16_t)n
		};
		memcpy(h->bytes, bytes, n);
		i->n_held++;
		return true;
	}
	return false;
}

static void
release(struct impair *i, struct net *net, struct held *h)
{
	send_copy(net, h->bytes, h->n, h->from_port, &h->to);
	h->due = 0;
	i->n_held--;
}

/* What was to come behind the message that has just been sent. */
static void
release_swapped(struct impair *i, struct net *net)
{
	for (uint32_t k = 0; k < IMPAIR_HELD && i->n_held > 0; k++)
		if (i->held[k].due == UINT64_MAX)
			release(i, net, &i->held[k]);
}

void
impair_commit(struct impair *i, struct net *net, const char *room, size_t n, uint16_t from_port,
	const struct nfv_endpoint *to, double loss, uint64_t now, uint64_t ms)
{
	struct fault f = fault_decide_lost(&i->faults, loss);

	if (f.drop) {
		i->lost++;
		net_abandon(net);
		return;
	}
	if ((f.delay_ms > 0 || f.swap) &&
		hold(i, room, n, from_port, to, f.swap ? UINT64_MAX : now + f.delay_ms * ms)) {
		i->delayed += !f.swap;
		i->swapped += f.swap;
		net_abandon(net);
		return;
	}
	net_commit(net, n, from_port, to);
	if (f.dup) {
		i->duplicated++;
		send_copy(net, room, n, from_port, to);
	}
	if (i->n_held > 0)
		release_swapped(i, net);
}

void
impair_tick(struct impair *i, struct net *net, uint64_t now)
{
	for (uint32_t k = 0; k < IMPAIR_HELD && i->n_held > 0; k++)
		if (i->held[k].due != 0 && i->held[k].due <= now)
			release(i, net, &i->held[k]);
}
