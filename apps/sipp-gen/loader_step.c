#include <ctype.h>
#include <stdlib.h>

#include "loader.h"

/* What every element with a step may have. */
#define COMMON                                                                                     \
	"start_rtd rtd repeat_rtd next test chance condexec condexec_inverse counter crlf hide "   \
	"hiderest display lost ignoresdp ontimeout "

static struct step *
new_step(struct loader *l, const struct xml_node *n, enum step_kind kind)
{
	struct scenario *s = l->s;
	struct step *step;

	if (s->n_steps == SCENARIO_STEPS) {
		loader_fault(l, n->line, "there are more than %d steps", SCENARIO_STEPS);
		return NULL;
	}
	if (s->n_steps > s->n_init && s->step[s->n_steps - 1].kind == STEP_TIMEWAIT)
		loader_fault(l, s->step[s->n_steps - 1].line,
			"<timewait> must be a scenario's last step");
	if (kind != STEP_RECV && s->n_steps > s->n_init &&
		s->step[s->n_steps - 1].kind == STEP_RECV &&
		s->step[s->n_steps - 1].optional == OPTIONAL_HERE)
		loader_fault(l, n->line,
			"after an optional <recv> there must be one that is not optional");
	step = &s->step[s->n_steps++];
	*step = (struct step){ .kind = (uint8_t)kind,
		.line = n->line,
		.next = NO_STEP,
		.next_if = NO_VAR,
		.condexec = NO_VAR,
		.chance = 1,
		.lost = -1,
		.ontimeout = NO_STEP,
		.message.len_at = -1,
		.pause.var = NO_VAR,
		.action = (uint16_t)s->n_actions };
	return step;
}

/* A name's number in a table from 1, entered if it is new; 0: none, or no room. */
static uint8_t
numbered(struct loader *l, const struct xml_node *n, const char *attr, struct nfv_sv *table,
	unsigned int room)
{
	const char *text = xml_attr(n, attr);

	if (text == NULL || strcmp(text, "false") == 0)
		return 0;
	if (strcmp(text, "true") == 0)
		text = "1";
	for (unsigned int i = 1; i <= room; i++) {
		if (table[i].n == 0)
			table[i] = loader_keep(l, text);
		if (nfv_sv_eq(table[i], nfv_sv_str(text)))
			return (uint8_t)i;
	}
	loader_fault(l, n->line, "%s=\"%.40s\": there are more than %u names of this kind", attr,
		text, room);
	return 0;
}

static void
jump(struct loader *l, const struct xml_node *n, const char *attr)
{
	const char *text = xml_attr(n, attr);

	if (text != NULL)
		l->jump[l->n_jumps++] = (struct loader_jump){ loader_keep(l, text),
			(uint16_t)(l->s->n_steps - 1), n->line, l->init, attr[0] == 'o' };
}

static void
common(struct loader *l, const struct xml_node *n, struct step *step)
{
	double percent = loader_number(l, n, "lost", 0, 100, -100);

	step->start_rtd = numbered(l, n, "start_rtd", l->s->rtd_name, SCENARIO_RTDS);
	step->rtd = numbered(l, n, "rtd", l->s->rtd_name, SCENARIO_RTDS);
	step->rtd_repeat = loader_bool(l, n, "repeat_rtd", false);
	step->counter = numbered(l, n, "counter", l->s->counter_name, SCENARIO_COUNTERS);
	step->crlf = xml_attr(n, "crlf") != NULL;
	step->chance = loader_number(l, n, "chance", 0, 1, 1);
	step->next_if = loader_var(l, n, "test");
	step->condexec = loader_var(l, n, "condexec");
	step->condexec_inverse = loader_bool(l, n, "condexec_inverse", false);
	step->lost = (float)(percent / 100);
	loader_bool(l, n, "hide", false);
	loader_bool(l, n, "ignoresdp", false);
	jump(l, n, "next");
	jump(l, n, "ontimeout");
}

/* Method or status from a message's first line. */
static void
first_line(struct step *step)
{
	const struct template *t = &step->message;
	struct nfv_sv line, word;
	uint64_t u;

	step->request = true;
	if (t->n == 0 || t->piece[0].keyword != KW_TEXT)
		return;
	line = t->piece[0].text;
	word = nfv_sv_word(&line);
	if (word.n >= 4 && memcmp(word.p, "SIP/", 4) == 0) {
		step->request = false;
		if (nfv_sv_u64(nfv_sv_word(&line), 100, 699, &u) == 0)
			step->status = (uint16_t)u;
		return;
	}
	step->method_name = word;
	step->method = nfv_sip_method(word);
}

