/**
 * @file
 * What stands between the parties of a bench: nfv-pipeline itself, as a configuration file has it, in
 * this process, so that rings in memory can join its ports to theirs: of `device: "pair:NAME:a"` the
 * party has "pair:NAME:b". Its first worker is the one that is looked at. Threads: one, the pipeline's
 * control thread. Errors end the process with a sentence.
 */
#ifndef MIDDLE_H
#define MIDDLE_H

#include <jansson.h>

#include "app.h"

struct middle {
	struct app app;
	struct nfv_chain_stats before[PORTS_MAX / 2]; /* middle_mark */
	uint64_t busy_before, tsc_before, next_tick;
};

/** It runs when this returns. `profile`: what --profile of nfv-pipeline takes; or NULL. */
void middle_create(struct middle *m, const char *config, const char *profile);
void middle_destroy(struct middle *m);

/** What the control thread has to do every few milliseconds. */
void middle_tick(struct middle *m);
/** What is counted begins here. */
void middle_mark(struct middle *m);
/** What was counted since: busy (the share of time that the worker had something to do), cycles (of
 * that time, a packet received), and of each chain, by its name in chains{}: packets, cycles{} a
 * packet by part and stage and of them all, drops{} by reason, shown[]: what its stages tell. */
json_t *middle_json(const struct middle *m);

#endif
