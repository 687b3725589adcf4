/*
 * How long a stage in a container takes to its first packet.
 *
 *   bench_container [--json] SOCKET COMMAND…
 *
 * COMMAND starts a container whose nfv-stage connects to SOCKET (scripts/bench-isolation --containers). Cold:
 * from before COMMAND until the first packet has been through NAT there and is back. Spare: from SIGKILL to
 * the process that works until a packet has been through the one that waited beside it; median of 21.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>
#include <rte_mbuf.h>

#include "eal.h"
#include "mkpkt.h"
#include "nfv_isolate_pool.h"
#include "nfv_tsc.h"

#define BUFFERS 2047u
#define STRIDE  2048u
#define KILLS   21

static struct nfv_isolate_pool pool;
static struct nfv_isolated *iso;
static const struct nfv_isolated_stats *stats;

static void
give_up(const char *why)
{
	fprintf(stderr, "bench: %s\n", why);
	exit(1);
}

/* The command, once the door is open, and in *t0 when. */
static pid_t
start(char **command, const char *socket, uint64_t *t0)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	while (access(socket, F_OK) != 0)
		usleep(100);
	*t0 = nfv_tsc();
	dup2(STDERR_FILENO, STDOUT_FILENO); /* standard output is for figures */
	execvp(command[0], command);
	perror(command[0]);
	_exit(127);
}

static void
send_one(void)
{
	struct nfv_burst b = { .n = 1, .dir = NFV_OUTWARD, .tsc = nfv_tsc() };
	struct rte_mbuf *buf = rte_pktmbuf_alloc(pool.mp);
	struct nfv_pkt p;
	struct mk m;

	if (buf == NULL)
		give_up("no buffer");
	p = mk_udp(&m, "10.1.0.2", 1000, "10.9.0.2", 2000, "0123456789", 10);
	memcpy(rte_pktmbuf_mtod(buf, void *), p.data, p.len);
	b.pkt[0] = p;
	b.pkt[0].data = rte_pktmbuf_mtod(buf, uint8_t *);
	b.pkt[0].buf = buf;
	b.pkt[0].headroom = RTE_PKTMBUF_HEADROOM;
	b.pkt[0].tailroom = (uint16_t)(STRIDE - RTE_PKTMBUF_HEADROOM - p.len);
	nfv_isolated_process(iso, &b);
}

static void
collect(void)
{
	struct nfv_burst back[2], origin[2];

	nfv_isolated_collect(iso, back, origin);
	for (int dir = 0; dir < 2; dir++)
		for (uint16_t i = 0; i < back[dir].n; i++)
			rte_pktmbuf_free(back[dir].pkt[i].buf);
}

/* Until a packet has come back, which may have to be sent again. */
static uint64_t
first_packet(void)
{
	uint64_t back = stats->returned, gone = stats->swept;

	send_one();
	while (stats->returned == back) {
		nfv_isolated_control(iso, 0);
		collect();
		if (stats->swept > gone) {
			gone = stats->swept;
			send_one();
		}
	}
	return nfv_tsc();
}

static int
by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static double
kill_and_go_on(double hz)
{
	double ms[KILLS];

	for (int i = 0; i < KILLS; i++) {
		uint64_t t0;
		int pid;

		while (!nfv_isolated_spare(iso) || !nfv_isolated_live(iso, &pid)) {
			nfv_isolated_control(iso, 1);
			collect();
		}
		t0 = nfv_tsc();
		if (kill(pid, SIGKILL) < 0)
			give_up("it cannot be killed");
		ms[i] = (double)(first_packet() - t0) * 1e3 / hz;
	}
	qsort(ms, KILLS, sizeof(ms[0]), by_size);
	return ms[KILLS / 2];
}

int
main(int argc, char **argv)
{
	static const struct nfv_prefix outside = { { { 10, 2, 0, 1 }, NFV_IPV4 }, 24 };
	struct nfv_stage_ctx ctx = { .chain = "bench", .seed = 1 };
	struct nfv_isolated_conf conf = { .ctx = &ctx,
		.file = "bench.yaml",
		.text = "nat: {addresses: [10.2.0.1], ports: 10000-65535}\n",
		.flows = 1024,
		.timeouts = { 300, 7440, 240, 60, 600 },
		.cpu = -1,
		.worker_cpu = -1,
		.ring = 1024,
		.idle_us = 50,
		.on_failure = NFV_FAIL_HOLD };
	bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
	uint64_t *t0 =
		mmap(NULL, sizeof(*t0), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct nfv_err err;
	double cold, spare, hz;
	pid_t command;

	argv += 1 + json;
	if (argc < 3 + json || t0 == MAP_FAILED)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	test_eal("256");
	hz = (double)rte_get_tsc_hz();
	ctx.tsc_hz = rte_get_tsc_hz();
	ctx.own[NFV_OUTWARD] = &outside;
	ctx.n_own[NFV_OUTWARD] = 1;
	conf.ops = nfv_stage_find("nat");
	conf.socket = argv[0];
	if (nfv_isolate_pool_init(&pool, "bench", BUFFERS, STRIDE, 0, true, SOCKET_ID_ANY, &err) <
		0)
		give_up(err.text);
	conf.pool = nfv_isolate_pool_of(&pool);
	command = start(argv + 1, conf.socket, t0);
	if (nfv_isolated_create(&conf, &iso, &err) < 0)
		give_up(err.text);
	stats = nfv_isolated_stats(iso);
	cold = (double)(first_packet() - *t0) * 1e3 / hz;
	spare = kill_and_go_on(hz);
	nfv_isolated_destroy(iso);
	waitpid(command, NULL, 0);
	printf("container          %8.1f ms from nothing to its first packet, %.2f ms from its spare\n",
		cold, spare);
	if (json) {
		json_t *o = json_pack(
			"{s:f s:f}", "container_cold_ms", cold, "container_spare_ms", spare);

		json_dumpf(o, stdout, JSON_REAL_PRECISION(6));
		putchar('\n');
		json_decref(o);
	}
	return rte_mempool_avail_count(pool.mp) == BUFFERS ? 0 : 1;
}
