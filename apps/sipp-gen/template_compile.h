/**
 * @file
 * Taking a template apart: its text (template.c), and what stands in brackets (template_keyword.c).
 * Threads: plain data.
 */
#ifndef TEMPLATE_COMPILE_H
#define TEMPLATE_COMPILE_H

#include "template.h"

struct compiler {
	const struct template_names *names;
	struct template *t;
	struct nfv_sv text;
	char *literal; /* where the next one goes */
	struct nfv_err *err;
	unsigned int depth, line0; /* line that the text begins on */
	bool message, failed, no_memory;
};

/** Something is wrong at a place of the text; `fmt` has one %.*s, for `word`. */
void compiler_fault(struct compiler *c, struct nfv_sv at, const char *fmt, struct nfv_sv word);
/** Another piece; there is room for as many as the text can have. */
struct piece *compiler_add(struct compiler *c, enum keyword kw);
/** Take c->text apart. */
void compiler_run(struct compiler *c);
/** What stands between two brackets. */
void compiler_keyword(struct compiler *c, struct nfv_sv word);

#endif
