#include <stdlib.h>

#include "loader.h"

/* What takes its operand from value= or from a variable. */
static void
operand(struct loader *l, const struct xml_node *n, struct action *a)
{
	a->have_value = xml_attr(n, "value") != NULL;
	if (a->have_value == (xml_attr(n, "variable") != NULL))
		loader_fault(l, n->line, "<%s> needs either value= or variable=", n->name);
	a->value = loader_number(l, n, "value", -1e300, 1e300, 0);
	a->var = loader_var(l, n, "variable");
}

static void
need_var(struct loader *l, const struct xml_node *n, const char *attr, int16_t *out)
{
	if (loader_need(l, n, attr) != NULL)
		*out = loader_var(l, n, attr);
}

static void
need_text(struct loader *l, const struct xml_node *n, const char *attr, struct template *out)
{
	const char *text = xml_attr(n, attr);

	if (text == NULL)
		loader_fault(l, n->line, "<%s> needs %s=", n->name, attr);
	else
		loader_template(l, n->line, nfv_sv_str(text), false, out);
}

/* "1,2": the whole match, then groups. */
static void
assign_to(struct loader *l, const struct xml_node *n, struct action *a, unsigned int room)
{
	const char *text = xml_attr(n, "assign_to");
	struct nfv_sv rest = nfv_sv_str(text != NULL ? text : "");

	for (unsigned int i = 0; rest.p != NULL && rest.n > 0; i++) {
		if (i == room) {
			loader_fault(l, n->line, "assign_to= names more than %u variables", room);
			return;
		}
		a->to[i] = loader_var_named(l, n->line, nfv_sv_trim(nfv_sv_cut(&rest, ',')));
	}
}

static void
checks(struct loader *l, const struct xml_node *n, struct action *a)
{
	a->check = loader_bool(l, n, "check_it", false);
	a->check_inverse = loader_bool(l, n, "check_it_inverse", false);
	if (a->check && a->check_inverse)
		loader_fault(l, n->line, "check_it= and check_it_inverse= exclude each other");
}

static void
ereg(struct loader *l, const struct xml_node *n, struct action *a)
{
	static const char *const places[] = {
		[IN_MSG] = "msg", [IN_HDR] = "hdr", [IN_BODY] = "body", [IN_VAR] = "var"
	};
	const char *text = loader_need(l, n, "regexp"), *place = xml_attr(n, "search_in");
	const char *header = xml_attr(n, "header");

	assign_to(l, n, a, EREG_GROUPS);
	checks(l, n, a);
	a->start_line = loader_bool(l, n, "start_line", false);
	a->case_indep = loader_bool(l, n, "case_indep", false);
	a->occurrence = (uint16_t)loader_number(
		l, n, xml_attr(n, "occurence") != NULL ? "occurence" : "occurrence", 1, 1000, 1);
	a->search = IN_MSG;
	while (place != NULL && a->search <= IN_VAR && strcmp(places[a->search], place) != 0)
		a->search++;
	if (a->search > IN_VAR) {
		loader_fault(
			l, n->line, "search_in=\"%.40s\" is none of msg, hdr, body, var", place);
		a->search = IN_MSG;
	}
	if (a->search == IN_HDR && loader_need(l, n, "header") != NULL)
		a->header = loader_keep(l, header);
	else if (a->search == IN_VAR)
		need_var(l, n, "variable", &a->var);
	if (text != NULL) {
		a->regex = loader_regex(l, n, text);
		ereg_plan(l, a, text);
	}
}

static void
message(struct loader *l, const struct xml_node *n, struct action *a)
{
	need_text(l, n, "message", &a->text);
}

static void
arithmetic(struct loader *l, const struct xml_node *n, struct action *a)
{
	need_var(l, n, "assign_to", &a->to[0]);
	operand(l, n, a);
}

static void
assignstr(struct loader *l, const struct xml_node *n, struct action *a)
{
	need_var(l, n, "assign_to", &a->to[0]);
	need_text(l, n, "value", &a->text);
}

static void
todouble(struct loader *l, const struct xml_node *n, struct action *a)
{
	need_var(l, n, "assign_to", &a->to[0]);
	need_var(l, n, "variable", &a->var);
}

