#include "registrar.h"
#include "uri_match.h"

#define NUMBER_MAX 10u /* digits of a time */

static const struct {
	uint16_t status;
	const char *name, *text; /* NULL: the usual phrase */
} outcome[SIP_REGISTER_OUTCOMES] = {
	[SIP_REGISTER_CHANGED] = { 200, "changed", NULL },
	[SIP_REGISTER_FETCHED] = { 200, "fetched", NULL },
	[SIP_REGISTER_REPEATED] = { 200, "repeated", NULL },
	[SIP_REGISTER_BAD_AOR] = { 400, "to-not-sip", "To Is Not A SIP URI" },
	[SIP_REGISTER_FOREIGN] = { 404, "not-ours", NULL },
	[SIP_REGISTER_BAD_REQUIRE] = { 400, "bad-require", "Malformed Require" },
	[SIP_REGISTER_EXTENSION] = { 420, "extension", NULL },
	[SIP_REGISTER_BAD_PATH] = { 400, "bad-path", "Malformed Path" },
	[SIP_REGISTER_BAD_CONTACT] = { 400, "bad-contact", "Malformed Contact" },
	[SIP_REGISTER_BAD_STAR] = { 400, "bad-star", "Contact * Without Expires 0" },
	[SIP_REGISTER_BAD_Q] = { 400, "bad-q", "Malformed q Of Contact" },
	[SIP_REGISTER_TWICE] = { 400, "contact-twice", "Same Contact Twice" },
	[SIP_REGISTER_BRIEF] = { 423, "too-brief", NULL },
	[SIP_REGISTER_ORDER] = { 500, "out-of-order", "CSeq Out Of Order" },
	[SIP_REGISTER_MANY] = { 403, "too-many-contacts", "Too Many Contacts" },
	[SIP_REGISTER_LONG] = { 403, "contact-too-long", "Contact Or Path Too Long" },
	[SIP_REGISTER_FULL] = { 503, "full", NULL },
	[SIP_REGISTER_NO_JOURNAL] = { 503, "journal", NULL },
	[SIP_REGISTER_UNTOLD] = { 503, "untold", NULL },
	[SIP_REGISTER_ANSWER] = { 513, "answer-too-large", "Contacts Do Not Fit Into An Answer" },
};

const char *
sip_register_name(enum sip_register_outcome o)
{
	return outcome[o].name;
}

unsigned int
sip_register_status(enum sip_register_outcome o)
{
	return outcome[o].status;
}

int
sip_registrar_init(
	struct sip_registrar *r, const struct sip_registrar_conf *conf, struct nfv_err *err)
{
	if (conf->min_expires == 0 || conf->min_expires > 3600)
		return nfv_fail(err, EINVAL,
			"min-expires %u is not within 1 and 3600 s (RFC 3261 §10.3)",
			conf->min_expires);
	if (conf->default_expires < conf->min_expires || conf->max_expires < conf->default_expires)
		return nfv_fail(err, EINVAL,
			"expires must be ordered: min %u <= default %u <= max %u",
			conf->min_expires, conf->default_expires, conf->max_expires);
	if (conf->max_expires > SIP_EXPIRES_MAX)
		return nfv_fail(err, EINVAL, "max-expires %u is more than %u s, 30 days",
			conf->max_expires, SIP_EXPIRES_MAX);
	memset(r, 0, sizeof(*r));
	r->conf = *conf;
	return 0;
}

/* One REGISTER. */
struct job {
	struct sip_registrar *r;
	const struct sip_work *work;
	uint64_t now, call_id;
	struct nfv_sv key, path;
	uint32_t aor;
	uint32_t at[SIP_PER_AOR_MAX]; /* bindings as they were */
	unsigned int n_at, n_contacts, n_changes, repeated;
};

static struct nfv_sip_writer *
put_count(struct nfv_sip_writer *w, const char *name, uint64_t v)
{
	nfv_sip_put_str(w, name);
	nfv_sip_put_u64(w, v);
	return w;
}

/* --- what is asked for --- */

/* Option tags that are not known (RFC 3261 §8.2.2.3); written as the answer wants them. */
static enum sip_register_outcome
check_require(const struct sip_work *work, struct nfv_sip_writer *extra)
{
	enum sip_register_outcome o = SIP_REGISTER_CHANGED;
	struct nfv_sip_iter it;
	size_t from = extra->n;
	struct nfv_sv tag;
	int rc;

	nfv_sip_iter(&it, &work->msg, NFV_SIP_H_REQUIRE);
	while ((rc = nfv_sip_next_token(&it, &tag)) > 0) {
		if (nfv_sv_ieq(tag, NFV_SV("path")))
			continue;
		nfv_sip_put_header(extra, "Unsupported", tag);
		o = SIP_REGISTER_EXTENSION;
	}
	if (rc == 0)
		return o;
	extra->n = from;
	return SIP_REGISTER_BAD_REQUIRE;
}

