/* The branches of a forwarded request (RFC 3261 §16.6, 16.7, 16.8): one client transaction each. */
#include <string.h>

#include "server.h"

/* Targets that are not tried yet, in a text of the store: one after the other, `n` of them. Another version
 * reads them, too. */
struct packed {
	struct nfv_endpoint to;
	uint16_t q, uri_n, path_n;
	uint8_t own, dir, failover;
};

#define PACKED_MAX (sizeof(struct packed) + 2ul * NFV_SIP_URI_MAX)

static void settle(struct sip_server *s, uint32_t server, bool failover);

static size_t
put(char *to, struct nfv_sv s)
{
	if (s.n > 0)
		memcpy(to, s.p, s.n);
	return s.n;
}

static size_t
pack(char *to, size_t room, const struct sip_hop *hop, unsigned int n)
{
	size_t at = 0;

	for (unsigned int i = 0; i < n; i++) {
		const struct packed p = { hop[i].to, hop[i].q, (uint16_t)hop[i].uri.n,
			(uint16_t)hop[i].path.n, hop[i].own, hop[i].dir, hop[i].failover };

		if (sizeof(p) + hop[i].uri.n + hop[i].path.n > room - at)
			break;
		memcpy(to + at, &p, sizeof(p));
		at += sizeof(p);
		at += put(to + at, hop[i].uri);
		at += put(to + at, hop[i].path);
	}
	return at;
}

static unsigned int
unpack(struct nfv_sv from, struct sip_hop hop[SIP_HOPS_MAX])
{
	unsigned int n = 0;
	struct packed p;

	for (size_t at = 0; at < from.n && n < SIP_HOPS_MAX; n++) {
		memcpy(&p, from.p + at, sizeof(p));
		at += sizeof(p);
		hop[n] = (struct sip_hop){ .to = p.to,
			.uri = nfv_sv(from.p + at, p.uri_n),
			.path = nfv_sv(from.p + at + p.uri_n, p.path_n),
			.q = p.q,
			.own = p.own,
			.dir = p.dir,
			.failover = p.failover };
		at += (size_t)p.uri_n + p.path_n;
	}
	return n;
}

bool
sip_targets_check(const struct sip_server *s, struct nfv_sv text, unsigned int max)
{
	unsigned int n = 0;
	struct packed p;

	for (size_t at = 0; at < text.n; n++) {
		if (n == max || text.n - at < sizeof(p))
			return false;
		memcpy(&p, text.p + at, sizeof(p));
		at += sizeof(p);
		if ((size_t)p.uri_n + p.path_n > text.n - at || p.own >= s->px.n_own || p.dir > 1 ||
			p.failover > 1 || p.q > SIP_Q_MAX ||
			(p.to.addr.family != NFV_IPV4 && p.to.addr.family != NFV_IPV6))
			return false;
		for (size_t i = 0; i < (size_t)p.uri_n + p.path_n; i++)
			if (memchr("\r\n", text.p[at + i], 3) != NULL)
				return false;
		at += (size_t)p.uri_n + p.path_n;
	}
	return text.n <= (max == 1 ? PACKED_MAX : (size_t)SIP_HOPS_MAX * 512);
}

static struct nfv_sv
write_request(struct sip_server *s, uint32_t client, struct sip_work *work,
	struct sip_course *course, const struct sip_hop *hop, char *room)
{
	struct nfv_sip_writer w = nfv_sip_writer(room, SIP_TEXT_MAX), branch;
	char branch_room[SIP_BRANCH_MAX];

	branch = nfv_sip_writer(branch_room, sizeof(branch_room));
	sip_branch_txn(&s->px, work, client, sip_txn_at(&s->txns, client)->generation, &branch);
	if (!sip_request_write(work, course, hop, nfv_sip_written(&branch, 0), &w))
		return nfv_sv(NULL, 0);
	return nfv_sip_written(&w, 0);
}

