#include <vector>
#include <ctime>

#include <lemon/network_simplex.h>
#include <lemon/smart_graph.h>

#include "lemon.h"

namespace
{
double
now()
{
	timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return double(t.tv_sec) + double(t.tv_nsec) * 1e-9;
}

template <typename V>
int
solve(const mpc_mcmf *p, int64_t *cost, double *seconds)
{
	typedef lemon::SmartDigraph graph;
	typedef lemon::NetworkSimplex<graph, V, V> simplex;
	graph g;
	graph::ArcMap<V> lower(g), upper(g), price(g);
	graph::NodeMap<V> supply(g);
	double begin;
	typename simplex::ProblemType result;

	g.reserveNode(int(p->nodes));
	g.reserveArc(int(p->arcs));
	for (uint32_t v = 0; v < p->nodes; v++)
		supply[g.addNode()] = V(p->supply[v]);
	for (uint32_t e = 0; e < p->arcs; e++) {
		graph::Arc a = g.addArc(graph::nodeFromId(int(p->tail[e])),
			graph::nodeFromId(int(p->head[e])));

		lower[a] = p->lower ? V(p->lower[e]) : 0;
		upper[a] = p->capacity[e] == MPC_MCMF_UNBOUNDED ?
			std::numeric_limits<V>::max() : V(p->capacity[e]);
		price[a] = V(p->cost[e]);
	}
	begin = now();
	simplex ns(g);
	ns.upperMap(upper).costMap(price).supplyMap(supply);
	if (p->lower)
		ns.lowerMap(lower);
	result = ns.run();
	*seconds = now() - begin;
	if (result != simplex::OPTIMAL)
		return 0;
	*cost = ns.template totalCost<int64_t>();
	return 1;
}
}

int
lemon_solve(const struct mpc_mcmf *p, int narrow, int64_t *cost, double *seconds)
{
	return narrow ? solve<int>(p, cost, seconds) : solve<int64_t>(p, cost, seconds);
}