static enum sip_register_outcome
read_aor(struct job *j)
{
	struct nfv_sip_uri uri;

	if (nfv_sip_uri(j->work->core.to.uri, &uri) < 0 ||
		(uri.scheme != NFV_SIP_SCHEME_SIP && uri.scheme != NFV_SIP_SCHEME_SIPS))
		return SIP_REGISTER_BAD_AOR;
	uri.scheme = NFV_SIP_SCHEME_SIP; /* the same user (RFC 5630 §3.3) */
	uri.port = uri.port != 0 ? uri.port : j->work->px->port;
	j->key = sip_aor_key(uri.user, uri.host, j->r->key);
	if (j->key.n == 0 || !sip_uri_is_self(j->work->px, &uri, true))
		return SIP_REGISTER_FOREIGN;
	return SIP_REGISTER_CHANGED;
}

static void
read_bindings(struct job *j)
{
	struct sip_location *l = j->r->conf.location;
	struct sip_binding b;
	struct sip_aor aor;

	j->aor = sip_location_open(l, j->key, j->now);
	if (j->aor == SIP_NONE || !sip_location_aor_at(l, j->aor, &aor, j->r->text))
		return;
	for (uint32_t i = aor.first; i != SIP_NONE && j->n_at < SIP_PER_AOR_MAX;) {
		j->at[j->n_at++] = i;
		i = sip_location_binding(l, i, &b, j->r->text);
	}
}

static uint32_t
binding(const struct job *j, uint32_t i, struct sip_binding *out)
{
	return sip_location_binding(j->r->conf.location, i, out, j->r->text);
}

static bool
same_uri(const struct sip_contact *c, struct nfv_sv text)
{
	struct nfv_sip_uri uri;

	if (nfv_sv_eq(c->uri.text, text))
		return true;
	return nfv_sip_uri(text, &uri) == 0 && sip_uri_eq(&c->uri, &uri);
}

/* The binding that a contact is about: of the same flow; else of the same URI, but not one that is
 * known to be of another flow. */
static uint32_t
find_binding(const struct job *j, const struct sip_contact *c, struct sip_binding *out)
{
	for (unsigned int i = 0; i < j->n_at && c->flow != 0; i++) {
		binding(j, j->at[i], out);
		if (out->flow == c->flow)
			return j->at[i];
	}
	for (unsigned int i = 0; i < j->n_at; i++) {
		binding(j, j->at[i], out);
		if ((c->flow == 0 || out->flow == 0) && same_uri(c, out->uri))
			return j->at[i];
	}
	return SIP_NONE;
}

/* 0: newer than the binding, or of another Call-ID; 1: the one that made it; -1: older. */
static int
heard_before(const struct job *j, const struct sip_binding *b)
{
	if (b->call_id != j->call_id || b->cseq < j->work->core.cseq.number)
		return 0;
	return b->cseq == j->work->core.cseq.number ? 1 : -1;
}

static bool
is_twice(const struct job *j, const struct sip_contact *c, uint32_t at)
{
	for (unsigned int i = 0; i < j->n_contacts; i++) {
		const struct sip_contact *before = &j->r->contact[i];

		if (before == c)
			break;
		if ((c->flow == before->flow && sip_uri_eq(&c->uri, &before->uri)) ||
			(c->flow != 0 && c->flow == before->flow))
			return true;
	}
	for (unsigned int i = 0; i < j->n_changes && at != SIP_NONE; i++)
		if (j->r->change[i].kind != SIP_ADD && j->r->change[i].at == at)
			return true;
	return false;
}

static struct sip_binding
to_bind(const struct job *j, const struct sip_contact *c)
{
	const struct sip_in *in = j->work->in;
	int own = sip_own_find(j->work->px, &in->dst.addr);

	return (struct sip_binding){ .uri = c->uri.text,
		.params = c->params,
		.path = j->path,
		.expires = j->now + c->expires * j->r->conf.tsc_hz,
		.call_id = j->call_id,
		.flow = c->flow,
		.to = c->to,
		.cseq = j->work->core.cseq.number,
		.q = c->q,
		.own = own < 0 || own >= SIP_NO_OWN ? SIP_NO_OWN : (uint8_t)own,
		.dir = (uint8_t)nfv_dir_back(in->dir) };
}

