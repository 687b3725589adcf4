#include <string.h>

#include "txn_carry.h"
#include "txn_slots.h"

_Static_assert(sizeof(struct sip_txn_record) == 88, "no holes");

#define FAR_MS   (3600u * 1000) /* beyond what any state lasts by itself */
#define AGAIN_MS 64000u         /* intervals are less */

static uint8_t *
put_text(const struct sip_txns *t, uint32_t id, uint8_t *at, uint32_t *n)
{
	struct nfv_sv text = sip_store_text(&t->texts, id, (char *)at);

	if (text.n > 0 && text.p != (const char *)at)
		memcpy(at, text.p, text.n);
	*n = (uint32_t)text.n;
	return at + text.n;
}

size_t
sip_txn_export(const struct sip_txns *t, uint32_t i, uint8_t *to)
{
	const struct sip_txn *x = sip_txn_at(t, i);
	struct sip_txn_record r = { .key = { x->key[0], x->key[1] },
		.end = x->end,
		.again = x->again,
		.port = x->peer.port,
		.status = x->status,
		.family = x->peer.addr.family,
		.machine = x->machine,
		.state = x->state,
		.method = x->method,
		.flags = x->flags,
		.own = x->own,
		.dir = x->dir,
		.generation = x->generation,
		.server = x->server,
		.cancel = x->cancel,
		.interval = x->interval };
	uint8_t *at = to + sizeof(r);

	if (x->state == SIP_FREE)
		return 0;
	memcpy(r.addr, x->peer.addr.b, sizeof(r.addr));
	at = put_text(t, x->request, at, &r.n_request);
	at = put_text(t, x->response, at, &r.n_response);
	at = put_text(t, x->targets, at, &r.n_targets);
	memcpy(to, &r, sizeof(r));
	return (size_t)(at - to);
}

/* --- what leads to a slot ------------------------------------------------------------------------- */

/*
 * While transactions come a slot's list of clients is of those that name its number, whatever is in it. So a
 * free one may have a list, too; those on it are astray.
 */

static bool
is_server(const struct sip_txn *x)
{
	return x->state != SIP_FREE && x->machine <= SIP_SERVER;
}

static bool
is_open(const struct sip_txn *x)
{
	return x->state == SIP_TRYING || x->state == SIP_PROCEEDING;
}

/* A server that waits for nobody and nothing: it would never end. */
static bool
is_idle(const struct sip_txn *x)
{
	if (!is_server(x))
		return false;
	if (x->state == SIP_OVER)
		return x->clients == 0;
	return is_open(x) ? x->open == 0 : x->end == 0;
}

/* The free ones are chained both ways for this. */
static void
take_free(struct sip_txns *t, uint32_t i, const struct sip_txn *x)
{
	if (t->free == i)
		t->free = x->next;
	else
		sip_txn_at(t, x->server)->next = x->next;
	if (x->next != SIP_NO_TXN)
		sip_txn_at(t, x->next)->server = x->server;
	t->n_free--;
}

static void
give_free(struct sip_txns *t, uint32_t i, struct sip_txn *x)
{
	x->state = SIP_FREE;
	x->next = t->free;
	x->server = SIP_NO_TXN;
	if (t->free != SIP_NO_TXN)
		sip_txn_at(t, t->free)->server = i;
	t->free = i;
	t->n_free++;
}

static void
join(struct sip_txns *t, uint32_t i, struct sip_txn *x)
{
	struct sip_txn *s = sip_txn_at(t, x->server);

	t->idle -= is_idle(s);
	x->sibling = s->sibling;
	s->sibling = i;
	s->clients++;
	s->open = (uint8_t)(s->open + is_open(x));
	t->idle += is_idle(s);
	t->astray += !is_server(s);
}

static void
leave(struct sip_txns *t, uint32_t i, const struct sip_txn *x)
{
	struct sip_txn *s = sip_txn_at(t, x->server);

	t->idle -= is_idle(s);
	txn_unlink_server(t, i, x);
	s->clients--;
	s->open = (uint8_t)(s->open - is_open(x));
	t->astray -= !is_server(s);
	t->idle += is_idle(s);
}

static void
drop(struct sip_txns *t, uint32_t i)
{
	struct sip_txn *x = sip_txn_at(t, i);

	nfv_wheel_cancel(&t->wheel, i);
	sip_store_drop(&t->texts, x->request);
	sip_store_drop(&t->texts, x->response);
	sip_store_drop(&t->texts, x->targets);
	t->live[x->machine]--;
	if (is_server(x)) {
		t->idle -= is_idle(x);
		t->astray += x->clients;
		if (x->state != SIP_OVER)
			txn_unlink_bucket(t, i, x);
	} else {
		if (x->server != SIP_NO_TXN)
			leave(t, i, x);
		x->sibling = SIP_NO_TXN;
		x->clients = x->open = 0;
	}
	give_free(t, i, x);
}

/* Whoever names this slot as its server is mistaken, or of before. */
static void
drop_clients(struct sip_txns *t, const struct sip_txn *x)
{
	while (x->sibling != SIP_NO_TXN)
		drop(t, x->sibling);
}

/* --- reading -------------------------------------------------------------------------------------- */

static bool
is_time(const struct sip_txns *t, uint64_t at)
{
	uint64_t now = t->wheel.tick << t->wheel.shift;

	return at < now || at - now < (uint64_t)(FAR_MS + t->timer_c_ms) * t->ms;
}

