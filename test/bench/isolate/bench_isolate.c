/*
 * What it costs to have a stage in a process of its own, and what becomes of packets when it dies.
 *
 *   bench_isolate PROGRAM [--json] [--seconds S] [--kills N] [--cpu N]
 *
 * PROGRAM is the one that has the stages `noop` and `nat`. 64-byte packets go over a DPDK pool in shared memory
 * to the stage and back, bursts of 32, on one core each side (this one on 0, the stage on --cpu).
 * Rate: a window of packets kept on its way; of the parts of a millisecond, what one in ten exceeds,
 * since on a machine with other work the rest tell how the two were scheduled. Round trip: one packet
 * on its way at a time, from before it is handed over until it is back; median.
 * Kills: SIGKILL at random moments with the window full; every buffer is accounted for at the end,
 * and every packet that comes back is one that was sent, in order.
 * Sessions: SIGKILLs as before, of a NAT that has sessions to keep while others begin: at the end each
 * is asked, both ways, whether it still has the port that it had.
 * Fork to first packet: the live instance and its spare are killed, and a packet waits: from when the control side
 * asks the template for a fork until that packet is back through the instance it gets; median. Pauses are the longest
 * times in which nothing came back. Replacements are bench_replace's.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <rte_mbuf.h>

#include "eal.h"
#include "host.h"
#include "mkpkt.h"
#include "nfv_isolate_pool.h"
#include "nfv_tsc.h"
#include "rig.h"
#include "sessions.h"
#include "stages.h"

#define BUFFERS 4095u
#define STRIDE  2048u
#define WINDOW  512u
#define TRIPS   200000
#define FORKS   101
#define KEPT    1024u /* sessions */

static struct nfv_isolate_pool pool;
static struct nfv_isolated *iso;
static const struct nfv_isolated_stats *stats;
static const char *program;
static int cpu = 1;
static uint64_t hz, wrong, sent;
static uint32_t next_seq, last_seq;
static uint8_t frame[64];
static _Atomic bool control_ends;
static struct sessions sessions = { .n = KEPT };

static double
seconds(uint64_t cycles)
{
	return (double)cycles / (double)hz;
}

static void
start(const struct nfv_stage_ops *ops, enum nfv_on_failure on_failure)
{
	static const char *argv[3];
	struct nfv_stage_ctx ctx = { .chain = "bench",
		.tsc_hz = hz,
		.seed = 1,
		.own = { [NFV_OUTWARD] = sessions_own },
		.n_own = { [NFV_OUTWARD] = 1 } };
	struct nfv_isolated_conf conf = { .ops = ops,
		.ctx = &ctx,
		.flows = 16384,
		.text = sessions_conf,
		.timeouts = { 300, 7440, 240, 60, 600 },
		.argv = argv,
		.cpu = cpu,
		.worker_cpu = 0,
		.ring = 1024,
		.on_failure = on_failure,
		.beat_ms = 5000,
		.progress_ms = 5000 };
	struct nfv_err err;
	struct nfv_burst back[2], origin[2];

	argv[0] = program;
	argv[1] = "stage";
	if (nfv_isolate_pool_init(&pool, "bench", BUFFERS, STRIDE, 256, ops->access == NFV_WRITES,
		    SOCKET_ID_ANY, &err) < 0)
		give_up(err.text);
	conf.pool = nfv_isolate_pool_of(&pool);
	if (nfv_isolated_create(&conf, &iso, &err) < 0)
		give_up(err.text);
	stats = nfv_isolated_stats(iso);
	sent = 0;
	while (!nfv_isolated_live(iso, NULL)) {
		nfv_isolated_collect(iso, back, origin);
		nfv_isolated_control(iso, 1);
	}
}

/* Buffers that are not back. */
static unsigned int
finish(void)
{
	unsigned int lost;

	nfv_isolated_destroy(iso);
	lost = BUFFERS - rte_mempool_avail_count(pool.mp);
	nfv_isolate_pool_fini(&pool);
	return lost;
}

