#define _GNU_SOURCE /* rte_lcore_cpuset */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include "app.h"
#include "profile.h"
#include "profile_tap.h"

#define SECONDS   1
#define BYTES     (256u << 20)
#define BYTES_MIN (256u << 10) /* a block, and what goes round it */
#define SETTLE    1            /* seconds after the first packet */
#define LENDERS   256

/* An array of pages that is out. */
struct loan {
	const struct nfv_worker *worker;
	struct nfv_pages pages;
	char class[MPC_CLASS_NAME];
};

struct lender {
	struct nfv_lender lender;
	const struct nfv_lender *inner;
	struct profile *profile;
	const struct nfv_worker *worker;
	char name[64];
};

struct profile {
	struct loan *loan;
	uint32_t loans, room;
	struct lender lender[LENDERS];
	uint32_t lenders;
	struct profile_spec wanted; /* as the options say; file "": nothing */
	uint64_t begin;             /* of what is wanted; 0: no packet yet */
	struct profile_spec spec;   /* of what goes on */
	uint64_t started, end;
	struct profile_tap *tap[WORKERS_MAX]; /* NULL: nothing goes on */
	bool on;
};

static int
parse_bytes(struct nfv_sv text, uint64_t *out)
{
	static const char unit[] = "KMG";
	const char *u =
		text.n > 0 && text.p[text.n - 1] != '\0' ? strchr(unit, text.p[text.n - 1]) : NULL;
	unsigned int shift = u != NULL ? 10 * (unsigned int)(u - unit + 1) : 0;
	uint64_t n;

	if (u != NULL)
		text.n--;
	if (nfv_sv_u64(text, 1, UINT64_MAX >> 32, &n) < 0 || n << shift < BYTES_MIN)
		return -EINVAL;
	*out = n << shift;
	return 0;
}

/* "seconds=S" or "bytes=N". */
static int
parse_word(struct nfv_sv word, struct profile_spec *out)
{
	static const char seconds[] = "seconds=", bytes[] = "bytes=";
	size_t s = sizeof(seconds) - 1, b = sizeof(bytes) - 1;
	uint64_t n;

	if (word.n > s && memcmp(word.p, seconds, s) == 0) {
		if (nfv_sv_u64(nfv_sv(word.p + s, word.n - s), 1, 3600, &n) < 0)
			return -EINVAL;
		out->seconds = (uint32_t)n;
		return 0;
	}
	if (word.n > b && memcmp(word.p, bytes, b) == 0)
		return parse_bytes(nfv_sv(word.p + b, word.n - b), &out->bytes);
	return -EINVAL;
}

int
profile_parse(const char *text, struct profile_spec *out, struct nfv_err *err)
{
	struct profile_spec s = { .seconds = SECONDS, .bytes = BYTES };
	size_t n = strcspn(text, ",");

	if (n == 0 || n >= sizeof(s.file) - 32)
		return nfv_fail(
			err, EINVAL, "a profile wants a file of a name that is not too long");
	memcpy(s.file, text, n);
	for (const char *at = text + n; *at == ',';) {
		size_t length = strcspn(++at, ",");

		if (parse_word(nfv_sv(at, length), &s) < 0)
			return nfv_fail(err, EINVAL,
				"a profile takes seconds=1 to 3600 and bytes=256K or more, not \"%.*s\"",
				(int)length, at);
		at += length;
	}
	*out = s;
	return 0;
}

static struct profile *
profile_of(struct app *app)
{
	if (app->profile == NULL)
		app->profile = calloc(1, sizeof(*app->profile));
	return app->profile;
}

/* A second table of the same name counts as the first: it is the same kind of data. */
static void
note_loan(const struct lender *l, const char *class_name, struct nfv_pages pages)
{
	struct profile *p = l->profile;
	struct loan *loan;
	int cut = MPC_CLASS_NAME - 2 - (int)strlen(class_name);

	if (p->loans == p->room) {
		uint32_t room = p->room > 0 ? 2 * p->room : 16;

		loan = realloc(p->loan, room * sizeof(*loan));
		if (loan == NULL)
			return; /* its accesses are nobody's */
		p->loan = loan;
		p->room = room;
	}
	loan = &p->loan[p->loans++];
	*loan = (struct loan){ .worker = l->worker, .pages = pages };
	/* The end of a name tells more than that of the chain. */
	snprintf(loan->class, sizeof(loan->class), "%.*s.%s", cut > 0 ? cut : 0, l->name,
		class_name);
}

