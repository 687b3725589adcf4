#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plan_model.h"

#define NEWTON 64 /* steps; it stands still long before */

static int
check_class(
	const struct mpc_plan_class *c, const struct mpc_plan_machine *machine, struct nfv_err *err)
{
	const char *name = c->name != NULL ? c->name : "without a name";

	if (c->pages == 0 || c->points == 0)
		return nfv_fail(err, EINVAL, "class %s has no pages, or no footprint", name);
	if (c->socket >= machine->sockets)
		return nfv_fail(err, EINVAL, "class %s is used on socket %u of %u", name, c->socket,
			machine->sockets);
	if (c->crowding != 0 && !(c->crowding >= 1 && isfinite(c->crowding)))
		return nfv_fail(err, EINVAL, "class %s cannot be less than evenly spread", name);
	if (!(c->rate > 0) || !isfinite(c->rate))
		return nfv_fail(err, EINVAL, "class %s must have a rate above 0", name);
	for (uint32_t i = 0; i < c->points; i++) {
		double w = i > 0 ? c->window[i - 1] : 0, f = i > 0 ? c->footprint[i - 1] : 0;

		if (!(c->window[i] > w) || !(c->footprint[i] >= f) || !isfinite(c->window[i]) ||
			!isfinite(c->footprint[i]))
			return nfv_fail(err, EINVAL,
				"the footprint of class %s must grow from window to window, and "
				"does not at number %u",
				name, i);
	}
	return 0;
}

static int
check(const struct mpc_plan_class *class, uint32_t classes, const struct mpc_plan_machine *machine,
	struct nfv_err *err)
{
	uint64_t wanted = 0, there = 0;

	if (machine->sockets == 0 || machine->sockets > MPC_PLAN_SOCKETS_MAX ||
		machine->colours == 0 || machine->colours > MPC_PLAN_COLOURS_MAX || classes == 0 ||
		classes > MPC_PLAN_CLASSES_MAX)
		return nfv_fail(err, EINVAL,
			"a plan is for 1 to %d sockets, %d colours and %d classes, not %u, %u, %u",
			MPC_PLAN_SOCKETS_MAX, MPC_PLAN_COLOURS_MAX, MPC_PLAN_CLASSES_MAX,
			machine->sockets, machine->colours, classes);
	if (!(machine->lines > 0) || !isfinite(machine->lines) || !(machine->miss >= 0) ||
		!isfinite(machine->miss) || !(machine->remote >= 0) || !isfinite(machine->remote) ||
		!(machine->worthwhile >= 0 && machine->worthwhile < 1))
		return nfv_fail(err, EINVAL,
			"lines of cache must be more than 0, costs at least that, and what is "
			"worthwhile below 1");
	for (uint32_t i = 0; i < classes; i++) {
		int rc = check_class(&class[i], machine, err);

		if (rc < 0)
			return rc;
		wanted += class[i].pages;
	}
	for (uint32_t p = 0; p < machine->sockets * machine->colours; p++)
		there += machine->available[p];
	if (wanted > there)
		return nfv_fail(err, ENOSPC, "the classes want %llu pages, and there are %llu",
			(unsigned long long)wanted, (unsigned long long)there);
	return 0;
}

/* The least concave curve over the samples: what noise dents is filled. */
static void
fill_curve(struct plan_curve *to, const struct mpc_plan_class *c)
{
	uint32_t n = 1;

	to->time[0] = to->lines[0] = 0;
	for (uint32_t i = 0; i < c->points; i++) {
		double t = c->window[i] / c->rate, f = c->footprint[i];

		while (n > 1 &&
			(f - to->lines[n - 1]) * (to->time[n - 1] - to->time[n - 2]) >=
				(to->lines[n - 1] - to->lines[n - 2]) * (t - to->time[n - 1]))
			n--;
		to->time[n] = t;
		to->lines[n++] = f;
	}
	for (uint32_t i = 0; i + 1 < n; i++)
		to->slope[i] = (to->lines[i + 1] - to->lines[i]) / (to->time[i + 1] - to->time[i]);
	to->slope[n - 1] = 0;
	to->n = n;
	to->dense = c->crowding > 0 ? c->crowding : 1;
}