static void
trim(struct loader *l, const struct xml_node *n, struct action *a)
{
	need_var(l, n, "assign_to", &a->to[0]);
}

static void
compared(struct loader *l, const struct xml_node *n, struct action *a)
{
	checks(l, n, a);
	if (xml_attr(n, "assign_to") != NULL || !(a->check || a->check_inverse))
		need_var(l, n, "assign_to", &a->to[0]);
	need_var(l, n, "variable", &a->var);
	a->have_value = xml_attr(n, "value") != NULL;
	if (a->have_value == (xml_attr(n, "variable2") != NULL))
		loader_fault(l, n->line, "<%s> needs either value= or variable2=", n->name);
	a->var2 = loader_var(l, n, "variable2");
}

static void
strcmp_action(struct loader *l, const struct xml_node *n, struct action *a)
{
	compared(l, n, a);
	if (a->have_value)
		a->constant = loader_keep(l, xml_attr(n, "value"));
}

static void
test(struct loader *l, const struct xml_node *n, struct action *a)
{
	static const char *const names[] = { [CMP_EQ] = "equal",
		[CMP_NE] = "not_equal",
		[CMP_GT] = "greater_than",
		[CMP_LT] = "less_than",
		[CMP_GE] = "greater_than_equal",
		[CMP_LE] = "less_than_equal" };
	const char *compare = loader_need(l, n, "compare");

	compared(l, n, a);
	a->value = loader_number(l, n, "value", -1e300, 1e300, 0);
	while (compare != NULL && a->compare <= CMP_LE && strcmp(names[a->compare], compare) != 0)
		a->compare++;
	if (a->compare > CMP_LE) {
		loader_fault(l, n->line, "compare=\"%.40s\" is no comparison", compare);
		a->compare = CMP_EQ;
	}
}

static void
jump(struct loader *l, const struct xml_node *n, struct action *a)
{
	operand(l, n, a);
	if (a->have_value && (a->value < 0 || a->value >= SCENARIO_STEPS))
		loader_fault(l, n->line, "no step has the number %g", a->value);
}

static void
lookup(struct loader *l, const struct xml_node *n, struct action *a)
{
	const char *file = loader_need(l, n, "file");

	need_var(l, n, "assign_to", &a->to[0]);
	if (file != NULL && strchr(file, '[') != NULL)
		loader_fault(l, n->line, "keywords in file= are not supported");
	if (file != NULL)
		a->file = loader_keep(l, file);
	need_text(l, n, "key", &a->text);
}

static void
sample(struct loader *l, const struct xml_node *n, struct action *a)
{
	need_var(l, n, "assign_to", &a->to[0]);
	if (loader_need(l, n, "distribution") != NULL)
		loader_duration(l, n, &a->sample);
}

static void
gettimeofday_action(struct loader *l, const struct xml_node *n, struct action *a)
{
	assign_to(l, n, a, 2);
	if (a->to[0] == NO_VAR || a->to[1] == NO_VAR)
		loader_fault(l, n->line, "<gettimeofday> needs assign_to= with two variables");
}

static void
verifyauth(struct loader *l, const struct xml_node *n, struct action *a)
{
	need_var(l, n, "assign_to", &a->to[0]);
	need_text(l, n, "username", &a->text);
	need_text(l, n, "password", &a->text2);
}

static void
exec(struct loader *l, const struct xml_node *n, struct action *a)
{
	static const struct {
		const char *name;
		uint8_t kind;
	} commands[] = { { "stop_call", ACT_STOP_CALL }, { "stop_now", ACT_STOP_NOW },
		{ "stop_gracefully", ACT_STOP_GRACEFULLY } };
	static const char *const refused[] = { "command", "rtp_stream", "rtp_echo",
		"play_pcap_audio", "play_pcap_image", "play_pcap_video", "play_dtmf" };
	const char *text = xml_attr(n, "int_cmd");

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (xml_attr(n, refused[i]) == NULL)
			continue;
		loader_fault(l, n->line, "<exec %s=> is not supported", refused[i]);
		return;
	}
	for (size_t i = 0; text != NULL && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, text) != 0)
			continue;
		a->kind = commands[i].kind;
		return;
	}
	loader_fault(
		l, n->line, "<exec> needs int_cmd= with stop_call, stop_gracefully or stop_now");
}

