/**
 * @file
 * A SIPp scenario, compiled: what a call does, step by step, as plain data that never changes while
 * calls run. Loading reads XML as SIPp documents it, resolves labels and variables, compiles regular
 * expressions and message templates once, and refuses what is not supported, with file and line.
 *
 * Ownership: scenario_destroy frees everything; views point into the scenario's own text.
 * Threads: read-only after loading, shared by all lcores. But glibc's regexec locks its expression:
 * where expressions are not plain, lcores that load the scenario once each do not meet there.
 */
#ifndef SCENARIO_H
#define SCENARIO_H

#include <regex.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "nfv_err.h"
#include "nfv_sip.h"
#include "template.h"
#include "vars.h"

#define SCENARIO_STEPS    512 /* at most, of a scenario */
#define SCENARIO_VARS     128
#define SCENARIO_RTDS     8
#define SCENARIO_TXNS     16
#define SCENARIO_COUNTERS 8
#define SCENARIO_ACTIONS  4096
#define NO_STEP           (-1)
#define NO_VAR            (-1)

enum step_kind { STEP_SEND, STEP_RECV, STEP_PAUSE, STEP_NOP, STEP_TIMEWAIT };

struct var_decl {
	struct nfv_sv name;
	int16_t id; /* vars.h */
};

enum optional { NOT_OPTIONAL, OPTIONAL_HERE, OPTIONAL_GLOBAL };

/** SIPp's statistical distributions of pauses and samples; units are milliseconds. */
enum distribution {
	DIST_DEFAULT, /* <pause/> without anything: the call's duration, -d */
	DIST_FIXED,
	DIST_UNIFORM,
	DIST_NORMAL,
	DIST_LOGNORMAL,
	DIST_EXPONENTIAL,
	DIST_WEIBULL,
	DIST_PARETO,
	DIST_GAMMA,
	DIST_NEGBIN,
	DIST_VARIABLE, /* what a variable says */
};

struct duration {
	uint8_t kind; /* enum distribution */
	int16_t var;
	/** value; min, max; mean, stdev; mean; lambda, k (Weibull); k, x_m (Pareto); k, theta; p, n */
	double a, b;
};

enum action_kind {
	ACT_EREG,
	ACT_LOG,
	ACT_WARNING,
	ACT_ERROR,
	ACT_ASSIGN,    /* number */
	ACT_ASSIGNSTR, /* text */
	ACT_ADD,
	ACT_SUBTRACT,
	ACT_MULTIPLY,
	ACT_DIVIDE,
	ACT_TODOUBLE,
	ACT_TRIM,
	ACT_STRCMP,
	ACT_TEST,
	ACT_JUMP,
	ACT_LOOKUP,
	ACT_SAMPLE,
	ACT_GETTIMEOFDAY,
	ACT_VERIFYAUTH,
	ACT_STOP_CALL, /* exec int_cmd */
	ACT_STOP_GRACEFULLY,
	ACT_STOP_NOW,
};

enum search_in { IN_MSG, IN_HDR, IN_BODY, IN_VAR };
enum compare { CMP_EQ, CMP_NE, CMP_GT, CMP_LT, CMP_GE, CMP_LE };

/** How an expression is matched without the regular expression engine, to the same result. */
enum plain {
	PLAIN_NO,
	PLAIN_TEXT, /* a fixed text */
	PLAIN_ANY,  /* `.*` between fixed texts, either of which may be empty */
	PLAIN_RUN, /* `[^…]*` or `[^…]+` behind a fixed text, up to the end or to one of `…` */
};

#define EREG_GROUPS 10

struct action {
	uint8_t kind;    /* enum action_kind */
	uint8_t search;  /* enum search_in */
	uint8_t compare; /* enum compare */
	uint32_t line;   /* of the XML, for messages */
	bool check, check_inverse, start_line, case_indep;
	int16_t to[EREG_GROUPS]; /* assign_to: whole match, then groups; NO_VAR */
	int16_t var, var2;       /* operands; NO_VAR */
	uint16_t occurrence;     /* of the header, from 1 */
	double value; /* ACT_JUMP: SIPp's number of a step: from 0, without those of <init> */
	struct nfv_sv header; /* as written: "From:" */
	struct template text; /* log, warning, error, assignstr, lookup's key; SIPp keywords in it */
	struct template text2; /* verifyauth's password; text is its user name */
	struct nfv_sv file;    /* lookup */
	struct duration sample;
	regex_t *regex;
	uint8_t plain;    /* enum plain */
	bool plain_group; /* `(.*)`, `([^…]*)`: what it takes is group 1 */
	bool plain_some;  /* PLAIN_RUN: at least one */
	struct nfv_sv plain_before, plain_after, plain_not;
	bool have_value; /* strcmp: with `constant` instead of var2; arithmetic: with `value` */
	struct nfv_sv constant;
};

