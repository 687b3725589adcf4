/*
 * A prompt in testpmd's manner on librte_cmdline: completion and help are the library's. Every
 * command is a row of a table: its words, what to call, what to say in help.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <cmdline.h>
#include <cmdline_parse.h>
#include <cmdline_parse_string.h>
#include <cmdline_rdline.h>

#include "app.h"

struct prompt {
	struct app *app;
	struct cmdline *cl;
	struct termios before;
	bool terminal, done;
};

static struct prompt *the_prompt; /* the library's callbacks carry no context of ours */

/* Words of any command; unused ones stay empty. The rest of a line is the filter. */
struct words {
	cmdline_fixed_string_t verb, object, name, extra;
	cmdline_multi_string_t rest;
};

static struct app *
say(FILE **to)
{
	*to = stdout;
	return the_prompt->app;
}

static void
set_workers(enum nfv_worker_state state)
{
	struct app *app = the_prompt->app;

	for (uint32_t i = 0; i < app->n_workers; i++) {
		atomic_store_explicit(&app->worker[i].state, state, memory_order_release);
		nfv_worker_sync(&app->worker[i]);
	}
	puts(state == NFV_WORKER_RUNNING ? "receiving" : "stopped; `start` goes on");
}

static void
show_stage(struct app *app, const char *name, FILE *to)
{
	bool found = false;

	for (uint32_t c = 0; c < app->conf.chains.n; c++) {
		for (uint32_t i = 0; i < nfv_chain_stages(app->chain[c]); i++) {
			if (strcmp(nfv_chain_stage(app->chain[c], i)->name, name) != 0)
				continue;
			fprintf(to, "chain %s, stage %s\n", nfv_chain_name(app->chain[c]), name);
			nfv_chain_show_stage(app->chain[c], i, to);
			found = true;
		}
	}
	if (!found)
		fprintf(to, "no chain has a stage \"%s\"\n", name);
}

static void
show(const struct words *w)
{
	bool all = strcmp(w->name, "all") == 0;
	FILE *to;
	struct app *app = say(&to);
	int i;

	if (strcmp(w->object, "stage") == 0) {
		show_stage(app, w->name, to);
	} else if (strcmp(w->object, "port") == 0) {
		for (i = 0; all && i < (int)app->conf.ports.n; i++)
			stats_port(app, i, to);
		i = all ? 0 : config_port(&app->conf, w->name);
		if (i < 0)
			fprintf(to, "there is no port \"%s\"\n", w->name);
		else if (!all)
			stats_port(app, i, to);
	} else {
		i = all ? 0 : config_chain(&app->conf, w->name);
		if (i < 0) {
			fprintf(to, "there is no chain \"%s\"\n", w->name);
			return;
		}
		for (; i < (int)app->conf.chains.n; i++) {
			if (strcmp(w->object, "chain") == 0)
				stats_chain(app, i, to);
			else if (strcmp(w->object, "flows") == 0)
				nfv_chain_show_flows(app->chain[i], to, 50);
			else
				nfv_chain_show_l3(app->chain[i], to);
			if (!all)
				break;
		}
	}
}

static void
help(void)
{
	puts("start                        receive again\n"
	     "stop                         stop receiving; timers go on\n"
	     "show port NAME|all           counters of a port\n"
	     "show chain NAME|all          packets, cycles and drops of a chain\n"
	     "show stage NAME              what a stage has to tell (rules, mappings, calls)\n"
	     "show flows CHAIN|all         flow records\n"
	     "show l3 CHAIN|all            addresses, routes, neighbours\n"
	     "show captures all            what is being captured\n"
	     "clear all                    counters start from zero\n"
	     "capture start WHERE FILE [FILTER]\n"
	     "                             to pcapng; WHERE: a port, or CHAIN:SEAM as edge:firewall-nat\n"
	     "capture stop WHERE\n"
	     "quit                         drain and end");
}

static void
on_line(void *parsed, struct cmdline *cl, void *unused)
{
	const struct words *w = parsed;
	struct app *app = the_prompt->app;
	struct nfv_err err = { "" };

	(void)cl;
	(void)unused;
	if (strcmp(w->verb, "quit") == 0)
		the_prompt->done = true;
	else if (strcmp(w->verb, "help") == 0)
		help();
	else if (strcmp(w->verb, "start") == 0)
		set_workers(NFV_WORKER_RUNNING);
	else if (strcmp(w->verb, "stop") == 0)
		set_workers(NFV_WORKER_STOPPED);
	else if (strcmp(w->verb, "clear") == 0)
		stats_clear(app);
	else if (strcmp(w->verb, "show") == 0 && strcmp(w->object, "captures") == 0)
		captures_show(app, stdout);
	else if (strcmp(w->verb, "show") == 0)
		show(w);
	else if (strcmp(w->object, "start") == 0)
		capture_start(app, w->name, w->extra, w->rest, 2048, &err);
	else
		capture_stop(app, w->name, &err);
	if (err.text[0] != '\0')
		puts(err.text);
	fflush(stdout);
}

