#define _GNU_SOURCE /* memmem */
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>

#include "xml.h"

struct reader {
	XML_Parser parser;
	struct store *store;
	struct xml_node *root, *at;
	unsigned int depth, nodes;
	char *text; /* of the CDATA section that is being read */
	size_t n, room;
	bool cdata;
	const char *refused; /* why reading was stopped */
};

static void
stop(struct reader *r, const char *why)
{
	if (r->refused == NULL)
		r->refused = why;
	XML_StopParser(r->parser, XML_FALSE);
}

/* Every byte was declared to be a character of its own, and has come as UTF-8. */
static size_t
bytes_of(const char *p, size_t n, char *to)
{
	size_t out = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char ch = (unsigned char)p[i];

		if ((ch == 0xc2 || ch == 0xc3) && i + 1 < n)
			to[out++] = (char)((ch & 3) << 6 | ((unsigned char)p[++i] & 63));
		else
			to[out++] = (char)ch;
	}
	return out;
}

static const char *
keep(struct reader *r, const char *p)
{
	struct nfv_sv copy = store_text(r->store, nfv_sv_str(p));
	char *bytes = (char *)(uintptr_t)copy.p;

	if (bytes == NULL)
		stop(r, "there is no memory for it");
	else
		bytes[bytes_of(bytes, copy.n, bytes)] = '\0';
	return bytes;
}

static void XMLCALL
on_start(void *ctx, const char *name, const char **attr)
{
	struct reader *r = ctx;
	struct xml_node *n = store_take(r->store, sizeof(*n));
	struct xml_attr **link;

	if (n == NULL || r->depth == XML_DEPTH || r->nodes == XML_NODES) {
		stop(r,
			n == NULL                     ? "there is no memory for it" :
				r->depth == XML_DEPTH ? "elements are nested too deeply" :
							"there are too many elements");
		return;
	}
	r->depth++;
	r->nodes++;
	n->name = keep(r, name);
	n->line = (unsigned int)XML_GetCurrentLineNumber(r->parser);
	link = &n->attr;
	for (; attr[0] != NULL && r->refused == NULL; attr += 2) {
		struct xml_attr *a = *link = store_take(r->store, sizeof(*a));

		if (a == NULL) {
			stop(r, "there is no memory for it");
			return;
		}
		a->name = keep(r, attr[0]);
		a->value = keep(r, attr[1]);
		link = &a->next;
	}
	n->parent = r->at;
	if (r->at == NULL)
		r->root = n;
	else if (r->at->last != NULL)
		r->at->last->next = n;
	else
		r->at->child = n;
	if (r->at != NULL)
		r->at->last = n;
	r->at = n;
}

static void XMLCALL
on_end(void *ctx, const char *name)
{
	struct reader *r = ctx;

	(void)name;
	if (r->refused != NULL)
		return;
	r->depth--;
	r->at = r->at->parent;
}

static void XMLCALL
on_text(void *ctx, const char *p, int n)
{
	struct reader *r = ctx;
	size_t room;
	char *grown;

	if (!r->cdata || r->refused != NULL)
		return;
	if (r->n + (size_t)n > r->room) {
		room = 2 * (r->n + (size_t)n);
		grown = realloc(r->text, room);
		if (grown == NULL) {
			stop(r, "there is no memory for it");
			return;
		}
		r->text = grown;
		r->room = room;
	}
	r->n += bytes_of(p, (size_t)n, r->text + r->n);
}

static void XMLCALL
on_cdata(void *ctx)
{
	struct reader *r = ctx;

	if (r->refused != NULL || r->at == NULL)
		return;
	if (r->at->text.p != NULL)
		stop(r, "an element has more than one CDATA section");
	r->cdata = true;
	r->n = 0;
	r->at->text_line = (unsigned int)XML_GetCurrentLineNumber(r->parser);
}

static void XMLCALL
on_cdata_end(void *ctx)
{
	struct reader *r = ctx;

	r->cdata = false;
	if (r->refused != NULL || r->at == NULL)
		return;
	r->at->text = store_text(r->store, nfv_sv(r->text, r->n));
	if (r->at->text.p == NULL)
		stop(r, "there is no memory for it");
}

static void XMLCALL
on_entity(void *ctx, const char *name, int parameter, const char *value, int n, const char *base,
	const char *system, const char *public, const char *notation)
{
	(void)name, (void)parameter, (void)value, (void)n, (void)base, (void)system;
	(void)public, (void)notation;
	stop(ctx, "entities cannot be declared");
}