int
plan_model_init(struct plan_model *m, const struct mpc_plan_class *class, uint32_t classes,
	const struct mpc_plan_machine *machine, struct nfv_err *err)
{
	size_t points = 1;
	uint32_t n = 0;
	double *at;
	int rc = check(class, classes, machine, err);

	*m = (struct plan_model){ .class = class, .machine = machine, .classes = classes };
	if (rc < 0)
		return rc;
	m->places = machine->sockets * machine->colours;
	for (uint32_t i = 0; i < classes; i++)
		points += (size_t) class[i].points + 1;
	m->curve = calloc((size_t)classes + 1, sizeof(*m->curve));
	m->memory = malloc(3 * points * sizeof(*m->memory));
	m->user = malloc(((size_t)classes + 1) * sizeof(*m->user));
	m->first_user = malloc(((size_t)machine->sockets + 1) * sizeof(*m->first_user));
	m->share = malloc((2ul * classes + 1) * sizeof(*m->share));
	if (m->curve == NULL || m->memory == NULL || m->user == NULL || m->first_user == NULL ||
		m->share == NULL) {
		plan_model_fini(m);
		nfv_fail(err, ENOMEM, "no memory for %u classes", classes);
		return -ENOMEM;
	}
	at = m->memory;
	for (uint32_t i = 0; i < classes; i++) {
		uint32_t room = class[i].points + 1;

		m->curve[i] = (struct plan_curve){ at, at + room, at + 2 * (size_t)room, 0, 1 };
		fill_curve(&m->curve[i], &class[i]);
		at += 3 * (size_t)room;
	}
	for (uint32_t s = 0; s < machine->sockets; s++) {
		m->first_user[s] = n;
		for (uint32_t i = 0; i < classes; i++)
			if (class[i].socket == s)
				m->user[n++] = i;
	}
	m->first_user[machine->sockets] = n;
	return 0;
}

void
plan_model_fini(struct plan_model *m)
{
	free(m->curve);
	free(m->memory);
	free(m->user);
	free(m->first_user);
	free(m->share);
}

static uint32_t
segment(const struct plan_curve *c, double time)
{
	uint32_t low = 0, high = c->n;

	while (high - low > 1) {
		uint32_t middle = (low + high) / 2;

		if (c->time[middle] <= time)
			low = middle;
		else
			high = middle;
	}
	return low;
}

double
plan_lines(const struct plan_model *m, uint32_t class, double time)
{
	const struct plan_curve *c = &m->curve[class];
	uint32_t i = segment(c, time);

	return c->dense *
		(i + 1 < c->n ? c->lines[i] + (time - c->time[i]) * c->slope[i] :
				c->lines[c->n - 1]);
}

double
plan_slope(const struct plan_model *m, uint32_t class, double time)
{
	const struct plan_curve *c = &m->curve[class];

	return c->slope[segment(c, time)];
}

/*
 * Newton's method: the sum is concave, so that every step ends short of the answer, or in it, wherever
 * it began, and the steps only grow smaller.
 */
double
plan_fill_time(struct plan_model *m, const uint32_t *user, const double *share, uint32_t n,
	double lines, double guess)
{
	double time = isfinite(guess) ? guess : 0;

	for (int i = 0; i < NEWTON; i++) {
		double sum = 0, slope = 0, next;

		for (uint32_t k = 0; k < n; k++) {
			const struct plan_curve *c = &m->curve[user[k]];
			double dense = share[k] * c->dense;
			uint32_t at;

			if (share[k] <= 0)
				continue;
			at = segment(c, time);
			sum += dense * (c->lines[at] + (time - c->time[at]) * c->slope[at]);
			slope += dense * c->slope[at];
		}
		m->work += n;
		if (slope <= 0) {
			if (sum <= lines)
				return INFINITY;
			/* Beyond the last point of all: begin at 0, where it cannot be too full. */
			time = 0;
			continue;
		}
		next = time + (lines - sum) / slope;
		if (next < 0)
			next = 0;
		if (fabs(next - time) <= 1e-9 * next)
			return next;
		time = next;
	}
	return time;
}

static uint32_t
load(struct plan_model *m, const uint32_t *pages, uint32_t socket, uint32_t colour)
{
	const struct mpc_plan_machine *machine = m->machine;
	const uint32_t *user = m->user + m->first_user[socket];
	uint32_t n = m->first_user[socket + 1] - m->first_user[socket];

	for (uint32_t i = 0; i < n; i++) {
		const uint32_t *row = pages + (size_t)user[i] * m->places;
		uint64_t sum = 0;

		for (uint32_t s = 0; s < machine->sockets; s++)
			sum += row[s * machine->colours + colour];
		m->share[i] = (double)sum / m->class[user[i]].pages;
	}
	return n;
}

