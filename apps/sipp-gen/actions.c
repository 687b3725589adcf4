#define _GNU_SOURCE /* memmem */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "actions.h"

/* One step's actions as they run. */
struct run {
	const struct scenario *s;
	const struct step *step;
	struct facts *f;
	struct actions_env *env;
	struct verdict verdict;
	bool done; /* nothing more is to be run */
};

static void
fail(struct run *r, enum cause cause)
{
	r->verdict = (struct verdict){ .kind = VERDICT_FAIL, .cause = (uint8_t)cause };
	r->done = true;
}

static void
no_room(struct run *r)
{
	fail(r, CAUSE_CANNOT_SEND);
	r->verdict.no_room = true;
}

static void
warn(struct run *r, const struct action *a, struct nfv_sv text)
{
	if (r->env->say != NULL)
		r->env->say(r->env->ctx, ACT_WARNING, a->line, text);
}

static void
set_text(struct run *r, int id, struct nfv_sv text)
{
	struct vars *v = r->f->vars[VAR_SCOPE(id)];

	if (v != NULL && !vars_set_text(v, VAR_PLACE(id), text))
		no_room(r);
}

static void
set_number(struct run *r, int id, double number)
{
	struct value *v = facts_value(r->f, id);

	if (v != NULL)
		*v = (struct value){ .kind = VALUE_NUMBER, .number = number };
}

static void
set_bool(struct run *r, int id, bool truth)
{
	struct value *v = facts_value(r->f, id);

	if (v != NULL)
		*v = (struct value){ .kind = VALUE_BOOL, .truth = truth };
}

static double
number_of(struct run *r, int id)
{
	const struct value *v = facts_value(r->f, id);

	return v != NULL && v->kind == VALUE_NUMBER ? v->number : 0;
}

static struct nfv_sv
text_of(struct run *r, int id)
{
	const struct value *v = facts_value(r->f, id);

	return v != NULL && v->kind == VALUE_TEXT ? nfv_sv(v->text, v->n) : nfv_sv("", 0);
}

/* Put a text together in the scratch buffer, from `*used` on. */
static struct nfv_sv
render(struct run *r, const struct template *t, size_t *used)
{
	struct nfv_sip_writer w = { r->env->scratch, *used, r->env->scratch_n, false };
	size_t from = *used;

	if (!template_render(t, r->f, &w)) {
		if (w.full)
			no_room(r);
		else
			fail(r, CAUSE_FIELD_MISSING);
		return nfv_sv("", 0);
	}
	*used = w.n;
	return nfv_sip_written(&w, from);
}

/* What stands behind `header` up to the end of its line, wherever SIPp would look for it: anywhere
 * in the message, or at the front of lines. False: it is not there. */
static bool
find_header(const struct action *a, struct nfv_sv in, struct nfv_sv *out)
{
	unsigned int left = a->occurrence;
	struct nfv_sv h = a->header, rest = in;
	const char *at, *end = in.p + in.n;
	size_t n = 0;

	for (; rest.n >= h.n; rest = nfv_sv(at + 1, (size_t)(end - at) - 1)) {
		at = rest.p;
		if (!a->case_indep)
			at = memmem(rest.p, rest.n, h.p, h.n);
		if (at == NULL)
			return false;
		if ((a->case_indep && !nfv_sv_ieq(nfv_sv(at, h.n), h)) ||
			(a->start_line && at != in.p && at[-1] != '\n') || --left > 0)
			continue;
		at += h.n;
		while (at + n < end && at[n] != '\r' && at[n] != '\n')
			n++;
		*out = nfv_sv(at, n);
		return true;
	}
	return false;
}

/* The text that an expression is matched in; false: there is none. */
static bool
haystack(struct run *r, const struct action *a, struct nfv_sv *out)
{
	const struct nfv_sip_msg *m = r->f->last;

	if (a->search == IN_VAR) {
		/* Results may go into the store that this lies in, so it is copied first. */
		const struct value *v = facts_value(r->f, a->var);
		struct nfv_sv text = text_of(r, a->var);

		if (v == NULL || v->kind != VALUE_TEXT || text.n > r->env->scratch_n)
			return false;
		if (text.n > 0)
			memcpy(r->env->scratch, text.p, text.n);
		*out = nfv_sv(r->env->scratch, text.n);
		return true;
	}
	if (m == NULL)
		return false;
	*out = a->search == IN_BODY ? nfv_sv(m->p + m->body, m->body_n) : nfv_sv(m->p, m->n);
	return a->search != IN_HDR || (find_header(a, *out, out) && out->n > 0);
}

