/* What stands in brackets: SIPp's keywords and their arguments. */
#include <ctype.h>
#include <stdio.h>

#include "store.h"
#include "template_compile.h"

#define FILE_MAX 65535u

struct known {
	const char *name;
	uint8_t keyword;
};

static const struct known known[] = {
	{ "service", KW_SERVICE },
	{ "call_id", KW_CALL_ID },
	{ "call_number", KW_CALL_NUMBER },
	{ "cseq", KW_CSEQ },
	{ "branch", KW_BRANCH },
	{ "len", KW_LEN },
	{ "pid", KW_PID },
	{ "local_ip", KW_LOCAL_IP },
	{ "local_ip_type", KW_LOCAL_IP_TYPE },
	{ "local_port", KW_LOCAL_PORT },
	{ "remote_ip", KW_REMOTE_IP },
	{ "remote_port", KW_REMOTE_PORT },
	{ "remote_host", KW_REMOTE_HOST },
	{ "transport", KW_TRANSPORT },
	{ "media_ip", KW_MEDIA_IP },
	{ "media_ip_type", KW_MEDIA_IP_TYPE },
	{ "media_port", KW_MEDIA_PORT },
	{ "auto_media_port", KW_AUTO_MEDIA_PORT },
	{ "peer_tag_param", KW_PEER_TAG_PARAM },
	{ "last_message", KW_LAST_MESSAGE },
	{ "last_Request_URI", KW_LAST_REQUEST_URI },
	{ "last_cseq_number", KW_LAST_CSEQ_NUMBER },
	{ "last_CSeq_number", KW_LAST_CSEQ_NUMBER },
	{ "last_branch", KW_LAST_BRANCH },
	{ "routes", KW_ROUTES },
	{ "next_url", KW_NEXT_URL },
	{ "msg_index", KW_MSG_INDEX },
	{ "clock_tick", KW_CLOCK_TICK },
	{ "timestamp", KW_TIMESTAMP },
	{ "date", KW_DATE },
	{ "sipp_version", KW_SIPP_VERSION },
	{ "users", KW_USERS },
	{ "userid", KW_USERID },
};

/* What SIPp knows besides; a name with a star is a prefix. */
static const char *const unsupported[] = { "server_ip", "dynamic_id", "tdmmap", "rtpstream*",
	"crypto*", "ue_*", "mikey*" };

bool
template_param(struct nfv_sv s, struct nfv_sv name, struct nfv_sv *out)
{
	size_t i = 0;

	while (i < s.n) {
		unsigned int depth = 0;
		bool quoted = false;
		size_t from;

		while (i < s.n && isspace((unsigned char)s.p[i]))
			i++;
		from = i;
		for (; i < s.n && (depth > 0 || quoted || !isspace((unsigned char)s.p[i])); i++) {
			depth += s.p[i] == '[';
			depth -= s.p[i] == ']' && depth > 0;
			quoted ^= s.p[i] == '"' && depth == 0;
		}
		if (i - from <= name.n || s.p[from + name.n] != '=' ||
			memcmp(s.p + from, name.p, name.n) != 0)
			continue;
		*out = nfv_sv(s.p + from + name.n + 1, i - from - name.n - 1);
		if (out->n >= 2 && out->p[0] == '"' && out->p[out->n - 1] == '"')
			*out = nfv_sv(out->p + 1, out->n - 2);
		return true;
	}
	return false;
}

static int16_t
variable(struct compiler *c, struct nfv_sv name)
{
	int id = name.n > 0 && c->names->variable != NULL ?
		c->names->variable(c->names->ctx, name) :
		-1;

	if (id < 0)
		compiler_fault(
			c, name, "\"%.*s\" is no name of a variable, or there are too many", name);
	else
		c->t->uses_moment = true;
	return (int16_t)id;
}

