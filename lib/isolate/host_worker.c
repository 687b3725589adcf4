/*
 * The worker's side of all instances of a stage: which of them bursts go to and are taken from, and what becomes of
 * packets while there is none.
 */
#include <stdlib.h>

#include "host.h"
#include "nfv_tsc.h"

/* It is on its way out, and what it has put out until now is still to be taken before anything newer,
 * so that no packet overtakes another. */
static bool
leaves(const struct instance *in, int state)
{
	return state == DRAINING || state == GIVING ||
		((state == CONDEMNED || state == DEAD) && !in->caught);
}

static void
hold(struct nfv_isolated *iso, const struct nfv_burst *b)
{
	for (uint16_t i = 0; i < b->n; i++) {
		if (iso->held_head - iso->held_tail == HELD * iso->ring) {
			iso->stats.down++;
			give_one(iso, b->pkt[i].buf);
			continue;
		}
		iso->held[iso->held_head++ & (HELD * iso->ring - 1)] =
			(struct held){ b->pkt[i], b->dir };
		iso->stats.held++;
	}
}

/* One by one, since they are few and may be of either direction; as many as there is room for. */
static void
release(struct nfv_isolated *iso)
{
	const struct flights *f = &iso->cur->on_way;

	for (; iso->held_tail != iso->held_head && f->head - f->tail < f->size; iso->held_tail++) {
		const struct held *h = &iso->held[iso->held_tail & (HELD * iso->ring - 1)];

		path_hand(iso, iso->cur, &h->pkt, 1, h->dir);
	}
}

static void
order(struct instance *in, enum nfv_wire_order what)
{
	struct nfv_wire_shared *word = (struct nfv_wire_shared *)in->shared.at;

	atomic_store_explicit(&word->order, what, memory_order_release);
}

/* The instance in use, and since when there is none. */
static void
use(struct nfv_isolated *iso, struct instance *in)
{
	uint64_t now = nfv_tsc();

	if (in == NULL && iso->cur != NULL)
		iso->down_since = now;
	if (in != NULL && iso->cur == NULL && iso->down_since > 0 &&
		now - iso->down_since > iso->stats.pause_tsc)
		iso->stats.pause_tsc = now - iso->down_since;
	iso->cur = in;
	atomic_store(&iso->shown, in);
}

/* The one whose state `cur` took over works again, if it is still there. */
static struct instance *
fall_back(struct nfv_isolated *iso)
{
	struct instance *in = iso->giver;

	iso->giver = NULL;
	for (int from = GIVING; in != NULL && from <= PARKED; from++) {
		int was = from;

		if (!atomic_compare_exchange_strong(&in->state, &was, LIVE))
			continue;
		order(in, NFV_WIRE_WORK);
		return in;
	}
	return NULL;
}

/* The live one gets word that nothing follows; packets wait until its heir has all of its state. */
static void
give_over(struct nfv_isolated *iso, struct instance *heir)
{
	int live = LIVE, offered = OFFERED;

	/* Whoever offered it sees to it that there is one, or nothing comes of this. */
	if (iso->cur == NULL || !atomic_compare_exchange_strong(&heir->state, &offered, TAKING))
		return;
	order(iso->cur, NFV_WIRE_LAST);
	atomic_compare_exchange_strong(&iso->cur->state, &live, GIVING);
	iso->giver = iso->cur;
	iso->given_since = nfv_tsc();
	use(iso, heir);
	path_feed(iso, heir);
}

/* Whether the heir has all. */
static void
see_taken(struct nfv_isolated *iso)
{
	const struct nfv_wire_shared *word = (const struct nfv_wire_shared *)iso->cur->shared.at;
	int taking = TAKING;

	if (atomic_load_explicit(&word->taken, memory_order_acquire) == 0 ||
		!atomic_compare_exchange_strong(&iso->cur->state, &taking, LIVE))
		return;
	iso->stats.switch_tsc = nfv_tsc() - iso->given_since;
	if (iso->stats.switch_tsc > iso->stats.switch_most_tsc)
		iso->stats.switch_most_tsc = iso->stats.switch_tsc;
}

/* States have changed: leave what is condemned, sweep what is dead, take what is offered. */
static void
attend(struct nfv_isolated *iso)
{
	struct instance *in;

	atomic_store(&iso->attention, 0);
	if (iso->cur != NULL && atomic_load(&iso->cur->state) >= CONDEMNED)
		use(iso, fall_back(iso));
	in = atomic_exchange(&iso->next, NULL);
	if (in != NULL && in->heir) {
		give_over(iso, in);
	} else if (in != NULL) {
		int offered = OFFERED, live = LIVE;

		if (iso->cur != NULL)
			atomic_compare_exchange_strong(&iso->cur->state, &live, DRAINING);
		if (atomic_compare_exchange_strong(&in->state, &offered, LIVE)) {
			use(iso, in);
			path_feed(iso, in);
		}
	}
	iso->others = 0;
	for (int i = 0; i < INSTANCES; i++) {
		int state = atomic_load(&iso->slot[i].state);

		iso->others += state == DEAD || leaves(&iso->slot[i], state);
	}
}

