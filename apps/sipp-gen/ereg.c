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

void
ereg_plan(struct loader *l, struct action *a, const char *p)
{
	char *before = store_take(l->s->text, strlen(p) + 1);
	char *after = store_take(l->s->text, strlen(p) + 1);
	size_t n, m = 0;
	bool group, any;

	if (before == NULL || after == NULL) {
		loader_no_memory(l);
		return;
	}
	p = fixed(p, before, &n);
	if (repeats(*p))
		return;
	group = *p == '(';
	p += group;
	any = strncmp(p, ".*", 2) == 0;
	if (any) {
		p += 2;
		if ((group && *p++ != ')') || repeats(*p))
			return;
		p = fixed(p, after, &m);
	}
	if (*p != '\0' || (group && !any))
		return;
	a->plain = any ? PLAIN_ANY : PLAIN_TEXT;
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

static bool
plain_match(const struct action *a, struct nfv_sv in, regmatch_t match[EREG_GROUPS])
{
	const char *from = find(in, a->plain_before), *rest, *to;

	if (from == NULL)
		return false;
	rest = to = from + a->plain_before.n;
	if (a->plain == PLAIN_ANY)
		to = find_last(nfv_sv(rest, in.n - (size_t)(rest - in.p)), a->plain_after);
	if (to == NULL)
		return false;
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