static void
ereg(struct run *r, const struct action *a)
{
	regmatch_t match[EREG_GROUPS];
	struct nfv_sv in = nfv_sv("", 0);
	struct value *whole;
	bool matched;

	if (!haystack(r, a, &in)) {
		in = nfv_sv("", 0);
		if (a->check) {
			fail(r, a->search == IN_HDR ? CAUSE_HEADER_MISSING : CAUSE_REGEXP_NO_MATCH);
			return;
		}
	}
	matched = ereg_match(a, in, match);
	whole = a->to[0] != NO_VAR ? facts_value(r->f, a->to[0]) : NULL;
	if (!matched && whole != NULL)
		whole->kind = VALUE_UNSET;
	for (unsigned int i = 0; matched && i < EREG_GROUPS && match[i].rm_eo != -1; i++)
		if (a->to[i] != NO_VAR)
			set_text(r, a->to[i],
				nfv_sv(in.p + match[i].rm_so,
					(size_t)(match[i].rm_eo - match[i].rm_so)));
	if (!matched && a->check)
		fail(r, CAUSE_REGEXP_NO_MATCH);
	else if (matched && a->check_inverse)
		fail(r, CAUSE_REGEXP_MATCH);
}

static void
say(struct run *r, const struct action *a)
{
	struct nfv_sv text;
	size_t n = 0;

	if (r->env->say != NULL) {
		text = render(r, &a->text, &n);
		if (!r->done)
			r->env->say(r->env->ctx, a->kind, a->line, text);
	}
	if (a->kind != ACT_ERROR)
		return;
	fail(r, CAUSE_STOPPED);
	r->verdict.kind = VERDICT_ERROR;
}

static void
arithmetic(struct run *r, const struct action *a)
{
	double x = number_of(r, a->to[0]), y = a->have_value ? a->value : number_of(r, a->var);

	if (a->kind == ACT_ADD)
		y = x + y;
	else if (a->kind == ACT_SUBTRACT)
		y = x - y;
	else if (a->kind == ACT_MULTIPLY)
		y = x * y;
	else if (a->kind == ACT_DIVIDE && y == 0)
		warn(r, a, NFV_SV("a division by zero was left out"));
	if (a->kind == ACT_DIVIDE && y == 0)
		return;
	set_number(r, a->to[0], a->kind == ACT_DIVIDE ? x / y : y);
}

static void
todouble(struct run *r, const struct action *a)
{
	const struct value *v = facts_value(r->f, a->var);
	char text[64], *end = text;
	double number = 0;

	if (v != NULL && v->kind == VALUE_NUMBER) {
		number = v->number;
	} else if (v != NULL && v->kind == VALUE_BOOL) {
		number = v->truth;
	} else {
		struct nfv_sv s = text_of(r, a->var);

		if (s.n > 0 && s.n < sizeof(text)) {
			memcpy(text, s.p, s.n);
			text[s.n] = '\0';
			number = strtod(text, &end);
		}
		if (end == text || *end != '\0') {
			warn(r, a, NFV_SV("a text that is no number was not converted"));
			return;
		}
	}
	set_number(r, a->to[0], number);
}

static void
trim(struct run *r, const struct action *a)
{
	struct value *v = facts_value(r->f, a->to[0]);

	if (v == NULL || v->kind != VALUE_TEXT)
		return;
	while (v->n > 0 && isspace((unsigned char)v->text[v->n - 1]))
		v->n--;
	for (; v->n > 0 && isspace((unsigned char)v->text[0]); v->n--)
		v->text++;
}

static void
compare_texts(struct run *r, const struct action *a)
{
	struct nfv_sv x = text_of(r, a->var), y = a->have_value ? a->constant : text_of(r, a->var2);
	int d = memcmp(x.p, y.p, x.n < y.n ? x.n : y.n);

	d = d != 0 ? d : (x.n > y.n) - (x.n < y.n);
	set_number(r, a->to[0], (d > 0) - (d < 0));
	if (d == 0 ? a->check_inverse : a->check)
		fail(r, CAUSE_STRCMP);
}

