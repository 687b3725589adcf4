/**
 * @file
 * The configuration file as structs, and the checks that need no hardware.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "nfv_conf.h"
#include "nfv_l3.h"
#include "nfv_lanes.h"
#include "nfv_pipeline.h"

#define PORTS_MAX   32
#define WORKERS_MAX 64
#define TAPS_MAX    32

struct conf_port {
	const char *name, *device;
	struct nfv_conf_list addresses; /* struct nfv_prefix */
	uint32_t mtu, descriptors;
};

struct conf_route {
	struct nfv_prefix to;
	struct nfv_addr via;
	const char *port;
};

struct conf_worker {
	const char *name;
	uint32_t lcore;
	bool allow_remote;
};

struct conf_chain {
	const char *name, *worker, *inside, *outside;
	struct nfv_conf_list workers, stages; /* const char *; either one worker or several */
};

struct conf_flows {
	uint32_t max, udp, tcp_open, tcp, icmp, other;
};

struct conf_capture {
	const char *at, *file, *filter;
	uint32_t snaplen;
};

struct conf_l3 {
	uint32_t neighbours, icmp_rate, reassembly;
};

enum conf_isolation_run { ISOLATION_PROCESS, ISOLATION_CONTAINER };

/* A stage that runs in a process of its own. */
struct conf_isolation {
	const char *stage;
	const char *chain; /* "": in all that have it */
	uint32_t run;      /* enum conf_isolation_run */
	const char *program, *socket;
	struct nfv_conf_list cpus; /* uint32_t */
	uint32_t instances, most;  /* the second 0: no more than the first */
	uint32_t ring, idle, on_failure /* enum nfv_on_failure */, memory, restarts, probation;
};

enum conf_colour_mode { COLOUR_OFF, COLOUR_STATIC, COLOUR_MCMF };

struct conf_colour {
	uint32_t mode;    /* enum conf_colour_mode */
	const char *plan; /* of COLOUR_MCMF; else NULL or "" */
	uint32_t memory;  /* MiB */
	uint32_t level;   /* 0: the second, 1: the last */
	bool required;
};

/* Which shared objects may be mapped. */
struct conf_objects {
	struct nfv_conf_list folders; /* const char * */
	const char *allowed;
};

struct config {
	struct nfv_conf *doc;
	struct nfv_conf_list ports, routes, workers, chains, captures, isolation;
	struct conf_flows flows;
	struct conf_l3 l3;
	struct conf_colour colour;
	struct conf_objects objects;
	uint32_t buffers; /* a worker */
	/* By stage, in the registry's order: its filled section, or NULL. */
	struct {
		const struct nfv_stage_ops *ops;
		void *filled;
	} section[64];
	uint32_t n_sections;
};

/** Read and check a file. Errors carry file, line and column. config_free takes what came of it. */
int config_load(const char *path, struct config *out, struct nfv_err *err);
void config_free(struct config *c);

/** What needs no hardware to be found wrong, beyond the shape of single values. */
int config_check(const struct config *c, struct nfv_err *err);

/** Index of the item of this name, every item beginning with its name; -1 if there is none. */
int config_find(const struct nfv_conf_list *l, size_t size, const char *name);
/** Index of the port, worker or chain of this name; -1 if there is none. */
int config_port(const struct config *c, const char *name);
int config_worker(const struct config *c, const char *name);
int config_chain(const struct config *c, const char *name);
/** How many workers run a chain; and the name of the i-th. */
uint32_t config_shards(const struct conf_chain *ch);
const char *const *config_shard(const struct conf_chain *ch, uint32_t i);
/** How a stage of a chain is isolated; NULL: it runs in its worker's loop. */
const struct conf_isolation *config_isolation(
	const struct config *c, const struct conf_chain *ch, const char *stage);
/** How many instances of a stage may run side by side; 1 if it is not isolated: NULL. */
uint32_t config_instances(const struct conf_isolation *iso);
/** The filled section of a stage, or NULL. */
const void *config_section(const struct config *c, const struct nfv_stage_ops *ops);

/**
 * Where a capture is to be taken: "inside" (a port), "edge:1" or "edge:firewall-nat" (a seam of a
 * chain: 0 before the first stage).
 */
struct tap_point {
	int port;  /* index of the port, or -1 */
	int chain; /* index of the chain, or -1 */
	uint32_t seam;
};
int config_tap_point(
	const struct config *c, const char *at, struct tap_point *out, struct nfv_err *err);
bool config_same_point(const struct tap_point *a, const struct tap_point *b);

/** Every key of the file with type, default and help: `nfv-pipeline --manual`. */
void config_manual(FILE *to);

#endif
