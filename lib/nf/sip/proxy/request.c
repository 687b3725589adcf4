/*
 * A request (RFC 3261 §16.3–16.6), in the order of the RFC: validate, take what is ours off the
 * Route, find the next hop, and edit: Request-URI, Route, Via, Record-Route, Max-Forwards. All of
 * it works on the message as received; edits are collected and applied once, at the end.
 */
#include "proxy.h"

static struct nfv_sv
none(void)
{
	return nfv_sv(NULL, 0);
}

/* A URI that we have put into a Record-Route: no user, one of our addresses, lr. */
static bool
is_our_record(const struct sip_proxy *px, const struct nfv_sip_uri *uri)
{
	return uri->user.p == NULL && nfv_sip_uri_param(uri, "lr").p != NULL &&
		sip_uri_is_self(px, uri, false);
}

/* How many Route values there are, if all are such, byte for byte; else 0. */
static uint32_t
only_our_records(const struct sip_work *work)
{
	const struct nfv_sip_hdr *h = nfv_sip_first_hdr(&work->msg, NFV_SIP_H_ROUTE);
	const struct sip_proxy *px = work->px;
	uint32_t n = 0, i;

	for (; h != NULL; h = nfv_sip_next_hdr(&work->msg, h)) {
		struct nfv_sv s = nfv_sip_value(&work->msg, h), value;

		while (s.p != NULL) {
			value = nfv_sv_trim(nfv_sv_cut(&s, ','));
			for (i = 0; i < px->n_own; i++)
				if (nfv_sv_eq(value, sip_own_record(&px->own[i])))
					break;
			if (i == px->n_own)
				return 0;
			n++;
		}
	}
	return n;
}

/*
 * §16.4: the Route's values that are ours go from its top; and if the previous hop is a strict
 * router, which has put our Route value into the Request-URI, the real one is the last Route value.
 * False: a value is none.
 */
static bool
read_routes(const struct sip_work *work, struct sip_course *c)
{
	bool strict = is_our_record(work->px, &work->core.uri), top = true;
	struct nfv_sip_name name;
	struct nfv_sip_iter it;
	struct nfv_sip_uri last = { 0 };
	int rc;

	c->target = work->core.uri;
	if (!strict && (c->n_routes = only_our_records(work)) > 0) {
		c->skip = c->n_routes;
		return true;
	}
	nfv_sip_iter(&it, &work->msg, NFV_SIP_H_ROUTE);
	while ((rc = nfv_sip_next_name(&it, &name)) > 0) {
		struct nfv_sip_uri uri;

		/* Headers have no place there (19.1.1), nor in the Request-URI that it may become. */
		if (nfv_sip_uri(name.uri, &uri) < 0 || uri.headers.p != NULL)
			return false;
		c->n_routes++;
		c->last_hdr = it.hdr;
		last = uri;
		if (top && sip_uri_is_self(work->px, &uri, true)) {
			c->skip++;
		} else if (top) {
			c->route = uri;
			top = false;
		}
	}
	if (rc < 0)
		return false;
	if (!strict || c->n_routes == 0)
		return true;
	c->target = last;
	c->last_taken = true;
	if (c->skip == c->n_routes)
		c->skip--;
	else if (c->skip + 1 == c->n_routes)
		c->route = (struct nfv_sip_uri){ 0 };
	return true;
}

/* §16.4: a maddr that is ours has done its work. What remains is the URI it was added to. */
static void
strip_maddr(struct sip_work *work, struct sip_course *c)
{
	struct nfv_sv maddr = nfv_sip_uri_param(&c->target, "maddr"), rest, param;
	struct nfv_sip_writer *w = &work->ins;
	struct nfv_endpoint e = { .port = c->target.port != 0 ? c->target.port : NFV_SIP_PORT };
	size_t from = w->n;

	if (maddr.p == NULL || c->target.port_text.p == NULL ||
		nfv_addr_parse(maddr, &e.addr) < 0 || !sip_is_self(work->px, &e))
		return;
	param = c->target.text; /* up to the host */
	param.n = (size_t)(c->target.port_text.p - param.p);
	nfv_sip_put(w, param);
	rest = nfv_sv(c->target.params.p + 1, c->target.params.n - 1);
	while (rest.p != NULL) {
		param = nfv_sv_cut(&rest, ';');
		struct nfv_sv value = param, key = nfv_sv_cut(&value, '=');

		if (nfv_sv_ieq(key, NFV_SV("maddr")) || nfv_sv_ieq(key, NFV_SV("transport")))
			continue;
		nfv_sip_put_str(w, ";");
		nfv_sip_put(w, param);
	}
	if (!w->full)
		nfv_sip_uri(nfv_sip_written(w, from), &c->target);
}