#define ARITHMETIC "assign_to value variable"
#define COMPARED   "assign_to variable variable2 value compare check_it check_it_inverse"

static const struct {
	const char *name, *attrs;
	void (*load)(struct loader *l, const struct xml_node *n, struct action *a);
	uint8_t kind;
} actions[] = {
	{ "ereg",
		"regexp search_in header variable start_line case_indep occurrence occurence assign_to "
		"check_it check_it_inverse",
		ereg, ACT_EREG },
	{ "log", "message", message, ACT_LOG },
	{ "warning", "message", message, ACT_WARNING },
	{ "error", "message", message, ACT_ERROR },
	{ "assign", ARITHMETIC, arithmetic, ACT_ASSIGN },
	{ "assignstr", "assign_to value", assignstr, ACT_ASSIGNSTR },
	{ "add", ARITHMETIC, arithmetic, ACT_ADD },
	{ "subtract", ARITHMETIC, arithmetic, ACT_SUBTRACT },
	{ "multiply", ARITHMETIC, arithmetic, ACT_MULTIPLY },
	{ "divide", ARITHMETIC, arithmetic, ACT_DIVIDE },
	{ "todouble", "assign_to variable", todouble, ACT_TODOUBLE },
	{ "trim", "assign_to", trim, ACT_TRIM },
	{ "strcmp", COMPARED, strcmp_action, ACT_STRCMP },
	{ "test", COMPARED, test, ACT_TEST },
	{ "jump", "value variable", jump, ACT_JUMP },
	{ "lookup", "assign_to file key", lookup, ACT_LOOKUP },
	{ "sample", "assign_to distribution value min max mean stdev lambda k theta x_m p n",
		sample, ACT_SAMPLE },
	{ "gettimeofday", "assign_to", gettimeofday_action, ACT_GETTIMEOFDAY },
	{ "verifyauth", "assign_to username password", verifyauth, ACT_VERIFYAUTH },
	{ "exec",
		"int_cmd command rtp_stream rtp_echo play_pcap_audio play_pcap_image play_pcap_video "
		"play_dtmf",
		exec, ACT_STOP_CALL },
};

static void
one(struct loader *l, const struct xml_node *n)
{
	static const char *const refused[] = { "setdest", "closecon", "insert", "replace",
		"urlencode", "urldecode", "rtp_echo", "index", "pauserestore" };
	struct scenario *s = l->s;
	struct action *a;

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (strcmp(n->name, refused[i]) != 0)
			continue;
		loader_fault(l, n->line, "the action <%s> is not supported", n->name);
		return;
	}
	if (s->n_actions == SCENARIO_ACTIONS) {
		loader_fault(l, n->line, "there are more than %d actions", SCENARIO_ACTIONS);
		return;
	}
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strcmp(n->name, actions[i].name) != 0)
			continue;
		loader_attrs(l, n, actions[i].attrs);
		a = &s->action[s->n_actions++];
		*a = (struct action){ .kind = actions[i].kind,
			.line = n->line,
			.var = NO_VAR,
			.var2 = NO_VAR,
			.text.len_at = -1,
			.text2.len_at = -1,
			.sample.var = NO_VAR };
		for (unsigned int k = 0; k < EREG_GROUPS; k++)
			a->to[k] = NO_VAR;
		actions[i].load(l, n, a);
		for (const struct xml_node *c = n->child; c != NULL; c = c->next)
			loader_fault(l, c->line, "<%.40s> cannot stand in <%s>", c->name, n->name);
		return;
	}
	loader_fault(l, n->line, "there is no action <%.40s>", n->name);
}

void
loader_actions(struct loader *l, const struct xml_node *n, struct step *step)
{
	step->action = (uint16_t)l->s->n_actions;
	for (const struct xml_node *c = n->child; c != NULL; c = c->next) {
		if (strcmp(c->name, "action") != 0) {
			loader_fault(l, c->line, "<%.40s> cannot stand in <%s>", c->name, n->name);
			continue;
		}
		loader_attrs(l, c, "");
		for (const struct xml_node *a = c->child; a != NULL; a = a->next)
			one(l, a);
	}
	step->n_actions = (uint16_t)(l->s->n_actions - step->action);
}
