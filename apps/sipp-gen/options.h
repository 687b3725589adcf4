/**
 * @file
 * The command line: SIPp's flags where they mean the same, and this program's own. Several roles can
 * run in one process, each on its own port and lcore: their options are parted by --and.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "fault.h"
#include "net.h"
#include "pace.h"
#include "scenario.h"

#define OPTIONS_ROLES 8
#define OPTIONS_KEYS  32
#define OPTIONS_FILES 8

/** One scenario on one port. Strings are argv's. */
struct options_role {
	const char *builtin, *file; /* one of them */
	const char *device;
	struct nfv_prefix addr[NET_ADDRS];
	uint32_t n_addr;
	struct nfv_addr gateway, media;
	struct nfv_endpoint remote; /* NFV_NO_ADDR: none */
	uint16_t port, media_port, mtu;
	const char *service, *user, *password;
	struct pace_conf pace;
	double period_ms; /* -rp */
	bool paced;       /* a rate or a shape was given */
	uint32_t users;   /* who keep calling, instead; 0: none */
	uint64_t calls;
	uint32_t open, duration_ms, recv_timeout_ms, base_cseq;
	uint32_t retrans_invite, retrans_other, buffers;
	bool retransmit, auto_answer;
	double fault[FAULT_KINDS], loss_in; /* 0 … 1 */
	uint32_t delay_min, delay_max;      /* ms */
	struct scenario_key key[OPTIONS_KEYS];
	uint32_t n_keys;
	const char *inf[OPTIONS_FILES];
	int index[OPTIONS_FILES]; /* field by which a file is looked up in, -1: none */
	uint32_t n_inf;
	int lcore;         /* -1: the next free one */
	const char *plain; /* --plain: no scenario, but packets of this size, or "sink" */
	uint32_t flows;
	uint8_t mac[6]; /* --dst-mac */
	bool mac_given;
};

struct options {
	struct options_role role[OPTIONS_ROLES];
	uint32_t roles;
	const char *check, *print; /* --check FILE, -sd NAME */
	const char *html, *stat_file;
	double interval_s, timeout_s;
	uint64_t seed;
	const char *search;                         /* "ser", or of plain packets "ndr" or "pdr" */
	double loss_tolerance, resolution, trial_s; /* percent, percent, seconds */
	const char *torture;                        /* a folder */
	uint32_t wait_ms;
	double soak_s, drift; /* 0: no soak */
	bool probe, overload, rate_given;
	bool json, trace_stat, timeout_error, help, version;
};

/** Errors: -EINVAL. */
int options_parse(int argc, char **argv, struct options *out, struct nfv_err *err);
/** Calls are made in trials: --search ser, --overload. */
bool options_has_trials(const struct options *o);
void options_help(FILE *to);

#endif