static void
send_step(struct loader *l, const struct xml_node *n)
{
	struct step *step = new_step(l, n, STEP_SEND);

	loader_attrs(l, n, COMMON "retrans timeout start_txn ack_txn");
	if (step == NULL)
		return;
	common(l, n, step);
	step->retrans = (uint32_t)loader_number(l, n, "retrans", 0, 3600000, 0);
	step->timeout = (uint32_t)loader_number(l, n, "timeout", 0, 3600000, 0);
	step->txn_start = numbered(l, n, "start_txn", l->txn, SCENARIO_TXNS);
	step->txn_ack = numbered(l, n, "ack_txn", l->txn, SCENARIO_TXNS);
	if (l->init)
		loader_fault(l, n->line, "<init> can have no <send>");
	if (n->text.p == NULL)
		loader_fault(l, n->line, "<send> needs a message in a CDATA section");
	else
		loader_template(l, n->text_line, n->text, true, &step->message);
	if (n->text.p != NULL && step->message.n == 0 && l->faults == 0)
		loader_fault(l, n->line, "<send> has an empty message");
	first_line(step);
	step->keeps_message =
		step->message.uses_last || step->message.uses_auth || step->message.uses_moment;
	loader_actions(l, n, step);
}

static void
expected(struct loader *l, const struct xml_node *n, struct step *step)
{
	const char *request = xml_attr(n, "request"), *response = xml_attr(n, "response");

	step->regexp_match = loader_bool(l, n, "regexp_match", false);
	if ((request != NULL) == (response != NULL)) {
		loader_fault(l, n->line, "<recv> needs either request= or response=");
		return;
	}
	if (response != NULL) {
		step->status = (uint16_t)loader_number(l, n, "response", 100, 699, 0);
		if (step->regexp_match)
			loader_fault(l, n->line, "regexp_match= needs request=");
		return;
	}
	step->request = true;
	step->method_name = loader_keep(l, request);
	if (step->regexp_match)
		step->regex = loader_regex(l, n, request);
	else
		step->method = nfv_sip_method(step->method_name);
}

static void
recv_step(struct loader *l, const struct xml_node *n)
{
	struct step *step = new_step(l, n, STEP_RECV);
	const char *optional = xml_attr(n, "optional");

	loader_attrs(l, n,
		COMMON "request response optional rrs auth timeout regexp_match "
		       "response_txn advance_state");
	if (step == NULL)
		return;
	common(l, n, step);
	expected(l, n, step);
	if (optional != NULL && strcmp(optional, "global") == 0)
		step->optional = OPTIONAL_GLOBAL;
	else
		step->optional =
			loader_bool(l, n, "optional", false) ? OPTIONAL_HERE : NOT_OPTIONAL;
	step->rrs = loader_bool(l, n, "rrs", false);
	step->auth = loader_bool(l, n, "auth", false);
	if (!loader_bool(l, n, "advance_state", true))
		loader_fault(l, n->line, "advance_state=\"false\" is not supported");
	step->timeout = (uint32_t)loader_number(l, n, "timeout", 0, 3600000, 0);
	step->txn_response = numbered(l, n, "response_txn", l->txn, SCENARIO_TXNS);
	if (step->txn_response != 0 && step->request)
		loader_fault(l, n->line, "response_txn= needs response=");
	if (l->init)
		loader_fault(l, n->line, "<init> can have no <recv>");
	loader_actions(l, n, step);
}

static void
no_children(struct loader *l, const struct xml_node *n)
{
	for (const struct xml_node *c = n->child; c != NULL; c = c->next)
		loader_fault(l, c->line, "<%s> cannot stand in <%s>", c->name, n->name);
}

/* How long <pause> and <timewait> last. */
static void
lasts(struct loader *l, const struct xml_node *n, struct step *step)
{
	unsigned int ways = (xml_attr(n, "milliseconds") != NULL) +
		(xml_attr(n, "variable") != NULL) + (xml_attr(n, "distribution") != NULL);

	loader_attrs(l, n,
		COMMON "milliseconds variable distribution sanity_check value min max mean "
		       "stdev lambda k theta x_m p n");
	common(l, n, step);
	loader_bool(l, n, "sanity_check", true);
	if (ways > 1)
		loader_fault(l, n->line,
			"<%s> takes one of milliseconds=, variable= and distribution=", n->name);
	if (xml_attr(n, "milliseconds") != NULL) {
		step->pause.kind = DIST_FIXED;
		step->pause.a = loader_number(l, n, "milliseconds", 0, 1e9, 0);
	} else if (xml_attr(n, "variable") != NULL) {
		step->pause.kind = DIST_VARIABLE;
		step->pause.var = loader_var(l, n, "variable");
	} else if (xml_attr(n, "distribution") != NULL || xml_attr(n, "min") != NULL) {
		loader_duration(l, n, &step->pause);
	}
	if (l->init)
		loader_fault(l, n->line, "<init> can have no <%s>", n->name);
	no_children(l, n);
}

static void
pause_step(struct loader *l, const struct xml_node *n)
{
	struct step *step = new_step(l, n, STEP_PAUSE);

	if (step != NULL)
		lasts(l, n, step);
}

static void
timewait(struct loader *l, const struct xml_node *n)
{
	struct step *step = new_step(l, n, STEP_TIMEWAIT);

	if (step != NULL)
		lasts(l, n, step);
}

