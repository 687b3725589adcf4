#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mpc_cache.h"

/* One file of a cache's folder; an empty text if there is none. */
static void
read_text(const char *dir, const char *name, char *text, int size)
{
	char path[512];
	FILE *f;

	text[0] = '\0';
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re");
	if (f == NULL)
		return;
	if (fgets(text, size, f) == NULL)
		text[0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	fclose(f);
}

static uint32_t
read_number(const char *dir, const char *name)
{
	char text[32];

	read_text(dir, name, text, sizeof(text));
	return (uint32_t)strtoul(text, NULL, 10);
}

/* How many CPUs a kernel list such as "0-3,8" names. */
static uint32_t
count_list(const char *list)
{
	uint32_t n = 0;

	while (*list >= '0' && *list <= '9') {
		char *end;
		long lo = strtol(list, &end, 10), hi = lo;

		if (*end == '-')
			hi = strtol(end + 1, &end, 10);
		n += (uint32_t)(hi - lo + 1);
		list = *end == ',' ? end + 1 : end;
	}
	return n;
}

int
mpc_cache_complete(struct mpc_cache *c, struct nfv_err *err)
{
	uint64_t size = (uint64_t)c->line * c->ways * c->sets;

	if (c->line == 0 || c->line > MPC_PAGE || (c->line & (c->line - 1)) != 0 || c->ways == 0 ||
		c->sets == 0 || size > UINT32_MAX)
		return nfv_fail(err, EINVAL,
			"a level %u cache of %u sets, %u ways and lines of %u bytes is not one this "
			"program can describe",
			c->level, c->sets, c->ways, c->line);
	c->size = (uint32_t)size;
	c->colours = c->size / c->ways / MPC_PAGE;
	if (c->colours == 0)
		c->colours = 1;
	return 0;
}

static enum mpc_cache_type
type_of(const char *text)
{
	if (strcmp(text, "Unified") == 0)
		return MPC_CACHE_UNIFIED;
	return strcmp(text, "Instruction") == 0 ? MPC_CACHE_INSTRUCTION : MPC_CACHE_DATA;
}

int
mpc_cache_read(const char *sysfs, int cpu, struct mpc_caches *out, struct nfv_err *err)
{
	struct mpc_caches all = { .n = 0 };
	char dir[400], text[256];

	for (int i = 0; i < MPC_CACHES; i++) {
		struct mpc_cache *c = &all.cache[all.n];
		int rc;

		snprintf(dir, sizeof(dir), "%s/devices/system/cpu/cpu%d/cache/index%d", sysfs, cpu,
			i);
		read_text(dir, "type", text, sizeof(text));
		if (text[0] == '\0')
			break;
		*c = (struct mpc_cache){ .level = (uint8_t)read_number(dir, "level"),
			.type = (uint8_t)type_of(text),
			.line = (uint16_t)read_number(dir, "coherency_line_size"),
			.ways = read_number(dir, "ways_of_associativity"),
			.sets = read_number(dir, "number_of_sets") };
		read_text(dir, "shared_cpu_list", text, sizeof(text));
		c->shared = count_list(text);
		rc = mpc_cache_complete(c, err);
		if (rc < 0)
			return rc;
		all.n++;
	}
	if (all.n == 0)
		return nfv_fail(
			err, ENOENT, "%s tells nothing of the caches of CPU %d", sysfs, cpu);
	*out = all;
	return 0;
}

const struct mpc_cache *
mpc_cache_level(const struct mpc_caches *caches, unsigned int level)
{
	for (unsigned int i = 0; i < caches->n; i++)
		if (caches->cache[i].level == level &&
			caches->cache[i].type != MPC_CACHE_INSTRUCTION)
			return &caches->cache[i];
	return NULL;
}
