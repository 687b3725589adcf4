#define _GNU_SOURCE /* memmem */
#include <ctype.h>

#include "actions.h"
#include "loader.h"

/* A run of characters that stand for themselves, a backslash before punctuation taken off. */
static const char *
fixed(const char *p, char *to, size_t *n)
{
	for (*n = 0; *p != '\0'; p++) {
		if (*p == '\\' && ispunct((unsigned char)p[1]) && strchr("<>`'", p[1]) == NULL)
			p++;
		else if (strchr("\\.[](){}*+?|^$", *p) != NULL)
			break;
		to[(*n)++] = *p;
	}
	return p;
}

/* What follows a fixed text must not change its last character's meaning. */
static bool
repeats(char ch)
{
	return ch != '\0' && strchr("*+?{", ch) != NULL;
}

static bool
has(struct nfv_sv set, char ch)
{
	return memchr(set.p, ch, set.n) != NULL;
}

/* `[^abc]*` or `+`, of characters that mean nothing in brackets: its end, or NULL. */
static const char *
run_of(const char *p, struct action *a)
{
	size_t n;

	if (strncmp(p, "[^", 2) != 0)
		return NULL;
	p += 2;
	n = strcspn(p, "[]-");
	for (size_t i = 0; i < n; i++)
		if (!isascii((unsigned char)p[i]))
			return NULL;
	if (n == 0 || p[n] != ']' || (p[n + 1] != '*' && p[n + 1] != '+'))
		return NULL;
	a->plain_not = nfv_sv(p, n);
	a->plain_some = p[n + 1] == '+';
	return p + n + 2;
}

void
ereg_plan(struct loader *l, struct action *a, const char *expression)
{
	const char *p = loader_keep(l, expression).p, *end;
	char *before = store_take(l->s->text, strlen(expression) + 1);
	char *after = store_take(l->s->text, strlen(expression) + 1);
	enum plain plain = PLAIN_TEXT;
	size_t n, m = 0;
	bool group;

	if (p == NULL || before == NULL || after == NULL) {
		loader_no_memory(l);
		return;
	}
	p = fixed(p, before, &n);
	if (repeats(*p))
		return;
	group = *p == '(';
	p += group;
	if (strncmp(p, ".*", 2) == 0) {
		plain = PLAIN_ANY;
		end = p + 2;
	} else {
		end = run_of(p, a);
		plain = end != NULL ? PLAIN_RUN : PLAIN_TEXT;
	}
	if (plain != PLAIN_TEXT) {
		p = end;
		if ((group && *p++ != ')') || repeats(*p))
			return;
		p = fixed(p, after, &m);
	}
	if (*p != '\0' || (group && plain == PLAIN_TEXT))
		return;
	/* Then a run has only one end, at whatever place it begins. */
	if (plain == PLAIN_RUN && (n == 0 || (m > 0 && !has(a->plain_not, after[0]))))
		return;
	a->plain = (uint8_t)plain;
	a->plain_group = group;
	a->plain_before = nfv_sv(before, n);
	a->plain_after = nfv_sv(after, m);
}

static const char *
find(struct nfv_sv in, struct nfv_sv what)
{
	return what.n == 0 ? in.p : memmem(in.p, in.n, what.p, what.n);
}

static const char *
find_last(struct nfv_sv in, struct nfv_sv what)
{
	if (what.n == 0)
		return in.p + in.n;
	for (size_t at = in.n; at >= what.n; at--)
		if (memcmp(in.p + at - what.n, what.p, what.n) == 0)
			return in.p + at - what.n;
	return NULL;
}

/* From the first place where the fixed text is followed by a run that ends well. */
static bool
run_match(const struct action *a, struct nfv_sv in, const char **from, const char **to)
{
	const char *end = in.p + in.n, *p;
	struct nfv_sv after = a->plain_after;

	for (; (*from = find(in, a->plain_before)) != NULL; in.p = *from + 1) {
		p = *from + a->plain_before.n;
		while (p < end && !has(a->plain_not, *p))
			p++;
		*to = p;
		if (p - *from >= (ptrdiff_t)(a->plain_before.n + a->plain_some) &&
			(size_t)(end - p) >= after.n && memcmp(p, after.p, after.n) == 0)
			return true;
		in.n = (size_t)(end - *from) - 1;
	}
	return false;
}

static bool
plain_match(const struct action *a, struct nfv_sv in, regmatch_t match[EREG_GROUPS])
{
	const char *from, *rest, *to;

	if (a->plain == PLAIN_RUN) {
		if (!run_match(a, in, &from, &to))
			return false;
		rest = from + a->plain_before.n;
	} else {
		from = find(in, a->plain_before);
		if (from == NULL)
			return false;
		rest = to = from + a->plain_before.n;
		if (a->plain == PLAIN_ANY)
			to = find_last(nfv_sv(rest, in.n - (size_t)(rest - in.p)), a->plain_after);
		if (to == NULL)
			return false;
	}
	match[0].rm_so = (regoff_t)(from - in.p);
	match[0].rm_eo = (regoff_t)(to + a->plain_after.n - in.p);
	if (a->plain_group) {
		match[1].rm_so = (regoff_t)(rest - in.p);
		match[1].rm_eo = (regoff_t)(to - in.p);
	}
	return true;
}

bool
ereg_match(const struct action *a, struct nfv_sv in, regmatch_t match[EREG_GROUPS])
{
	for (unsigned int i = 0; i < EREG_GROUPS; i++)
		match[i].rm_so = match[i].rm_eo = -1;
	if (a->plain != PLAIN_NO)
		return plain_match(a, in, match);
	match[0].rm_so = 0;
	match[0].rm_eo = (regoff_t)in.n;
	return regexec(a->regex, in.p, EREG_GROUPS, match, REG_STARTEND) == 0;
}