static void
test(struct run *r, const struct action *a)
{
	double x = number_of(r, a->var), y = a->have_value ? a->value : number_of(r, a->var2);
	const bool holds[] = { [CMP_EQ] = x == y,
		[CMP_NE] = x != y,
		[CMP_GT] = x > y,
		[CMP_LT] = x < y,
		[CMP_GE] = x >= y,
		[CMP_LE] = x <= y };

	set_bool(r, a->to[0], holds[a->compare]);
	if (holds[a->compare] ? a->check_inverse : a->check)
		fail(r, CAUSE_TEST);
}

/* The number is SIPp's: steps of <init> are counted apart. */
static void
jump(struct run *r, const struct action *a)
{
	double to = a->have_value ? a->value : number_of(r, a->var);
	uint32_t here = (uint32_t)(r->step - r->s->step);
	bool init = here < r->s->n_init;
	uint32_t base = init ? 0 : r->s->n_init, end = init ? r->s->n_init : r->s->n_steps;

	if (!(to >= 0) || to >= end - base || base + (uint32_t)to == here) {
		warn(r, a, NFV_SV("a jump leads to no other step"));
		fail(r, CAUSE_STOPPED);
		return;
	}
	r->verdict.kind = VERDICT_JUMP;
	r->verdict.step = (int16_t)(base + (uint32_t)to);
}

static void
lookup(struct run *r, const struct action *a)
{
	size_t n = 0;
	struct nfv_sv key = render(r, &a->text, &n);

	if (!r->done)
		set_number(r, a->to[0],
			r->env->lookup != NULL ? (double)r->env->lookup(r->env->ctx, a->file, key) :
						 -1);
}

static void
verifyauth(struct run *r, const struct action *a)
{
	size_t n = 0;
	struct nfv_sv user = render(r, &a->text, &n), password;

	if (r->done)
		return;
	password = render(r, &a->text2, &n);
	if (r->done)
		return;
	set_bool(r, a->to[0],
		r->f->last != NULL && r->env->verify != NULL &&
			r->env->verify(r->env->ctx, r->f->last, user, password));
}

static void
stop(struct run *r, const struct action *a)
{
	if (a->kind == ACT_STOP_CALL) {
		fail(r, CAUSE_STOPPED);
	} else if (a->kind == ACT_STOP_NOW) {
		fail(r, CAUSE_STOPPED);
		r->verdict.kind = VERDICT_STOP_NOW;
	} else {
		r->verdict.kind = VERDICT_STOP_GRACEFULLY;
	}
}

static void
assignstr(struct run *r, const struct action *a)
{
	size_t n = 0;
	struct nfv_sv text = render(r, &a->text, &n);

	if (!r->done)
		set_text(r, a->to[0], text);
}

static void
sample(struct run *r, const struct action *a)
{
	set_number(r, a->to[0], duration_sample(&a->sample, &r->env->random));
}

static void
time_of_day(struct run *r, const struct action *a)
{
	uint64_t seconds = r->f->wall_us / 1000000;

	set_number(r, a->to[0], (double)seconds);
	set_number(r, a->to[1], (double)(r->f->wall_us % 1000000));
}

static void (*const run_one[])(struct run *r, const struct action *a) = {
	[ACT_EREG] = ereg,
	[ACT_LOG] = say,
	[ACT_WARNING] = say,
	[ACT_ERROR] = say,
	[ACT_ASSIGN] = arithmetic,
	[ACT_ASSIGNSTR] = assignstr,
	[ACT_ADD] = arithmetic,
	[ACT_SUBTRACT] = arithmetic,
	[ACT_MULTIPLY] = arithmetic,
	[ACT_DIVIDE] = arithmetic,
	[ACT_TODOUBLE] = todouble,
	[ACT_TRIM] = trim,
	[ACT_STRCMP] = compare_texts,
	[ACT_TEST] = test,
	[ACT_JUMP] = jump,
	[ACT_LOOKUP] = lookup,
	[ACT_SAMPLE] = sample,
	[ACT_GETTIMEOFDAY] = time_of_day,
	[ACT_VERIFYAUTH] = verifyauth,
	[ACT_STOP_CALL] = stop,
	[ACT_STOP_GRACEFULLY] = stop,
	[ACT_STOP_NOW] = stop,
};

struct verdict
actions_run(
	const struct scenario *s, const struct step *step, struct facts *f, struct actions_env *env)
{
	struct run r = { .s = s, .step = step, .f = f, .env = env };

	for (uint32_t i = 0; i < step->n_actions && !r.done; i++) {
		const struct action *a = &s->action[step->action + i];

		run_one[a->kind](&r, a);
	}
	return r.verdict;
}
