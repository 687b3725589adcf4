/**
 * @file
 * What stands between the parties of a bench: a chain of the stage `sip` on the other lcore, its two
 * ports joined to theirs by rings in memory. Threads: one. Errors end the process with a sentence.
 */
#ifndef MIDDLE_H
#define MIDDLE_H

#include <jansson.h>

#include "nfv_pipeline.h"
#include "nfv_port.h"

#define MIDDLE_INSIDE  "pair:inside:" /* the parties' ends are b, the chain's a */
#define MIDDLE_OUTSIDE "pair:outside:"

struct middle {
	struct nfv_worker worker;
	struct nfv_port port[2];
	struct rte_mempool *pool;
	struct nfv_conf *doc;
	void *section;
	const struct nfv_stage_ops *ops;
	struct nfv_chain_stats before; /* middle_mark */
	uint64_t busy_before, tsc_before;
};

/** `yaml`: the section `sip`; NULL: a chain without stages. It runs when this returns. */
void middle_create(struct middle *m, const char *yaml);
void middle_destroy(struct middle *m);

/** What is counted begins here. */
void middle_mark(struct middle *m);
/** What was counted since: busy (the worker's share of time that it had something to do), messages,
 * cycles{} a message by part, drops{} by reason, shown[]: what the stage tells of itself. */
json_t *middle_json(const struct middle *m);

#endif
