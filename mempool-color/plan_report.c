#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mpc_footprint.h"
#include "plan_pages.h"
#include "plan_report.h"

#define WORTH_TIME                                                                                 \
	0.05 /* of a worker's: scattered pages cost about as much (docs/results/arms.md) */
#define STEP                                                                                       \
	1.04 /* from window to window of a footprint's points: finer than what it is known by */
#define BATCH  1024
#define PLENTY 4           /* pages there are for each that is wanted, if nobody says */
#define LEAST  (64u << 20) /* bytes of them, at least */
#define HARDLY 1e-9        /* part of all accesses that a class has that was never touched */

/* What is needed only while the report is made. */
struct work {
	struct mpc_footprint *f;
	struct plan_pages pages;
	struct mpc_curve curve[MPC_CLASSES];
	double *point;              /* windows and footprints of all classes */
	uint64_t first, last;       /* times */
	uint32_t of[MPC_CLASSES];   /* the trace's class of one here */
	uint32_t here[MPC_CLASSES]; /* and back; MPC_CLASSES: it has none */
};

size_t
plan_flow_length(const char *name)
{
	return strcspn(name, strchr(name, '/') != NULL ? "/" : ".");
}

/* Footprint and plan must be of one machine. */
static int
check_machine(const char *file, const struct mpc_trace_info *info,
	const struct plan_machine *machine, struct nfv_err *err)
{
	const struct mpc_cache *want = &machine->cache,
			       *c = mpc_cache_level(&info->caches, want->level);

	if (info->line != want->line)
		return nfv_fail(err, EINVAL,
			"%s: it is of lines of %u bytes, the machine's have %u; take a trace there",
			file, info->line, want->line);
	if (info->caches.n > 0 && (c == NULL || c->ways != want->ways || c->sets != want->sets))
		return nfv_fail(err, EINVAL,
			"%s: it was taken on another machine: the level %u cache planned for has %u "
			"sets of %u ways, that one's is another; take a trace there",
			file, want->level, want->sets, want->ways);
	return 0;
}

static int
open_trace(const char *file, const struct plan_machine *machine, struct mpc_trace_reader **out,
	struct nfv_err *err)
{
	struct mpc_trace_reader *r = NULL;
	const struct mpc_trace_info *info;
	int rc = mpc_trace_open(file, NULL, &r, err);

	if (rc < 0)
		return rc;
	info = mpc_trace_info(r);
	rc = check_machine(file, info, machine, err);
	if (rc < 0) {
		mpc_trace_close(r);
		return rc;
	}
	*out = r;
	return 0;
}

/* That are told apart: there may be more, but hardly anywhere are. */
static uint32_t
lines_of_page(const struct mpc_trace_info *info)
{
	uint32_t lines = MPC_PAGE / info->line;

	return lines < 64 ? lines : 64;
}

static int
take(struct work *w, const struct mpc_trace_info *info, const struct mpc_access *a, int n,
	struct nfv_err *err)
{
	uint32_t lines = MPC_PAGE / info->line, kept = lines_of_page(info);

	for (int i = 0; i < n; i++)
		if (plan_pages_add(&w->pages, a[i].class, a[i].line / lines,
			    (uint32_t)(a[i].line % lines / (lines / kept))) < 0)
			return nfv_fail(err, ENOMEM, "no memory for the pages of a trace");
	if (w->first == 0)
		w->first = a[0].time;
	w->last = a[n - 1].time;
	return mpc_footprint_add(w->f, a, (size_t)n, err);
}

/* Footprints and pages, once through the trace. */
static int
read_trace(struct plan_report *r, struct work *w, double rate, struct nfv_err *err)
{
	struct mpc_footprint_options o = { .rate = rate };
	struct mpc_trace_reader *reader = NULL;
	struct mpc_access a[BATCH];
	int n = 0, rc = open_trace(r->file, &r->machine, &reader, err);

	if (rc < 0)
		return rc;
	rc = mpc_footprint_create(&o, &w->f, err);
	while (rc == 0 && (n = mpc_trace_read(reader, a, BATCH, err)) > 0)
		rc = take(w, mpc_trace_info(reader), a, n, err);
	rc = n < 0 ? n : rc;
	r->info = *mpc_trace_info(reader); /* of text, the classes are known only now */
	mpc_trace_close(reader);
	if (rc < 0)
		return rc;
	mpc_footprint_end(w->f);
	r->accesses = mpc_footprint_count(w->f).accesses;
	r->shared = mpc_footprint_count(w->f).shared;
	r->seen = w->pages.n;
	if (r->accesses == 0)
		return nfv_fail(err, EINVAL, "%s: no accesses are in it", r->file);
	if (mpc_footprint_count(w->f).sampled == 0)
		return nfv_fail(err, EINVAL,
			"%s: none of its lines is in the sample; give a higher --rate", r->file);
	if (r->info.hz > 0 && w->last > w->first)
		r->seconds = (double)(w->last - w->first) / (double)r->info.hz;
	r->units = r->seconds > 0 ? r->seconds : (double)r->accesses;
	return 0;
}

