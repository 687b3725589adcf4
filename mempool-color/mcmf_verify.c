#include <stdbool.h>
#include <stdlib.h>

#include "mpc_mcmf.h"

/* Bounds, complementary slackness, and the cost, arc by arc. */
static int
verify_arcs(const struct mpc_mcmf *p, const struct mpc_mcmf_answer *a, struct nfv_err *err)
{
	__int128 cost = 0;

	for (uint32_t e = 0; e < p->arcs; e++) {
		int64_t lower = p->lower != NULL ? p->lower[e] : 0, flow = a->flow[e];
		uint32_t t = p->tail[e], h = p->head[e];
		__int128 reduced;

		if (t >= p->nodes || h >= p->nodes)
			return nfv_fail(err, EINVAL, "arc %u goes from node %u to %u of %u", e, t,
				h, p->nodes);
		if (flow < lower || flow > p->capacity[e])
			return nfv_fail(err, EINVAL,
				"the flow of arc %u is %lld, outside %lld to %lld", e,
				(long long)flow, (long long)lower, (long long)p->capacity[e]);
		reduced = (__int128)p->cost[e] + a->potential[t] - a->potential[h];
		if ((reduced < 0 && flow < p->capacity[e]) || (reduced > 0 && flow > lower))
			return nfv_fail(err, EINVAL,
				"the flow of arc %u is %lld, and %s would be cheaper", e,
				(long long)flow, reduced < 0 ? "more" : "less");
		if (__builtin_add_overflow(cost, (__int128)flow * p->cost[e], &cost))
			return nfv_fail(err, EINVAL, "the cost is beyond 128 bits");
	}
	if (cost != a->cost)
		return nfv_fail(err, EINVAL, "the cost is not the %lld that the answer says",
			(long long)a->cost);
	return 0;
}

/* Does every node pass on what it gets, but for its supply? `value` more from source to sink. */
static int
verify_nodes(const struct mpc_mcmf *p, const int64_t *supply, uint32_t source, uint32_t sink,
	int64_t value, const int64_t *flow, struct nfv_err *err)
{
	__int128 *rest = calloc((size_t)p->nodes + 1, sizeof(*rest));
	int rc = 0;

	if (rest == NULL)
		return nfv_fail(err, ENOMEM, "no memory for %u nodes", p->nodes);
	for (uint32_t v = 0; v < p->nodes && supply != NULL; v++)
		rest[v] = supply[v];
	if (value != 0) {
		rest[source] += value;
		rest[sink] -= value;
	}
	for (uint32_t e = 0; e < p->arcs; e++) {
		rest[p->tail[e]] -= flow[e];
		rest[p->head[e]] += flow[e];
	}
	for (uint32_t v = 0; v < p->nodes && rc == 0; v++)
		if (rest[v] != 0)
			rc = nfv_fail(
				err, EINVAL, "node %u keeps or lacks what it should pass on", v);
	free(rest);
	return rc;
}

int
mpc_mcmf_verify(const struct mpc_mcmf *p, const struct mpc_mcmf_answer *answer, struct nfv_err *err)
{
	int rc;

	if (answer->potential == NULL)
		return nfv_fail(err, EINVAL, "without potentials nothing can be proved");
	rc = verify_arcs(p, answer, err);
	return rc < 0 ? rc : verify_nodes(p, p->supply, 0, 0, 0, answer->flow, err);
}

int
mpc_mcmf_verify_max_flow(const struct mpc_mcmf *p, uint32_t source, uint32_t sink,
	const struct mpc_mcmf_answer *answer, int64_t value, struct nfv_err *err)
{
	unsigned __int128 most = 0, apart;
	int rc;

	if (answer->potential == NULL || source >= p->nodes || sink >= p->nodes || source == sink)
		return nfv_fail(
			err, EINVAL, "without potentials and two nodes nothing can be proved");
	rc = verify_arcs(p, answer, err);
	if (rc == 0)
		rc = verify_nodes(p, NULL, source, sink, value, answer->flow, err);
	if (rc < 0)
		return rc;
	for (uint32_t e = 0; e < p->arcs; e++) {
		int64_t c = p->cost[e];
		uint64_t size = c < 0 ? -(uint64_t)c : (uint64_t)c;

		most = size > most ? size : most;
	}
	/* Where no arc's reduced cost is negative, a path costs at least what its ends are apart. */
	if (answer->potential[sink] > answer->potential[source])
		apart = (unsigned __int128)((__int128)answer->potential[sink] -
			answer->potential[source]);
	else
		apart = 0;
	if (apart == 0 || apart <= most * (p->nodes - 1))
		return nfv_fail(err, EINVAL,
			"the potentials do not prove that no more than %lld can flow",
			(long long)value);
	return 0;
}
