#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "nfv_hash.h"
#include "profile_tap.h"

#define LINE   64   /* where caches do not tell */
#define BLOCKS 64   /* 4 MiB: some two million accesses */
#define FIRST  1024 /* places of the table of pages, a power of two */

struct profile_tap {
	struct nfv_watcher watcher; /* first: the worker knows nothing else */
	struct mpc_recorder *recorder;
	uint64_t *place; /* page number << 8 | class + 1 by a hash of the page; 0: free */
	uint64_t mask, pages;
	uint64_t last, page; /* the last line; the last page, and its class */
	uint32_t class, shift;
	struct mpc_trace_writer *writer;
	struct mpc_trace_info info;
	uint64_t bytes;
	char *file;
};

_Static_assert(MPC_CLASSES < 255, "a class is a byte beside its page");

static inline uint64_t *
place_of(uint64_t *place, uint64_t mask, uint64_t page)
{
	uint64_t i = nfv_hash_mix(page ^ 0xd1b54a32d192ed03u, 0x9e3779b97f4a7c15u) & mask;

	while (place[i] != 0 && place[i] >> 8 != page)
		i = (i + 1) & mask;
	return &place[i];
}

static inline uint32_t
class_of(const struct profile_tap *t, uint64_t page)
{
	uint64_t at = *place_of(t->place, t->mask, page);

	return at != 0 ? (uint32_t)(at & 0xff) - 1 : PROFILE_OTHER;
}

static void
touch(struct nfv_watcher *w, const void *p, size_t n)
{
	struct profile_tap *t = (struct profile_tap *)(void *)w;
	uint64_t at = (uint64_t)(uintptr_t)p, now = rte_rdtsc();

	for (uint64_t line = at >> t->shift; line <= (at + n - 1) >> t->shift; line++) {
		uint64_t page = line << t->shift >> 12;

		if (line == t->last)
			continue;
		t->last = line;
		if (page != t->page) {
			t->page = page;
			t->class = class_of(t, page);
		}
		mpc_record(t->recorder, t->class, line << t->shift, now);
	}
}

int
profile_tap_create(
	const struct profile_tap_conf *conf, struct profile_tap **out, struct nfv_err *err)
{
	struct profile_tap *t = calloc(1, sizeof(*t));
	const struct mpc_cache *c = NULL;

	if (t == NULL)
		return nfv_fail(err, ENOMEM, "out of memory");
	for (unsigned int l = 2; conf->caches != NULL && c == NULL && l > 0; l--)
		c = mpc_cache_level(conf->caches, l);
	t->watcher.touch = touch;
	t->info = (struct mpc_trace_info){ .line = c != NULL ? c->line : LINE, .hz = conf->hz };
	if (conf->caches != NULL)
		t->info.caches = *conf->caches;
	t->shift = (uint32_t)__builtin_ctz(t->info.line);
	t->bytes = conf->bytes;
	t->last = t->page = UINT64_MAX;
	t->file = strdup(conf->file);
	t->mask = FIRST - 1;
	t->place = calloc(FIRST, sizeof(*t->place));
	if (t->file == NULL || t->place == NULL ||
		mpc_recorder_create(conf->blocks > 0 ? conf->blocks : BLOCKS, t->info.line,
			&t->recorder, NULL) < 0) {
		profile_tap_close(t, NULL, NULL);
		return nfv_fail(err, ENOMEM, "no memory for a profile");
	}
	profile_tap_class(t, "other");
	*out = t;
	return 0;
}

uint32_t
profile_tap_class(struct profile_tap *t, const char *name)
{
	uint32_t n = t->info.classes;

	if (name[0] == '\0' || strlen(name) >= MPC_CLASS_NAME)
		return PROFILE_OTHER;
	for (uint32_t i = 0; i < n; i++)
		if (strcmp(t->info.class[i].name, name) == 0)
			return i;
	if (n == MPC_CLASSES)
		return PROFILE_OTHER;
	snprintf(t->info.class[n].name, sizeof(t->info.class[n].name), "%s", name);
	return t->info.classes++;
}

static int
grow(struct profile_tap *t)
{
	uint64_t mask = 2 * t->mask + 1, *place = calloc(mask + 1, sizeof(*place));

	if (place == NULL)
		return -ENOMEM;
	for (uint64_t i = 0; i <= t->mask; i++)
		if (t->place[i] != 0)
			*place_of(place, mask, t->place[i] >> 8) = t->place[i];
	free(t->place);
	t->place = place;
	t->mask = mask;
	return 0;
}

int
profile_tap_own(struct profile_tap *t, uint32_t class, const void *p, size_t n)
{
	uint64_t first = (uint64_t)(uintptr_t)p >> 12,
		 last = ((uint64_t)(uintptr_t)p + n - 1) >> 12;

	for (uint64_t page = first; page <= last && n > 0; page++) {
		uint64_t *at;

		if (2 * t->pages >= t->mask && grow(t) < 0)
			return -ENOMEM;
		at = place_of(t->place, t->mask, page);
		if (*at != 0)
			t->info.class[(*at & 0xff) - 1].pages--;
		else
			t->pages++;
		*at = page << 8 | (class + 1);
		t->info.class[class].pages++;
	}
	return 0;
}

int
profile_tap_open(struct profile_tap *t, struct nfv_err *err)
{
	/* Who has nothing is not in the way of others in tables. */
	t->info.class[PROFILE_OTHER].pages = 0;
	return mpc_trace_create(t->file, &t->info, t->recorder, t->bytes, &t->writer, err);
}

struct nfv_watcher *
profile_tap_watcher(struct profile_tap *t)
{
	return &t->watcher;
}

void
profile_tap_drain(struct profile_tap *t)
{
	mpc_trace_drain(t->writer);
}

int
profile_tap_close(struct profile_tap *t, struct mpc_trace_info *info, struct nfv_err *err)
{
	int rc = 0;

	if (t == NULL)
		return 0;
	if (t->writer != NULL) {
		mpc_recorder_stop(t->recorder);
		rc = mpc_trace_finish(t->writer, info, err);
	}
	mpc_recorder_destroy(t->recorder);
	free(t->place);
	free(t->file);
	free(t);
	return rc;
}
