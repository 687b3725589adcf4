/**
 * @file
 * Files of users: no text may crash the reading, and every field of every line must be readable, and
 * be found by an index over it.
 */
#include <stdlib.h>

#include "users.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char scratch[USERS_FIELD_MAX];
	struct nfv_err err;
	struct users *u;
	uint32_t lines;

	if (users_parse("fuzz", nfv_sv((const char *)data, size), &u, &err) < 0)
		return 0;
	lines = users_lines(u) < 1000 ? users_lines(u) : 1000;
	for (unsigned int field = 0; field < 3; field++) {
		if (users_lines(u) > lines || users_index(u, field, &err) < 0)
			continue;
		for (uint32_t i = 0; i < lines; i++) {
			struct nfv_sv s = users_field(u, i, field, scratch);
			int64_t at = users_lookup(u, s);

			if (s.p != NULL ? at < 0 || at > i : at >= 0)
				abort();
		}
	}
	users_field(u, users_lines(u) - 1, 0, scratch);
	users_destroy(u);
	return 0;
}
