/**
 * @file
 * What the commands print: text for people, one JSON object for programs.
 */
#ifndef REPORT_H
#define REPORT_H

#include "bench.h"
#include "footprint_report.h"
#include "ground.h"
#include "mpc_mcmf.h"
#include "plan_report.h"
#include "verify.h"

/** Two runs of one region; the second tells how far the first can be trusted. */
void report_calibration(const struct ground *g, const struct ground_run run[2], bool json);

void report_caches(const struct ground *g, const struct mpc_map *map, bool json);

void report_verification(const struct ground *g, const struct verify_result *r, bool json);

void report_bench(const struct bench_result *r, bool json);

/** A flow, as text in DIMACS's format for answers: lines c, s and f. */
void report_flow(const struct mpc_mcmf *p, const struct mpc_mcmf_answer *a, const struct options *o,
	double seconds);

void report_footprint(const struct footprint_report *r, bool json);

void report_plan(const struct plan_report *r, bool json);

/** The region, a character a page. */
void report_picture(FILE *to, const struct mpc_map *map);

/** The same as an SVG picture, a cell a page. Errors: -EIO. */
int report_svg(
	const char *file, const struct ground *g, const struct mpc_map *map, struct nfv_err *err);

#endif