/* The number of the first class whose name has the same flow. */
static uint32_t
flow_of(const struct plan_report *r, uint32_t class)
{
	const char *name = r->class[class].name;
	size_t n = plan_flow_length(name);

	for (uint32_t i = 0; i < class; i++)
		if (plan_flow_length(r->class[i].name) == n &&
			memcmp(r->class[i].name, name, n) == 0)
			return i;
	return class;
}

/*
 * Buffers are a worker's, "WORKER.packets", but what a worker that serves a single flow carries is that
 * flow's: between packets and the flow's tables overhead is intra-flow.
 */
static void
adopt_packets(struct plan_report *r)
{
	static const char packets[] = ".packets";
	uint32_t flow = UINT32_MAX, buffers = UINT32_MAX;

	for (uint32_t i = 0; i < r->classes; i++) {
		const char *name = r->class[i].name;
		size_t n = strlen(name), end = sizeof(packets) - 1;

		if (n > end && strcmp(name + n - end, packets) == 0 && buffers == UINT32_MAX)
			buffers = i;
		else if (flow == UINT32_MAX || r->class[i].flow == flow)
			flow = r->class[i].flow;
		else
			return;
	}
	if (buffers != UINT32_MAX && flow != UINT32_MAX)
		r->class[buffers].flow = flow;
}

/* Points of a curve as the plan takes them; how many. */
static uint32_t
points_of(const struct mpc_curve *c, double *window, double *lines)
{
	double w = 0;
	uint32_t n = 0;

	while (c->points > 0 && w < c->n) {
		w = fmin(floor(fmax(w + 1, w * STEP)), c->n);
		if (window != NULL) {
			window[n] = w;
			lines[n] = mpc_curve_at(c, w);
		}
		n++;
	}
	if (n == 0 && window != NULL) { /* never touched: a line will do */
		window[0] = 1;
		lines[0] = 1;
	}
	return n > 0 ? n : 1;
}

/* Classes of the trace that can be laid out, and what they demand. */
static int
take_classes(struct plan_report *r, struct work *w, struct nfv_err *err)
{
	size_t points = 0;
	double *at;

	for (uint32_t i = 0; i < r->info.classes; i++) {
		const struct mpc_class *c = &r->info.class[i];
		uint32_t n = r->classes;
		uint64_t pages = c->pages > w->pages.of[i] ? c->pages : w->pages.of[i];
		int rc;

		w->here[i] = MPC_CLASSES;
		if (strcmp(c->name, PLAN_OTHER) == 0)
			r->other = mpc_footprint_accesses(w->f, i);
		if (pages == 0 || strcmp(c->name, PLAN_OTHER) == 0)
			continue;
		rc = mpc_footprint_curve(w->f, i, MPC_OWN_TIME, MPC_HOTL, &w->curve[n], err);
		if (rc < 0)
			return rc;
		w->of[n] = i;
		w->here[i] = n;
		r->class_accesses[n] = mpc_footprint_accesses(w->f, i);
		r->class_lines[n] = w->curve[n].lines;
		r->class[n].name = c->name;
		r->class[n].pages = pages < UINT32_MAX ? (uint32_t)pages : UINT32_MAX;
		r->class[n].rate =
			fmax((double)r->class_accesses[n], HARDLY * (double)r->accesses) / r->units;
		r->class[n].flow = flow_of(r, n);
		r->class[n].crowding =
			fmax(1, plan_pages_crowding(&w->pages, i, lines_of_page(&r->info)));
		points += points_of(&w->curve[n], NULL, NULL);
		r->classes++;
	}
	adopt_packets(r);
	if (r->classes == 0)
		return nfv_fail(err, EINVAL,
			"%s: nothing in it could be laid out, all its accesses are to \"%s\"",
			r->file, PLAN_OTHER);
	at = w->point = malloc((2 * points + 1) * sizeof(*at));
	if (at == NULL)
		return nfv_fail(err, ENOMEM, "no memory for footprints");
	for (uint32_t i = 0; i < r->classes; i++) {
		uint32_t n = points_of(&w->curve[i], at, at + points);

		r->class[i].window = at;
		r->class[i].footprint = at + points;
		r->class[i].points = n;
		at += n;
	}
	return 0;
}

