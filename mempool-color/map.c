#include <stdlib.h>

#include "mpc_calibrate.h"

double
mpc_agreement(const struct mpc_map *a, const struct mpc_map *b)
{
	uint32_t both = 0, same = 0, *count = calloc(b->classes + 1, sizeof(*count));

	/* For each class of a, the class of b that holds most of it. */
	for (uint32_t c = 0; c < a->classes && count != NULL; c++) {
		uint32_t best = 0;

		for (uint32_t k = 0; k < b->classes; k++)
			count[k] = 0;
		for (uint32_t i = 0; i < a->pages; i++) {
			if (a->colour[i] != c || b->colour[i] == MPC_NO_COLOUR)
				continue;
			both++;
			count[b->colour[i]]++;
		}
		for (uint32_t k = 0; k < b->classes; k++)
			if (count[k] > best)
				best = count[k];
		same += best;
	}
	free(count);
	return both > 0 ? (double)same / both : 0;
}
