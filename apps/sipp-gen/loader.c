#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

#include "loader.h"

void
loader_fault(struct loader *l, unsigned int line, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (l->faults++ == 0)
		l->rc = nfv_fail(l->err, EINVAL, "%s:%u: %s", l->file, line, text);
	if (l->report != NULL) {
		l->report->unsupported++;
		if (l->report->to != NULL)
			fprintf(l->report->to, "%s:%u: %s\n", l->file, line, text);
	}
}

void
loader_no_memory(struct loader *l)
{
	l->faults++;
	l->rc = nfv_fail(l->err, ENOMEM, "there is no memory for %s", l->file);
}

void
loader_attrs(struct loader *l, const struct xml_node *n, const char *names)
{
	for (const struct xml_attr *a = n->attr; a != NULL; a = a->next) {
		struct nfv_sv rest = nfv_sv_str(names), word;
		bool known = false;

		while (!known && (word = nfv_sv_word(&rest)).n > 0)
			known = nfv_sv_eq(word, nfv_sv_str(a->name));
		if (!known)
			loader_fault(
				l, n->line, "<%.40s> has no attribute \"%.40s\"", n->name, a->name);
	}
}

bool
loader_bool(struct loader *l, const struct xml_node *n, const char *attr, bool otherwise)
{
	const char *text = xml_attr(n, attr);

	if (text == NULL)
		return otherwise;
	if (strcmp(text, "true") == 0 || strcmp(text, "1") == 0)
		return true;
	if (strcmp(text, "false") != 0 && strcmp(text, "0") != 0)
		loader_fault(l, n->line, "%s=\"%.40s\" is neither true nor false", attr, text);
	return false;
}

double
loader_number(struct loader *l, const struct xml_node *n, const char *attr, double min, double max,
	double otherwise)
{
	const char *text = xml_attr(n, attr);
	char *end;
	double v;

	if (text == NULL)
		return otherwise;
	v = strtod(text, &end);
	if (end == text || *end != '\0' || !isfinite(v)) {
		loader_fault(l, n->line, "%s=\"%.40s\" is no number", attr, text);
		return otherwise;
	}
	if (v < min || v > max) {
		loader_fault(
			l, n->line, "%s=\"%.40s\" is not between %g and %g", attr, text, min, max);
		return otherwise;
	}
	return v;
}

const char *
loader_need(struct loader *l, const struct xml_node *n, const char *attr)
{
	const char *text = xml_attr(n, attr);

	if (text != NULL && text[0] != '\0')
		return text;
	loader_fault(l, n->line, "<%s> needs %s=", n->name, attr);
	return NULL;
}

struct nfv_sv
loader_keep(struct loader *l, const char *text)
{
	struct nfv_sv copy = store_text(l->s->text, nfv_sv_str(text));

	if (copy.p == NULL)
		loader_no_memory(l);
	return copy;
}

int16_t
loader_var_named(struct loader *l, unsigned int line, struct nfv_sv name)
{
	struct scenario *s = l->s;
	struct var_decl *v;

	if (name.n > 0 && name.p[0] == '$')
		name = nfv_sv(name.p + 1, name.n - 1);
	for (uint32_t i = 0; i < s->n_vars; i++)
		if (nfv_sv_eq(s->var[i].name, name))
			return s->var[i].id;
	if (name.n == 0 || s->n_vars == SCENARIO_VARS) {
		loader_fault(l, line,
			name.n == 0 ? "a variable has no name" : "there are more than %d variables",
			SCENARIO_VARS);
		return NO_VAR;
	}
	v = &s->var[s->n_vars];
	v->name = store_text(s->text, name);
	if (v->name.p == NULL) {
		loader_no_memory(l);
		return NO_VAR;
	}
	v->id = VAR_ID(VAR_CALL, s->n_scope[VAR_CALL]++);
	s->n_vars++;
	return v->id;
}

int16_t
loader_var(struct loader *l, const struct xml_node *n, const char *attr)
{
	const char *text = xml_attr(n, attr);

	return text != NULL ? loader_var_named(l, n->line, nfv_sv_str(text)) : NO_VAR;
}