static unsigned int
to_trunk(struct sip_work *work, struct sip_hop *hop)
{
	return sip_trunks_pick(&work->px->trunks, sip_txn_hash(work), hop, SIP_HOPS_MAX);
}

/* §16.6 (7) for UDP and addresses: 0 and where a URI leads, or the status for "nowhere". Names are
 * the trunks' to resolve; where there are none, a name that has no address is what RFC 3263 §4.3
 * makes of it: a transport failure, 503 (RFC 3261 §16.9). */
static unsigned int
resolve(struct sip_work *work, const struct nfv_sip_uri *uri, struct nfv_endpoint e,
	struct sip_hop *hop, unsigned int *n)
{
	const struct sip_proxy *px = work->px;
	struct nfv_sv transport, host = uri->host, maddr;

	if (uri->scheme == NFV_SIP_SCHEME_TEL && px->trunks.n > 0) {
		*n = to_trunk(work, hop);
		return 0;
	}
	if (uri->scheme != NFV_SIP_SCHEME_SIP)
		return 416;
	transport = nfv_sip_uri_param(uri, "transport");
	if (transport.p != NULL && !nfv_sv_ieq(transport, NFV_SV("udp")))
		return 503;
	maddr = nfv_sip_uri_param(uri, "maddr");
	if (maddr.n > 2 && maddr.p[0] == '[')
		maddr = nfv_sv(maddr.p + 1, maddr.n - 2);
	if (maddr.n > 0) {
		host = maddr;
		e.addr.family = NFV_NO_ADDR;
		nfv_addr_parse(host, &e.addr);
	}
	if (e.addr.family == NFV_NO_ADDR) {
		if (sip_is_domain(px, host))
			return 404;
		*n = to_trunk(work, hop);
		return *n > 0 ? 0 : 503;
	}
	hop[0] = (struct sip_hop){ .to = e };
	*n = 1;
	return sip_is_host(&e.addr) ? 0 : 503;
}

/* What the proxy says to requests for itself. A user at its address whom it does not know is the
 * trunks', unless a trunk is who asks. 0: there are hops, which want completing. */
static unsigned int
to_self(struct sip_work *work, const struct sip_course *c, struct sip_hop *hop, unsigned int *n)
{
	const struct sip_proxy *px = work->px;
	bool user = c->target.user.p != NULL;

	*n = 0;
	if (user && px->locate != NULL)
		*n = px->locate(px->locate_ctx, c->target.user, c->target.host, hop, SIP_HOPS_MAX);
	if (*n == 0 && user && !sip_is_domain(px, c->target.host) &&
		!sip_trunk_asks(&px->trunks, &work->in->src.addr))
		*n = to_trunk(work, hop);
	if (*n > 0)
		return 0;
	if (work->msg.method == NFV_SIP_REGISTER)
		return 501;
	if (work->msg.method == NFV_SIP_CANCEL)
		return 481;
	if (work->msg.method == NFV_SIP_OPTIONS && !user)
		return 200;
	return px->locate != NULL && user ? 480 : 404;
}

/* Which way a hop lies, and the own address it is reached from. */
static unsigned int
complete(const struct sip_work *work, struct sip_hop *hop)
{
	const struct sip_proxy *px = work->px;
	int own;

	if (sip_is_self(px, &hop->to))
		return 482;
	if (!hop->fixed)
		hop->dir = (uint8_t)sip_dir_of(px, &hop->to.addr);
	if (work->in->dir == NFV_INWARD && hop->dir == NFV_OUTWARD && !px->relay)
		return 403;
	if (hop->fixed)
		return 0;
	own = sip_own_toward(px, (enum nfv_dir)hop->dir, &hop->to.addr);
	if (own < 0)
		return 503;
	hop->own = (uint8_t)own;
	return 0;
}

