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
#include "colour.h"
#include "isolation.h"
#include "replace.h"
#include "scale.h"

#define FLOWS_SHOWN 50
#define SNAPLEN     2048 /* whole packets of ordinary links */

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

static void
set_workers(struct app *app, enum nfv_worker_state state)
{
	for (uint32_t i = 0; i < app->n_workers; i++) {
		atomic_store_explicit(&app->worker[i].state, state, memory_order_release);
		nfv_worker_sync(&app->worker[i]);
	}
	puts(state == NFV_WORKER_RUNNING ? "receiving" : "stopped; `start` goes on");
}

static void
do_start(struct app *app, const struct words *w, struct nfv_err *err)
{
	(void)w, (void)err;
	set_workers(app, NFV_WORKER_RUNNING);
}

static void
do_stop(struct app *app, const struct words *w, struct nfv_err *err)
{
	(void)w, (void)err;
	set_workers(app, NFV_WORKER_STOPPED);
}

static void
do_quit(struct app *app, const struct words *w, struct nfv_err *err)
{
	(void)app, (void)w, (void)err;
	the_prompt->done = true;
}

static void
do_clear(struct app *app, const struct words *w, struct nfv_err *err)
{
	(void)w, (void)err;
	stats_clear(app);
}

/* Without a name all are meant. */
static bool
means_all(const struct words *w)
{
	return w->name[0] == '\0' || strcmp(w->name, "all") == 0;
}

static void
show_port(struct app *app, const struct words *w, struct nfv_err *err)
{
	int one = config_port(&app->conf, w->name);

	if (one < 0 && !means_all(w))
		nfv_fail(err, ENOENT, "there is no port \"%s\"", w->name);
	else
		for (int i = 0; i < (int)app->conf.ports.n; i++)
			if (one < 0 || one == i)
				stats_port(app, i, stdout);
}

static void
do_replan(struct app *app, const struct words *w, struct nfv_err *err)
{
	colour_replan(app, w->extra, err);
}

static void
show_colour(struct app *app, const struct words *w, struct nfv_err *err)
{
	(void)w, (void)err;
	colour_show(app, stdout);
}

/* Call `fn` for the chain that is named, or for all. */
static void
each_chain(struct app *app, const struct words *w, struct nfv_err *err,
	void (*fn)(const struct app *app, int chain, FILE *to))
{
	int one = config_chain(&app->conf, w->name);

	if (one < 0 && !means_all(w))
		nfv_fail(err, ENOENT, "there is no chain \"%s\"", w->name);
	else
		for (int i = 0; i < (int)app->conf.chains.n; i++)
			if (one < 0 || one == i)
				fn(app, i, stdout);
}

static void
show_chain(struct app *app, const struct words *w, struct nfv_err *err)
{
	each_chain(app, w, err, stats_chain);
}

/* The shards of a chain that is spread are told apart by their workers. */
static const struct nfv_chain *
shard(const struct app *app, int chain, uint32_t i, FILE *to)
{
	const struct conf_chain *ch = (const struct conf_chain *)app->conf.chains.item + chain;

	if (app->chain[chain].n > 1)
		fprintf(to, "worker %s\n", *config_shard(ch, i));
	return app->chain[chain].shard[i];
}

static void
print_flows(const struct app *app, int chain, FILE *to)
{
	for (uint32_t i = 0; i < app->chain[chain].n; i++)
		nfv_chain_show_flows(shard(app, chain, i, to), to, FLOWS_SHOWN);
}

static void
show_flows(struct app *app, const struct words *w, struct nfv_err *err)
{
	each_chain(app, w, err, print_flows);
}

static void
print_l3(const struct app *app, int chain, FILE *to)
{
	for (uint32_t i = 0; i < app->chain[chain].n; i++)
		nfv_chain_show_l3(shard(app, chain, i, to), to);
}

static void
show_l3(struct app *app, const struct words *w, struct nfv_err *err)
{
	each_chain(app, w, err, print_l3);
}

static void
show_stage(struct app *app, const struct words *w, struct nfv_err *err)
{
	bool found = false;

	for (uint32_t c = 0; c < app->conf.chains.n; c++) {
		const struct nfv_chain *first = app->chain[c].shard[0];

		for (uint32_t i = 0; i < nfv_chain_stages(first); i++) {
			if (strcmp(nfv_chain_stage(first, i)->name, w->name) != 0)
				continue;
			printf("chain %s, stage %s\n", nfv_chain_name(first), w->name);
			for (uint32_t k = 0; k < app->chain[c].n; k++)
				nfv_chain_show_stage(shard(app, (int)c, k, stdout), i, stdout);
			found = true;
		}
	}
	if (!found)
		nfv_fail(err, ENOENT, "no chain has a stage \"%s\"", w->name);
}