/* A word of [authentication], which may have keywords itself. */
static struct template *
nested(struct compiler *c, struct nfv_sv text)
{
	struct compiler in = { .names = c->names,
		.text = text,
		.err = c->err,
		.depth = c->depth + 1,
		.line0 = c->line0,
		.failed = c->failed };
	struct template *t = store_take(c->t->store, sizeof(*t));

	for (const char *p = c->text.p; p < text.p; p++)
		in.line0 += *p == '\n';
	if (t == NULL) {
		c->no_memory = true;
		return NULL;
	}
	*t = (struct template){ .len_at = -1, .store = c->t->store };
	in.t = t;
	compiler_run(&in);
	c->failed |= in.failed;
	c->no_memory |= in.no_memory;
	c->t->uses_last |= t->uses_last;
	c->t->uses_fields |= t->uses_fields;
	return t;
}

static void
authentication(struct compiler *c, struct nfv_sv word)
{
	struct piece *p = compiler_add(c, KW_AUTHENTICATION);
	struct nfv_sv value;

	if (c->depth > 0) {
		compiler_fault(c, word, "\"%.*s\" cannot stand inside another keyword", word);
		return;
	}
	if (template_param(word, NFV_SV("aka_K"), &value) ||
		template_param(word, NFV_SV("aka_OP"), &value) ||
		template_param(word, NFV_SV("aka_AMF"), &value))
		compiler_fault(c, word, "AKA authentication is not supported%.*s", nfv_sv("", 0));
	if (template_param(word, NFV_SV("username"), &value))
		p->username = nested(c, value);
	if (template_param(word, NFV_SV("password"), &value))
		p->password = nested(c, value);
	c->t->uses_auth = c->t->uses_last = true;
}

static void
field(struct compiler *c, struct nfv_sv word)
{
	struct piece *p = compiler_add(c, KW_FIELD);
	struct nfv_sv digits = nfv_sv(word.p + 5, 0), value;
	uint64_t u;

	while (digits.n < word.n - 5 && isdigit((unsigned char)digits.p[digits.n]))
		digits.n++;
	p->offset = -1;
	c->t->uses_fields = true;
	if (nfv_sv_u64(digits, 0, 255, &u) < 0) {
		compiler_fault(c, word, "\"[%.*s]\" names no field", word);
		return;
	}
	p->field = (uint16_t)u;
	template_param(word, NFV_SV("file"), &p->text);
	if (!template_param(word, NFV_SV("line"), &value))
		return;
	if (value.n > 3 && memcmp(value.p, "[$", 2) == 0 && value.p[value.n - 1] == ']')
		p->var = variable(c, nfv_sv(value.p + 2, value.n - 3));
	else if (nfv_sv_u64(value, 0, INT32_MAX, &u) == 0)
		p->offset = (int32_t)u;
	else
		compiler_fault(c, word, "line=\"%.*s\" is neither a number nor a variable", value);
}

static void
fill(struct compiler *c, struct nfv_sv word)
{
	struct piece *p = compiler_add(c, KW_FILL);
	struct nfv_sv name;

	p->text = NFV_SV("X");
	if (template_param(word, NFV_SV("text"), &p->text) && p->text.n == 0)
		compiler_fault(c, word, "\"[%.*s]\" has an empty text", word);
	if (template_param(word, NFV_SV("variable"), &name))
		p->var = variable(c, name);
	else
		compiler_fault(c, word, "\"[%.*s]\" needs variable=", word);
}

static void
file(struct compiler *c, struct nfv_sv word)
{
	struct piece *p = compiler_add(c, KW_FILE);
	char path[256], *bytes;
	struct nfv_sv name;
	FILE *f;
	size_t n;

	if (!template_param(word, NFV_SV("name"), &name) || name.n == 0 || name.n >= sizeof(path) ||
		memchr(name.p, '[', name.n) != NULL) {
		compiler_fault(c, word, "\"[%.*s]\" needs name= with the name of a file", word);
		return;
	}
	snprintf(path, sizeof(path), "%.*s", NFV_SV_ARG(name));
	f = fopen(path, "re");
	if (f == NULL) {
		compiler_fault(c, word, "the file \"%.*s\" cannot be read", name);
		return;
	}
	bytes = store_take(c->t->store, FILE_MAX + 1);
	n = bytes != NULL ? fread(bytes, 1, FILE_MAX + 1, f) : 0;
	if (bytes == NULL)
		c->no_memory = true;
	else if (ferror(f) || n > FILE_MAX)
		compiler_fault(c, word, "the file \"%.*s\" cannot be read, or is too large", name);
	else
		p->text = nfv_sv(bytes, n);
	fclose(f);
}