static bool
send_burst(uint16_t n, bool fill)
{
	struct rte_mbuf *m[NFV_BURST_MAX];
	struct nfv_burst b = { .n = n, .dir = NFV_OUTWARD };

	if (rte_pktmbuf_alloc_bulk(pool.mp, m, n) != 0)
		return false;
	for (uint16_t i = 0; i < n; i++) {
		uint8_t *data = rte_pktmbuf_mtod(m[i], uint8_t *);

		if (fill) {
			memcpy(data, frame, sizeof(frame));
			memcpy(data + 44, &next_seq, 4);
			next_seq++;
		}
		b.pkt[i] = (struct nfv_pkt){ .data = data,
			.buf = m[i],
			.len = sizeof(frame),
			.headroom = RTE_PKTMBUF_HEADROOM,
			.tailroom = STRIDE - RTE_PKTMBUF_HEADROOM - sizeof(frame),
			.l3 = 14,
			.l4 = 34,
			.family = 4,
			.proto = NFV_PROTO_UDP };
	}
	nfv_isolated_process(iso, &b);
	sent += n;
	return true;
}

static uint32_t
collect(bool check)
{
	struct nfv_burst back[2], origin[2];
	uint32_t n = nfv_isolated_collect(iso, back, origin);
	struct rte_mbuf *m[NFV_BURST_MAX];

	for (uint16_t i = 0; i < back[0].n; i++) {
		const struct nfv_pkt *p = &back[0].pkt[i];
		uint32_t seq;

		m[i] = p->buf;
		if (!check)
			continue;
		memcpy(&seq, p->data + 44, 4);
		wrong += p->len != sizeof(frame) || memcmp(p->data, frame, 44) != 0 ||
			(int32_t)(seq - last_seq) <= 0;
		last_seq = seq;
	}
	rte_pktmbuf_free_bulk(m, back[0].n);
	return n;
}

static uint64_t
on_way(void)
{
	return sent - stats->returned - stats->swept - stats->full - stats->down;
}

/* What has come back goes there again, as to the next stage of a chain: taking and giving buffers is for ports. */
static void
go_round(void)
{
	struct nfv_burst back[2], origin[2];

	nfv_isolated_collect(iso, back, origin);
	sent += back[0].n;
	nfv_isolated_process(iso, &back[0]);
}

static double
rate(const struct nfv_stage_ops *ops, double s)
{
	uint32_t parts = (uint32_t)(s * 1000), k = 0;
	double *got = calloc(parts, sizeof(*got)), r;

	if (got == NULL)
		give_up("out of memory");
	start(ops, NFV_FAIL_DROP);
	while (on_way() < WINDOW)
		send_burst(NFV_BURST_MAX, true);
	for (; k < parts; k++) {
		uint64_t t0 = nfv_tsc(), t = t0, n = stats->returned;

		while (t - t0 < hz / 1000) {
			for (int i = 0; i < 20; i++)
				go_round();
			t = nfv_tsc();
		}
		got[k] = (double)(stats->returned - n) / seconds(t - t0) / 1e6;
		if (k % 100 == 0)
			nfv_isolated_control(iso, 0);
	}
	qsort(got, parts, sizeof(*got), by_size);
	r = got[parts * 9 / 10];
	free(got);
	while (on_way() > 0)
		collect(false);
	if (finish() > 0)
		give_up("a buffer is lost");
	return r;
}

static double
round_trip(void)
{
	static double took[TRIPS];

	start(&stage_noop, NFV_FAIL_DROP);
	for (int i = 0; i < TRIPS; i++) {
		uint64_t t0 = nfv_tsc();

		send_burst(1, i < (int)BUFFERS);
		while (on_way() > 0)
			collect(false);
		took[i] = seconds(nfv_tsc() - t0) * 1e6;
	}
	finish();
	qsort(took, TRIPS, sizeof(took[0]), by_size);
	return took[TRIPS / 2];
}

static void *
control(void *arg)
{
	(void)arg;
	while (!atomic_load(&control_ends))
		nfv_isolated_control(iso, 1);
	return NULL;
}

struct deaths {
	uint64_t times, lost_buffers, swept;
	double fork_ms, pause_ms;
};

