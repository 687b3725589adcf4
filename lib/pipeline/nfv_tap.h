/**
 * @file
 * Capture to pcapng inside the process: packets that pass a filter are copied aside by the worker and
 * written by the control thread. Costs one load and one branch a burst where nothing is tapped.
 *
 * Threads: open, drain and close on the control thread; nfv_tap_burst on the workers whose chains, the
 * shards of one, were given the tap: they share its file.
 */
#ifndef NFV_TAP_H
#define NFV_TAP_H

#include "nfv_err.h"
#include "nfv_pkt.h"

struct nfv_tap;

struct nfv_tap_conf {
	const char *file;    /* pcapng; an existing one is overwritten */
	const char *filter;  /* as tcpdump takes it; NULL or "": everything */
	const char *comment; /* where it was taken, kept in the file */
	uint16_t port;       /* DPDK port id the packets are written as coming from */
	uint16_t snaplen;    /* bytes kept of each packet */
	int socket;
};

struct nfv_tap_stats {
	uint64_t matched, written;
	uint64_t lost; /* the writer was too slow, or the disk full */
};

int nfv_tap_open(const struct nfv_tap_conf *conf, struct nfv_tap **out, struct nfv_err *err);
/** Copy what the filter wants. `dir` is kept with each packet: outward as out, inward as in. */
void nfv_tap_burst(
	struct nfv_tap *tap, const struct nfv_pkt *pkt, unsigned int n, enum nfv_dir dir);
/** Write what has been copied. -errno once the file cannot be written. */
int nfv_tap_drain(struct nfv_tap *tap);
struct nfv_tap_stats nfv_tap_stats(const struct nfv_tap *tap);
/** Drain and close. Only when no worker uses it any more. NULL is fine. */
void nfv_tap_close(struct nfv_tap *tap);

/** Whether a filter compiles; the sentence is the compiler's own. */
int nfv_tap_check_filter(const char *filter, struct nfv_err *err);

#endif