#define WORD(member, choices) TOKEN_STRING_INITIALIZER(struct words, member, choices)

static cmdline_parse_token_string_t plain = WORD(verb, "start#stop#help#quit");
static cmdline_parse_token_string_t show_word = WORD(verb, "show");
static cmdline_parse_token_string_t show_what = WORD(object, "port#chain#stage#flows#l3#captures");
static cmdline_parse_token_string_t clear_word = WORD(verb, "clear");
static cmdline_parse_token_string_t clear_what = WORD(object, "all");
static cmdline_parse_token_string_t capture_word = WORD(verb, "capture");
static cmdline_parse_token_string_t capture_start_word = WORD(object, "start");
static cmdline_parse_token_string_t capture_stop_word = WORD(object, "stop");
static cmdline_parse_token_string_t any_name = WORD(name, NULL);
static cmdline_parse_token_string_t file_name = WORD(extra, NULL);
static cmdline_parse_token_string_t filter_text = WORD(rest, TOKEN_STRING_MULTI);

#define COMMAND(name_, help_, ...)                                                                 \
	static cmdline_parse_inst_t name_ = {                                                      \
		.f = on_line,                                                                      \
		.help_str = help_,                                                                 \
		.tokens = { __VA_ARGS__, NULL },                                                   \
	}

COMMAND(cmd_plain, "start | stop | help | quit", (void *)&plain);
COMMAND(cmd_show, "show port|chain|stage|flows|l3|captures NAME|all", (void *)&show_word,
	(void *)&show_what, (void *)&any_name);
COMMAND(cmd_clear, "clear all", (void *)&clear_word, (void *)&clear_what);
COMMAND(cmd_capture, "capture start WHERE FILE", (void *)&capture_word,
	(void *)&capture_start_word, (void *)&any_name, (void *)&file_name);
COMMAND(cmd_capture_filter, "capture start WHERE FILE FILTER", (void *)&capture_word,
	(void *)&capture_start_word, (void *)&any_name, (void *)&file_name, (void *)&filter_text);
COMMAND(cmd_capture_stop, "capture stop WHERE", (void *)&capture_word, (void *)&capture_stop_word,
	(void *)&any_name);

static cmdline_parse_ctx_t commands[] = { &cmd_plain, &cmd_show, &cmd_clear, &cmd_capture,
	&cmd_capture_filter, &cmd_capture_stop, NULL };

struct prompt *
prompt_open(struct app *app)
{
	struct prompt *p = calloc(1, sizeof(*p));
	struct termios raw;

	if (p == NULL)
		return NULL;
	p->app = app;
	the_prompt = p;
	/* Characters come one by one and the library echoes them; where they come from a file or a
	 * pipe there is nothing to set. */
	if (tcgetattr(STDIN_FILENO, &p->before) == 0) {
		p->terminal = true;
		raw = p->before;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	fflush(stdout);
	p->cl = cmdline_new(commands, "nfv-pipeline> ", STDIN_FILENO, STDOUT_FILENO);
	if (p->cl == NULL) {
		prompt_close(p);
		return NULL;
	}
	return p;
}

bool
prompt_wait(struct prompt *p, int ms)
{
	struct pollfd fd = { .fd = STDIN_FILENO, .events = POLLIN };
	char buf[256];
	ssize_t n;

	if (poll(&fd, 1, ms) <= 0)
		return !p->done;
	n = read(STDIN_FILENO, buf, sizeof(buf));
	if (n <= 0)
		return false; /* end of input: as quit */
	for (ssize_t i = 0; i < n && !p->done; i++)
		if (buf[i] == 3 || cmdline_in(p->cl, &buf[i], 1) < 0) /* 3: Ctrl-C */
			p->done = true;
	return !p->done;
}

void
prompt_close(struct prompt *p)
{
	if (p == NULL)
		return;
	if (p->terminal)
		tcsetattr(STDIN_FILENO, TCSANOW, &p->before);
	if (p->cl != NULL)
		cmdline_free(p->cl);
	the_prompt = NULL;
	free(p);
}