/* One target. False: it could not even be tried. */
static bool
try_hop(struct sip_server *s, uint32_t server, struct sip_work *work, struct sip_course *course,
	const struct sip_hop *hop)
{
	bool invite = sip_txn_at(&s->txns, server)->machine == SIP_INVITE_SERVER;
	uint32_t i, target = SIP_NO_TEXT;
	struct sip_txn *x;
	struct nfv_sv text;
	char room[PACKED_MAX];

	if (hop->uri.n + hop->path.n > 0) {
		target = sip_store_keep(
			&s->txns.texts, nfv_sv(room, pack(room, sizeof(room), hop, 1)));
		if (target == SIP_NO_TEXT) {
			s->count.full++;
			return false;
		}
	}
	i = sip_txn_client(&s->txns, invite, server);
	if (i == SIP_NO_TXN) {
		sip_store_drop(&s->txns.texts, target);
		s->count.full++;
		return false;
	}
	x = sip_txn_at(&s->txns, i);
	x->request = target;
	x->peer = hop->to;
	x->own = hop->own;
	x->dir = hop->dir;
	x->method = work->msg.method;
	x->flags = hop->failover ? SIP_FAILOVER : 0;
	s->refusal = 513;
	text = write_request(s, i, work, course, hop, s->buf);
	if (text.n == 0) {
		sip_branch_failed(s, i, s->refusal, text);
		sip_txn_end(&s->txns, i);
		return true;
	}
	sip_txn_start(&s->txns, i, s->now);
	if (hop->failover && sip_txn_at(&s->txns, server)->targets != SIP_NO_TEXT)
		sip_txn_end_at(&s->txns, i, s->now + s->failover_ms * s->txns.ms);
	sip_send(s, x->dir, x->own, &x->peer, text);
	return true;
}

void
sip_fork(struct sip_server *s, uint32_t server, struct sip_work *work, struct sip_course *course,
	const struct sip_hop *hop, unsigned int n)
{
	struct sip_txn *x = sip_txn_at(&s->txns, server);
	unsigned int first = 1, tried = 0;
	char room[SIP_HOPS_MAX * 512];

	/* Who is there for the others' absence is tried alone. */
	while (first < n && hop[first].q == hop[0].q && !hop[first].failover)
		first++;
	if (n > first)
		x->targets = sip_store_keep(&s->txns.texts,
			nfv_sv(room, pack(room, sizeof(room), hop + first, n - first)));
	s->count.forks += first > 1;
	/* Sending the first may write over the packet that the request came in. */
	if (first > 1 && work == &s->work) {
		work = sip_reopen(s, x);
		if (work == NULL)
			first = 0;
		else
			sip_request_course(work, course);
	}
	/* All of them are open before the first can fail. */
	x->open = (uint8_t)(x->open + 1);
	for (unsigned int i = 0; i < first; i++) {
		if (i > 0) {
			sip_edits_reset(work);
			sip_request_course(work, course);
		}
		tried += try_hop(s, server, work, course, &hop[i]);
	}
	if (tried == 0 && x->status < 200)
		x->status = 503;
	x->open--;
	settle(s, server, false);
}

/* §16.7 (6): a 6xx decides; else the lowest class, and of it what the caller can do something about. */
static unsigned int
rank(unsigned int status)
{
	static const uint16_t useful[] = { 401, 407, 415, 420, 484 };

	if (status == 0)
		return UINT32_MAX;
	if (status >= 600)
		return 0;
	for (unsigned int i = 0; i < sizeof(useful) / sizeof(useful[0]); i++)
		if (status == useful[i])
			return 400;
	return status / 100 * 100 + 1 + (status == 408);
}

/* The targets that are left, once those before them have failed. */
static bool
try_next(struct sip_server *s, uint32_t server, bool failover, unsigned int status)
{
	struct sip_txn *x = sip_txn_at(&s->txns, server);
	uint32_t targets = x->targets;
	struct sip_hop hop[SIP_HOPS_MAX];
	char room[SIP_HOPS_MAX * 512];
	struct sip_course course;
	struct sip_work *work;
	struct nfv_sv text;
	unsigned int n;

	if (targets == SIP_NO_TEXT || (x->flags & SIP_CANCELLED) ||
		(failover && status != 408 && status != 503))
		return false;
	work = sip_reopen(s, x);
	if (work == NULL)
		return false;
	text = sip_store_text(&s->txns.texts, targets, s->made);
	memcpy(room, text.p, text.n);
	n = unpack(nfv_sv(room, text.n), hop);
	sip_store_drop(&s->txns.texts, targets);
	x->targets = SIP_NO_TEXT;
	sip_txn_touch(&s->txns, server);
	s->count.failovers += failover;
	sip_request_course(work, &course);
	sip_fork(s, server, work, &course, hop, n);
	return true;
}