static int
template_variable(void *ctx, struct nfv_sv name)
{
	struct loader *l = ctx;

	return loader_var_named(l, l->text_line, name);
}

static struct nfv_sv
template_generic(void *ctx, struct nfv_sv name)
{
	const struct loader *l = ctx;

	for (uint32_t i = 0; l->keys != NULL && i < l->keys->n; i++)
		if (nfv_sv_eq(nfv_sv_str(l->keys->key[i].name), name))
			return nfv_sv_str(l->keys->key[i].value);
	return nfv_sv(NULL, 0);
}

static void
template_fault(void *ctx, unsigned int line, const char *sentence)
{
	struct loader *l = ctx;

	loader_fault(l, l->text_line + line, "%s", sentence);
}

void
loader_template(
	struct loader *l, unsigned int line, struct nfv_sv text, bool message, struct template *out)
{
	const struct template_names names = { l, template_variable, template_generic,
		template_fault };
	unsigned int faults = l->faults;
	struct nfv_err why;
	int rc;

	l->text_line = line;
	rc = template_compile(text, message, &names, out, &why);
	if (rc == -ENOMEM)
		loader_no_memory(l);
	else if (rc < 0 && l->faults == faults)
		loader_fault(l, line, "%s", why.text);
	l->s->uses_fields |= out->uses_fields;
	l->s->uses_auth |= out->uses_auth;
}

regex_t *
loader_regex(struct loader *l, const struct xml_node *n, const char *text)
{
	regex_t *regex = calloc(1, sizeof(*regex));
	char why[128];
	int rc;

	if (regex == NULL) {
		loader_no_memory(l);
		return NULL;
	}
	rc = regcomp(regex, text, REG_EXTENDED);
	if (rc == 0)
		return regex;
	regerror(rc, regex, why, sizeof(why));
	loader_fault(l, n->line, "the regular expression \"%.60s\" is wrong: %s", text, why);
	free(regex);
	return NULL;
}

static const struct {
	const char *name, *a, *b;
	uint8_t kind;
	bool zero; /* the second one may be zero */
} distributions[] = {
	{ "fixed", "value", NULL, DIST_FIXED, true },
	{ "uniform", "min", "max", DIST_UNIFORM, true },
	{ "normal", "mean", "stdev", DIST_NORMAL, true },
	{ "lognormal", "mean", "stdev", DIST_LOGNORMAL, true },
	{ "exponential", "mean", NULL, DIST_EXPONENTIAL, true },
	{ "weibull", "lambda", "k", DIST_WEIBULL, false },
	{ "pareto", "k", "x_m", DIST_PARETO, false },
	{ "gamma", "k", "theta", DIST_GAMMA, false },
	{ "negbin", "p", "n", DIST_NEGBIN, false },
};

void
loader_duration(struct loader *l, const struct xml_node *n, struct duration *out)
{
	/* an old form: <pause min="1" max="2"/> */
	const char *given = xml_attr(n, "distribution"), *name = given != NULL ? given : "uniform";
	double top = 1e9;

	for (size_t i = 0; i < sizeof(distributions) / sizeof(distributions[0]); i++) {
		if (strcmp(distributions[i].name, name) != 0)
			continue;
		out->kind = distributions[i].kind;
		if (loader_need(l, n, distributions[i].a) != NULL)
			out->a = loader_number(l, n, distributions[i].a,
				out->kind == DIST_UNIFORM || out->kind == DIST_NORMAL ? -top : 0,
				top, 1);
		if (distributions[i].b != NULL && loader_need(l, n, distributions[i].b) != NULL)
			out->b = loader_number(l, n, distributions[i].b,
				out->kind == DIST_UNIFORM ? -top : 0, top, 1);
		if ((out->kind == DIST_UNIFORM && out->a > out->b) ||
			(!distributions[i].zero && !(out->a > 0 && out->b > 0)) ||
			(out->kind == DIST_NEGBIN && out->a > 1))
			loader_fault(l, n->line, "no %s distribution has such parameters", name);
		return;
	}
	loader_fault(l, n->line, "the distribution \"%.40s\" is not supported", name);
}
