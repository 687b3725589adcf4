#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "mpc_dimacs.h"
#include "nfv_sv.h"

#define ARC_LEAST 12 /* characters of the shortest line of an arc, its end apart: "a 1 1 0 0 0" */

/* Nodes that no line tells of cost nothing to promise; so many are believed. */
#define NODES_SPARE (1u << 20)

struct reader {
	const char *file;
	uint32_t line;
	struct nfv_err *err;
	size_t n; /* of the text */
	bool begun;
	struct mpc_mcmf p; /* arcs: read so far */
	uint32_t arcs;     /* promised */
	uint32_t *tail, *head;
	int64_t *lower, *capacity, *cost, *supply;
	bool *given; /* a node's supply */
};

static int
fail(struct reader *r, const char *why)
{
	return nfv_fail(r->err, EINVAL, "%s:%u: %s", r->file, r->line, why);
}

static bool
read_number(struct nfv_sv *rest, int64_t *out)
{
	struct nfv_sv w = nfv_sv_word(rest);
	bool minus = w.n > 0 && *w.p == '-';
	uint64_t n;

	if (minus)
		w = nfv_sv(w.p + 1, w.n - 1);
	if (nfv_sv_u64(w, 0, INT64_MAX, &n) < 0)
		return false;
	*out = minus ? -(int64_t)n : (int64_t)n;
	return true;
}

static bool
read_node(const struct reader *r, struct nfv_sv *rest, uint32_t *out)
{
	uint64_t n;

	if (nfv_sv_u64(nfv_sv_word(rest), 1, r->p.nodes, &n) < 0)
		return false;
	*out = (uint32_t)n - 1;
	return true;
}

static int
read_problem(struct reader *r, struct nfv_sv rest)
{
	uint64_t nodes, arcs;
	size_t n, m;

	if (r->begun)
		return fail(r, "there is a line p already");
	if (!nfv_sv_eq(nfv_sv_word(&rest), NFV_SV("min")))
		return fail(r, "expected a problem of the kind min");
	if (nfv_sv_u64(nfv_sv_word(&rest), 0, MPC_MCMF_NODES_MAX, &nodes) < 0 ||
		nfv_sv_u64(nfv_sv_word(&rest), 0, MPC_MCMF_ARCS_MAX, &arcs) < 0)
		return fail(r, "expected p min and the numbers of nodes and arcs");
	if (arcs > r->n / ARC_LEAST || nodes > r->n + NODES_SPARE)
		return fail(r, "the text is too short for that many nodes and arcs");
	n = (size_t)nodes + 1;
	m = (size_t)arcs + 1;
	r->begun = true;
	r->p.nodes = (uint32_t)nodes;
	r->arcs = (uint32_t)arcs;
	r->tail = malloc(m * sizeof(*r->tail));
	r->head = malloc(m * sizeof(*r->head));
	r->lower = malloc(m * sizeof(*r->lower));
	r->capacity = malloc(m * sizeof(*r->capacity));
	r->cost = malloc(m * sizeof(*r->cost));
	r->supply = calloc(n, sizeof(*r->supply));
	r->given = calloc(n, sizeof(*r->given));
	if (r->tail == NULL || r->head == NULL || r->lower == NULL || r->capacity == NULL ||
		r->cost == NULL || r->supply == NULL || r->given == NULL)
		return nfv_fail(r->err, ENOMEM, "%s:%u: out of memory", r->file, r->line);
	return nfv_sv_word(&rest).n > 0 ? fail(r, "one word too many") : 0;
}

static int
read_supply(struct reader *r, struct nfv_sv rest)
{
	int64_t supply;
	uint32_t v;

	if (!read_node(r, &rest, &v))
		return fail(r, "expected the number of a node");
	if (!read_number(&rest, &supply) || nfv_sv_word(&rest).n > 0)
		return fail(r, "expected n, a node, and its supply in 64 bits");
	if (r->given[v])
		return fail(r, "this node's supply was given already");
	r->given[v] = true;
	r->supply[v] = supply;
	return 0;
}

static int
read_arc(struct reader *r, struct nfv_sv rest)
{
	uint32_t e = r->p.arcs;

	if (e == r->arcs)
		return fail(r, "one arc more than line p promised");
	if (!read_node(r, &rest, &r->tail[e]) || !read_node(r, &rest, &r->head[e]))
		return fail(r, "expected the numbers of two nodes");
	if (!read_number(&rest, &r->lower[e]) || !read_number(&rest, &r->capacity[e]) ||
		!read_number(&rest, &r->cost[e]) || nfv_sv_word(&rest).n > 0)
		return fail(r, "expected a, two nodes, the least and the most flow, and the cost");
	if (r->capacity[e] < 0)
		r->capacity[e] = MPC_MCMF_UNBOUNDED;
	if (r->lower[e] < 0 || r->lower[e] > r->capacity[e] || r->lower[e] == MPC_MCMF_UNBOUNDED)
		return fail(r, "no flow is between the least and the most");
	r->p.arcs++;
	return 0;
}

