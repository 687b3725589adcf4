#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader.h"

/* "10, 20, 30": bounds that grow. */
static void
repartition(struct loader *l, const struct xml_node *n, uint32_t bound[32], uint8_t *count)
{
	const char *text = loader_need(l, n, "value");
	struct nfv_sv rest = nfv_sv_str(text != NULL ? text : "");
	uint64_t u, last = 0;

	loader_attrs(l, n, "value");
	*count = 0;
	while (rest.p != NULL && rest.n > 0) {
		if (nfv_sv_u64(nfv_sv_trim(nfv_sv_cut(&rest, ',')), 0, UINT32_MAX, &u) < 0 ||
			*count == 32 || (*count > 0 && u <= last)) {
			loader_fault(l, n->line,
				"value=\"%.60s\" is no list of at most 32 numbers that grow", text);
			return;
		}
		bound[(*count)++] = (uint32_t)(last = u);
	}
}

/* <Global variables="a,b"/> and <User …>; names that were not declared are a call's own. */
static void
declare(struct loader *l, const struct xml_node *n, unsigned int scope)
{
	const char *text = loader_need(l, n, "variables");
	struct nfv_sv rest = nfv_sv_str(text != NULL ? text : ""), name;
	struct scenario *s = l->s;
	uint32_t before;

	loader_attrs(l, n, "variables");
	while (rest.p != NULL && rest.n > 0) {
		name = nfv_sv_trim(nfv_sv_cut(&rest, ','));
		before = s->n_vars;
		loader_var_named(l, n->line, name);
		if (scope == VAR_CALL)
			continue;
		if (s->n_vars == before) {
			loader_fault(l, n->line, "the variable \"%.*s\" is declared twice",
				name.n < 40 ? (int)name.n : 40, name.p);
			continue;
		}
		s->n_scope[VAR_CALL]--;
		s->var[before].id = VAR_ID(scope, s->n_scope[scope]++);
	}
}

static void
init_section(struct loader *l, const struct xml_node *n)
{
	loader_attrs(l, n, "");
	l->init = true;
	for (const struct xml_node *c = n->child; c != NULL; c = c->next)
		if (!loader_step(l, c))
			loader_fault(l, c->line, "<%.40s> cannot stand in <init>", c->name);
	l->s->n_init = l->s->n_steps;
	l->init = false;
}

static void
element(struct loader *l, const struct xml_node *n)
{
	static const char *const refused[] = { "sendCmd", "recvCmd", "DefaultMessage",
		"DefaultBehaviors" };
	struct scenario *s = l->s;

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (strcmp(n->name, refused[i]) != 0)
			continue;
		loader_fault(l, n->line, "<%s> is not supported", n->name);
		return;
	}
	if (strcmp(n->name, "ResponseTimeRepartition") == 0)
		repartition(l, n, s->response_time, &s->n_response_time);
	else if (strcmp(n->name, "CallLengthRepartition") == 0)
		repartition(l, n, s->call_length, &s->n_call_length);
	else if (!loader_step(l, n))
		loader_fault(l, n->line, "a scenario has no element <%.40s>", n->name);
}

/* Declarations first, then <init>, then all others in their order. */
static void
whole(struct loader *l, const struct xml_node *root)
{
	static const char *const early[] = { "Global", "User", "Reference", "init" };
	static const unsigned int scope[] = { VAR_GLOBAL, VAR_USER, VAR_CALL };
	const char *name = xml_attr(root, "name");

	if (strcmp(root->name, "scenario") != 0) {
		loader_fault(l, root->line, "this is no <scenario> but <%.40s>", root->name);
		return;
	}
	loader_attrs(l, root, "name");
	l->s->name = loader_keep(l, name != NULL ? name : "");
	for (unsigned int k = 0; k < 4; k++)
		for (const struct xml_node *n = root->child; n != NULL; n = n->next)
			if (strcmp(n->name, early[k]) == 0) {
				if (k < 3)
					declare(l, n, scope[k]);
				else
					init_section(l, n);
			}
	for (const struct xml_node *n = root->child; n != NULL; n = n->next) {
		bool done = false;

		for (unsigned int k = 0; k < 4; k++)
			done |= strcmp(n->name, early[k]) == 0;
		if (!done)
			element(l, n);
	}
	loader_finish(l);
}

/* What was taken at its largest is cut down to what is there. */
static void
shrink(struct scenario *s)
{
	struct step *step = realloc(s->step, (s->n_steps + 1) * sizeof(*step));
	struct action *action = realloc(s->action, (s->n_actions + 1) * sizeof(*action));

	s->step = step != NULL ? step : s->step;
	s->action = action != NULL ? action : s->action;
}

int
scenario_load_text(struct nfv_sv text, const char *file, const struct scenario_keys *keys,
	struct scenario_report *report, struct scenario **out, struct nfv_err *err)
{
	struct loader *l = calloc(1, sizeof(*l));
	struct store *tree = store_create();
	struct scenario *s = calloc(1, sizeof(*s));
	struct xml_node *root = NULL;
	int rc = -ENOMEM;

	if (s != NULL) {
		s->text = store_create();
		s->step = calloc(SCENARIO_STEPS, sizeof(*s->step));
		s->action = calloc(SCENARIO_ACTIONS, sizeof(*s->action));
	}
	if (l == NULL || tree == NULL || s == NULL || s->text == NULL || s->step == NULL ||
		s->action == NULL) {
		nfv_fail(err, ENOMEM, "there is no memory for %s", file);
		goto fail;
	}
	*l = (struct loader){ .file = file, .s = s, .keys = keys, .report = report, .err = err };
	s->file = loader_keep(l, file).p;
	rc = xml_read(text, file, tree, &root, err);
	if (rc < 0)
		goto fail;
	whole(l, root);
	rc = l->rc;
	if (rc < 0)
		goto fail;
	shrink(s);
	store_destroy(tree);
	free(l);
	*out = s;
	return 0;
fail:
	scenario_destroy(s);
	store_destroy(tree);
	free(l);
	return rc;
}

int
scenario_load(const char *file, const struct scenario_keys *keys, struct scenario_report *report,
	struct scenario **out, struct nfv_err *err)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC), rc;
	char *text = NULL;
	size_t n = 0;
	ssize_t got = 1;

	if (fd < 0)
		return nfv_fail(
			err, errno, "the scenario %s cannot be read: %s", file, strerror(errno));
	text = malloc(XML_BYTES + 1);
	if (text == NULL) {
		rc = nfv_fail(err, ENOMEM, "there is no memory for %s", file);
		goto done;
	}
	while (n <= XML_BYTES && (got = read(fd, text + n, XML_BYTES + 1 - n)) > 0)
		n += (size_t)got;
	if (got < 0)
		rc = nfv_fail(
			err, errno, "the scenario %s cannot be read: %s", file, strerror(errno));
	else
		rc = scenario_load_text(nfv_sv(text, n), file, keys, report, out, err);
done:
	free(text);
	close(fd);
	return rc;
}

void
scenario_destroy(struct scenario *s)
{
	if (s == NULL)
		return;
	for (uint32_t i = 0; i < s->n_steps; i++) {
		template_fini(&s->step[i].message);
		if (s->step[i].regex != NULL)
			regfree(s->step[i].regex);
		free(s->step[i].regex);
	}
	for (uint32_t i = 0; i < s->n_actions; i++) {
		template_fini(&s->action[i].text);
		template_fini(&s->action[i].text2);
		if (s->action[i].regex != NULL)
			regfree(s->action[i].regex);
		free(s->action[i].regex);
	}
	store_destroy(s->text);
	free(s->step);
	free(s->action);
	free(s);
}