/* Instances that leave: what they have put out is still taken, once; then they are done. */
static uint32_t
collect_others(struct nfv_isolated *iso, struct nfv_burst back[2], struct nfv_burst origin[2])
{
	uint32_t n = 0;

	for (int i = 0; i < INSTANCES; i++) {
		struct instance *in = &iso->slot[i];
		int state = atomic_load(&in->state);
		uint32_t k;

		if (state != DEAD && !leaves(in, state))
			continue;
		k = path_collect(iso, in, back, origin);
		n += k;
		if (k > 0)
			continue;
		if (state == GIVING) { /* until its last packet is back, and its state taken */
			if (flights_first(&in->on_way) != NULL || iso->cur == NULL ||
				atomic_load(&iso->cur->state) != LIVE)
				continue;
			atomic_compare_exchange_strong(&in->state, &state, PARKED);
			atomic_store(&iso->attention, 1);
			continue;
		}
		if (state != DRAINING)
			in->caught = true;
		if (state == DEAD) {
			path_sweep(iso, in);
			atomic_store(&in->state, SWEPT);
		} else if (state == DRAINING && flights_first(&in->on_way) == NULL) {
			/* The next one waits for the state to be its own. */
			order(in, NFV_WIRE_LEAVE);
			atomic_compare_exchange_strong(&in->state, &state, DRAINED);
		} else if (state == DRAINING) {
			continue;
		}
		atomic_store(&iso->attention, 1);
	}
	return n;
}

static bool
draining(const struct nfv_isolated *iso)
{
	for (int i = 0; i < INSTANCES; i++)
		if (leaves(&iso->slot[i], atomic_load(&iso->slot[i].state)))
			return true;
	return false;
}

void
nfv_isolated_process(struct nfv_isolated *iso, struct nfv_burst *b)
{
	if (__builtin_expect(atomic_load_explicit(&iso->attention, memory_order_acquire), 0))
		attend(iso);
	if (__builtin_expect(iso->cur != NULL && iso->held_head == iso->held_tail &&
			    (iso->others == 0 || !draining(iso)),
		    1)) {
		path_hand(iso, iso->cur, b->pkt, b->n, b->dir);
	} else if (iso->cur != NULL || iso->on_failure == NFV_FAIL_HOLD) {
		hold(iso, b);
	} else if (iso->on_failure == NFV_FAIL_BYPASS) {
		iso->stats.bypassed += b->n;
		return;
	} else {
		iso->stats.down += b->n;
		for (uint16_t i = 0; i < b->n; i++)
			give_one(iso, b->pkt[i].buf);
	}
	b->n = 0;
}

uint32_t
nfv_isolated_collect(struct nfv_isolated *iso, struct nfv_burst back[2], struct nfv_burst origin[2])
{
	uint64_t now = nfv_tsc();
	uint32_t n = 0;

	for (int dir = 0; dir < 2; dir++) {
		back[dir].n = origin[dir].n = 0;
		back[dir].dir = origin[dir].dir = (enum nfv_dir)dir;
		back[dir].tsc = origin[dir].tsc = now;
	}
	atomic_store_explicit(&iso->polls,
		atomic_load_explicit(&iso->polls, memory_order_relaxed) + 1, memory_order_relaxed);
	if (__builtin_expect(atomic_load_explicit(&iso->attention, memory_order_acquire), 0))
		attend(iso);
	if (__builtin_expect(iso->others > 0, 0)) {
		if (iso->cur != NULL && atomic_load(&iso->cur->state) == TAKING)
			see_taken(iso);
		n = collect_others(iso, back, origin);
	}
	if (__builtin_expect(iso->holes != NULL, 0))
		holes_look(iso, now);
	if (iso->cur == NULL)
		return n;
	if (__builtin_expect(iso->held_tail != iso->held_head, 0) && !draining(iso))
		release(iso);
	n += path_collect(iso, iso->cur, back, origin);
	path_feed(iso, iso->cur);
	return n;
}

void
worker_fini(struct nfv_isolated *iso)
{
	for (; iso->held != NULL && iso->held_tail != iso->held_head; iso->held_tail++)
		give_one(iso, iso->held[iso->held_tail & (HELD * iso->ring - 1)].pkt.buf);
	for (int i = 0; i < INSTANCES; i++) {
		path_sweep(iso, &iso->slot[i]);
		free(iso->slot[i].on_way.at);
		free(iso->slot[i].given.at);
	}
	free(iso->held);
}