/* Pages that each colour has on each socket. */
static uint32_t
pages_of_colour(const struct plan_report *r, uint64_t memory)
{
	uint32_t places = r->machine.sockets * r->machine.cache.colours;
	uint64_t wanted = 0, n;

	for (uint32_t i = 0; i < r->classes; i++)
		wanted += r->class[i].pages;
	if (memory == 0 && r->machine.pages > 0)
		return r->machine.pages;
	n = memory > 0 ? memory / MPC_PAGE : PLENTY * wanted;
	if (memory == 0 && n < LEAST / MPC_PAGE)
		n = LEAST / MPC_PAGE;
	n = memory > 0 ? n / places : (n + places - 1) / places;
	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static int
make_arms(struct plan_report *r, uint64_t memory, struct nfv_err *err)
{
	uint32_t colours = r->machine.cache.colours, places = r->machine.sockets * colours;
	struct mpc_plan_machine m = { .sockets = r->machine.sockets,
		.colours = colours,
		.lines = (double)r->machine.cache.size / r->machine.cache.line / colours,
		.miss = r->machine.miss,
		.remote = r->machine.remote };
	struct mpc_plan p;
	int rc;

	r->machine.pages = pages_of_colour(r, memory);
	m.available = r->available = malloc(places * sizeof(*r->available));
	for (int a = 0; a < MPC_PLAN_ARMS; a++) {
		r->arm[a].miss = calloc((size_t)r->classes * colours, sizeof(double));
		if (a != MPC_PLAN_MCMF)
			r->arm[a].pages = calloc((size_t)r->classes * places, sizeof(uint32_t));
		if (r->arm[a].miss == NULL || (a != MPC_PLAN_MCMF && r->arm[a].pages == NULL) ||
			r->available == NULL)
			return nfv_fail(err, ENOMEM, "no memory for a plan");
	}
	for (uint32_t k = 0; k < places; k++)
		r->available[k] = r->machine.pages;
	/* What is found is wanted, worthwhile or not: that is decided here. */
	rc = mpc_plan_make(r->class, r->classes, &m, &p, err);
	if (rc < 0)
		return rc;
	r->arm[MPC_PLAN_MCMF].pages = p.pages;
	r->flows = p.flows;
	r->accepted = p.accepted;
	for (int a = 0; a < MPC_PLAN_ARMS && rc == 0; a++) {
		struct plan_report_arm *arm = &r->arm[a];

		if (a != MPC_PLAN_MCMF)
			rc = mpc_plan_layout(
				r->class, r->classes, &m, (enum mpc_plan_arm)a, arm->pages, err);
		if (rc == 0)
			rc = mpc_plan_evaluate(
				r->class, r->classes, &m, arm->pages, &arm->cost, err);
		if (rc == 0)
			rc = mpc_plan_misses(r->class, r->classes, &m, arm->pages, arm->miss, err);
	}
	r->chosen = r->arm[MPC_PLAN_MCMF].cost.total <
			r->arm[MPC_PLAN_OFF].cost.total * (1 - r->machine.worthwhile) ?
		MPC_PLAN_MCMF :
		MPC_PLAN_OFF;
	r->trifle = r->chosen == MPC_PLAN_MCMF && plan_report_time_saved(r) < WORTH_TIME;
	if (r->trifle)
		r->chosen = MPC_PLAN_OFF;
	return rc;
}

struct colours_of {
	const struct plan_pages *pages;
	const struct work *w;
	int arm;
};

static uint32_t
colour_of(void *arg, uint32_t class, uint64_t page)
{
	const struct colours_of *c = arg;
	const struct plan_page *p = plan_pages_find(c->pages, c->w->of[class], page);

	return p != NULL ? p->colour[c->arm] : 0;
}

/* Once through the trace, with a cache for each arm. */
static int
play(struct plan_report *r, struct work *w, struct mpc_sim *sim[MPC_PLAN_ARMS], struct nfv_err *err)
{
	struct mpc_trace_reader *reader = NULL;
	struct mpc_access a[BATCH];
	int n = 0, rc = open_trace(r->file, &r->machine, &reader, err);

	while (rc == 0 && (n = mpc_trace_read(reader, a, BATCH, err)) > 0) {
		size_t kept = 0;

		for (int i = 0; i < n; i++) {
			if (a[i].class >= MPC_CLASSES || w->here[a[i].class] == MPC_CLASSES)
				continue;
			a[kept] = a[i];
			a[kept++].class = w->here[a[i].class];
		}
		for (int k = 0; k < MPC_PLAN_ARMS; k++) {
			struct colours_of c = { &w->pages, w, k };
			struct mpc_place place = { colour_of, &c };

			mpc_sim_run(sim[k], a, kept, &place, r->arm[k].count);
		}
	}
	mpc_trace_close(reader);
	return n < 0 ? n : rc;
}

static double
simulated(const struct plan_report *r, enum mpc_plan_arm arm)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < r->classes; i++)
		sum += r->arm[arm].count[i].misses;
	return (double)sum;
}