static struct nfv_pages
lend(void *arg, const char *class_name, size_t n)
{
	struct lender *l = arg;
	struct nfv_pages pages = nfv_lender_take(l->inner, class_name, n);

	if (pages.page != NULL)
		note_loan(l, class_name, pages);
	return pages;
}

static void
take_back(void *arg, struct nfv_pages *pages)
{
	struct lender *l = arg;
	struct profile *p = l->profile;

	for (uint32_t i = 0; i < p->loans; i++)
		if (p->loan[i].pages.page == pages->page) {
			p->loan[i] = p->loan[--p->loans];
			break;
		}
	nfv_lender_give(l->inner, pages);
}

const struct nfv_lender *
profile_lender(
	struct app *app, const char *name, struct nfv_worker *w, const struct nfv_lender *inner)
{
	struct profile *p = profile_of(app);
	struct lender *l;

	if (p == NULL || p->lenders == LENDERS)
		return inner;
	l = &p->lender[p->lenders++];
	*l = (struct lender){ .lender = { .arg = l, .take = lend, .give = take_back },
		.inner = inner,
		.profile = p,
		.worker = w };
	snprintf(l->name, sizeof(l->name), "%s", name);
	return &l->lender;
}

void
profile_plan(struct app *app, const struct profile_spec *spec)
{
	struct profile *p = profile_of(app);

	if (p != NULL)
		p->wanted = *spec;
}

/* On the worker: from now on, or no longer. */
static void
set_watcher(void *arg)
{
	nfv_watching = arg;
}

struct buffers {
	struct profile_tap *tap;
	uint32_t class;
	int rc;
};

static void
own_buffer(struct rte_mempool *mp, void *arg, void *object, unsigned int i)
{
	const struct rte_mbuf *m = object;
	struct buffers *b = arg;

	(void)mp, (void)i;
	if (b->rc == 0)
		b->rc = profile_tap_own(b->tap, b->class, m->buf_addr, m->buf_len);
}

/* Tables and packet buffers of a worker. */
static int
own_all(const struct app *app, const struct nfv_worker *w, struct profile_tap *t)
{
	const struct profile *p = app->profile;
	struct rte_mempool *pool = app->pool[w - app->worker];
	char name[sizeof(w->name) + 10];
	struct buffers b = { .tap = t };

	for (uint32_t i = 0; i < p->loans && b.rc == 0; i++) {
		const struct loan *l = &p->loan[i];
		uint32_t class = l->worker == w ? profile_tap_class(t, l->class) : PROFILE_OTHER;

		for (size_t k = 0; k < l->pages.n && l->worker == w && b.rc == 0; k++)
			b.rc = profile_tap_own(t, class, l->pages.page[k], NFV_PAGE);
	}
	snprintf(name, sizeof(name), "%s.packets", w->name);
	b.class = profile_tap_class(t, name);
	if (pool != NULL)
		rte_mempool_obj_iter(pool, own_buffer, &b);
	return b.rc;
}

static int
start_worker(struct app *app, uint32_t i, struct nfv_err *err)
{
	struct nfv_worker *w = &app->worker[i];
	struct profile *p = app->profile;
	rte_cpuset_t cpus = rte_lcore_cpuset(w->lcore);
	struct mpc_caches caches;
	char file[sizeof(p->spec.file) + sizeof(w->name) + 1];
	struct profile_tap_conf conf = {
		.file = file, .bytes = p->spec.bytes, .hz = app->tsc_hz, .caches = &caches
	};
	int cpu = 0, rc;

	while (cpu < CPU_SETSIZE - 1 && !CPU_ISSET(cpu, &cpus))
		cpu++;
	if (mpc_cache_read("/sys", cpu, &caches, NULL) < 0)
		conf.caches = NULL;
	snprintf(file, sizeof(file), app->n_workers > 1 ? "%s.%s" : "%s", p->spec.file, w->name);
	rc = profile_tap_create(&conf, &p->tap[i], err);
	if (rc == 0 && own_all(app, w, p->tap[i]) < 0)
		rc = nfv_fail(err, ENOMEM, "no memory for a profile");
	if (rc == 0)
		rc = profile_tap_open(p->tap[i], err);
	return rc;
}

