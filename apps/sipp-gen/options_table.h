/**
 * @file
 * The options' table: names, help, and of most the place that their value goes to (options_table.c).
 * What the others mean, and what becomes of all together, is options.c's.
 * Threads: plain data.
 */
#ifndef OPTIONS_TABLE_H
#define OPTIONS_TABLE_H

#include "options.h"

enum key {
	SN,
	SF,
	DEVICE,
	ADDRESS,
	GATEWAY,
	PORT,
	MTU,
	SERVICE,
	RATE,
	PERIOD,
	RATE_INCREASE,
	RATE_INTERVAL,
	RATE_MAX,
	USERS,
	POISSON,
	BURST,
	RAMP,
	CALLS,
	OPEN,
	DURATION,
	RECV_TIMEOUT,
	NO_RETRANS,
	MAX_RETRANS,
	MAX_INVITE,
	MAX_OTHER,
	BASE_CSEQ,
	USER,
	PASSWORD,
	KEY,
	INF,
	AUTO_ANSWER,
	MEDIA_IP,
	MEDIA_PORT,
	LOSS_OUT,
	LOSS_IN,
	DELAY,
	DUPLICATE,
	REORDER,
	INFINDEX,
	BUFFERS,
	LCORE,
	PLAIN,
	FLOWS,
	DST_MAC,
	AND,
	SEARCH,
	LOSS_TOLERANCE,
	RESOLUTION,
	TRIAL_TIME,
	CHECK,
	PRINT,
	JSON,
	HTML,
	TRACE_STAT,
	STAT_FILE,
	INTERVAL,
	TIMEOUT,
	TIMEOUT_ERROR,
	SEED,
	NOSTDIN,
	TRANSPORT,
	TORTURE,
	WAIT,
	NO_PROBE,
	OVERLOAD,
	SOAK,
	DRIFT,
	VERSION,
	HELP,
	KEYS
};

enum option_type {
	OPTION_SPECIAL, /* options.c knows */
	OPTION_TEXT,
	OPTION_TRUE, /* no argument */
	OPTION_FALSE,
	OPTION_NUMBERS, /* numbers from here on */
	OPTION_U16 = OPTION_NUMBERS,
	OPTION_U32,
	OPTION_U64,
	OPTION_INT,
	OPTION_DOUBLE,
	OPTION_PERCENT, /* kept as 0 … 1 */
};

struct option_row {
	const char *name, *argument, *help;
	enum option_type type;
	bool of_role; /* at `at` of struct options_role, else of struct options */
	size_t at;
	double min, max; /* of a number */
};

extern const struct option_row option_row[KEYS];

#endif
