#include <ctype.h>

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
