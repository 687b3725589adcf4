#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "mpc_plan_file.h"
#include "plan_report.h"

static const char *
unit(const struct plan_report *r)
{
	return r->seconds > 0 ? "second" : "access";
}

/* Pages by colour, neighbours with as many each put together: "0-3:128 7:64". */
static void
print_row(const struct plan_report *r, const uint32_t *row, FILE *out)
{
	uint32_t colours = r->machine.cache.colours;
	const char *gap = "";

	for (uint32_t s = 0; s < r->machine.sockets; s++) {
		const uint32_t *at = row + (size_t)s * colours;
		bool told = r->machine.sockets == 1;

		for (uint32_t k = 0, end; k < colours; k = end) {
			end = k + 1;
			while (end < colours && at[end] == at[k])
				end++;
			if (at[k] == 0)
				continue;
			fprintf(out, "%s", gap);
			if (!told)
				fprintf(out, "socket %u ", s);
			told = true;
			gap = " ";
			if (end > k + 1)
				fprintf(out, "%u-%u:%u", k, end - 1, at[k]);
			else
				fprintf(out, "%u:%u", k, at[k]);
		}
	}
	fputc('\n', out);
}

static void
print_assignment(const struct plan_report *r, FILE *out)
{
	size_t places = (size_t)r->machine.sockets * r->machine.cache.colours;

	fprintf(out, "%-24s %8s %14s %9s  %s\n", "class", "pages",
		r->seconds > 0 ? "accesses/s" : "of accesses", "lines",
		"colours:pages in each, by mcmf");
	for (uint32_t i = 0; i < r->classes; i++) {
		const struct mpc_plan_class *c = &r->class[i];

		fprintf(out,
			r->seconds > 0 ? "%-24s %8u %14.0f %9.0f  " : "%-24s %8u %14.4f %9.0f  ",
			c->name, c->pages, c->rate, r->class_lines[i]);
		print_row(r, r->arm[MPC_PLAN_MCMF].pages + i * places, out);
	}
}

static void
print_term(const struct plan_report *r, const char *name, size_t offset, FILE *out)
{
	fprintf(out, "%-24s", name);
	for (int a = 0; a < MPC_PLAN_ARMS; a++) {
		double v;

		memcpy(&v, (const uint8_t *)&r->arm[a].cost + offset, sizeof(v));
		fprintf(out, r->seconds > 0 ? " %14.0f" : " %14.6f", v);
	}
	fputc('\n', out);
}

#define TERM(r, name, member, out) print_term(r, name, offsetof(struct mpc_plan_cost, member), out)

static void
print_costs(const struct plan_report *r, FILE *out)
{
	double off = r->arm[MPC_PLAN_OFF].cost.total, found = r->arm[MPC_PLAN_MCMF].cost.total;
	char title[40];

	snprintf(title, sizeof(title), r->machine.miss == 1 ? "misses a%s %s" : "cost a%s %s",
		r->seconds > 0 ? "" : "n", unit(r));
	fprintf(out, "\n%-24s", title);
	for (int a = 0; a < MPC_PLAN_ARMS; a++)
		fprintf(out, " %14s", mpc_plan_arm_name[a]);
	fputc('\n', out);
	TERM(r, "  alone", alone, out);
	TERM(r, "  intra-flow", intra, out);
	TERM(r, "  inter-flow", inter, out);
	TERM(r, "  remote", remote, out);
	TERM(r, "total", total, out);
	if (r->chosen == MPC_PLAN_MCMF)
		fprintf(out, "\nthe plan is mcmf: it saves %.1f %% of what off costs\n",
			100 * (1 - found / off));
	else if (r->trifle)
		fprintf(out,
			"\nthe plan is off: it would save %.1f %% of what off costs, but that is %.2f %% of the time\n",
			100 * (1 - found / off), 100 * plan_report_time_saved(r));
	else if (r->disproved)
		fprintf(out,
			"\nthe plan is off: in the simulated cache it does not save %.1f %% of the misses\n",
			100 * r->machine.worthwhile);
	else if (off <= 0)
		fputs("\nthe plan is off: all that was touched fits into the cache; record for longer, or "
		      "under more load\n",
			out);
	else
		fprintf(out,
			"\nthe plan is off: nothing found saves %.1f %% of its cost, let alone more\n",
			100 * r->machine.worthwhile);
}