unsigned int
sip_request_hops(struct sip_work *work, const struct sip_course *c,
	struct sip_hop hop[SIP_HOPS_MAX], unsigned int *n)
{
	bool routed = c->route.text.n > 0;
	const struct nfv_sip_uri *uri = routed ? &c->route : &c->target;
	const struct nfv_endpoint e = sip_uri_endpoint(uri);
	unsigned int status, good = 0, first = 0;

	if (!routed && sip_uri_leads_here(work->px, uri, &e, true))
		status = to_self(work, c, hop, n);
	else
		status = resolve(work, uri, e, hop, n);
	if (status != 0)
		return status;
	for (unsigned int i = 0; i < *n; i++) {
		status = complete(work, &hop[i]);
		first = first != 0 ? first : status;
		if (status == 0)
			hop[good++] = hop[i];
	}
	*n = good;
	return good > 0 ? 0 : first;
}

/* Take the first `skip` Route values out, and the last one if it has become the Request-URI. */
static void
cut_routes(struct sip_work *work, const struct sip_course *c)
{
	uint32_t last = c->n_routes - (c->last_taken ? 1 : 0), i = 0;
	const struct nfv_sip_msg *m = &work->msg;
	size_t from = 0, to = 0; /* what stays of a line; from == 0: nothing */
	const struct nfv_sip_hdr *h;
	struct nfv_sip_name name;
	struct nfv_sip_iter it;

	if (c->skip >= last) { /* nothing stays */
		for (h = nfv_sip_first_hdr(m, NFV_SIP_H_ROUTE); h; h = nfv_sip_next_hdr(m, h))
			nfv_sip_edit(&work->edits, h->at, (size_t)h->end - h->at, none());
		return;
	}
	nfv_sip_iter(&it, m, NFV_SIP_H_ROUTE);
	for (; nfv_sip_next_name(&it, &name) > 0; i++) {
		if (i >= c->skip && i < last) {
			from = from == 0 ? it.at : from;
			to = (size_t)(name.text.p + name.text.n - m->p);
		}
		if (!nfv_sip_iter_line_done(&it))
			continue;
		if (from == 0) {
			nfv_sip_edit(
				&work->edits, it.hdr->at, (size_t)it.hdr->end - it.hdr->at, none());
		} else {
			size_t end = (size_t)it.hdr->value + it.hdr->value_n;

			if (from > it.hdr->value)
				nfv_sip_edit(
					&work->edits, it.hdr->value, from - it.hdr->value, none());
			if (to < end && i >= last)
				nfv_sip_edit(&work->edits, to, end - to, none());
		}
		from = 0;
	}
}

/* §16.6 (6): a next hop that is a strict router wants its own URI in the Request-URI, and ours as
 * the last Route value. */
static void
strict_next_hop(struct sip_work *work, struct sip_course *c)
{
	struct nfv_sip_writer *w = &work->ins;
	size_t from = w->n;

	if (c->route.text.n == 0 || nfv_sip_uri_param(&c->route, "lr").p != NULL)
		return;
	nfv_sip_put_str(w, "Route: <");
	nfv_sip_put(w, c->target.text);
	nfv_sip_put_str(w, ">\r\n");
	nfv_sip_edit(&work->edits, c->last_hdr->end, 0, nfv_sip_written(w, from));
	c->target = c->route;
	c->skip++;
}

static bool
forms_dialog(enum nfv_sip_method method)
{
	return method == NFV_SIP_INVITE || method == NFV_SIP_SUBSCRIBE || method == NFV_SIP_REFER ||
		method == NFV_SIP_NOTIFY;
}

static void
put_record(struct nfv_sip_writer *w, const struct sip_own *own)
{
	nfv_sip_put_str(w, "Record-Route: ");
	nfv_sip_put(w, sip_own_record(own));
	nfv_sip_put_str(w, "\r\n");
}

/* The header fields that come on top: Via, Record-Route (RFC 5658: one for either side, if our
 * addresses differ), Max-Forwards where there was none. */
