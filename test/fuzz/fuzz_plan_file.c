/**
 * @file
 * Plans as files: no text may crash the reading, and what is read must print to something that reads
 * the same.
 */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "mpc_plan_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mpc_plan_file p, again;
	struct nfv_err err;
	json_t *o;
	char *text;

	if (mpc_plan_file_parse((const char *)data, size, "fuzz", &p, &err) < 0)
		return 0;
	o = mpc_plan_file_json(&p);
	/* What names the machine is cut where it is too long, perhaps within a character. */
	if (o != NULL) {
		text = json_dumps(o, JSON_COMPACT);
		if (mpc_plan_file_parse(text, strlen(text), "printed", &again, &err) < 0 ||
			again.colours != p.colours || again.classes != p.classes)
			abort();
		for (uint32_t i = 0; i < p.classes; i++)
			if (strcmp(p.class[i].name, again.class[i].name) != 0 ||
				memcmp(p.class[i].pages, again.class[i].pages,
					p.colours * sizeof(*p.class[i].pages)) != 0)
				abort();
		mpc_plan_file_free(&again);
		free(text);
		json_decref(o);
	}
	mpc_plan_file_free(&p);
	return 0;
}