/* Every few hundred microseconds somebody kills the live one. */
static struct deaths
deaths(uint32_t times)
{
	struct deaths d = { 0 };
	pthread_t thread;
	uint64_t last = 0, forks = 0, t, worst = 0;
	double *fork_ns = calloc(times + 8, sizeof(*fork_ns));
	uint32_t n_fork = 0;

	start(&stage_noop, NFV_FAIL_DROP);
	atomic_store(&control_ends, false);
	if (pthread_create(&thread, NULL, control, NULL) != 0)
		give_up("no thread");
	last = nfv_tsc();
	for (uint64_t next = last + hz / 1000; d.times < times;) {
		uint32_t n;
		int pid;

		if (on_way() < WINDOW)
			send_burst(NFV_BURST_MAX, true);
		n = collect(true);
		t = nfv_tsc();
		if (n > 0) {
			worst = t - last > worst ? t - last : worst;
			last = t;
		}
		if (stats->forks != forks) {
			forks = stats->forks;
			if (fork_ns != NULL && n_fork < times + 8)
				fork_ns[n_fork++] = (double)stats->fork_ns / 1e6;
		}
		if (t < next || !nfv_isolated_spare(iso) || !nfv_isolated_live(iso, &pid))
			continue;
		next = t + (uint64_t)random() % (hz / 500);
		d.times += kill(pid, SIGKILL) == 0;
	}
	atomic_store(&control_ends, true);
	pthread_join(thread, NULL);
	while (on_way() > 0) {
		collect(true);
		nfv_isolated_control(iso, 0);
	}
	d.swept = stats->swept;
	if (n_fork > 0) {
		qsort(fork_ns, n_fork, sizeof(*fork_ns), by_size);
		d.fork_ms = fork_ns[n_fork / 2];
	}
	free(fork_ns);
	d.pause_ms = seconds(worst) * 1e3;
	d.lost_buffers = finish();
	return d;
}

/* Whoever lives. */
static void
kill_all(void)
{
	for (int i = 0; i < INSTANCES; i++) {
		const struct instance *in = &iso->slot[i];
		int state = atomic_load(&in->state);

		if ((state == WARM || state == LIVE) && in->pid > 0)
			kill(in->pid, SIGKILL);
	}
}

/* All on this thread, so that nothing but the fork is waited for. */
static double
fork_to_first_packet(void)
{
	static double ms[FORKS];

	start(&stage_noop, NFV_FAIL_HOLD);
	for (int i = 0; i < FORKS; i++) {
		uint64_t back = stats->returned, deadline = nfv_tsc() + 5 * hz;
		int was, is;

		while (!nfv_isolated_live(iso, &was) || !nfv_isolated_spare(iso)) {
			nfv_isolated_control(iso, 1);
			collect(false);
		}
		kill_all();
		while (stats->returned == back) {
			/* Again, should it have been the spare that got it. */
			if (on_way() == 0 && (!nfv_isolated_live(iso, &is) || is != was))
				send_burst(1, true);
			nfv_isolated_control(iso, 0);
			collect(false);
			if (nfv_tsc() > deadline)
				give_up("no instance is forked");
		}
		ms[i] = (double)(host_now() - iso->cur->asked) / 1e6;
	}
	if (finish() > 0)
		give_up("a buffer is lost");
	qsort(ms, FORKS, sizeof(ms[0]), by_size);
	return ms[FORKS / 2];
}

/* --- sessions ------------------------------------------------------------------------------------ */

static void
send_sessions(uint32_t first, enum nfv_dir dir)
{
	const struct nfv_isolated_pool of = nfv_isolate_pool_of(&pool);

	sent += sessions_send(&sessions, iso, &of, first, dir);
}

static uint32_t
collect_sessions(void)
{
	const struct nfv_isolated_pool of = nfv_isolate_pool_of(&pool);

	return sessions_collect(&sessions, iso, &of);
}

/* Each out and back in; how many were answered where they had been before. */
static uint32_t
ask_sessions(void)
{
	sessions_ask(&sessions);
	for (uint32_t i = 0; i < KEPT; i += NFV_BURST_MAX)
		for (int dir = 0; dir < 2; dir++) {
			send_sessions(i, (enum nfv_dir)dir);
			while (on_way() > 0)
				if (collect_sessions() == 0)
					nfv_isolated_control(iso, 0);
		}
	return sessions_kept(&sessions);
}

struct survivors {
	uint64_t kills, kept, mended, afresh, lost_buffers;
	double mend_ms;
};