/* Whether one of the five entities or a character reference stands here. */
static bool
reference(struct nfv_sv s)
{
	static const char *const known[] = { "&amp;", "&lt;", "&gt;", "&quot;", "&apos;", "&#" };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (s.n >= strlen(known[i]) && memcmp(s.p, known[i], strlen(known[i])) == 0)
			return true;
	return false;
}

/* Length up to and with `end`, which may not be there: then 0. */
static size_t
up_to(struct nfv_sv s, const char *end)
{
	const char *p = memmem(s.p, s.n, end, strlen(end));

	return p != NULL ? (size_t)(p - s.p) + strlen(end) : 0;
}

/* The text as XML has it: comments and declarations blanked, and bare `<` and `&` spelled out where they are no
 * markup. Lines stay where they are. */
static size_t
forgive(struct nfv_sv s, char *to)
{
	char quote = 0;
	bool tag = false;
	size_t n, out = 0;

	for (; s.n > 0; s = nfv_sv(s.p + n, s.n - n)) {
		n = 0;
		if (!tag && s.n >= 4 && memcmp(s.p, "<!--", 4) == 0)
			n = up_to(s, "-->");
		else if (!tag && s.n >= 2 && memcmp(s.p, "<?", 2) == 0)
			n = up_to(s, "?>");
		if (n > 0) {
			for (size_t i = 0; i < n; i++)
				to[out++] = s.p[i] == '\n' ? '\n' : ' ';
			continue;
		}
		if (!tag && s.n >= 2 && s.p[0] == '<' && s.p[1] == '!')
			n = up_to(s, s.n >= 9 && memcmp(s.p, "<![CDATA[", 9) == 0 ? "]]>" : ">");
		if (n > 0) {
			memcpy(to + out, s.p, n);
			out += n;
			continue;
		}
		n = 1;
		if ((s.p[0] == '&' && !reference(s)) || (s.p[0] == '<' && quote != 0)) {
			struct nfv_sv spelled = s.p[0] == '&' ? NFV_SV("&amp;") : NFV_SV("&lt;");

			memcpy(to + out, spelled.p, spelled.n);
			out += spelled.n;
			continue;
		}
		if (tag && (s.p[0] == '"' || s.p[0] == '\'') && (quote == 0 || quote == s.p[0]))
			quote = quote == 0 ? s.p[0] : 0;
		else if (quote == 0 && (s.p[0] == '<' || s.p[0] == '>'))
			tag = s.p[0] == '<';
		to[out++] = s.p[0];
	}
	return out;
}

static int
run(struct reader *r, struct nfv_sv text, const char *file, struct nfv_err *err)
{
	unsigned long line;

	XML_SetUserData(r->parser, r);
	XML_SetElementHandler(r->parser, on_start, on_end);
	XML_SetCharacterDataHandler(r->parser, on_text);
	XML_SetCdataSectionHandler(r->parser, on_cdata, on_cdata_end);
	XML_SetEntityDeclHandler(r->parser, on_entity);
	if (XML_Parse(r->parser, text.p, (int)text.n, XML_TRUE) != XML_STATUS_ERROR)
		return 0;
	line = XML_GetCurrentLineNumber(r->parser);
	if (r->refused != NULL)
		return nfv_fail(err, EINVAL, "%s:%lu: %s", file, line, r->refused);
	return nfv_fail(err, EINVAL, "%s:%lu: this is not XML: %s", file, line,
		XML_ErrorString(XML_GetErrorCode(r->parser)));
}

int
xml_read(struct nfv_sv text, const char *file, struct store *s, struct xml_node **root,
	struct nfv_err *err)
{
	struct reader r = { .store = s };
	char *copy = NULL;
	int rc;

	if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
		text = nfv_sv(text.p + 3, text.n - 3);
	if (text.n > XML_BYTES)
		return nfv_fail(
			err, E2BIG, "%s:1: a scenario of more than %u bytes", file, XML_BYTES);
	r.parser = XML_ParserCreate("ISO-8859-1");
	copy = malloc(5 * text.n + 1);
	if (r.parser == NULL || copy == NULL)
		rc = nfv_fail(err, ENOMEM, "there is no memory for %s", file);
	else
		rc = run(&r, nfv_sv(copy, forgive(text, copy)), file, err);
	if (rc == 0)
		*root = r.root;
	if (r.parser != NULL)
		XML_ParserFree(r.parser);
	free(copy);
	free(r.text);
	return rc;
}

const char *
xml_attr(const struct xml_node *n, const char *name)
{
	for (const struct xml_attr *a = n->attr; a != NULL; a = a->next)
		if (strcmp(a->name, name) == 0)
			return a->value;
	return NULL;
}
