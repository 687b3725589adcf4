/**
 * @file
 * Where the time goes while a stage is replaced by another version: what the data thread sees of it between its
 * turns. It looks into an isolated stage's inside (lib/isolate/host.h), which nobody else may.
 *
 * Threads: the data thread's, but for steps_near.
 */
#ifndef STEPS_H
#define STEPS_H

#include <stdbool.h>
#include <stdint.h>

struct nfv_isolated;

/** Each measured from STEP_LAST but for the first. */
enum switch_step {
	STEP_NEAR,    /* before it: control hears that little is left, and offers the new one */
	STEP_LAST,    /* the last packet is handed to the old one; from now on they wait */
	STEP_READ,    /* the old one has taken it */
	STEP_WRITTEN, /* and written the rest of its state */
	STEP_LIVE,    /* the new one has read it, and the worker sees that */
	STEP_HANDED,  /* the first packet that waited is handed to it */
	STEP_BACK,    /* the first packet is back from the new one */
	STEPS
};
extern const char *const switch_step_name[STEPS];

struct switch_steps {
	uint64_t given_since; /* of the last one */
	uint64_t returned;
	uint32_t prod;
	bool busy;
	_Atomic uint64_t near;
	uint64_t t[STEPS];
};

/** The control thread: it has just seen that packets are to wait. */
void steps_near(struct switch_steps *s, uint64_t tsc);
/** After each turn; true: a switch is over, and s->t says when its steps were. */
bool steps_look(struct switch_steps *s, const struct nfv_isolated *iso, uint64_t tsc);

#endif