/* All branches have failed: what the caller is told. */
static void
tell_best(struct sip_server *s, uint32_t server)
{
	struct sip_txn *x = sip_txn_at(&s->txns, server);
	uint32_t text = x->response;
	unsigned int status = x->status;

	x->response = SIP_NO_TEXT;
	if (text == SIP_NO_TEXT || status == 503) {
		/* It is this proxy that is asked, and it is not overloaded (§16.7 (6)). */
		sip_reply_own(s, server, status == 503 ? 500 : status);
	} else {
		struct nfv_sv sv = sip_store_text(&s->txns.texts, text, s->text);

		memcpy(s->buf, sv.p, sv.n);
		sip_reply_send(s, server, status, nfv_sv(s->buf, sv.n));
	}
	sip_store_drop(&s->txns.texts, text);
}

/* Nothing is open any more: the next targets, or the end. */
static void
settle(struct sip_server *s, uint32_t server, bool failover)
{
	const struct sip_txn *x = sip_txn_at(&s->txns, server);

	if (x->open == 0 && (x->state == SIP_PROCEEDING || x->state == SIP_TRYING) &&
		!try_next(s, server, failover, x->status))
		tell_best(s, server);
}

void
sip_branch_failed(struct sip_server *s, uint32_t client, unsigned int status, struct nfv_sv text)
{
	struct sip_txn *c = sip_txn_at(&s->txns, client), *x;
	uint32_t server = c->server;

	if (server == SIP_NO_TXN)
		return;
	x = sip_txn_at(&s->txns, server);
	sip_txn_touch(&s->txns, server);
	if (status != 0)
		x->open--;
	if (x->state != SIP_PROCEEDING && x->state != SIP_TRYING)
		return;
	if (status >= 600 && !(x->flags & SIP_CANCELLED)) {
		x->flags |= SIP_CANCELLED;
		sip_cancel_others(s, server, client);
	}
	if (x->open == 0 && x->clients == 1 && x->targets == SIP_NO_TEXT && text.n > 0 &&
		status != 503) {
		sip_reply_send(s, server, status, text);
		return;
	}
	/* Until a final response is sent, `response` may also be a provisional one. */
	if (rank(status) < rank(x->status < 200 ? 0 : x->status)) {
		sip_store_drop(&s->txns.texts, x->response);
		x->response = text.n > 0 ? sip_store_keep(&s->txns.texts, text) : SIP_NO_TEXT;
		x->status = (uint16_t)status;
	}
	settle(s, server, c->flags & SIP_FAILOVER);
}

struct nfv_sv
sip_branch_request(struct sip_server *s, uint32_t client, char *room)
{
	struct sip_txn *x = sip_txn_at(&s->txns, client);
	struct sip_hop hop[SIP_HOPS_MAX] = { { .to = x->peer, .own = x->own, .dir = x->dir } };
	struct sip_course course;
	struct sip_work *work;
	struct nfv_sv text;
	char target[PACKED_MAX];

	if (x->server == SIP_NO_TXN)
		return sip_store_text(&s->txns.texts, x->request, room);
	work = sip_reopen(s, sip_txn_at(&s->txns, x->server));
	if (work == NULL)
		return nfv_sv(NULL, 0);
	if (x->request != SIP_NO_TEXT)
		unpack(sip_store_text(&s->txns.texts, x->request, target), hop);
	sip_request_course(work, &course);
	s->again = true;
	text = write_request(s, client, work, &course, hop, room);
	s->again = false;
	return text;
}

void
sip_branch_resend(struct sip_server *s, uint32_t client)
{
	struct sip_txn *x = sip_txn_at(&s->txns, client);
	struct nfv_sv text = sip_branch_request(s, client, s->buf);

	if (text.n > 0)
		sip_send(s, x->dir, x->own, &x->peer, text);
}

void
sip_branch_timeout(struct sip_server *s, uint32_t client)
{
	struct sip_txn *x = sip_txn_at(&s->txns, client);

	s->count.timeouts++;
	/* Who has said that it rings is there, however long it goes on. */
	if ((x->flags & (SIP_PROBE | SIP_FAILOVER)) && x->state == SIP_TRYING)
		sip_probe_seen(s, &x->peer, false);
	/* It has rung for too long (timer C, §16.8): it is cancelled, and then has its time to say so. */
	if (x->machine == SIP_INVITE_CLIENT && x->state == SIP_PROCEEDING &&
		!(x->flags & SIP_CANCELLED)) {
		sip_cancel(s, client);
		return;
	}
	sip_branch_failed(s, client, x->flags & SIP_CANCELLED ? 487 : 408, nfv_sv(NULL, 0));
	sip_txn_end(&s->txns, client);
}
