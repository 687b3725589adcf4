#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "families.h"
#include "plan_cases.h"

#define LINES 64 /* of a page */

void
plan_case_begin(
	struct plan_case *c, uint32_t sockets, uint32_t colours, uint32_t pages, double lines)
{
	c->classes = 0;
	for (uint32_t i = 0; i < sockets * colours; i++)
		c->available[i] = pages;
	c->machine = (struct mpc_plan_machine){ .sockets = sockets,
		.colours = colours,
		.lines = lines,
		.available = c->available,
		.miss = 50,
		.remote = 40,
		.worthwhile = 0.02 };
}

static uint32_t
add(struct plan_case *c, uint32_t flow, uint16_t socket, uint32_t pages, double rate)
{
	uint32_t i = c->classes++;

	if (i == CASE_CLASSES)
		abort();
	c->class[i] = (struct mpc_plan_class){ .name = "made up",
		.flow = flow,
		.pages = pages,
		.socket = socket,
		.rate = rate,
		.window = c->window[i],
		.footprint = c->footprint[i],
		.points = CASE_POINTS };
	return i;
}

void
plan_case_stream(struct plan_case *c, uint32_t flow, uint16_t socket, uint32_t pages, double rate)
{
	uint32_t i = add(c, flow, socket, pages, rate);

	for (uint32_t k = 0; k < CASE_POINTS; k++)
		c->window[i][k] = c->footprint[i][k] = LINES * pages * (k + 1.0) / CASE_POINTS;
}

void
plan_case_table(struct plan_case *c, uint32_t flow, uint16_t socket, uint32_t pages, double rate)
{
	uint32_t i = add(c, flow, socket, pages, rate);
	double all = LINES * (double)pages;

	for (uint32_t k = 0; k < CASE_POINTS; k++) {
		double w = all * 6 * pow((k + 1.0) / CASE_POINTS, 2);

		c->window[i][k] = w;
		c->footprint[i][k] = all * (1 - exp(-w / all));
	}
}

void
plan_case_random(struct plan_case *c, uint64_t *state, uint32_t flows, uint32_t pages)
{
	uint32_t flow = family_random(state, flows), n = 1 + family_random(state, pages);
	uint16_t socket = (uint16_t)family_random(state, c->machine.sockets);
	double rate = 1 + family_random(state, 100);

	if (family_random(state, 2) == 0)
		plan_case_stream(c, flow, socket, n, rate);
	else
		plan_case_table(c, flow, socket, n, rate);
}