/* A class a line, or all of them together: class == r->classes. */
static void
print_misses(const struct plan_report *r, uint32_t class, FILE *out)
{
	fprintf(out, "%-24s", class < r->classes ? r->class[class].name : "together");
	for (int a = 0; a < MPC_PLAN_ARMS; a++) {
		double predicted = 0;
		uint64_t simulated = 0;

		for (uint32_t i = 0; i < r->classes; i++) {
			if (class < r->classes && i != class)
				continue;
			predicted += plan_report_misses(r, (enum mpc_plan_arm)a, i);
			simulated += r->arm[a].count[i].misses;
		}
		fprintf(out, " %14.0f", predicted);
		if (r->simulated)
			fprintf(out, " %11" PRIu64, simulated);
	}
	fputc('\n', out);
}

static void
print_all_misses(const struct plan_report *r, FILE *out)
{
	fprintf(out, "\n%-24s", "misses in this trace");
	for (int a = 0; a < MPC_PLAN_ARMS; a++) {
		fprintf(out, " %14s", mpc_plan_arm_name[a]);
		if (r->simulated)
			fprintf(out, " %11s", "simulated");
	}
	fputc('\n', out);
	for (uint32_t i = 0; i < r->classes; i++)
		print_misses(r, i, out);
	print_misses(r, r->classes, out);
}

void
plan_report_table(const struct plan_report *r, FILE *out)
{
	const struct mpc_cache *c = &r->machine.cache;

	fprintf(out, "%s: %" PRIu64 " accesses", r->file, r->accesses);
	if (r->seconds > 0)
		fprintf(out, " in %.3f s", r->seconds);
	fprintf(out, " to %" PRIu64 " pages\n", r->seen);
	fprintf(out,
		"level %u cache of %u KiB, %u ways, %u colours; %u socket%s, %u pages a colour\n\n",
		c->level, c->size >> 10, c->ways, c->colours, r->machine.sockets,
		r->machine.sockets > 1 ? "s" : "", r->machine.pages);
	print_assignment(r, out);
	print_costs(r, out);
	print_all_misses(r, out);
	if (r->other > 0)
		fprintf(out,
			"\n%.1f %% of the accesses are to memory that has no place in a plan (%s), and "
			"are left out\n",
			100 * (double)r->other / (double)r->accesses, PLAN_OTHER);
	if (r->info.lost > 0)
		fprintf(out,
			"\n%" PRIu64 " accesses were lost while it was recorded: rates are higher, "
			"and reuse is farther, than it says\n",
			r->info.lost);
	if (r->shared > 0)
		fprintf(out,
			"\n%" PRIu64 " accesses were to another class's lines: the classes are not "
			"disjoint, and those touching first are charged\n",
			r->shared);
}

static json_t *
cost_json(const struct mpc_plan_cost *c)
{
	return json_pack("{s:f, s:f, s:f, s:f, s:f}", "alone", c->alone, "intra", c->intra, "inter",
		c->inter, "remote", c->remote, "total", c->total);
}