static void
nop(struct loader *l, const struct xml_node *n)
{
	struct step *step = new_step(l, n, STEP_NOP);

	loader_attrs(l, n, COMMON);
	if (step == NULL)
		return;
	common(l, n, step);
	loader_actions(l, n, step);
}

static const struct loader_label *
find_label(const struct loader *l, struct nfv_sv name, bool init)
{
	for (uint32_t i = 0; i < l->n_labels; i++)
		if (l->label[i].init == init && nfv_sv_eq(l->label[i].name, name))
			return &l->label[i];
	return NULL;
}

static void
label(struct loader *l, const struct xml_node *n)
{
	const char *id;

	loader_attrs(l, n, "id");
	no_children(l, n);
	id = loader_need(l, n, "id");
	if (id == NULL)
		return;
	if (strncmp(id, "_unexp.", 7) == 0)
		loader_fault(l, n->line, "the label \"%.40s\", a handler, is not supported", id);
	if (find_label(l, nfv_sv_str(id), l->init) != NULL)
		loader_fault(l, n->line, "the label \"%.40s\" stands twice", id);
	else if (l->n_labels == LOADER_LABELS)
		loader_fault(l, n->line, "there are more than %d labels", LOADER_LABELS);
	else
		l->label[l->n_labels++] = (struct loader_label){ loader_keep(l, id),
			(int16_t)l->s->n_steps, l->init };
}

bool
loader_step(struct loader *l, const struct xml_node *n)
{
	static const struct {
		const char *name;
		void (*load)(struct loader *l, const struct xml_node *n);
	} steps[] = { { "send", send_step }, { "recv", recv_step }, { "pause", pause_step },
		{ "nop", nop }, { "timewait", timewait }, { "label", label } };

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (strcmp(n->name, steps[i].name) != 0)
			continue;
		steps[i].load(l, n);
		return true;
	}
	return false;
}

/* Whether a step makes use of the last message received. */
static bool
uses_last(const struct scenario *s, const struct step *step)
{
	bool uses = step->kind == STEP_SEND && step->message.uses_last;

	for (uint32_t i = 0; i < step->n_actions && step->kind != STEP_RECV; i++) {
		const struct action *a = &s->action[step->action + i];

		uses |= (a->kind == ACT_EREG && a->search != IN_VAR) || a->kind == ACT_VERIFYAUTH ||
			a->text.uses_last || a->text2.uses_last;
	}
	return uses;
}

/* A jump by an action may lead anywhere. */
static bool
jumps_anywhere(const struct scenario *s, const struct step *step)
{
	for (uint32_t i = 0; i < step->n_actions; i++)
		if (s->action[step->action + i].kind == ACT_JUMP)
			return true;
	return false;
}

/* Follow every way through the scenario: is the last message received still wanted after time has
 * passed at a pause? */
static bool
wanted_after_pause(const struct scenario *s)
{
	bool paused[SCENARIO_STEPS + 1] = { false }, changed = true, anywhere = false;

	while (changed) {
		changed = false;
		for (uint32_t i = 0; i < s->n_steps; i++) {
			const struct step *step = &s->step[i];
			bool out = step->kind == STEP_PAUSE ||
				(paused[i] && !(step->kind == STEP_RECV && step->optional == 0));
			const int to[3] = { (int)i + 1, step->next, step->ontimeout };

			anywhere |= out && jumps_anywhere(s, step);
			for (int k = 0; k < 3; k++) {
				if (to[k] < 0 || !(k == 2 ? paused[i] : out) || paused[to[k]])
					continue;
				paused[to[k]] = changed = true;
			}
			changed |= anywhere && !paused[i];
			paused[i] |= anywhere;
		}
	}
	for (uint32_t i = 0; i < s->n_steps; i++)
		if (paused[i] && uses_last(s, &s->step[i]))
			return true;
	return false;
}

void
loader_finish(struct loader *l)
{
	struct scenario *s = l->s;
	uint32_t first = s->n_init;

	for (uint32_t i = 0; i < l->n_labels; i++)
		if (l->label[i].step < (int)s->n_steps)
			s->step[l->label[i].step].label = l->label[i].name;
	for (uint32_t i = 0; i < l->n_jumps; i++) {
		const struct loader_jump *j = &l->jump[i];
		const struct loader_label *to = find_label(l, j->name, j->init);

		if (to == NULL)
			loader_fault(l, j->line, "there is no label \"%.40s\"", j->name.p);
		else if (j->timeout)
			s->step[j->step].ontimeout = to->step;
		else
			s->step[j->step].next = to->step;
	}
	while (first < s->n_steps && s->step[first].kind != STEP_SEND &&
		s->step[first].kind != STEP_RECV)
		first++;
	if (first == s->n_steps)
		loader_fault(l, 1, "the scenario neither sends nor receives anything");
	else
		s->caller = s->step[first].kind == STEP_SEND;
	s->keeps_last = wanted_after_pause(s);
}
