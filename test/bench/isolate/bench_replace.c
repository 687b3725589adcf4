/*
 * How long packets wait while a stage is replaced by another version of it.
 *
 *   bench_replace PROGRAM DIR [--json] [--times N] [--rate PPS]
 *
 * PROGRAM is the one that maps objects, DIR the folder with object_tally_1_0.so and object_tally_2_0.so.
 * Packets of so many flows, 1000 to 65,000, go to the stage and back at a given rate, in turn, from one thread,
 * while another looks after the processes and replaces the one version by the other. Every packet comes back
 * once, those of each flow in order. A pause is the time from the last packet handed to the old version
 * until the first may go to the new one; the worst gap is what is seen between two packets that come back.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <jansson.h>
#include <rte_mbuf.h>

#include "eal.h"
#include "mkpkt.h"
#include "nfv_isolate_pool.h"
#include "nfv_tsc.h"

#define BUFFERS  8191u
#define STRIDE   2048u
#define TIMES    1000u
#define WINDOW   512u
#define OBJECTS  2
#define SEALS    (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define SEQ_AT   44
#define SPORT_AT 34

static const char *const drops[] = { "asked", NULL };
static struct nfv_stage_ops tally = { .name = "tally", .access = NFV_WRITES, .drops = drops };

static struct nfv_isolate_pool pool;
static struct nfv_isolated *iso;
static const struct nfv_isolated_stats *stats;
static struct nfv_object_file object[OBJECTS];
static const char *program;
static uint64_t hz, sent, back_n, wrong;
static uint32_t next_seq, last_seq, flows;
static uint8_t frame[64];
static _Atomic bool control_ends;
static _Atomic uint32_t asked;

static void
give_up(const char *why)
{
	fprintf(stderr, "bench: %s\n", why);
	exit(1);
}

/* As nfv_object_open would have it, but from the build's own folder. */
static void
load(const char *dir, const char *name, struct nfv_object_file *f)
{
	char path[4096], buf[65536];
	ssize_t n;
	int from;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	from = open(path, O_RDONLY | O_CLOEXEC);
	f->fd = memfd_create("object", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (from < 0 || f->fd < 0)
		give_up(path);
	while ((n = read(from, buf, sizeof(buf))) > 0)
		if (write(f->fd, buf, (size_t)n) != n)
			give_up(path);
	close(from);
	if (fcntl(f->fd, F_ADD_SEALS, SEALS) < 0)
		give_up("an object is not sealed");
}

static void
start(void)
{
	static const char *argv[] = { NULL, "--fd", "3", NULL };
	struct nfv_stage_ctx ctx = { .chain = "bench", .tsc_hz = hz, .seed = 1 };
	struct nfv_isolated_conf conf = { .ops = &tally,
		.ctx = &ctx,
		.flows = 1u << 17,
		.timeouts = { 300, 7440, 240, 60, 600 },
		.argv = argv,
		.object = &object[0],
		.cpu = -1,
		.ring = 1024,
		.beat_ms = 5000,
		.progress_ms = 5000,
		.probation_ms = 20 };
	struct nfv_burst back[2], origin[2];
	struct nfv_err err;

	argv[0] = program;
	if (nfv_isolate_pool_init(&pool, "bench", BUFFERS, STRIDE, 256, true, SOCKET_ID_ANY, &err) <
		0)
		give_up(err.text);
	conf.pool = nfv_isolate_pool_of(&pool);
	if (nfv_isolated_create(&conf, &iso, &err) < 0)
		give_up(err.text);
	stats = nfv_isolated_stats(iso);
	while (!nfv_isolated_live(iso, NULL)) {
		nfv_isolated_collect(iso, back, origin);
		nfv_isolated_control(iso, 1);
	}
}

static bool
send_burst(uint16_t n)
{
	struct rte_mbuf *m[NFV_BURST_MAX];
	struct nfv_burst b = { .n = n, .dir = NFV_OUTWARD };

	if (rte_pktmbuf_alloc_bulk(pool.mp, m, n) != 0)
		return false;
	for (uint16_t i = 0; i < n; i++) {
		uint8_t *data = rte_pktmbuf_mtod(m[i], uint8_t *);
		uint16_t port = (uint16_t)(next_seq % flows);

		memcpy(data, frame, sizeof(frame));
		memcpy(data + SPORT_AT, &port, 2);
		memcpy(data + SEQ_AT, &next_seq, 4);
		next_seq++;
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
collect(void)
{
	struct nfv_burst back[2], origin[2];
	uint32_t n = nfv_isolated_collect(iso, back, origin);
	struct rte_mbuf *m[NFV_BURST_MAX];

	for (uint16_t i = 0; i < back[0].n; i++) {
		uint32_t seq;

		m[i] = back[0].pkt[i].buf;
		memcpy(&seq, back[0].pkt[i].data + SEQ_AT, 4);
		wrong += (int32_t)(seq - last_seq) <= 0;
		last_seq = seq;
	}
	rte_pktmbuf_free_bulk(m, back[0].n);
	back_n += n;
	return n;
}

static void *
control(void *arg)
{
	struct nfv_err err = { "" };

	(void)arg;
	while (!atomic_load(&control_ends)) {
		nfv_isolated_control(iso, 1);
		if (nfv_isolated_swap(iso) == NFV_SWAP_NONE && nfv_isolated_spare(iso) &&
			stats->replaced == atomic_load(&asked) - 1) {
			const struct nfv_isolated_version v = { .object = &object[1] };

			if (nfv_isolated_replace_by(iso, &v, &err) < 0)
				fprintf(stderr, "bench: %s\n", err.text);
		}
	}
	return NULL;
}

static int
by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

struct result {
	uint32_t times;
	uint64_t lost, lost_buffers, flows_refused;
	double median_ms, worst_ms, gap_ms;
};

static struct result
measure(uint32_t times, double rate)
{
	static uint64_t took[TIMES];
	struct result r = { 0 };
	pthread_t thread;
	uint64_t last, worst = 0, begun;
	uint32_t median;

	start();
	sent = back_n = 0;
	next_seq = 1;
	last_seq = 0;
	atomic_store(&asked, 0);
	atomic_store(&control_ends, false);
	if (pthread_create(&thread, NULL, control, NULL) != 0)
		give_up("no thread");
	begun = last = nfv_tsc();
	while (r.times < times) {
		uint64_t t = nfv_tsc();

		/* Never more than the ring has places for: what is lost then is lost by replacing. */
		if (sent - back_n < WINDOW &&
			(double)(t - begun) / (double)hz * rate > (double)sent)
			send_burst(16);
		if (collect() > 0) {
			worst = t - last > worst && sent > flows ? t - last : worst;
			last = t;
		}
		/* Not before all flows are there. */
		if (atomic_load(&asked) == 0 && sent > flows)
			atomic_store(&asked, 1), worst = 0;
		if (atomic_load(&asked) > r.times && stats->replaced > r.times) {
			took[r.times++] = stats->switch_tsc;
			atomic_store(&asked, r.times + 1);
		}
	}
	atomic_store(&control_ends, true);
	pthread_join(thread, NULL);
	while (back_n < sent - stats->down - stats->full - stats->swept) {
		collect();
		nfv_isolated_control(iso, 0);
	}
	qsort(took, times, sizeof(took[0]), by_size);
	median = times / 2;
	r.median_ms = (double)took[median] * 1e3 / (double)hz;
	r.worst_ms = (double)took[times - 1] * 1e3 / (double)hz;
	r.gap_ms = (double)worst * 1e3 / (double)hz;
	r.lost = stats->down + stats->full + stats->swept;
	r.flows_refused = stats->flows_refused;
	nfv_isolated_destroy(iso);
	r.lost_buffers = BUFFERS - rte_mempool_avail_count(pool.mp);
	nfv_isolate_pool_fini(&pool);
	return r;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
		{ "times", required_argument, NULL, 'n' }, { "rate", required_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 } };
	static const uint32_t many[] = { 1000, 10000, 65000 };
	uint32_t times = 50;
	double rate = 200000;
	uint64_t bad = 0;
	bool json = false;
	json_t *all = json_array();
	struct nfv_pkt p;
	struct mk m;
	int c;

	while ((c = getopt_long(argc, argv, "jn:r:", options, NULL)) != -1) {
		if (c == 'j')
			json = true;
		else if (c == 'n')
			times = (uint32_t)strtoul(optarg, NULL, 10);
		else if (c == 'r')
			rate = strtod(optarg, NULL);
		else
			return 2;
	}
	if (optind + 2 != argc || times == 0 || times > TIMES)
		return 2;
	program = argv[optind];
	load(argv[optind + 1], "libobject_tally_1_0.so", &object[0]);
	load(argv[optind + 1], "libobject_tally_2_0.so", &object[1]);
	signal(SIGPIPE, SIG_IGN);
	test_eal("256");
	hz = rte_get_tsc_hz();
	p = mk_udp(&m, "10.1.0.2", 1000, "10.2.0.2", 2000, "0123456789012345678901", 22);
	memcpy(frame, p.data, sizeof(frame));

	for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++) {
		struct result r;

		flows = many[i];
		r = measure(times, rate);
		bad += r.lost + r.lost_buffers + r.flows_refused + wrong;
		printf("%6u flows %8u replacements: packets waited %.3f ms, median, %.3f ms at most; "
		       "%.1f ms the worst gap; %lu packets, %lu buffers, %lu flows lost, %lu out of "
		       "order\n",
			flows, r.times, r.median_ms, r.worst_ms, r.gap_ms, (unsigned long)r.lost,
			(unsigned long)r.lost_buffers, (unsigned long)r.flows_refused,
			(unsigned long)wrong);
		fflush(stdout);
		json_array_append_new(all,
			json_pack("{s:I s:I s:f s:f s:f s:I}", "flows", (json_int_t)flows,
				"replacements", (json_int_t)r.times, "pause_median_ms", r.median_ms,
				"pause_max_ms", r.worst_ms, "gap_max_ms", r.gap_ms, "lost_packets",
				(json_int_t)r.lost));
	}
	if (json) {
		json_dumpf(all, stdout, JSON_REAL_PRECISION(6));
		putchar('\n');
	}
	json_decref(all);
	return bad > 0;
}
