/*
 * The pinholes of an isolated stage, in the chain's table: what its process says it does to its own is done
 * here, on the worker, before the packets that it puts out behind that. Nothing it says is believed: who
 * owns what is known here, by a list of the owners that it may have; so it has at most as many pinholes as its
 * table, each where media may be.
 *
 * Owners outlive instances: one that begins to work says who there is, and who is not among these is
 * closed, some with each look. The list is there twice, by turns for each template, so that one that takes
 * over from another opens its pinholes before the other's are closed.
 */
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "nfv_pkt.h"
#include "nfv_tsc.h"

#define A_POLL   32u    /* records that are heard in one */
#define A_LOOK   16u    /* owners that are looked at */
#define LOOKS    10000u /* a second */
#define IDLE_MAX 86400u
#define PORT_MIN 1024u

struct owner {
	uint64_t token; /* in the chain's table; 0: none */
	uint32_t epoch; /* by which the stage knows it */
	uint32_t turn;
};

struct holes {
	struct nfv_pinholes *table;
	struct owner *owner[2];
	uint64_t of[2];    /* their templates */
	uint32_t since[2]; /* turns in which they began */
	uint32_t n;        /* owners of each */
	uint32_t now;      /* which of the two */
	uint32_t turn;     /* of one who says all; the last that was said to its end */
	uint32_t whole;
	uint32_t speaker; /* serial of who has that turn */
	uint32_t live, at;
	uint64_t next, every;
};

int
holes_init(struct nfv_isolated *iso, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	struct holes *h = iso->holes = calloc(1, sizeof(*h));

	if (h == NULL)
		return nfv_fail(err, ENOMEM, "stage %s: out of memory", iso->ops->name);
	h->table = ctx->pinholes;
	h->n = ctx->pinholes->n_owners;
	h->every = ctx->tsc_hz / LOOKS;
	for (int i = 0; i < 2; i++) {
		h->owner[i] = calloc(h->n, sizeof(*h->owner[i]));
		if (h->owner[i] == NULL)
			return nfv_fail(err, ENOMEM, "stage %s: out of memory", iso->ops->name);
	}
	return 0;
}

void
holes_fini(struct nfv_isolated *iso)
{
	if (iso->holes == NULL)
		return;
	free(iso->holes->owner[0]);
	free(iso->holes->owner[1]);
	free(iso->holes);
}

void
holes_instance(struct instance *in, const struct nfv_wire_layout *l)
{
	in->holes = nfv_ring_end(in->shared.at + l->holes, NFV_HOLE_RING);
	in->ended = nfv_ring_end(in->shared.at + l->ended, NFV_HOLE_ENDED);
}

/* --- who owns ------------------------------------------------------------------------------------- */

static void
begin(struct holes *h, const struct instance *in)
{
	h->turn++;
	h->speaker = in->serial;
	if (h->of[h->now] == in->template)
		return;
	h->now ^= 1;
	if (h->of[h->now] == in->template)
		return;
	h->of[h->now] = in->template;
	h->since[h->now] = h->turn;
}

/* Its place in the list; NULL: it has none. */
static struct owner *
place_of(const struct holes *h, uint64_t owner)
{
	uint64_t i = (owner >> 32) - 1;

	return i < h->n ? &h->owner[h->now][i] : NULL;
}

/* Who has been taken in this turn, or said to be there; NULL: nobody. */
static struct owner *
owner_of(const struct holes *h, uint64_t owner)
{
	struct owner *o = place_of(h, owner);

	return o != NULL && o->token != 0 && o->turn == h->turn && o->epoch == (uint32_t)owner ?
		o :
		NULL;
}

static void
let_go(struct holes *h, struct owner *o)
{
	nfv_pinhole_close(h->table, o->token);
	o->token = 0;
	h->live--;
}

static bool
take(struct holes *h, const struct nfv_wire_hole *r, uint64_t now)
{
	struct owner *o = place_of(h, r->owner);

	if (o == NULL || r->idle == 0 || r->idle > IDLE_MAX)
		return false;
	if (o->token != 0 && o->epoch == (uint32_t)r->owner && o->turn >= h->since[h->now] &&
		o->turn < h->turn && nfv_pinhole_lives(h->table, o->token)) {
		o->turn = h->turn;
		return true;
	}
	if (o->token != 0)
		let_go(h, o);
	o->token = nfv_pinhole_owner(h->table, r->idle, now);
	o->epoch = (uint32_t)r->owner;
	o->turn = h->turn;
	h->live += o->token != 0;
	return o->token != 0;
}

/* --- what they open ------------------------------------------------------------------------------- */

/* An address that has media, as it is written here; what it says beyond its family's bytes is nothing. */
static bool
is_address(const struct nfv_addr *in, struct nfv_addr *out)
{
	static const uint8_t none[16];
	uint32_t be;

	if (in->family == NFV_IPV4) {
		memcpy(&be, in->b, sizeof(be));
		*out = nfv_addr4(be);
		return in->b[0] != 0 && in->b[0] != 127 && in->b[0] < 224;
	}
	if (in->family != NFV_IPV6)
		return false;
	*out = nfv_addr6(in->b);
	return in->b[0] != 0xff && memcmp(in->b, none, 15) != 0;
}

