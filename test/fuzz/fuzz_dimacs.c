/**
 * @file
 * Problems in DIMACS's format: no text may crash the reading, what is read must print to something
 * that reads the same, and the solver must either refuse it or prove its answer.
 */
#include <stdlib.h>
#include <string.h>

#include "mpc_dimacs.h"

#define SMALL 4096 /* nodes, arcs: more are read, but not solved */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *
print(const struct mpc_mcmf *p, size_t *len)
{
	char *text = NULL;
	FILE *to = open_memstream(&text, len);

	if (to == NULL || mpc_dimacs_write(p, to, NULL) < 0)
		abort();
	fclose(to);
	return text;
}

static void
solve(const struct mpc_mcmf *p)
{
	static int64_t flow[SMALL], potential[SMALL];
	struct mpc_mcmf_answer a = { .flow = flow, .potential = potential };
	struct nfv_err err;
	int64_t value;

	if (mpc_mcmf_solve(p, &a, &err) == 0 && mpc_mcmf_verify(p, &a, &err) < 0)
		abort();
	if (mpc_mcmf_max_flow(p, 0, 1, &a, &value, &err) == 0 &&
		mpc_mcmf_verify_max_flow(p, 0, 1, &a, value, &err) < 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mpc_mcmf p, again;
	size_t len, len_again;
	char *text, *text_again;
	struct nfv_err err;

	if (mpc_dimacs_parse("fuzz", (const char *)data, size, &p, &err) < 0)
		return 0;
	text = print(&p, &len);
	if (mpc_dimacs_parse("printed", text, len, &again, &err) < 0)
		abort();
	text_again = print(&again, &len_again);
	if (len_again != len || memcmp(text, text_again, len) != 0)
		abort();
	if (p.nodes <= SMALL && p.arcs <= SMALL)
		solve(&p);
	free(text);
	free(text_again);
	mpc_dimacs_free(&p);
	mpc_dimacs_free(&again);
	return 0;
}