struct plan_group
plan_group(struct plan_model *m, const uint32_t *pages, uint32_t socket, uint32_t colour,
	double lines, double guess)
{
	const struct mpc_plan_machine *machine = m->machine;
	const uint32_t *user = m->user + m->first_user[socket];
	uint32_t n = load(m, pages, socket, colour);
	struct plan_group g = { .time = plan_fill_time(m, user, m->share, n, lines, guess) };

	if (isinf(g.time))
		return g;
	for (uint32_t i = 0; i < n; i++) {
		const uint32_t *row = pages + (size_t)user[i] * m->places;
		double slope, local;

		if (m->share[i] <= 0)
			continue;
		slope = plan_slope(m, user[i], g.time);
		local = row[socket * machine->colours + colour] / (double)m->class[user[i]].pages;
		g.miss += m->share[i] * slope * machine->miss;
		g.remote += (m->share[i] - local) * slope * machine->remote;
	}
	m->work += n;
	return g;
}

bool
plan_same_column(
	const struct plan_model *m, const uint32_t *pages, uint32_t socket, uint32_t a, uint32_t b)
{
	const struct mpc_plan_machine *machine = m->machine;

	for (uint32_t i = m->first_user[socket]; i < m->first_user[socket + 1]; i++) {
		const uint32_t *row = pages + (size_t)m->user[i] * m->places;

		for (uint32_t s = 0; s < machine->sockets; s++)
			if (row[s * machine->colours + a] != row[s * machine->colours + b])
				return false;
	}
	return true;
}

double
plan_total(struct plan_model *m, const uint32_t *pages)
{
	double total = 0;

	for (uint32_t s = 0; s < m->machine->sockets; s++) {
		struct plan_group g = { .time = 0 };

		for (uint32_t k = 0; k < m->machine->colours; k++) {
			if (k == 0 || !plan_same_column(m, pages, s, k - 1, k))
				g = plan_group(m, pages, s, k, m->machine->lines, g.time);
			total += g.miss + g.remote;
		}
	}
	return total;
}

/* Misses of one class in a group, with itself, its flow, and all others as company. */
static void
split_class(struct plan_model *m, const uint32_t *user, uint32_t n, uint32_t i, double all,
	struct mpc_plan_cost *out)
{
	const struct mpc_plan_class *class = m->class;
	double lines = m->machine->lines, own, family, share = m->share[i];
	double *mates = m->share + n; /* the second half of the scratch memory */
	double price = share * m->machine->miss;

	for (uint32_t k = 0; k < n; k++)
		mates[k] = class[user[k]].flow == class[user[i]].flow ? m->share[k] : 0;
	own = plan_fill_time(m, &user[i], &share, 1, lines, 0);
	family = plan_fill_time(m, user, mates, n, lines, 0);
	own = price * plan_slope(m, user[i], own);
	family = price * plan_slope(m, user[i], family);
	all = price * plan_slope(m, user[i], all);
	out->alone += own;
	out->intra += family - own;
	out->inter += all - family;
}

void
plan_split(struct plan_model *m, const uint32_t *pages, struct mpc_plan_cost *out)
{
	*out = (struct mpc_plan_cost){ .alone = 0 };
	for (uint32_t s = 0; s < m->machine->sockets; s++)
		for (uint32_t k = 0; k < m->machine->colours; k++) {
			const uint32_t *user = m->user + m->first_user[s];
			uint32_t n = m->first_user[s + 1] - m->first_user[s];
			struct plan_group g = plan_group(m, pages, s, k, m->machine->lines, 0);

			for (uint32_t i = 0; i < n; i++)
				if (m->share[i] > 0)
					split_class(m, user, n, i, g.time, out);
			out->remote += g.remote;
		}
	out->total = out->alone + out->intra + out->inter + out->remote;
}

void
plan_misses(struct plan_model *m, const uint32_t *pages, double *miss)
{
	uint32_t colours = m->machine->colours;

	memset(miss, 0, (size_t)m->classes * colours * sizeof(*miss));
	for (uint32_t s = 0; s < m->machine->sockets; s++)
		for (uint32_t k = 0; k < colours; k++) {
			const uint32_t *user = m->user + m->first_user[s];
			uint32_t n = m->first_user[s + 1] - m->first_user[s];
			struct plan_group g = plan_group(m, pages, s, k, m->machine->lines, 0);

			for (uint32_t i = 0; i < n && isfinite(g.time); i++)
				miss[(size_t)user[i] * colours + k] =
					m->share[i] * plan_slope(m, user[i], g.time);
		}
}