/* [last_Via:], [last_Via], [last_Contact:value]. */
static void
last_header(struct compiler *c, struct nfv_sv word)
{
	struct nfv_sv name = nfv_sv(word.p + 5, word.n - 5), colon;
	struct piece *p = compiler_add(c, KW_LAST_HEADER);

	p->text = nfv_sv_cut(&name, ':');
	colon = name;
	p->value_only = nfv_sv_eq(colon, NFV_SV("value"));
	p->field = nfv_sip_field(p->text);
	c->t->uses_last = true;
	if (p->text.n == 0 || (colon.n > 0 && !p->value_only))
		compiler_fault(c, word, "\"[%.*s]\" names no header field", word);
}

/* Cut a +N or -N off its end. */
static bool
offset(struct nfv_sv *word, int32_t *out)
{
	size_t at = word->n;
	uint64_t u;

	while (at > 0 && isdigit((unsigned char)word->p[at - 1]))
		at--;
	if (at < 2 || (word->p[at - 1] != '+' && word->p[at - 1] != '-') ||
		nfv_sv_u64(nfv_sv(word->p + at, word->n - at), 0, 1000000, &u) < 0)
		return false;
	*out = word->p[at - 1] == '-' ? -(int32_t)u : (int32_t)u;
	word->n = at - 1;
	return true;
}

/* A keyword that stands for itself; +N and -N mean something to a few, and nothing to the others. */
static bool
simple(struct compiler *c, struct nfv_sv word, int32_t shift)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		uint8_t kw = known[i].keyword;

		if (!nfv_sv_eq(word, nfv_sv_str(known[i].name)))
			continue;
		if (kw == KW_LEN && c->t->len_at >= 0)
			compiler_fault(c, word, "\"[%.*s]\" stands twice in one message", word);
		if (kw == KW_LEN)
			c->t->len_at = (int16_t)c->t->n;
		compiler_add(c, kw)->offset = shift;
		c->t->uses_last |= kw >= KW_LAST_MESSAGE && kw <= KW_LAST_BRANCH;
		c->t->uses_moment |= kw >= KW_CLOCK_TICK && kw <= KW_DATE;
		return true;
	}
	return false;
}

static bool
starts(struct nfv_sv s, const char *with)
{
	size_t n = strlen(with);

	return s.n >= n && memcmp(s.p, with, n) == 0;
}

static void
unknown(struct compiler *c, struct nfv_sv word)
{
	for (size_t i = 0; i < sizeof(unsupported) / sizeof(unsupported[0]); i++) {
		struct nfv_sv name = nfv_sv_str(unsupported[i]);
		bool prefix = name.p[name.n - 1] == '*';

		if (prefix ? word.n >= name.n && memcmp(word.p, name.p, name.n - 1) == 0 :
			     nfv_sv_eq(word, name)) {
			compiler_fault(c, word, "the keyword \"[%.*s]\" is not supported", word);
			return;
		}
	}
	compiler_fault(c, word, "\"[%.*s]\" is no keyword, and no -key gives it a value", word);
}

/* What stands between the brackets. */
void
compiler_keyword(struct compiler *c, struct nfv_sv word)
{
	struct nfv_sv generic = nfv_sv(NULL, 0), base = word;
	int32_t shift = 0;

	if (simple(c, word, 0))
		return;
	if (c->names->generic != NULL)
		generic = c->names->generic(c->names->ctx, word);
	if (generic.p != NULL)
		compiler_add(c, KW_GENERIC)->text = store_text(c->t->store, generic);
	else if (offset(&base, &shift) && simple(c, base, shift))
		return;
	else if (starts(word, "last_"))
		last_header(c, word);
	else if (starts(word, "$"))
		compiler_add(c, KW_VARIABLE)->var = variable(c, nfv_sv(word.p + 1, word.n - 1));
	else if (starts(word, "field"))
		field(c, word);
	else if (starts(word, "authentication"))
		authentication(c, word);
	else if (starts(word, "fill"))
		fill(c, word);
	else if (starts(word, "file"))
		file(c, word);
	else
		unknown(c, word);
}