static struct survivors
survivors(uint32_t times)
{
	struct survivors s = { 0 };
	uint32_t others = KEPT;
	pthread_t thread;

	start(nfv_stage_find("nat"), NFV_FAIL_DROP);
	if (ask_sessions() != KEPT)
		give_up("sessions do not come about");
	atomic_store(&control_ends, false);
	if (pthread_create(&thread, NULL, control, NULL) != 0)
		give_up("no thread");
	for (uint64_t next = nfv_tsc(); s.kills < times;) {
		int pid;

		if (on_way() < WINDOW) {
			send_sessions((uint32_t)random() % KEPT, (enum nfv_dir)(random() % 2));
			others += random() % 8 == 0 ? NFV_BURST_MAX : 0;
			send_sessions(others, NFV_OUTWARD);
		}
		collect_sessions();
		if (nfv_tsc() < next || !nfv_isolated_spare(iso) || !nfv_isolated_live(iso, &pid))
			continue;
		next = nfv_tsc() + (uint64_t)random() % (hz / 500);
		s.kills += kill(pid, SIGKILL) == 0;
	}
	atomic_store(&control_ends, true);
	pthread_join(thread, NULL);
	while (on_way() > 0 || !nfv_isolated_live(iso, NULL) || !nfv_isolated_spare(iso)) {
		collect_sessions();
		nfv_isolated_control(iso, 1);
	}
	s.kept = ask_sessions();
	s.mended = stats->mended;
	s.afresh = stats->afresh;
	s.mend_ms = (double)stats->mend_ns / 1e6;
	s.lost_buffers = finish();
	return s;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
		{ "seconds", required_argument, NULL, 's' },
		{ "kills", required_argument, NULL, 'k' }, { "cpu", required_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 } };
	uint32_t kills = 1000;
	double s = 3, rw, ro, p50, first;
	struct deaths killed;
	struct survivors kept;
	bool json = false;
	struct nfv_pkt p;
	struct mk m;
	int c;

	while ((c = getopt_long(argc, argv, "js:k:c:", options, NULL)) != -1) {
		if (c == 'j')
			json = true;
		else if (c == 's')
			s = strtod(optarg, NULL);
		else if (c == 'k')
			kills = (uint32_t)strtoul(optarg, NULL, 10);
		else if (c == 'c')
			cpu = (int)strtol(optarg, NULL, 10);
		else
			return 2;
	}
	if (optind + 1 != argc)
		return 2;
	program = argv[optind];
	signal(SIGPIPE, SIG_IGN);
	test_eal("256");
	run_on(0);
	hz = rte_get_tsc_hz();
	p = mk_udp(&m, "10.1.0.2", 1000, "10.2.0.2", 2000, "0123456789012345678901", 22);
	memcpy(frame, p.data, sizeof(frame));

	rw = rate(&stage_noop, s);
	ro = rate(&stage_noop_reader, s);
	p50 = round_trip();
	killed = deaths(kills);
	first = fork_to_first_packet();
	kept = survivors(kills);
	printf("round trip         %8.1f M packets/s, %.1f where the stage only reads\n"
	       "                   %8.2f us, median, one packet at a time\n"
	       "fork               %8.2f ms from the request until it waits, %.2f until its first "
	       "packet is back, medians\n"
	       "kills              %8lu survived, %lu buffers lost, %lu packets with them, "
	       "%lu wrong, longest pause %.1f ms\n"
	       "sessions           %8lu of %u kept over %lu kills, %lu wrong; mended %lu times, "
	       "%.2f ms the last one, afresh %lu\n",
		rw, ro, p50, killed.fork_ms, first, (unsigned long)killed.times,
		(unsigned long)killed.lost_buffers, (unsigned long)killed.swept,
		(unsigned long)wrong, killed.pause_ms, (unsigned long)kept.kept, KEPT,
		(unsigned long)kept.kills, (unsigned long)sessions.wrong,
		(unsigned long)kept.mended, kept.mend_ms, (unsigned long)kept.afresh);
	if (json) {
		json_t *o =
			json_pack("{s:f s:f s:f s:f s:f s:I s:I s:I s:I s:f s:I s:I s:I s:I s:f}",
				"roundtrip_mpps", rw, "roundtrip_readonly_mpps", ro,
				"roundtrip_p50_us", p50, "fork_ms", killed.fork_ms,
				"fork_first_packet_ms", first, "kills", (json_int_t)killed.times,
				"kill_lost_buffers", (json_int_t)killed.lost_buffers,
				"kill_lost_packets", (json_int_t)killed.swept, "kill_wrong_packets",
				(json_int_t)wrong, "kill_max_pause_ms", killed.pause_ms, "sessions",
				(json_int_t)KEPT, "sessions_kept", (json_int_t)kept.kept,
				"session_kills", (json_int_t)kept.kills, "mended",
				(json_int_t)kept.mended, "mend_ms", kept.mend_ms);

		json_dumpf(o, stdout, JSON_REAL_PRECISION(6));
		putchar('\n');
		json_decref(o);
	}
	return wrong + sessions.wrong > 0 || killed.lost_buffers > 0 || kept.lost_buffers > 0 ||
		killed.times < kills || kept.kept < KEPT;
}
