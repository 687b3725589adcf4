#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#include "crew.h"

#define REACH_S 5 /* seconds that a peer's neighbour has to answer */
#define ECHO_NS 200000000ull

static volatile sig_atomic_t interrupts;

/* Who sends a signal to a process and then to its group, as timeout(1) does, means it once. */
void
crew_interrupt(void)
{
	static volatile uint64_t last;
	struct timespec t;
	uint64_t now;

	clock_gettime(CLOCK_MONOTONIC, &t);
	now = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	if (interrupts == 0 || now > last + ECHO_NS)
		interrupts++;
	last = now;
}

unsigned int
crew_interrupts(void)
{
	return (unsigned int)interrupts;
}

bool
crew_interrupted(void)
{
	return interrupts > 0;
}

void
crew_abandon(void)
{
	interrupts += 2;
}

int
crew_place(struct crew *c, const struct options *o, struct crew_member *first, size_t step,
	struct nfv_err *err)
{
	unsigned int next = 0;

	for (c->n = 0; c->n < o->roles; c->n++) {
		struct crew_member *m = (struct crew_member *)((char *)first + c->n * step);
		int asked = o->role[c->n].lcore;

		if (asked < 0) {
			while (next < RTE_MAX_LCORE && !rte_lcore_is_enabled(next))
				next++;
			asked = (int)next++;
		}
		if (asked >= RTE_MAX_LCORE || !rte_lcore_is_enabled((unsigned int)asked))
			return nfv_fail(err, EINVAL,
				"role %u has no lcore; start with -l naming one for each role",
				c->n + 1);
		for (uint32_t k = 0; k < c->n; k++)
			if (c->member[k]->lcore == (unsigned int)asked)
				return nfv_fail(
					err, EINVAL, "lcore %d is given to two roles", asked);
		m->role = &o->role[c->n];
		m->lcore = (unsigned int)asked;
		c->member[c->n] = m;
	}
	return 0;
}

int
crew_self(const struct crew *c)
{
	for (uint32_t i = 0; i < c->n; i++)
		if (c->member[i]->lcore == rte_lcore_id())
			return (int)i;
	return -1;
}

static void
nobody(void *ctx, const struct net_datagram *d)
{
	(void)ctx;
	(void)d;
}

int
crew_reach(struct crew_member *m)
{
	uint64_t hz = rte_get_tsc_hz(), end = rte_rdtsc() + REACH_S * hz, tick = 0;
	int rc;

	while ((rc = net_reach(m->net, &m->role->remote.addr, rte_rdtsc())) == -EINPROGRESS) {
		uint64_t now = rte_rdtsc();

		if (crew_interrupted())
			return 0;
		if (now > end)
			return -EHOSTUNREACH;
		net_poll(m->net, now, nobody, NULL);
		if (now > tick) {
			net_tick(m->net, now);
			tick = now + hz / 1000;
		}
	}
	return rc;
}

static int
complain(const struct crew_member *m, uint32_t i, int rc, struct nfv_err *err)
{
	char text[NFV_ADDR_TEXT];

	if (m->err.text[0] != '\0')
		return nfv_fail(err, -rc, "role %u: %s", i + 1, m->err.text);
	return nfv_fail(err, -rc, "role %u: %s is not there: %s", i + 1,
		nfv_addr_text(&m->role->remote.addr, text),
		rc == -ENETUNREACH             ? "no route leads to it; give --gateway" :
			m->role->plain != NULL ? "nobody answers for it; or say where to: "
						 "--dst-mac" :
						 "nobody answers for it on the network of this "
						 "port");
}

bool
crew_ready(const struct crew *c, int *rc, struct nfv_err *err)
{
	for (uint32_t i = 0; i < c->n; i++) {
		int state = atomic_load(&c->member[i]->state);

		if (state == CREW_STARTING)
			return false;
		if (state < 0 && *rc == 0)
			*rc = complain(c->member[i], i, state, err);
	}
	return true;
}

int
crew_go(int (*work)(void *), void *(*control)(void *), void *ctx, struct nfv_err *err)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, control, ctx) != 0)
		return nfv_fail(err, EAGAIN, "no thread can be made");
	rte_eal_mp_remote_launch(work, ctx, CALL_MAIN);
	rte_eal_mp_wait_lcore();
	pthread_join(thread, NULL);
	return 0;
}