/* Twice, and the second time counts: misses of a warm cache are what was predicted. */
static int
simulate(struct plan_report *r, struct work *w, struct nfv_err *err)
{
	uint32_t colours = r->machine.cache.colours, sockets = r->machine.sockets;
	struct mpc_sim *sim[MPC_PLAN_ARMS] = { NULL };
	int rc = 0;

	for (int k = 0; k < MPC_PLAN_ARMS && rc == 0; k++) {
		rc = mpc_sim_create(&r->machine.cache, MPC_LRU, &sim[k], err);
		for (uint32_t i = 0; i < r->classes && rc == 0; i++)
			if (plan_pages_lay(&w->pages, w->of[i], (enum mpc_plan_arm)k,
				    r->arm[k].pages + (size_t)i * sockets * colours, sockets,
				    colours) < 0)
				rc = nfv_fail(err, ENOMEM, "no memory to simulate a cache");
	}
	for (int pass = 0; pass < 2 && rc == 0; pass++) {
		for (int k = 0; k < MPC_PLAN_ARMS; k++)
			memset(r->arm[k].count, 0, sizeof(r->arm[k].count));
		rc = play(r, w, sim, err);
	}
	for (int k = 0; k < MPC_PLAN_ARMS; k++)
		mpc_sim_destroy(sim[k]);
	r->simulated = rc == 0;
	r->disproved = rc == 0 && r->chosen == MPC_PLAN_MCMF &&
		simulated(r, MPC_PLAN_MCMF) >=
			(1 - r->machine.worthwhile) * simulated(r, MPC_PLAN_OFF);
	if (r->disproved)
		r->chosen = MPC_PLAN_OFF;
	return rc;
}

static void
work_fini(struct work *w)
{
	for (uint32_t i = 0; i < MPC_CLASSES; i++)
		mpc_curve_fini(&w->curve[i]);
	mpc_footprint_destroy(w->f);
	plan_pages_fini(&w->pages);
	free(w->point);
	free(w);
}

int
plan_report_make(const char *file, const struct plan_machine *machine,
	const struct plan_report_options *o, struct plan_report *out, struct nfv_err *err)
{
	struct work *w = calloc(1, sizeof(*w));
	int rc;

	if (w == NULL)
		return nfv_fail(err, ENOMEM, "no memory for a plan");
	*out = (struct plan_report){ .machine = *machine };
	snprintf(out->file, sizeof(out->file), "%s", file);
	rc = read_trace(out, w, o->rate, err);
	if (rc == 0)
		rc = take_classes(out, w, err);
	if (rc == 0)
		rc = make_arms(out, o->memory, err);
	if (rc == 0 && o->simulate)
		rc = simulate(out, w, err);
	/* The footprints were the work's. */
	for (uint32_t i = 0; i < out->classes; i++)
		out->class[i].window = out->class[i].footprint = NULL;
	work_fini(w);
	if (rc < 0) {
		plan_report_fini(out);
		if (err != NULL && strncmp(err->text, file, strlen(file)) != 0)
			nfv_fail_in(err, rc, "%s", file);
	}
	return rc;
}

void
plan_report_fini(struct plan_report *r)
{
	for (int a = 0; a < MPC_PLAN_ARMS; a++) {
		free(r->arm[a].pages);
		free(r->arm[a].miss);
		r->arm[a].pages = NULL;
		r->arm[a].miss = NULL;
	}
	free(r->available);
	r->available = NULL;
	r->classes = 0;
}

double
plan_report_time_saved(const struct plan_report *r)
{
	double saved = r->arm[MPC_PLAN_OFF].cost.total - r->arm[MPC_PLAN_MCMF].cost.total;

	if (r->seconds <= 0 || r->machine.latency <= 0 || r->machine.miss <= 0)
		return INFINITY;
	return saved / r->machine.miss * r->machine.latency * 1e-9;
}

double
plan_report_misses(const struct plan_report *r, enum mpc_plan_arm arm, uint32_t class)
{
	const double *row = r->arm[arm].miss + (size_t) class * r->machine.cache.colours;
	double sum = 0;

	for (uint32_t k = 0; k < r->machine.cache.colours; k++)
		sum += row[k];
	return sum * r->units;
}