static void
put_on_top(struct sip_work *work, const struct sip_hop *hop, struct nfv_sv branch)
{
	const struct sip_own *us = &work->px->own[hop->own],
			     *asked = &work->px->own[sip_own_find(work->px, &work->in->dst.addr)];
	const struct nfv_sip_msg *m = &work->msg;
	struct nfv_sip_writer *w = &work->ins;
	size_t from = w->n, digits;

	nfv_sip_put_str(w, "Via: SIP/2.0/UDP ");
	nfv_sip_put(w, sip_own_text(us));
	nfv_sip_put_str(w, ";branch=");
	nfv_sip_put(w, branch);
	nfv_sip_put_str(w, "\r\n");
	if (hop->path.n > 0)
		nfv_sip_put_header(w, "Route", hop->path);
	if (work->px->record_route && forms_dialog(m->method)) {
		put_record(w, us);
		if (!nfv_addr_eq(&us->prefix.addr, &asked->prefix.addr))
			put_record(w, asked);
	}
	if (work->core.max_forwards < 0)
		nfv_sip_put_str(w, "Max-Forwards: 70\r\n");
	nfv_sip_edit(&work->edits, m->headers, 0, nfv_sip_written(w, from));
	if (work->core.max_forwards < 0)
		return;
	digits = w->n;
	nfv_sip_put_u64(w, (uint64_t)work->core.max_forwards - 1);
	nfv_sip_edit_view(&work->edits, m,
		nfv_sip_value(m, nfv_sip_first_hdr(m, NFV_SIP_H_MAX_FORWARDS)),
		nfv_sip_written(w, digits));
}

unsigned int
sip_request_check(struct sip_work *work, bool topped, const char **text)
{
	unsigned int status = nfv_sip_validate_used(&work->msg, &work->core, topped, text);

	return status != 0 ? status : nfv_sip_validate_proxy(&work->msg, &work->core, text);
}

const char *
sip_request_course(struct sip_work *work, struct sip_course *c)
{
	*c = (struct sip_course){ 0 };
	if (!read_routes(work, c))
		return "Malformed Route";
	strip_maddr(work, c);
	return NULL;
}

bool
sip_request_write(struct sip_work *work, struct sip_course *c, const struct sip_hop *hop,
	struct nfv_sv branch, struct nfv_sip_writer *w)
{
	sip_via_fix(work);
	put_on_top(work, hop, branch);
	if (hop->uri.n > 0)
		c->target.text = hop->uri;
	strict_next_hop(work, c);
	if (c->skip > 0 || c->last_taken)
		cut_routes(work, c);
	if (c->target.text.p != work->msg.uri.p)
		nfv_sip_edit_view(&work->edits, &work->msg, work->msg.uri, c->target.text);
	if (!sip_edit_body(work, &hop->to, hop->own, (enum nfv_dir)hop->dir))
		return false;
	nfv_sip_edit_apply(&work->edits, &work->msg, 0, work->msg.n, w);
	return !w->full && !work->edits.full && !work->ins.full;
}

static void
refuse(struct sip_work *work, unsigned int status, const char *text, char *buf, size_t room,
	struct sip_result *r)
{
	if (work->msg.method == NFV_SIP_ACK)
		sip_drop(r, status == 400 ? SIP_DROP_MALFORMED : SIP_DROP_ACK_UNROUTABLE);
	else
		sip_answer(work, status, text, none(), buf, room, r);
}

void
sip_request_pass(struct sip_work *work, char *buf, size_t room, struct sip_result *r)
{
	struct nfv_sip_writer w = nfv_sip_writer(buf, room), branch;
	struct sip_hop hop[SIP_HOPS_MAX];
	char branch_room[SIP_BRANCH_MAX];
	struct sip_course c;
	const char *fault = sip_request_course(work, &c);
	unsigned int n, status = fault != NULL ? 400 : 0;

	if (status == 0)
		status = sip_request_hops(work, &c, hop, &n);
	if (status != 0) {
		refuse(work, status, fault, buf, room, r);
		return;
	}
	branch = nfv_sip_writer(branch_room, sizeof(branch_room));
	sip_branch_put(work, &branch);
	if (!sip_request_write(work, &c, &hop[0], nfv_sip_written(&branch, 0), &w)) {
		refuse(work, 513, NULL, buf, room, r);
		return;
	}
	r->action = SIP_FORWARD;
	r->from = sip_hop_from(work->px, &hop[0]);
	r->to = hop[0].to;
	r->dir = (enum nfv_dir)hop[0].dir;
	r->text = nfv_sip_written(&w, 0);
}

void
sip_request(struct sip_work *work, char *buf, size_t room, struct sip_result *r)
{
	const char *text = NULL;
	unsigned int status = sip_request_check(work, false, &text);

	if (status != 0)
		refuse(work, status, text, buf, room, r);
	else
		sip_request_pass(work, buf, room, r);
}