static void
show_captures(struct app *app, const struct words *w, struct nfv_err *err)
{
	(void)w, (void)err;
	captures_show(app, stdout);
}

static void
do_capture_start(struct app *app, const struct words *w, struct nfv_err *err)
{
	capture_start(app, w->name, w->extra, w->rest, SNAPLEN, err);
}

static void
do_capture_stop(struct app *app, const struct words *w, struct nfv_err *err)
{
	capture_stop(app, w->name, err);
}

static void
do_profile_start(struct app *app, const struct words *w, struct nfv_err *err)
{
	struct profile_spec spec;
	char text[sizeof(w->name) + sizeof(w->extra) + 16];

	snprintf(text, sizeof(text), w->extra[0] != '\0' ? "%s,seconds=%s" : "%s", w->name,
		w->extra);
	if (profile_parse(text, &spec, err) == 0 && profile_start(app, &spec, err) == 0)
		printf("for %u s\n", spec.seconds);
}

static void
do_profile_stop(struct app *app, const struct words *w, struct nfv_err *err)
{
	(void)w;
	profile_stop(app, err);
}

static void
do_replace(struct app *app, const struct words *w, struct nfv_err *err)
{
	replace_stage(app, w->name, w->extra[0] != '\0' ? w->extra : NULL, err);
}

static void
do_restart(struct app *app, const struct words *w, struct nfv_err *err)
{
	isolation_restart(app, w->name, err);
}

static void
do_scale(struct app *app, const struct words *w, struct nfv_err *err)
{
	scale_to(app, w->name, w->extra, w->object[0] != '\0', stdout, err);
}

static void do_help(struct app *app, const struct words *w, struct nfv_err *err);

static const struct command {
	const char *verb, *object; /* object: NULL where there is none */
	void (*run)(struct app *app, const struct words *w, struct nfv_err *err);
	const char *rest, *help;
} table[] = {
	{ "start", NULL, do_start, "", "receive again" },
	{ "stop", NULL, do_stop, "", "stop receiving; timers go on" },
	{ "show", "port", show_port, "[NAME|all]", "counters of a port" },
	{ "show", "chain", show_chain, "[NAME|all]", "packets, cycles and drops of a chain" },
	{ "show", "stage", show_stage, "NAME",
		"what a stage has to tell: rules, mappings, messages" },
	{ "show", "flows", show_flows, "[CHAIN|all]", "flow records" },
	{ "show", "l3", show_l3, "[CHAIN|all]", "addresses, routes, neighbours" },
	{ "show", "captures", show_captures, "", "what is being captured" },
	{ "show", "colour", show_colour, "", "pages by class and colour, and how many still move" },
	{ "replan", NULL, do_replan, "off|static|FILE",
		"lay pools and tables out anew, by FILE's plan, while they are in use" },
	{ "replace", NULL, do_replace, "STAGE [FILE]",
		"put another version in its place, from a shared object or a program; without one, its "
		"program as it is by now, or the container that connects next" },
	{ "restart", NULL, do_restart, "STAGE",
		"put the spare of an isolated stage in the place of the process that works" },
	{ "scale", NULL, do_scale, "STAGE N [now]",
		"N instances of an isolated stage; too many end with their flows, or now" },
	{ "clear", NULL, do_clear, "", "counters start from zero" },
	{ "capture", "start", do_capture_start, "WHERE FILE [FILTER]",
		"to pcapng; WHERE: a port, or CHAIN:SEAM such as edge:firewall-nat" },
	{ "capture", "stop", do_capture_stop, "WHERE", "and close the file" },
	{ "profile", "start", do_profile_start, "FILE [SECONDS]",
		"record what memory the workers touch, for mempool-color" },
	{ "profile", "stop", do_profile_stop, "", "before its time" },
	{ "help", NULL, do_help, "", "this list" },
	{ "quit", NULL, do_quit, "", "drain and end" },
};

#define COMMANDS (sizeof(table) / sizeof(table[0]))

static void
do_help(struct app *app, const struct words *w, struct nfv_err *err)
{
	(void)app, (void)w, (void)err;
	for (size_t i = 0; i < COMMANDS; i++) {
		char usage[64];

		snprintf(usage, sizeof(usage), "%s %s %s", table[i].verb,
			table[i].object != NULL ? table[i].object : "", table[i].rest);
		printf("%-36s%s\n", usage, table[i].help);
	}
}