static bool
is_sound(const struct sip_txns *t, uint32_t i, const struct sip_txn_record *r, size_t n)
{
	bool server = r->machine <= SIP_SERVER;

	if (!txn_is_state(r->machine, r->state) || r->method >= NFV_SIP_METHODS || r->dir > 1 ||
		r->flags & ~(SIP_CANCELLED | SIP_PROBE | SIP_FAILOVER) ||
		(r->status != 0 && (r->status < 100 || r->status > 699)) ||
		(r->family != NFV_IPV4 && r->family != NFV_IPV6))
		return false;
	if (!is_time(t, r->end) || !is_time(t, r->again) || r->interval > AGAIN_MS ||
		(r->again != 0 && (!txn_repeats(r->machine, r->state) || r->interval == 0)) ||
		(!server && r->end == 0))
		return false;
	if (r->n_request > UINT16_MAX || r->n_response > UINT16_MAX || r->n_targets > UINT16_MAX ||
		n != (size_t)r->n_request + r->n_response + r->n_targets)
		return false;
	if (server)
		return r->server == SIP_NO_TXN && r->cancel == SIP_NO_TXN;
	return (r->server < t->max || (r->server == SIP_NO_TXN && r->machine == SIP_CLIENT)) &&
		r->server != i && (r->cancel < t->max || r->cancel == SIP_NO_TXN) && r->cancel != i;
}

static bool
keep(struct sip_txns *t, const char **at, uint32_t n, uint32_t *id)
{
	*id = n > 0 ? sip_store_keep(&t->texts, nfv_sv(*at, n)) : SIP_NO_TEXT;
	*at += n;
	return n == 0 || *id != SIP_NO_TEXT;
}

static void
fill(struct sip_txn *x, const struct sip_txn_record *r)
{
	const struct sip_txn was = *x;

	*x = (struct sip_txn){ .key = { r->key[0], r->key[1] },
		.end = r->end,
		.again = r->again,
		.peer = { { .family = r->family }, r->port },
		.generation = r->generation,
		.server = r->server,
		.sibling = was.sibling,
		.cancel = r->cancel,
		.request = SIP_NO_TEXT,
		.response = SIP_NO_TEXT,
		.targets = SIP_NO_TEXT,
		.interval = r->interval,
		.status = r->status,
		.machine = r->machine,
		.state = r->state,
		.method = r->method,
		.flags = r->flags,
		.own = r->own,
		.dir = r->dir,
		.clients = was.clients,
		.open = was.open };
	memcpy(x->peer.addr.b, r->addr, sizeof(r->addr));
}

int
sip_txn_import(struct sip_txns *t, uint32_t i, const uint8_t *bytes, size_t n)
{
	const char *at = (const char *)bytes + sizeof(struct sip_txn_record);
	struct sip_txn_record r;
	struct sip_txn *x;

	if (i >= t->max)
		return -EINVAL;
	x = sip_txn_at(t, i);
	if (x->state != SIP_FREE)
		drop(t, i);
	if (n == 0)
		return 0;
	if (n < sizeof(r))
		return -EINVAL;
	memcpy(&r, bytes, sizeof(r));
	if (!is_sound(t, i, &r, n - sizeof(r)))
		return -EINVAL;
	if (r.machine > SIP_SERVER) {
		struct sip_txn *s = r.server != SIP_NO_TXN ? sip_txn_at(t, r.server) : NULL;

		drop_clients(t, x);
		if (s != NULL && s->state != SIP_FREE && !is_server(s))
			drop(t, r.server);
		if (s != NULL && s->clients == UINT8_MAX)
			return -EINVAL;
	}
	take_free(t, i, x);
	fill(x, &r);
	t->live[x->machine]++;
	if (is_server(x)) {
		t->astray -= x->clients;
		t->idle += is_idle(x);
		if (x->state != SIP_OVER)
			txn_link_bucket(t, i, x);
	} else if (x->server != SIP_NO_TXN) {
		join(t, i, x);
	}
	if (!keep(t, &at, r.n_request, &x->request) || !keep(t, &at, r.n_response, &x->response) ||
		!keep(t, &at, r.n_targets, &x->targets)) {
		drop(t, i);
		return -ENOSPC;
	}
	txn_arm(t, i, x);
	return 0;
}

/* Whether its messages can be worked with as with those that have come here. */
static bool
is_readable(struct sip_server *s, const struct sip_txn *x)
{
	const struct sip_store *texts = &s->txns.texts;
	struct sip_course course;
	struct sip_work *work;

	if (x->own >= s->px.n_own)
		return false;
	if (x->machine > SIP_SERVER)
		return x->server == SIP_NO_TXN ||
			sip_targets_check(s, sip_store_text(texts, x->request, s->text), 1);
	if (!sip_targets_check(s, sip_store_text(texts, x->targets, s->text), SIP_HOPS_MAX))
		return false;
	if (x->request == SIP_NO_TEXT)
		return true;
	work = sip_reopen(s, x);
	return work != NULL && !work->msg.response && sip_request_course(work, &course) == NULL;
}

int
sip_server_import(struct sip_server *s, uint32_t i, const uint8_t *bytes, size_t n)
{
	int rc = sip_txn_import(&s->txns, i, bytes, n);

	if (rc < 0 || n == 0 || is_readable(s, sip_txn_at(&s->txns, i)))
		return rc;
	drop(&s->txns, i);
	return -EINVAL;
}

uint32_t
sip_txns_settle(struct sip_txns *t)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->max && t->astray + t->idle > 0; i++) {
		const struct sip_txn *x = sip_txn_at(t, i);

		if (is_idle(x)) {
			n++;
			drop(t, i);
		}
		if (x->state == SIP_FREE && x->clients > 0) {
			n += x->clients;
			drop_clients(t, x);
		}
	}
	return n;
}
