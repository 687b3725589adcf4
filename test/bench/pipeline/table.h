/**
 * @file
 * What was measured, as medians: of the batches of a round, then of the rounds; in cycles of the time
 * stamp counter a packet. Medians, because whatever else the machine does hits some batches and not
 * the others.
 */
#ifndef TABLE_H
#define TABLE_H

#include <jansson.h>

#include "rig.h"

#define TABLE_ROUNDS 99

/** The parts in the order a packet passes them; REST: what is between them, TICK: timers, WORK: the
 * total without receiving and sending. */
enum column {
	COL_RX,
	COL_L3_IN,
	COL_FLOW,
	COL_STAGE,
	COL_L3_OUT = COL_STAGE + RIG_STAGES,
	COL_TX,
	COL_REST,
	COL_TICK,
	COL_TOTAL,
	COL_WORK,
	COLS
};

/** A line of the table: one chain with one number of flows, or one kind of message. */
struct line {
	char what[32];
	const char *const *stage;
	uint32_t n_stages, flows;
	double *batch[COLS]; /* of the round that is running */
	uint32_t n_batch, room;
	double round[COLS][TABLE_ROUNDS];
	uint32_t n_round;
};

void line_add(struct line *l, const struct rig_cycles *c);
void line_end_round(struct line *l);
double line_median(const struct line *l, enum column col);
/** Of the round that was disturbed least. */
double line_least(const struct line *l, enum column col);
void line_fini(struct line *l);

void table_head(FILE *to, const char *first);
void table_line(FILE *to, const struct line *l);
json_t *line_json(const struct line *l);

#endif
