#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pcap/pcap.h>
#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "compat.h"
#include "nfv_tap.h"

#define RING    2048u /* packets that may wait for the writer */
#define SNAPLEN 65535

struct nfv_tap {
	struct bpf_program filter; /* no instructions: everything */
	rte_pcapng_t *file;
	struct rte_ring *ring;
	struct rte_mempool *pool;
	uint16_t port, snaplen;
	uint64_t matched, lost;   /* the workers' */
	uint64_t written, failed; /* the control thread's */
};

static int
compile(const char *filter, struct bpf_program *out, struct nfv_err *err)
{
	pcap_t *pc = pcap_open_dead(DLT_EN10MB, SNAPLEN);
	int rc = 0;

	if (pc == NULL)
		return nfv_fail(err, ENOMEM, "capture: out of memory");
	if (pcap_compile(pc, out, filter, 1, PCAP_NETMASK_UNKNOWN) < 0)
		rc = nfv_fail(err, EINVAL, "capture filter \"%s\": %s", filter, pcap_geterr(pc));
	pcap_close(pc);
	return rc;
}

int
nfv_tap_check_filter(const char *filter, struct nfv_err *err)
{
	struct bpf_program prog;
	int rc = compile(filter, &prog, err);

	if (rc == 0)
		pcap_freecode(&prog);
	return rc;
}

static int
open_file(struct nfv_tap *t, const struct nfv_tap_conf *conf, struct nfv_err *err)
{
	int fd = open(conf->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		return nfv_fail(err, errno, "capture: %s cannot be written: %s", conf->file,
			strerror(errno));
	t->file = rte_pcapng_fdopen(fd, NULL, NULL, "nfv-pipeline", conf->comment);
	if (t->file == NULL) {
		close(fd);
		return nfv_fail(err, EIO, "capture: %s cannot be written", conf->file);
	}
	if (compat_pcapng_interface(t->file, t->port, conf->filter) < 0)
		return nfv_fail(err, EIO, "capture: port %u cannot be described in %s", t->port,
			conf->file);
	return 0;
}

int
nfv_tap_open(const struct nfv_tap_conf *conf, struct nfv_tap **out, struct nfv_err *err)
{
	static unsigned int serial; /* names in DPDK are global; taps open on the control thread */
	struct nfv_tap *t = calloc(1, sizeof(*t));
	uint32_t room = rte_pcapng_mbuf_size(conf->snaplen);
	uint32_t excess =
		room > UINT16_MAX ? room - UINT16_MAX : 0; /* buffers' lengths are 16 bits */
	char name[RTE_RING_NAMESIZE];
	int rc = 0;

	if (t == NULL)
		return nfv_fail(err, ENOMEM, "capture: out of memory");
	t->port = conf->port;
	t->snaplen = (uint16_t)(conf->snaplen - excess);
	if (conf->filter != NULL && conf->filter[0] != '\0')
		rc = compile(conf->filter, &t->filter, err);
	if (rc == 0)
		rc = open_file(t, conf, err);
	if (rc < 0)
		goto fail;
	snprintf(name, sizeof(name), "tap%u", serial++);
	t->ring = rte_ring_create(name, RING, conf->socket, RING_F_SC_DEQ);
	t->pool = rte_pktmbuf_pool_create(
		name, 2 * RING - 1, 64, 0, (uint16_t)(room - excess), conf->socket);
	if (t->ring == NULL || t->pool == NULL) {
		rc = nfv_fail(err, ENOMEM,
			"capture: no memory for %u packets of %u bytes; give the process more (-m)",
			RING, t->snaplen);
		goto fail;
	}
	*out = t;
	return 0;
fail:
	nfv_tap_close(t);
	return rc;
}

static void
count(uint64_t *n)
{
	__atomic_fetch_add(n, 1, __ATOMIC_RELAXED);
}

void
nfv_tap_burst(struct nfv_tap *t, const struct nfv_pkt *pkt, unsigned int n, enum nfv_dir dir)
{
	uint64_t now = rte_rdtsc();

	for (unsigned int i = 0; i < n; i++) {
		const struct nfv_pkt *p = &pkt[i];
		struct rte_mbuf *m = p->buf, *copy;

		if (t->filter.bf_len > 0 &&
			bpf_filter(t->filter.bf_insns, p->data, p->len, p->len) == 0)
			continue;
		count(&t->matched);
		m->data_off = (uint16_t)(p->data - (uint8_t *)m->buf_addr);
		m->data_len = p->len;
		m->pkt_len = p->len;
		copy = compat_pcapng_copy(t->port, m, t->pool, t->snaplen, now,
			dir == NFV_OUTWARD ? RTE_PCAPNG_DIRECTION_OUT : RTE_PCAPNG_DIRECTION_IN);
		if (copy != NULL && rte_ring_enqueue(t->ring, copy) == 0)
			continue;
		rte_pktmbuf_free(copy);
		count(&t->lost);
	}
}

int
nfv_tap_drain(struct nfv_tap *t)
{
	struct rte_mbuf *m[32];
	unsigned int n;
	int rc = 0;

	while ((n = rte_ring_dequeue_burst(t->ring, (void **)m, 32, NULL)) > 0) {
		if (rte_pcapng_write_packets(t->file, m, (uint16_t)n) < 0) {
			rc = -EIO;
			t->failed += n;
		} else {
			t->written += n;
		}
		rte_pktmbuf_free_bulk(m, n);
	}
	return rc;
}

struct nfv_tap_stats
nfv_tap_stats(const struct nfv_tap *t)
{
	return (struct nfv_tap_stats){ __atomic_load_n(&t->matched, __ATOMIC_RELAXED), t->written,
		__atomic_load_n(&t->lost, __ATOMIC_RELAXED) + t->failed };
}

void
nfv_tap_close(struct nfv_tap *t)
{
	if (t == NULL)
		return;
	if (t->ring != NULL && t->file != NULL)
		nfv_tap_drain(t);
	if (t->file != NULL)
		rte_pcapng_close(t->file);
	rte_ring_free(t->ring);
	rte_mempool_free(t->pool);
	pcap_freecode(&t->filter);
	free(t);
}
