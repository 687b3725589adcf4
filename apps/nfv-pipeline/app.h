/**
 * @file
 * What nfv-pipeline consists of while it runs. Everything here belongs to the control thread but
 * what nfv_worker says.
 */
#ifndef APP_H
#define APP_H

#include <signal.h>

#include "config.h"
#include "nfv_pipeline.h"
#include "nfv_port.h"
#include "nfv_tap.h"
#include "nfv_topo.h"
#include "profile.h"

struct options {
	const char *config;
	bool check, json, interactive;
	uint32_t interval; /* seconds between statistics; 0: none */
	struct profile_spec profile;
};

/* Local caches of a pool: what a worker holds back for itself. */
#define POOL_CACHE 256

struct colour;
struct isolation;
struct mapped;
struct profile;
struct scaled;

struct app_tap {
	struct nfv_tap *tap;
	struct tap_point at;
	char where[128], file[256];
	bool told; /* that the file cannot be written */
};

/* One chain, or as many as there are workers over which it is spread. */
struct app_chain {
	struct nfv_spread *spread; /* NULL: it is one */
	uint32_t n;
	struct nfv_chain *shard[WORKERS_MAX];
};

struct app {
	struct options opt;
	struct config conf;
	struct nfv_topo topo;
	struct nfv_port port[PORTS_MAX];
	struct nfv_worker worker[WORKERS_MAX];
	uint32_t n_workers;
	struct rte_mempool *pool[WORKERS_MAX], *large_pool[WORKERS_MAX];
	struct app_chain chain[PORTS_MAX / 2];
	struct colour *colour;       /* colour.c's; NULL: memory as it comes */
	struct profile *profile;     /* profile.c's */
	struct mapped *mapped;       /* replace.c's */
	struct isolation *isolation; /* isolation.c's; NULL: no stage is isolated */
	struct scaled *scaled;       /* scale.c's */
	struct app_tap tap[TAPS_MAX];
	uint32_t n_taps;
	uint64_t tsc_hz, start_tsc;
	struct baseline *baseline; /* what `clear` subtracts; stats.c's */
};

extern volatile sig_atomic_t app_quit;

/* options.c: 0 go on, 1 done (help), -EINVAL usage. */
int options_parse(int argc, char **argv, struct options *out, struct nfv_err *err);
void options_help(FILE *to);

/* wiring.c */
/** Build everything that needs no port: pools, tables, stages, rule files. What --check does. */
int wiring_check(struct app *app, struct nfv_err *err);
/** Open the ports, build pools and chains on their workers, start the workers. */
int wiring_up(struct app *app, struct nfv_err *err);
/** Stop the workers once they have drained; take everything down again. */
void wiring_stop(struct app *app);
void wiring_down(struct app *app);

/* captures.c */
int captures_from_config(struct app *app, struct nfv_err *err);
int capture_start(struct app *app, const char *at, const char *file, const char *filter,
	uint32_t snaplen, struct nfv_err *err);
/** -ENOENT if nothing is captured there. */
int capture_stop(struct app *app, const char *at, struct nfv_err *err);
void captures_drain(struct app *app);
void captures_show(const struct app *app, FILE *to);
void captures_stop_all(struct app *app);

/* stats.c */
int stats_init(struct app *app);
void stats_fini(struct app *app);
void stats_clear(struct app *app);
void stats_table(const struct app *app, FILE *to);
void stats_json(const struct app *app, FILE *to, bool final);
void stats_port(const struct app *app, int port, FILE *to);
void stats_chain(const struct app *app, int chain, FILE *to);

/* prompt.c: one prompt on standard input and output. */
struct prompt;
struct prompt *prompt_open(struct app *app);
/** Take what has been typed; waits at most `ms`. False when the user is done. */
bool prompt_wait(struct prompt *p, int ms);
void prompt_close(struct prompt *p);

#endif
