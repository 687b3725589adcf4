#include <stdlib.h>
#include <string.h>

#include "table.h"

static const char *const column_name[COLS] = {
	[COL_RX] = "rx",
	[COL_L3_IN] = "l3-in",
	[COL_FLOW] = "flow",
	[COL_L3_OUT] = "l3-out",
	[COL_TX] = "tx",
	[COL_REST] = "rest",
	[COL_TICK] = "tick",
	[COL_TOTAL] = "total",
	[COL_WORK] = "work",
};

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *v, uint32_t n)
{
	if (n == 0)
		return 0;
	qsort(v, n, sizeof(*v), by_value);
	return n % 2 == 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

void
line_add(struct line *l, const struct rig_cycles *c)
{
	static const enum column place[NFV_PARTS] = { [NFV_RX] = COL_RX,
		[NFV_L3_IN] = COL_L3_IN,
		[NFV_FLOW] = COL_FLOW,
		[NFV_L3_OUT] = COL_L3_OUT,
		[NFV_TX] = COL_TX };
	double n = (double)c->packets, v[COLS] = { 0 };

	v[COL_TOTAL] = v[COL_REST] = (double)c->total / n;
	for (int i = 0; i < NFV_PARTS; i++)
		v[COL_REST] -= v[place[i]] = (double)c->part[i] / n;
	for (int i = 0; i < RIG_STAGES; i++)
		v[COL_REST] -= v[COL_STAGE + i] = (double)c->stage[i] / n;
	v[COL_WORK] = v[COL_TOTAL] - v[COL_RX] - v[COL_TX];
	v[COL_TICK] = (double)c->tick / n;
	if (l->n_batch == l->room) {
		l->room = l->room == 0 ? 64 : 2 * l->room;
		for (int i = 0; i < COLS; i++) {
			l->batch[i] = realloc(l->batch[i], l->room * sizeof(double));
			if (l->batch[i] == NULL)
				abort();
		}
	}
	for (int i = 0; i < COLS; i++)
		l->batch[i][l->n_batch] = v[i];
	l->n_batch++;
}

void
line_end_round(struct line *l)
{
	double sum = 0;

	/* Timers come once a millisecond: their median would be nothing. */
	for (uint32_t i = 0; i < l->n_batch; i++)
		sum += l->batch[COL_TICK][i];
	for (int i = 0; i < COLS; i++)
		l->round[i][l->n_round] =
			i == COL_TICK ? sum / l->n_batch : median(l->batch[i], l->n_batch);
	l->n_round++;
	l->n_batch = 0;
}

double
line_median(const struct line *l, enum column col)
{
	double v[TABLE_ROUNDS];

	memcpy(v, l->round[col], l->n_round * sizeof(*v));
	return median(v, l->n_round);
}

double
line_least(const struct line *l, enum column col)
{
	double least = l->round[col][0];

	for (uint32_t i = 1; i < l->n_round; i++)
		least = l->round[col][i] < least ? l->round[col][i] : least;
	return least;
}

void
line_fini(struct line *l)
{
	for (int i = 0; i < COLS; i++)
		free(l->batch[i]);
}

/* A stage is a column of its own name, wherever it stands in its chain. */
static double
stage_median(const struct line *l, const char *name)
{
	for (uint32_t i = 0; i < l->n_stages; i++)
		if (strcmp(l->stage[i], name) == 0)
			return line_median(l, (enum column)(COL_STAGE + i));
	return -1;
}

static const char *const stage_column[RIG_STAGES] = { "firewall", "nat", "sip" };

void
table_head(FILE *to, const char *first)
{
	fprintf(to, "\n%-14s %7s", first, "flows");
	for (int i = 0; i < COLS; i++)
		fprintf(to, " %8s",
			i >= COL_STAGE && i < COL_L3_OUT ? stage_column[i - COL_STAGE] :
							   column_name[i]);
	fprintf(to, " %8s\n", "best");
}

void
table_line(FILE *to, const struct line *l)
{
	fprintf(to, "%-14s %7u", l->what, l->flows);
	for (int i = 0; i < COLS; i++) {
		double v = i >= COL_STAGE && i < COL_L3_OUT ?
			stage_median(l, stage_column[i - COL_STAGE]) :
			line_median(l, (enum column)i);

		if (v < 0)
			fprintf(to, " %8s", "-");
		else
			fprintf(to, " %8.1f", v);
	}
	fprintf(to, " %8.1f\n", line_least(l, COL_WORK));
}

static double
tenths(double v)
{
	return (double)(int64_t)(v * 10 + 0.5) / 10;
}

json_t *
line_json(const struct line *l)
{
	json_t *cycles = json_object(), *rounds = json_array(), *out;

	for (int i = 0; i < COLS; i++)
		if (column_name[i] != NULL)
			json_object_set_new(cycles, column_name[i],
				json_real(tenths(line_median(l, (enum column)i))));
	for (uint32_t i = 0; i < l->n_stages; i++)
		json_object_set_new(cycles, l->stage[i],
			json_real(tenths(line_median(l, (enum column)(COL_STAGE + i)))));
	for (uint32_t i = 0; i < l->n_round; i++)
		json_array_append_new(rounds, json_real(tenths(l->round[COL_TOTAL][i])));
	out = json_pack("{s:s, s:i, s:o, s:o, s:f}", "what", l->what, "flows", (int)l->flows,
		"cycles", cycles, "rounds", rounds, "best_work", tenths(line_least(l, COL_WORK)));
	return out;
}