struct step {
	uint8_t kind;                             /* enum step_kind */
	uint8_t optional;                         /* enum optional, of recv */
	uint8_t txn_start, txn_response, txn_ack; /* 1 … SCENARIO_TXNS, 0: none */
	uint32_t line;
	int16_t next; /* step to go on with instead of the following; NO_STEP; n_steps: the end */
	int16_t next_if;  /* only if this variable is set; NO_VAR */
	int16_t condexec; /* execute only if this variable is set; NO_VAR */
	bool condexec_inverse;
	double chance;          /* of taking `next`, 0 … 1; 1 unless given */
	uint8_t start_rtd, rtd; /* 1 … SCENARIO_RTDS, 0: none */
	bool rtd_repeat;
	uint8_t counter; /* 1 …, 0: none */
	uint16_t crlf;
	float lost;                 /* fraction of messages lost on purpose; < 0: the global one */
	uint16_t action, n_actions; /* into scenario.action */
	struct nfv_sv label;        /* where it stands behind one, for displays */
	/* send */
	struct template message;
	uint32_t retrans; /* ms of the first interval; 0: never sent again */
	bool request;     /* what is sent, or expected */
	uint8_t method;   /* enum nfv_sip_method, of a request, sent or expected */
	struct nfv_sv method_name;
	uint16_t status;    /* of a response, sent or expected */
	bool keeps_message; /* rendered again later it may come out otherwise: it uses what was
	                         * received, a clock or a variable */
	/* recv */
	bool rrs, auth, regexp_match;
	regex_t *regex;    /* of request="…" with regexp_match */
	uint32_t timeout;  /* ms, 0: none */
	int16_t ontimeout; /* step; NO_STEP: the call fails */
	/* pause, timewait */
	struct duration pause;
};

struct scenario {
	struct nfv_sv name;
	const char *file; /* as given, or the built-in's name */
	struct step *step;
	uint32_t n_steps;
	struct action *action;
	uint32_t n_actions;
	struct var_decl var[SCENARIO_VARS];
	uint32_t n_vars, n_scope[VAR_SCOPES]; /* all; and how many values each store must have */
	bool caller;     /* begins with a send: it makes calls; else it answers them */
	bool keeps_last; /* a send or an action after a pause uses the last message received */
	bool uses_fields, uses_auth;
	uint32_t n_init; /* steps of <init>, in front of the others; nothing but <nop> */
	/** Upper bounds in ms of <ResponseTimeRepartition> and <CallLengthRepartition>. */
	uint32_t response_time[32], call_length[32];
	uint8_t n_response_time, n_call_length;
	/** Names by number from 1; n == 0: there are no more. */
	struct nfv_sv rtd_name[SCENARIO_RTDS + 1], counter_name[SCENARIO_COUNTERS + 1];
	struct store *text; /* owned */
};

/** What a scenario needs that this program does not do, one line each: file:line: sentence. */
struct scenario_report {
	FILE *to; /* NULL: only counted */
	unsigned int unsupported;
};

/** What -key gives: [name] in messages stands for the value. */
struct scenario_keys {
	const struct scenario_key {
		const char *name, *value;
	} * key;
	uint32_t n;
};

/** Load a file; `keys` may be NULL, and need not outlive the call. Errors: -ENOENT, -EINVAL: broken XML, an unknown element, attribute or keyword,
 * something unsupported; the sentence begins with file:line. With `report`, everything unsupported is
 * listed there, and only broken XML ends the reading early. */
int scenario_load(const char *file, const struct scenario_keys *keys,
	struct scenario_report *report, struct scenario **out, struct nfv_err *err);
/** The same with its text at hand; `file` is what it is called. */
int scenario_load_text(struct nfv_sv text, const char *file, const struct scenario_keys *keys,
	struct scenario_report *report, struct scenario **out, struct nfv_err *err);

/** A built-in by name: uac, uas, regexp, branchc, branchs, register, registrar. Errors: -ENOENT lists them. */
int scenario_builtin(const char *name, struct scenario **out, struct nfv_err *err);
/** Its XML, as -sd prints it; NULL: no such. */
const char *scenario_builtin_xml(const char *name);

void scenario_destroy(struct scenario *s);

#endif