static void
tell(const struct profile *p, const struct nfv_worker *w, const struct mpc_trace_info *info)
{
	fprintf(stderr,
		"nfv-pipeline: profile of %s in %s%s%s: %" PRIu64
		" accesses of %u classes, %" PRIu64 " lost\n",
		w->name, p->spec.file, p->tap[1] != NULL ? "." : "",
		p->tap[1] != NULL ? w->name : "", info->accesses, info->classes, info->lost);
}

static int
finish(struct app *app, struct nfv_err *err)
{
	struct profile *p = app->profile;
	int rc = 0;

	for (uint32_t i = 0; i < app->n_workers; i++)
		if (p->on)
			nfv_worker_between(&app->worker[i], set_watcher, NULL);
	for (uint32_t i = app->n_workers; i-- > 0;) {
		struct mpc_trace_info info = { .accesses = 0 };
		int one = profile_tap_close(p->tap[i], &info, err);

		if (one == 0 && p->on)
			tell(p, &app->worker[i], &info);
		rc = one < 0 ? one : rc;
	}
	memset(p->tap, 0, sizeof(p->tap));
	p->on = false;
	return rc;
}

int
profile_start(struct app *app, const struct profile_spec *spec, struct nfv_err *err)
{
	struct profile *p = profile_of(app);
	int rc = 0;

	if (p == NULL)
		return nfv_fail(err, ENOMEM, "out of memory");
	if (p->on)
		return nfv_fail(err, EBUSY, "a profile is being taken, to %s", p->spec.file);
	if (app->n_workers == 0)
		return nfv_fail(err, EAGAIN, "no worker runs");
	p->spec = *spec;
	for (uint32_t i = 0; rc == 0 && i < app->n_workers; i++)
		rc = start_worker(app, i, err);
	if (rc < 0) {
		finish(app, NULL);
		return rc;
	}
	for (uint32_t i = 0; i < app->n_workers; i++)
		nfv_worker_between(&app->worker[i], set_watcher, profile_tap_watcher(p->tap[i]));
	p->on = true;
	p->end = rte_rdtsc() + spec->seconds * app->tsc_hz;
	return 0;
}

int
profile_stop(struct app *app, struct nfv_err *err)
{
	if (app->profile == NULL || !app->profile->on)
		return nfv_fail(err, ENOENT, "no profile is being taken");
	return finish(app, err);
}

/* What the options want begins a while after the first packet. */
static bool
is_due(struct app *app, uint64_t now)
{
	struct profile *p = app->profile;

	if (p->wanted.file[0] == '\0' || p->on)
		return false;
	for (uint32_t i = 0; i < app->n_workers && p->begin == 0; i++)
		if (app->worker[i].busy_cycles > 0)
			p->begin = now + SETTLE * app->tsc_hz;
	return p->begin != 0 && now >= p->begin;
}

void
profile_tick(struct app *app)
{
	struct profile *p = app->profile;
	uint64_t now = rte_rdtsc();
	struct nfv_err err = { "" };

	if (p == NULL)
		return;
	if (is_due(app, now)) {
		struct profile_spec spec = p->wanted;

		p->wanted.file[0] = '\0';
		if (profile_start(app, &spec, &err) < 0)
			fprintf(stderr, "nfv-pipeline: %s\n", err.text);
	}
	for (uint32_t i = 0; i < app->n_workers && p->on; i++)
		profile_tap_drain(p->tap[i]);
	if (p->on && now >= p->end && finish(app, &err) < 0)
		fprintf(stderr, "nfv-pipeline: %s\n", err.text);
}

void
profile_end(struct app *app)
{
	struct profile *p = app->profile;
	struct nfv_err err = { "" };

	if (p == NULL)
		return;
	if (p->on && finish(app, &err) < 0)
		fprintf(stderr, "nfv-pipeline: %s\n", err.text);
	if (p->wanted.file[0] != '\0')
		fprintf(stderr, "nfv-pipeline: %s: no profile was taken: too few packets came\n",
			p->wanted.file);
	p->wanted.file[0] = '\0';
}

void
profile_close(struct app *app)
{
	if (app->profile != NULL)
		free(app->profile->loan);
	free(app->profile);
	app->profile = NULL;
}
