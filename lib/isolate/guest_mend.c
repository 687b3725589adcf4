/* An instance waits for its turn, and takes it: it goes on with what the one before it has left, mended or put back. */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "nfv_tsc.h"

#define PIECE    ((size_t)64 * NFV_PAGE)
#define KEEPER_S 1
#define SECOND   (1u << 31) /* in nfv_mend_flow.next: of the table of IPv6 */

/* For the manager, who would take a long silence for death. */
static void
beat(void *arg)
{
	struct guest *g = arg;

	atomic_fetch_add_explicit(&g->word->beat, 1, memory_order_relaxed);
}

static bool
next_flow(const struct nfv_mend *mend, struct nfv_mend_flow *f)
{
	struct guest *g = mend->arg;

	for (;;) {
		uint32_t six = f->next & SECOND, at = f->next & ~SECOND;
		const struct nfv_flow_table *t = g->table[six != 0];
		const struct nfv_flow *flow = t != NULL ? nfv_flow_each(t, &at) : NULL;

		f->next = at | six;
		if (flow == NULL && six != 0)
			return false;
		if (flow == NULL) {
			f->next = SECOND;
			continue;
		}
		if (at % 4096 == 0)
			beat(g);
		f->slot = nfv_flow_slot(t, flow);
		f->key = nfv_flow_key_of(t, flow, 0);
		f->family = six != 0 ? 6 : 4;
		return true;
	}
}

static void
drop_flow(const struct nfv_mend *mend, const struct nfv_mend_flow *f)
{
	struct guest *g = mend->arg;
	struct nfv_flow_table *t = g->table[f->family == 6];
	uint32_t at = (f->next & ~SECOND) - 1;

	nfv_flow_del(t, (struct nfv_flow *)(uintptr_t)nfv_flow_each(t, &at));
	g->report.dropped++;
	g->report.kept--;
}

/* Flow tables first, then the stage's own. */
static bool
mend(struct guest *g, uint64_t tsc)
{
	struct nfv_mend m = { .tsc = tsc, .next = next_flow, .drop = drop_flow, .arg = g };
	int rc;

	/* A table of pinholes that is torn is not mended. */
	if (g->ops->mend == NULL || g->holes != NULL)
		return false;
	for (int i = 0; i < 2 && g->table[i] != NULL; i++) {
		struct nfv_flow_mend f = { .now = guest_tick(g, tsc), .beat = beat, .arg = g };

		nfv_flow_mend(g->table[i], &f);
		g->report.kept += f.kept;
		g->report.dropped += f.vain + f.dropped;
	}
	g->mending = true;
	rc = g->ops->mend(g->state, &m);
	g->mending = false;
	return rc == 0;
}

/* Who does the stage's upkeep is not to see it change like this. He looks at `doing` before he begins; if he
 * waits for a disk he has to be done with it at some time. */
static void
await_keeper(struct guest *g)
{
	const struct timespec nap = { .tv_nsec = 50000 };
	uint64_t until = nfv_tsc() + g->told.c.tsc_hz * KEEPER_S;

	while (atomic_load(&g->kept.head->keeping) != 0 && nfv_tsc() < until) {
		beat(g);
		clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
	}
}

/* How it was when the template had started it is older than what is on the disk. */
static _Noreturn void
lose(struct guest *g)
{
	g->report = (struct nfv_wire_state){ .how = NFV_STATE_LOST };
	nfv_wire_send(GUEST_SOCK, NFV_WIRE_STATE, &g->report, sizeof(g->report), NULL, 0, NULL);
	syscall(SYS_exit_group, 0);
	_exit(0);
}

void
guest_take_turn(struct guest *g, bool afresh)
{
	_Atomic uint32_t *doing = &g->kept.head->doing;
	uint32_t was = atomic_load(doing);
	bool stateless = g->ops->state_size == 0 && g->ops->flow_size == 0;
	uint64_t tsc = nfv_tsc();

	nfv_giver_stop(&g->giver); /* whoever was before may have been at it */
	g->report = (struct nfv_wire_state){ .how = NFV_STATE_MENDED };
	if ((was == STATE_NOTHING && !afresh) || stateless) {
		atomic_store(doing, STATE_NOTHING);
		return;
	}
	afresh |= was != STATE_CALL && was != STATE_MEND;
	/* Who dies over mending is followed by one that tries again, until the manager has seen enough. */
	atomic_store(doing, afresh ? STATE_AFRESH : STATE_MEND);
	await_keeper(g);
	if (afresh || !mend(g, tsc)) {
		if (g->on_disk)
			lose(g);
		atomic_store(doing, STATE_AFRESH);
		state_restore(&g->kept);
		g->report = (struct nfv_wire_state){ .how = NFV_STATE_AFRESH };
	}
	atomic_store(doing, STATE_NOTHING);
	g->report.cycles = nfv_tsc() - tsc;
	nfv_wire_send(GUEST_SOCK, NFV_WIRE_STATE, &g->report, sizeof(g->report), NULL, 0, NULL);
}

/* Up to a piece of it from `done` on. The kernel maps what lies around as well, and for writing, since this memory has
 * no file behind it; all of it is there already. */
static size_t
touch(const uint8_t *at, size_t size, size_t done)
{
	size_t end = size - done < PIECE ? size : done + PIECE;

	for (size_t i = done; i < end; i += NFV_PAGE)
		(void)*(const volatile uint8_t *)(at + i);
	return end - done;
}

bool
guest_warm(struct guest *g)
{
	/* Large packets are rare. */
	const struct state_region more[2] = {
		{ .at = g->shared.at,
			.size = g->large != NULL ? (size_t)(g->large - g->shared.at) :
						   g->shared.size },
		{ .at = g->pool.at, .size = g->pool.size },
	};
	size_t at = g->warmed;

	for (uint32_t i = 0; i < g->kept.n + 2; i++) {
		const struct state_region *r =
			i < g->kept.n ? &g->kept.region[i] : &more[i - g->kept.n];

		if (at < r->size) {
			g->warmed += touch(r->at, r->size, at);
			return true;
		}
		at -= r->size;
	}
	return false;
}