static enum sip_register_outcome
plan_contact(struct job *j, const struct sip_contact *c)
{
	struct sip_binding b;
	uint32_t at = find_binding(j, c, &b);
	int before = at != SIP_NONE ? heard_before(j, &b) : 0;
	struct sip_change *change = &j->r->change[j->n_changes];

	if (before < 0)
		return SIP_REGISTER_ORDER;
	if (is_twice(j, c, at))
		return SIP_REGISTER_TWICE;
	j->repeated += before > 0;
	*change = (struct sip_change){ .at = at };
	if (before > 0)
		change->kind = SIP_KEEP;
	else if (c->expires == 0 && at == SIP_NONE)
		return SIP_REGISTER_CHANGED;
	else
		change->kind = c->expires == 0 ? SIP_REMOVE : at == SIP_NONE ? SIP_ADD : SIP_UPDATE;
	if (change->kind == SIP_ADD || change->kind == SIP_UPDATE)
		change->to = to_bind(j, c);
	j->n_changes++;
	return SIP_REGISTER_CHANGED;
}

/* `*` with Expires 0: everything goes, whatever its Call-ID (§10.3 (6)). */
static enum sip_register_outcome
plan_star(struct job *j)
{
	struct sip_binding b;

	if (nfv_sip_first_hdr(&j->work->msg, NFV_SIP_H_EXPIRES) == NULL ||
		sip_expires_read(&j->work->msg, 1) != 0)
		return SIP_REGISTER_BAD_STAR;
	for (unsigned int i = 0; i < j->n_at; i++) {
		int before;

		binding(j, j->at[i], &b);
		before = heard_before(j, &b);
		if (before != 0)
			return SIP_REGISTER_ORDER;
		j->r->change[j->n_changes++] =
			(struct sip_change){ .kind = SIP_REMOVE, .at = j->at[i] };
	}
	return SIP_REGISTER_CHANGED;
}

static enum sip_register_outcome
plan(struct job *j)
{
	struct nfv_sip_writer parts = nfv_sip_writer(j->r->parts, sizeof(j->r->parts));
	const struct nfv_sip_msg *m = &j->work->msg;
	const struct nfv_sip_hdr *h = nfv_sip_first_hdr(m, NFV_SIP_H_CONTACT);
	enum sip_register_outcome o = sip_path_read(j->work, &parts, &j->path);

	if (o != SIP_REGISTER_CHANGED)
		return o;
	if (h == NULL)
		return SIP_REGISTER_FETCHED;
	if (nfv_sv_eq(nfv_sip_value(m, h), NFV_SV("*")))
		return plan_star(j);
	o = sip_contacts_read(j->r, j->work, &parts, &j->n_contacts);
	for (unsigned int i = 0; i < j->n_contacts && o == SIP_REGISTER_CHANGED; i++)
		o = plan_contact(j, &j->r->contact[i]);
	if (o == SIP_REGISTER_CHANGED && j->n_changes > 0 && j->repeated == j->n_changes)
		return SIP_REGISTER_REPEATED;
	return o;
}

/* --- what is answered --- */

static size_t
contact_room(const struct sip_binding *b)
{
	return b->uri.n + b->params.n + sizeof("Contact: <>;q=0.000;expires=\r\n") + NUMBER_MAX;
}

/* Whether the answer has room for what will be bound and for the rest, before anything is done. */
static bool
answer_fits(const struct job *j, const struct nfv_sip_writer *extra)
{
	size_t need = j->path.n + sizeof("Path: \r\nSupported: path\r\n");
	struct sip_binding b;

	for (unsigned int i = 0; i < j->n_at; i++) {
		binding(j, j->at[i], &b);
		need += contact_room(&b);
	}
	for (unsigned int i = 0; i < j->n_changes; i++) {
		const struct sip_change *c = &j->r->change[i];

		if (c->kind == SIP_UPDATE || c->kind == SIP_REMOVE) {
			binding(j, c->at, &b);
			need -= contact_room(&b);
		}
		if (c->kind == SIP_UPDATE || c->kind == SIP_ADD)
			need += contact_room(&c->to);
	}
	return need <= extra->room - extra->n;
}

static void
put_contact(const struct job *j, const struct sip_binding *b, struct nfv_sip_writer *w)
{
	uint64_t hz = j->r->conf.tsc_hz;

	nfv_sip_put_str(w, "Contact: <");
	nfv_sip_put(w, b->uri);
	nfv_sip_put_str(w, ">");
	nfv_sip_put(w, b->params);
	if (b->q < SIP_Q_MAX) {
		char digits[] = { (char)('0' + b->q / 100), (char)('0' + b->q / 10 % 10),
			(char)('0' + b->q % 10) };

		nfv_sip_put_str(w, ";q=0.");
		nfv_sip_put(w, nfv_sv(digits, sizeof(digits)));
	}
	nfv_sip_put_str(put_count(w, ";expires=", (b->expires - j->now + hz - 1) / hz), "\r\n");
}