static int
read_line(struct reader *r, struct nfv_sv line)
{
	struct nfv_sv rest = line, word;

	if (rest.n > 0 && rest.p[rest.n - 1] == '\r')
		rest.n--;
	word = nfv_sv_word(&rest);
	if (word.n == 0 || *word.p == 'c')
		return 0;
	if (word.n == 1 && *word.p == 'p')
		return read_problem(r, rest);
	if (!r->begun)
		return fail(r, "expected a line p before all others");
	if (word.n == 1 && *word.p == 'n')
		return read_supply(r, rest);
	if (word.n == 1 && *word.p == 'a')
		return read_arc(r, rest);
	return fail(r, "expected a line that begins with c, p, n or a");
}

int
mpc_dimacs_parse(
	const char *file, const char *text, size_t n, struct mpc_mcmf *out, struct nfv_err *err)
{
	struct reader r = { .file = file, .err = err, .n = n };
	struct nfv_sv rest = nfv_sv(text, n);
	int rc = 0;

	while (rc == 0 && rest.n > 0) {
		r.line++;
		rc = read_line(&r, nfv_sv_cut(&rest, '\n'));
	}
	if (rc == 0 && !r.begun)
		rc = nfv_fail(err, EINVAL, "%s: there is no line p", file);
	if (rc == 0 && r.p.arcs < r.arcs)
		rc = nfv_fail(
			err, EINVAL, "%s: %u arcs, and line p promised %u", file, r.p.arcs, r.arcs);
	r.p.tail = r.tail;
	r.p.head = r.head;
	r.p.lower = r.lower;
	r.p.capacity = r.capacity;
	r.p.cost = r.cost;
	r.p.supply = r.supply;
	free(r.given);
	if (rc < 0)
		mpc_dimacs_free(&r.p);
	else
		*out = r.p;
	return rc;
}

int
mpc_dimacs_read(const char *file, struct mpc_mcmf *out, struct nfv_err *err)
{
	FILE *from = fopen(file, "re");
	size_t room = 1 << 16, n = 0, got = 1;
	char *text = malloc(room);
	int rc = 0;

	if (from == NULL) {
		rc = nfv_fail(err, errno, "%s: %s", file, strerror(errno));
		goto done;
	}
	while (text != NULL && got > 0) {
		got = fread(text + n, 1, room - n, from);
		n += got;
		if (n == room) {
			char *more = realloc(text, room *= 2);

			if (more == NULL)
				free(text);
			text = more;
		}
	}
	if (text == NULL)
		rc = nfv_fail(err, ENOMEM, "%s: out of memory", file);
	else if (ferror(from))
		rc = nfv_fail(err, EIO, "%s: it cannot be read", file);
	else
		rc = mpc_dimacs_parse(file, text, n, out, err);
done:
	if (from != NULL)
		fclose(from);
	free(text);
	return rc;
}

int
mpc_dimacs_write(const struct mpc_mcmf *p, FILE *to, struct nfv_err *err)
{
	fprintf(to, "p min %u %u\n", p->nodes, p->arcs);
	for (uint32_t v = 0; v < p->nodes && p->supply != NULL; v++)
		if (p->supply[v] != 0)
			fprintf(to, "n %u %lld\n", v + 1, (long long)p->supply[v]);
	for (uint32_t e = 0; e < p->arcs; e++)
		fprintf(to, "a %u %u %lld %lld %lld\n", p->tail[e] + 1, p->head[e] + 1,
			(long long)(p->lower != NULL ? p->lower[e] : 0),
			p->capacity[e] == MPC_MCMF_UNBOUNDED ? -1 : (long long)p->capacity[e],
			(long long)p->cost[e]);
	if (fflush(to) != 0 || ferror(to))
		return nfv_fail(err, EIO, "the problem could not be written");
	return 0;
}

void
mpc_dimacs_free(struct mpc_mcmf *p)
{
	free((void *)(uintptr_t)p->tail);
	free((void *)(uintptr_t)p->head);
	free((void *)(uintptr_t)p->lower);
	free((void *)(uintptr_t)p->capacity);
	free((void *)(uintptr_t)p->cost);
	free((void *)(uintptr_t)p->supply);
	*p = (struct mpc_mcmf){ .nodes = 0 };
}
