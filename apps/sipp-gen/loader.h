/**
 * @file
 * What the parts of the scenario compiler share while one scenario is being loaded.
 * Threads: one at a time.
 */
#ifndef LOADER_H
#define LOADER_H

#include "scenario.h"
#include "store.h"
#include "xml.h"

#define LOADER_LABELS 256

struct loader_label {
	struct nfv_sv name;
	int16_t step;
	bool init; /* of <init>, which has names of its own */
};

/** A `next` or `ontimeout`, filled in when all labels are known. */
struct loader_jump {
	struct nfv_sv name;
	uint16_t step;
	uint32_t line;
	bool init, timeout;
};

struct loader {
	const char *file;
	struct scenario *s;
	const struct scenario_keys *keys;
	struct scenario_report *report;
	struct nfv_err *err; /* the first fault */
	unsigned int faults;
	int rc;                 /* -EINVAL, or -ENOMEM */
	bool init;              /* inside <init> */
	unsigned int text_line; /* of the template that is being compiled */
	uint32_t n_labels, n_jumps;
	struct loader_label label[LOADER_LABELS];
	struct loader_jump jump[2 * SCENARIO_STEPS];
	struct nfv_sv txn[SCENARIO_TXNS + 1];
};

/** Something that the scenario may not have; reading goes on, to find what else. */
void loader_fault(struct loader *l, unsigned int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void loader_no_memory(struct loader *l);

/** That no attributes stand there but those of `names`, which are parted by spaces. */
void loader_attrs(struct loader *l, const struct xml_node *n, const char *names);

/* An attribute's value: what it means, or `otherwise` if it is not there or makes no sense. */
bool loader_bool(struct loader *l, const struct xml_node *n, const char *attr, bool otherwise);
double loader_number(struct loader *l, const struct xml_node *n, const char *attr, double min,
	double max, double otherwise);
/** A text that must be there and must not be empty; NULL if it is not. */
const char *loader_need(struct loader *l, const struct xml_node *n, const char *attr);
int16_t loader_var(struct loader *l, const struct xml_node *n, const char *attr);
int16_t loader_var_named(struct loader *l, unsigned int line, struct nfv_sv name);
/** A text of the scenario's own. */
struct nfv_sv loader_keep(struct loader *l, const char *text);
void loader_template(struct loader *l, unsigned int line, struct nfv_sv text, bool message,
	struct template *out);
regex_t *loader_regex(struct loader *l, const struct xml_node *n, const char *text);
/** <pause> and <sample>: the distribution and its parameters. */
void loader_duration(struct loader *l, const struct xml_node *n, struct duration *out);

/** The <action> elements within `n`, appended to the scenario's actions. */
void loader_actions(struct loader *l, const struct xml_node *n, struct step *step);
/** <send>, <recv>, <pause>, <nop>, <timewait>, <label>; false: it is none of these. */
bool loader_step(struct loader *l, const struct xml_node *n);
/** Fill in jumps and what a step says of others. */
void loader_finish(struct loader *l);

/** Make out whether an expression is one of those that need no engine. */
void ereg_plan(struct loader *l, struct action *a, const char *expression);

#endif