/* What is known of a class beyond its name and pages. */
static void
add_figures(const struct plan_report *r, uint32_t i, json_t *class)
{
	const struct mpc_plan_class *c = &r->class[i];
	const char *flow = r->class[c->flow].name;
	json_t *predicted = json_object(), *simulated = json_object(), *sockets = json_array();
	uint32_t colours = r->machine.cache.colours, places = r->machine.sockets * colours;

	for (int a = 0; a < MPC_PLAN_ARMS; a++) {
		json_object_set_new(predicted, mpc_plan_arm_name[a],
			json_real(plan_report_misses(r, (enum mpc_plan_arm)a, i)));
		json_object_set_new(simulated, mpc_plan_arm_name[a],
			json_integer((json_int_t)r->arm[a].count[i].misses));
	}
	for (uint32_t s = 0; s < r->machine.sockets; s++) {
		json_t *row = json_array();

		for (uint32_t k = 0; k < colours; k++)
			json_array_append_new(row,
				json_integer(
					(json_int_t)r->arm[r->chosen].pages[(size_t)i * places +
						(size_t)s * colours + k]));
		json_array_append_new(sockets, row);
	}
	json_object_update_new(class,
		json_pack("{s:s%, s:I, s:I, s:f, s:f, s:O}", "flow", flow, plan_flow_length(flow),
			"wanted", (json_int_t)c->pages, "accesses",
			(json_int_t)r->class_accesses[i], "rate", c->rate, "lines",
			r->class_lines[i], "predicted", predicted));
	if (r->simulated)
		json_object_set(class, "simulated", simulated);
	if (r->machine.sockets > 1)
		json_object_set(class, "sockets", sockets);
	json_decref(predicted);
	json_decref(simulated);
	json_decref(sockets);
}

/* The plan alone, as it is loaded: pages by colour, whatever the socket. */
static json_t *
file_json(const struct plan_report *r)
{
	uint32_t colours = r->machine.cache.colours, sockets = r->machine.sockets;
	const uint32_t *from = r->arm[r->chosen].pages;
	struct mpc_plan_file_class class[MPC_CLASSES];
	uint32_t *sum = calloc((size_t)r->classes * colours, sizeof(*sum));
	const struct mpc_cache *c = &r->machine.cache;
	struct mpc_plan_file p = { .level = c->level,
		.colours = colours,
		.arm = r->chosen,
		.classes = r->classes,
		.class = class };
	json_t *j;

	if (sum == NULL)
		return NULL;
	snprintf(p.machine, sizeof(p.machine), "%u KiB, %u ways, lines of %u bytes; %u socket%s",
		c->size >> 10, c->ways, c->line, sockets, sockets > 1 ? "s" : "");
	for (uint32_t i = 0; i < r->classes; i++) {
		class[i].pages = sum + (size_t)i * colours;
		snprintf(class[i].name, sizeof(class[i].name), "%s", r->class[i].name);
		for (uint32_t k = 0; k < sockets * colours; k++)
			class[i].pages[k % colours] += *from++;
	}
	j = mpc_plan_file_json(&p);
	free(sum);
	return j;
}

static json_t *
machine_json(const struct plan_machine *m)
{
	return json_pack("{s:i, s:I, s:I, s:I, s:I, s:f, s:f, s:f}", "line", (int)m->cache.line,
		"ways", (json_int_t)m->cache.ways, "sets", (json_int_t)m->cache.sets, "sockets",
		(json_int_t)m->sockets, "pages", (json_int_t)m->pages, "miss", m->miss, "remote",
		m->remote, "worthwhile", m->worthwhile);
}

json_t *
plan_report_json(const struct plan_report *r)
{
	json_t *j = file_json(r), *cost = json_object(), *class;
	size_t i;

	json_array_foreach(json_object_get(j, "classes"), i, class)
		add_figures(r, (uint32_t)i, class);
	for (int a = 0; a < MPC_PLAN_ARMS; a++)
		json_object_set_new(cost, mpc_plan_arm_name[a], cost_json(&r->arm[a].cost));
	json_object_update_new(j,
		json_pack("{s:o, s:o, s:s, s:I, s:I, s:{s:s, s:I, s:f, s:I, s:I, s:I, s:I}}", "for",
			machine_json(&r->machine), "cost", cost, "unit", unit(r), "flows",
			(json_int_t)r->flows, "accepted", (json_int_t)r->accepted, "profile",
			"file", r->file, "accesses", (json_int_t)r->accesses, "seconds", r->seconds,
			"seen", (json_int_t)r->seen, "other", (json_int_t)r->other, "shared",
			(json_int_t)r->shared, "lost", (json_int_t)r->info.lost));
	return j;
}