static bool
open_one(struct nfv_isolated *iso, const struct nfv_wire_hole *r)
{
	struct holes *h = iso->holes;
	const struct owner *o = owner_of(h, r->owner);
	struct nfv_pinhole hole = { .port = r->hole.port, .proto = r->hole.proto };

	if (o == NULL || hole.proto != NFV_PROTO_UDP || hole.port < PORT_MIN ||
		!is_address(&r->hole.to, &hole.to))
		return false;
	if (r->hole.from.family != NFV_NO_ADDR &&
		(!is_address(&r->hole.from, &hole.from) || hole.from.family != hole.to.family))
		return false;
	if (nfv_pinhole_open(h->table, o->token, &hole) < 0)
		return false;
	iso->stats.pinholes++;
	return true;
}

/* What one record says is done, or counted; false: there is no such record. */
static bool
hear(struct nfv_isolated *iso, const struct instance *in, const struct nfv_wire_hole *r,
	uint64_t now)
{
	struct holes *h = iso->holes;
	struct owner *o;
	bool done = true;

	if (r->kind > NFV_HOLE_END)
		return false;
	if (r->kind == NFV_HOLE_BEGIN && in == iso->cur)
		begin(h, in);
	/* Another one speaks by now, and has said all that this one could. */
	if (h->speaker != in->serial)
		return true;
	switch (r->kind) {
	case NFV_PINHOLE_TAKEN:
		done = take(h, r, now);
		break;
	case NFV_PINHOLE_OPENED:
		done = open_one(iso, r);
		break;
	/* One that has just expired is not known to have. */
	case NFV_PINHOLE_REFRESHED:
		o = owner_of(h, r->owner);
		if (o != NULL)
			nfv_pinhole_refresh(h->table, o->token, now);
		break;
	case NFV_PINHOLE_CLOSED:
		o = owner_of(h, r->owner);
		if (o != NULL)
			let_go(h, o);
		break;
	case NFV_HOLE_END:
		h->whole = h->turn;
		break;
	default:
		break;
	}
	iso->stats.pinholes_refused += !done;
	return true;
}

bool
holes_follow(struct nfv_isolated *iso, struct instance *in)
{
	/* Of one that leaves all is heard at once: it has no second time. */
	uint32_t most = in == iso->cur ? A_POLL : NFV_HOLE_RING / NFV_HOLE_PLACES + 1;
	uint32_t n = nfv_ring_filled(&in->holes, most * NFV_HOLE_PLACES) / NFV_HOLE_PLACES;
	enum nfv_end why = in->holes.bad ? NFV_END_RING : NFV_ENDS;
	uint64_t now = n > 0 ? nfv_tsc() : 0;

	for (uint32_t i = 0; i < n && why == NFV_ENDS; i++) {
		struct nfv_desc d[NFV_HOLE_PLACES];
		struct nfv_wire_hole r;

		for (uint32_t k = 0; k < NFV_HOLE_PLACES; k++)
			d[k] = nfv_ring_read(&in->holes, i * NFV_HOLE_PLACES + k);
		memcpy(&r, d, sizeof(r));
		if (!hear(iso, in, &r, now))
			why = NFV_END_MESSAGE;
	}
	if (n > 0)
		nfv_ring_release(&in->holes, n * NFV_HOLE_PLACES);
	if (why == NFV_ENDS)
		return n < most;
	in->caught = true;
	condemn(iso, in, why);
	return false;
}

/* --- who has gone --------------------------------------------------------------------------------- */

/* The stage learns of owners that have expired; if it has no ear just now, later. */
static void
look_at(struct nfv_isolated *iso, struct owner *o, uint32_t list, uint32_t i)
{
	struct holes *h = iso->holes;
	struct instance *in = iso->cur;

	if (o->token == 0)
		return;
	if (o->turn < h->whole) {
		let_go(h, o);
	} else if (!nfv_pinhole_lives(h->table, o->token) && in != NULL &&
		in->serial == h->speaker && list == h->now && o->turn == h->turn) {
		const struct nfv_desc d = { .index = i + 1, .hash = o->epoch };

		if (nfv_ring_put(&in->ended, &d, 1) == 1)
			let_go(h, o);
		if (in->ended.bad)
			condemn(iso, in, NFV_END_RING);
	}
}

void
holes_look(struct nfv_isolated *iso, uint64_t now)
{
	struct holes *h = iso->holes;

	if (h->live == 0 || now < h->next)
		return;
	h->next = now + h->every;
	for (uint32_t k = 0; k < A_LOOK; k++, h->at = h->at + 1 < 2 * h->n ? h->at + 1 : 0)
		look_at(iso, &h->owner[h->at / h->n][h->at % h->n], h->at / h->n, h->at % h->n);
}
