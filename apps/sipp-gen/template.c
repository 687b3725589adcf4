#define _GNU_SOURCE /* memmem */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "put.h"
#include "store.h"
#include "template_compile.h"

#define TEXT_MAX 65535u
#define NESTING  2 /* [authentication username=[field0]] */

void
compiler_fault(struct compiler *c, struct nfv_sv at, const char *fmt, struct nfv_sv word)
{
	unsigned int line = c->line0;
	char text[160];

	for (const char *p = c->text.p; p < at.p; p++)
		line += *p == '\n';
	word.n = word.n > 60 ? 60 : word.n;
	snprintf(text, sizeof(text), fmt, NFV_SV_ARG(word));
	if (!c->failed)
		nfv_fail(c->err, EINVAL, "%s", text);
	c->failed = true;
	if (c->names->fault != NULL)
		c->names->fault(c->names->ctx, line, text);
}

struct piece *
compiler_add(struct compiler *c, enum keyword kw)
{
	struct piece *p = &c->t->piece[c->t->n++];

	*p = (struct piece){ .keyword = (uint8_t)kw, .var = -1 };
	return p;
}

/* Literal bytes; what follows literal bytes lies behind them and makes one piece with them. */
static void
literal(struct compiler *c, const char *p, size_t n)
{
	struct template *t = c->t;

	if (n == 0)
		return;
	if (t->n == 0 || t->piece[t->n - 1].keyword != KW_TEXT)
		compiler_add(c, KW_TEXT)->text = nfv_sv(c->literal, 0);
	memcpy(c->literal, p, n);
	c->literal += n;
	t->piece[t->n - 1].text.n += n;
}

/* Length of a keyword at the front, brackets included; 0: it is not closed. */
static size_t
bracketed(struct nfv_sv s)
{
	unsigned int depth = 0;

	for (size_t i = 0; i < s.n; i++) {
		depth += s.p[i] == '[';
		depth -= s.p[i] == ']';
		if (depth == 0)
			return i + 1;
	}
	return 0;
}

static int
hex(char ch)
{
	return isdigit((unsigned char)ch) ? ch - '0' : (ch | 32) - 'a' + 10;
}

void
compiler_run(struct compiler *c)
{
	struct nfv_sv s = c->text;
	size_t brackets = 0, n;

	for (size_t i = 0; i < s.n; i++)
		brackets += s.p[i] == '[';
	c->t->piece = store_take(c->t->store, (2 * brackets + 1) * sizeof(struct piece));
	c->literal = store_take(c->t->store, 2 * s.n + PUT_PAD);
	if (c->t->piece == NULL || c->literal == NULL) {
		c->no_memory = true;
		return;
	}
	for (; s.n > 0 && !c->no_memory; s = nfv_sv(s.p + n, s.n - n)) {
		n = 1;
		if (s.p[0] == '[') {
			n = bracketed(s);
			if (n == 0 || c->depth == NESTING) {
				compiler_fault(c, s, "a bracket is not closed: \"%.*s\"",
					nfv_sv(s.p, s.n < 20 ? s.n : 20));
				return;
			}
			compiler_keyword(c, nfv_sv(s.p + 1, n - 2));
		} else if (s.n >= 4 && s.p[0] == '\\' && s.p[1] == 'x' &&
			isxdigit((unsigned char)s.p[2]) && isxdigit((unsigned char)s.p[3])) {
			char byte = (char)(hex(s.p[2]) << 4 | hex(s.p[3]));

			literal(c, &byte, 1);
			n = 4;
		} else if (s.p[0] == '\n') {
			literal(c, c->message ? "\r\n" : "\n", c->message ? 2 : 1);
		} else {
			while (n < s.n && s.p[n] != '[' && s.p[n] != '\\' && s.p[n] != '\n')
				n++;
			literal(c, s.p, n);
		}
	}
}

static bool
blank(char ch)
{
	return ch == ' ' || ch == '\t' || ch == '\r';
}

/* A message as it stands in an indented file: without empty lines in front and behind, and without
 * white space at the ends of lines. Returns the number of lines cut off in front. */
static unsigned int
tidy(struct nfv_sv s, char *to, struct nfv_sv *out)
{
	unsigned int lines = 0;
	struct nfv_sv line;
	size_t n = 0;

	while (s.n > 0 && (blank(s.p[0]) || s.p[0] == '\n')) {
		lines += s.p[0] == '\n';
		s = nfv_sv(s.p + 1, s.n - 1);
	}
	while (s.n > 0) {
		line = nfv_sv_cut(&s, '\n');
		while (line.n > 0 && blank(line.p[0]))
			line = nfv_sv(line.p + 1, line.n - 1);
		while (line.n > 0 && blank(line.p[line.n - 1]))
			line.n--;
		memcpy(to + n, line.p, line.n);
		n += line.n;
		to[n++] = '\n';
	}
	while (n > 1 && to[n - 1] == '\n' && to[n - 2] == '\n')
		n--;
	if (n > 0 && memmem(to, n, "\n\n", 2) == NULL)
		to[n++] = '\n';
	*out = nfv_sv(to, n);
	return lines;
}

int
template_compile(struct nfv_sv text, bool message, const struct template_names *names,
	struct template *out, struct nfv_err *err)
{
	struct template t = { .len_at = -1 };
	struct compiler c = { .names = names, .t = &t, .err = err, .message = message };
	char *copy = NULL;
	int rc;

	if (text.n > TEXT_MAX)
		return nfv_fail(err, EINVAL, "a text of more than %u bytes", TEXT_MAX);
	t.store = store_create();
	copy = t.store != NULL ? store_take(t.store, text.n + 2) : NULL;
	if (copy == NULL) {
		rc = nfv_fail(err, ENOMEM, "no memory for a message");
		goto fail;
	}
	if (message) {
		c.line0 = tidy(text, copy, &c.text);
	} else {
		if (text.n > 0)
			memcpy(copy, text.p, text.n);
		c.text = nfv_sv(copy, text.n);
	}
	compiler_run(&c);
	if (c.no_memory) {
		rc = nfv_fail(err, ENOMEM, "no memory for a message");
		goto fail;
	}
	if (c.failed) {
		rc = -EINVAL;
		goto fail;
	}
	*out = t;
	return 0;
fail:
	template_fini(&t);
	return rc;
}

void
template_fini(struct template *t)
{
	store_destroy(t->store);
	*t = (struct template){ .len_at = -1 };
}
