#include <stdio.h>
#include <stdlib.h>

#include "oracle.h"

#ifdef HAVE_LEMON
#include "lemon.h"
#endif
#ifdef HAVE_GLPK
#include <glpk.h>
#include <stddef.h>

struct arc_data {
	double low, cap, cost;
};

static int
ask_glpk(const struct mpc_mcmf *p, int64_t *cost)
{
	glp_graph *g = glp_create_graph(sizeof(double), sizeof(struct arc_data));
	double sum = 0, loops = 0;
	int rc;

	if (p->nodes > 0)
		glp_add_vertices(g, (int)p->nodes);
	for (uint32_t v = 0; v < p->nodes; v++)
		*(double *)g->v[v + 1]->data = (double)p->supply[v];
	for (uint32_t e = 0; e < p->arcs; e++) {
		glp_arc *a;

		/* It takes no loops: they are full if they earn, else empty. */
		if (p->tail[e] == p->head[e]) {
			loops += p->cost[e] < 0 ? (double)p->cost[e] * (double)p->capacity[e] : 0;
			continue;
		}
		a = glp_add_arc(g, (int)p->tail[e] + 1, (int)p->head[e] + 1);
		*(struct arc_data *)a->data = (struct arc_data){
			.low = p->lower != NULL ? (double)p->lower[e] : 0,
			.cap = (double)p->capacity[e],
			.cost = (double)p->cost[e],
		};
	}
	rc = glp_mincost_okalg(g, 0, (int)offsetof(struct arc_data, low),
		(int)offsetof(struct arc_data, cap), (int)offsetof(struct arc_data, cost), &sum, -1,
		-1);
	glp_delete_graph(g);
	*cost = (int64_t)(sum + loops);
	return rc == 0;
}
#endif

const char *
oracle_name(enum oracle o)
{
	return o == ORACLE_GLPK ? "GLPK" : "LEMON";
}

bool
oracle_ask(enum oracle o, const struct mpc_mcmf *p, int64_t *cost)
{
	int answered = -1;

	(void)p;
	(void)cost;
#ifdef HAVE_GLPK
	if (o == ORACLE_GLPK)
		answered = ask_glpk(p, cost);
#endif
#ifdef HAVE_LEMON
	double seconds;

	if (o == ORACLE_LEMON)
		answered = lemon_solve(p, 1, cost, &seconds);
#endif
	if (answered == 0) {
		fprintf(stderr, "%s finds no flow\n", oracle_name(o));
		exit(1);
	}
	return answered > 0;
}
