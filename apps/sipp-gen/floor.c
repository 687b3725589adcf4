#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_lcore.h>

#include "floor.h"
#include "net.h"

#define TIMES   1000
#define PAYLOAD 500 /* bytes: as of an INVITE */

static struct nfv_prefix
address(uint8_t last)
{
	return (struct nfv_prefix){ { { 192, 0, 2, last }, NFV_IPV4 }, 24 };
}

static int
end(const char *device, uint8_t last, struct net **out, struct nfv_err *err)
{
	struct net_conf c = { .device = device,
		.addr = { address(last) },
		.n_addr = 1,
		.mtu = 1500,
		.descriptors = 256,
		.buffers = 511,
		.socket = (int)rte_socket_id(),
		.tsc_hz = rte_get_tsc_hz() };

	return net_create(&c, out, err);
}

static void
seen(void *ctx, const struct net_datagram *d)
{
	(void)d;
	*(uint64_t *)ctx = rte_rdtsc();
}

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void
exchange(struct net *a, struct net *b, uint64_t took[TIMES])
{
	struct nfv_endpoint to = { address(2).addr, 9 };

	for (int i = 0; i < TIMES; i++) {
		uint64_t begun = rte_rdtsc(), ended = begun;
		char *room = net_begin(a, NFV_IPV4, PAYLOAD);

		if (room != NULL) {
			memset(room, 'x', PAYLOAD);
			net_commit(a, PAYLOAD, 9, &to);
		}
		net_flush(a, begun);
		net_poll(b, begun, seen, &ended);
		net_poll(a, begun, seen, &begun);
		took[i] = ended > begun ? ended - begun : 0;
	}
}

int
floor_measure(uint64_t *ns, struct nfv_err *err)
{
	uint64_t took[TIMES];
	struct net *a = NULL, *b = NULL;
	struct nfv_addr peer = address(2).addr;
	int rc = end("pair:floor:a", 1, &a, err);

	if (rc == 0)
		rc = end("pair:floor:b", 2, &b, err);
	for (int i = 0; i < 100 && rc == 0 && net_reach(a, &peer, rte_rdtsc()) != 0; i++) {
		net_poll(b, rte_rdtsc(), seen, took);
		net_poll(a, rte_rdtsc(), seen, took);
	}
	if (rc == 0) {
		exchange(a, b, took);
		exchange(a, b, took);
		qsort(took, TIMES, sizeof(took[0]), by_value);
		*ns = took[TIMES / 2] * 1000000000 / rte_get_tsc_hz();
	}
	net_destroy(a);
	net_destroy(b);
	return rc < 0 ? nfv_fail_in(err, rc, "measuring this program's own latency") : 0;
}