static void
on_line(void *parsed, struct cmdline *cl, void *unused)
{
	const struct words *w = parsed;
	struct nfv_err err = { "" };

	(void)cl;
	(void)unused;
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(w->verb, table[i].verb) == 0 &&
			(table[i].object == NULL || strcmp(w->object, table[i].object) == 0))
			table[i].run(the_prompt->app, w, &err);
	if (err.text[0] != '\0')
		puts(err.text);
	fflush(stdout);
}

#define WORD(member, choices) TOKEN_STRING_INITIALIZER(struct words, member, choices)

static cmdline_parse_token_string_t plain = WORD(verb, "start#stop#clear#help#quit");
static cmdline_parse_token_string_t show_word = WORD(verb, "show");
static cmdline_parse_token_string_t show_what =
	WORD(object, "port#chain#stage#flows#l3#captures#colour");
static cmdline_parse_token_string_t capture_word = WORD(verb, "capture");
static cmdline_parse_token_string_t capture_start_word = WORD(object, "start");
static cmdline_parse_token_string_t capture_stop_word = WORD(object, "stop");
static cmdline_parse_token_string_t replan_word = WORD(verb, "replan");
static cmdline_parse_token_string_t replace_word = WORD(verb, "replace");
static cmdline_parse_token_string_t restart_word = WORD(verb, "restart");
static cmdline_parse_token_string_t scale_word = WORD(verb, "scale");
static cmdline_parse_token_string_t now_word = WORD(object, "now");
static cmdline_parse_token_string_t profile_word = WORD(verb, "profile");
static cmdline_parse_token_string_t any_name = WORD(name, NULL);
static cmdline_parse_token_string_t file_name = WORD(extra, NULL);
static cmdline_parse_token_string_t filter_text = WORD(rest, TOKEN_STRING_MULTI);

#define COMMAND(name_, help_, ...)                                                                 \
	static cmdline_parse_inst_t name_ = {                                                      \
		.f = on_line,                                                                      \
		.help_str = help_,                                                                 \
		.tokens = { __VA_ARGS__, NULL },                                                   \
	}

COMMAND(cmd_plain, "start | stop | clear | help | quit", (void *)&plain);
COMMAND(cmd_show, "show port|chain|stage|flows|l3|captures NAME|all", (void *)&show_word,
	(void *)&show_what, (void *)&any_name);
COMMAND(cmd_show_all, "show port|chain|flows|l3|captures|colour", (void *)&show_word,
	(void *)&show_what);
COMMAND(cmd_replan, "replan off|static|FILE", (void *)&replan_word, (void *)&file_name);
COMMAND(cmd_replace, "replace STAGE FILE", (void *)&replace_word, (void *)&any_name,
	(void *)&file_name);
COMMAND(cmd_replace_next, "replace STAGE", (void *)&replace_word, (void *)&any_name);
COMMAND(cmd_restart, "restart STAGE", (void *)&restart_word, (void *)&any_name);
COMMAND(cmd_scale, "scale STAGE N", (void *)&scale_word, (void *)&any_name, (void *)&file_name);
COMMAND(cmd_scale_now, "scale STAGE N now", (void *)&scale_word, (void *)&any_name,
	(void *)&file_name, (void *)&now_word);
COMMAND(cmd_capture, "capture start WHERE FILE", (void *)&capture_word, (void *)&capture_start_word,
	(void *)&any_name, (void *)&file_name);
COMMAND(cmd_capture_filter, "capture start WHERE FILE FILTER", (void *)&capture_word,
	(void *)&capture_start_word, (void *)&any_name, (void *)&file_name, (void *)&filter_text);
COMMAND(cmd_capture_stop, "capture stop WHERE", (void *)&capture_word, (void *)&capture_stop_word,
	(void *)&any_name);
COMMAND(cmd_profile, "profile start FILE", (void *)&profile_word, (void *)&capture_start_word,
	(void *)&any_name);
COMMAND(cmd_profile_seconds, "profile start FILE SECONDS", (void *)&profile_word,
	(void *)&capture_start_word, (void *)&any_name, (void *)&file_name);
COMMAND(cmd_profile_stop, "profile stop", (void *)&profile_word, (void *)&capture_stop_word);

static cmdline_parse_ctx_t commands[] = { &cmd_plain, &cmd_show, &cmd_show_all, &cmd_capture,
	&cmd_capture_filter, &cmd_capture_stop, &cmd_replan, &cmd_replace, &cmd_replace_next,
	&cmd_restart, &cmd_scale, &cmd_scale_now, &cmd_profile, &cmd_profile_seconds,
	&cmd_profile_stop, NULL };

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
	if (p->cl != NULL) {
		cmdline_free(p->cl);
		putchar('\n'); /* what follows is not typed behind a prompt */
	}
	the_prompt = NULL;
	free(p);
}