static void
put_bindings(const struct job *j, struct nfv_sip_writer *w)
{
	struct sip_location *l = j->r->conf.location;
	struct sip_binding b;
	struct sip_aor aor;

	if (j->aor != SIP_NONE && sip_location_aor_at(l, j->aor, &aor, j->r->text)) {
		for (uint32_t i = aor.first; i != SIP_NONE;) {
			i = binding(j, i, &b);
			put_contact(j, &b, w);
		}
	}
	if (j->path.n > 0)
		nfv_sip_put_header(w, "Path", j->path);
	nfv_sip_put_str(w, "Supported: path\r\n");
}

/* What the others will be told, at most: all there is now, and all that comes. */
static size_t
replica_room(const struct job *j)
{
	size_t n = sip_replica_head(j->key);
	struct sip_binding b;

	for (unsigned int i = 0; i < j->n_at; i++) {
		binding(j, j->at[i], &b);
		n += sip_replica_binding(&b);
	}
	for (unsigned int i = 0; i < j->n_changes; i++) {
		const struct sip_change *c = &j->r->change[i];

		if (c->kind == SIP_UPDATE || c->kind == SIP_REMOVE) {
			binding(j, c->at, &b);
			n -= sip_replica_binding(&b);
		}
		if (c->kind == SIP_UPDATE || c->kind == SIP_ADD)
			n += sip_replica_binding(&c->to);
	}
	return n;
}

static void
tell(const struct job *j)
{
	const struct nfv_tell *t = j->r->conf.tell;

	t->tell(t->arg, j->r->told,
		sip_replica_write(j->r->conf.location, j->key, j->aor, j->r->text, j->r->told,
			sizeof(j->r->told)));
}

static enum sip_register_outcome
commit(struct job *j)
{
	static const enum sip_register_outcome refusal[SIP_REFUSALS] = {
		[SIP_REFUSED_PER_AOR] = SIP_REGISTER_MANY,
		[SIP_REFUSED_AORS] = SIP_REGISTER_FULL,
		[SIP_REFUSED_BINDINGS] = SIP_REGISTER_FULL,
		[SIP_REFUSED_CHUNKS] = SIP_REGISTER_FULL,
		[SIP_REFUSED_TEXT] = SIP_REGISTER_LONG,
	};
	struct sip_location *l = j->r->conf.location;
	const struct nfv_tell *t = j->r->conf.tell;
	enum sip_refusal why;

	if (j->n_changes == 0)
		return SIP_REGISTER_FETCHED;
	if (t != NULL && replica_room(j) > sizeof(j->r->told))
		return SIP_REGISTER_ANSWER;
	if (t != NULL && !t->room(t->arg, replica_room(j)))
		return SIP_REGISTER_UNTOLD;
	if (j->r->conf.journal != NULL && !sip_journal_room(j->r->conf.journal))
		return SIP_REGISTER_NO_JOURNAL;
	why = sip_location_apply(l, j->key, &j->aor, j->r->change, j->n_changes);
	if (why != SIP_REFUSED_NOT)
		return refusal[why];
	if (j->r->conf.journal != NULL)
		sip_journal_note(j->r->conf.journal, j->key, j->aor, j->now);
	if (t != NULL)
		tell(j);
	return SIP_REGISTER_CHANGED;
}

static enum sip_register_outcome
run(struct job *j, struct nfv_sip_writer *extra)
{
	enum sip_register_outcome o = check_require(j->work, extra);

	if (o == SIP_REGISTER_CHANGED)
		o = read_aor(j);
	if (o != SIP_REGISTER_CHANGED)
		return o;
	j->call_id =
		sip_location_identity(j->r->conf.location, j->work->core.call_id, nfv_sv(NULL, 0));
	read_bindings(j);
	o = plan(j);
	if (outcome[o].status == 200 && !answer_fits(j, extra))
		return SIP_REGISTER_ANSWER;
	return o == SIP_REGISTER_CHANGED ? commit(j) : o;
}

unsigned int
sip_register(struct sip_registrar *r, const struct sip_work *work, uint64_t now,
	struct nfv_sip_writer *extra, const char **text)
{
	struct job j = { .r = r, .work = work, .now = now, .aor = SIP_NONE };
	enum sip_register_outcome o = run(&j, extra);

	r->count[o]++;
	if (outcome[o].status == 200)
		put_bindings(&j, extra);
	else if (o == SIP_REGISTER_BRIEF)
		nfv_sip_put_str(put_count(extra, "Min-Expires: ", r->conf.min_expires), "\r\n");
	else if (outcome[o].status == 503)
		nfv_sip_put_str(put_count(extra, "Retry-After: ", r->conf.retry_after), "\r\n");
	*text = outcome[o].text;
	return outcome[o].status;
}
