#include <jansson.h>
#include <math.h>
#include <string.h>

#include "mpc_plan.h"
#include "plan_machine.h"

#define WORTHWHILE 0.02
#define NEXT_CACHE 20 /* ns: what the second level misses is mostly in the third */

static int
complete(struct plan_machine *m, struct nfv_err *err)
{
	int rc = mpc_cache_complete(&m->cache, err);

	if (rc < 0)
		return rc;
	if (m->cache.colours < 2 || m->cache.colours > MPC_PLAN_COLOURS_MAX ||
		(uint64_t)m->cache.colours * MPC_PAGE * m->cache.ways != m->cache.size)
		return nfv_fail(err, EINVAL,
			"a cache of %u sets and lines of %u bytes has no whole number of colours "
			"from 2 to %d",
			m->cache.sets, m->cache.line, MPC_PLAN_COLOURS_MAX);
	return 0;
}

/* What a machine may be told; numbers from `least` to `most`, whole ones but for the costs. */
enum key { LEVEL, LINE, WAYS, SETS, SOCKETS, PAGES, MISS, REMOTE, WORTH, LATENCY, KEYS };

static const struct {
	const char *name;
	double least, most, otherwise; /* otherwise: -1: it must be given */
} row[KEYS] = {
	[LEVEL] = { "level", 1, 4, 2 },
	[LINE] = { "line", 16, MPC_PAGE, 64 },
	[WAYS] = { "ways", 1, 1024, -1 },
	[SETS] = { "sets", 1, 1u << 24, -1 },
	[SOCKETS] = { "sockets", 1, MPC_PLAN_SOCKETS_MAX, 1 },
	[PAGES] = { "pages", 1, UINT32_MAX, 0 },
	[MISS] = { "miss", 0, 1e9, 1 },
	[REMOTE] = { "remote", 0, 1e9, 0 },
	[WORTH] = { "worthwhile", 0, 0.99, WORTHWHILE },
	[LATENCY] = { "latency", 0, 1e6, NEXT_CACHE },
};

static int
get(const char *file, json_t *object, enum key k, double *out, struct nfv_err *err)
{
	const json_t *j = json_object_get(object, row[k].name);
	double v = j != NULL ? json_number_value(j) : row[k].otherwise;

	if (j == NULL && v < 0)
		return nfv_fail(err, EINVAL, "%s: it lacks \"%s\", a number", file, row[k].name);
	if (j != NULL &&
		(!json_is_number(j) || !(v >= row[k].least && v <= row[k].most) ||
			(k < MISS && !json_is_integer(j))))
		return nfv_fail(err, EINVAL, "%s: \"%s\" must be a%s number from %g to %g", file,
			row[k].name, k < MISS ? " whole" : "", row[k].least, row[k].most);
	*out = v;
	return 0;
}

static int
check_keys(const char *file, json_t *object, struct nfv_err *err)
{
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value)
	{
		int k = 0;

		while (k < KEYS && strcmp(row[k].name, name) != 0)
			k++;
		if (k == KEYS)
			return nfv_fail(err, EINVAL,
				"%s: a machine has no \"%.40s\", only level, line, ways, sets, "
				"sockets, pages, miss, remote, worthwhile, latency",
				file, name);
	}
	return 0;
}

int
plan_machine_read(const char *file, struct plan_machine *out, struct nfv_err *err)
{
	struct plan_machine m = { .sockets = 1 };
	json_error_t why;
	json_t *j = json_load_file(file, JSON_REJECT_DUPLICATES, &why);
	double v[KEYS];
	int rc = 0;

	if (j == NULL)
		return nfv_fail(err, why.line < 0 ? EIO : EINVAL, "%s: %s", file, why.text);
	if (!json_is_object(j))
		rc = nfv_fail(err, EINVAL, "%s: a machine is an object", file);
	if (rc == 0)
		rc = check_keys(file, j, err);
	for (int k = 0; k < KEYS && rc == 0; k++)
		rc = get(file, j, (enum key)k, &v[k], err);
	json_decref(j);
	if (rc < 0)
		return rc;
	m.cache = (struct mpc_cache){ .level = (uint8_t)v[LEVEL],
		.type = MPC_CACHE_UNIFIED,
		.line = (uint16_t)v[LINE],
		.ways = (uint32_t)v[WAYS],
		.sets = (uint32_t)v[SETS],
		.shared = 1 };
	m.sockets = (uint32_t)v[SOCKETS];
	m.pages = (uint32_t)v[PAGES];
	m.miss = v[MISS];
	m.remote = v[REMOTE];
	m.worthwhile = v[WORTH];
	m.latency = v[LATENCY];
	rc = complete(&m, err);
	if (rc < 0)
		return nfv_fail_in(err, rc, "%s", file);
	*out = m;
	return 0;
}

int
plan_machine_here(const char *sysfs, int cpu, unsigned int level, struct plan_machine *out,
	struct nfv_err *err)
{
	struct plan_machine m = {
		.sockets = 1, .miss = 1, .worthwhile = WORTHWHILE, .latency = NEXT_CACHE
	};
	const struct mpc_cache *c = NULL;
	int rc = mpc_cache_read(sysfs, cpu, &m.caches, err);

	if (rc < 0)
		return rc;
	for (unsigned int l = level > 0 ? level : 4; c == NULL && l >= (level > 0 ? level : 2); l--)
		c = mpc_cache_level(&m.caches, l);
	if (c == NULL)
		return nfv_fail(err, ENOENT,
			"this machine tells of no level %u cache; describe one in a file for --machine",
			level > 0 ? level : 2);
	m.cache = *c;
	rc = complete(&m, err);
	if (rc == 0)
		*out = m;
	return rc;
}
