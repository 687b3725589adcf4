#include <string.h>

#include "replica.h"

struct replica_head {
	uint16_t key_n, n;
};

struct replica_item {
	uint64_t expires, call_id, flow;
	struct nfv_endpoint to;
	uint32_t cseq;
	uint16_t q, n_uri, n_params, n_path;
	uint8_t own, dir;
};

size_t
sip_replica_binding(const struct sip_binding *b)
{
	return sizeof(struct replica_item) + b->uri.n + b->params.n + b->path.n;
}

size_t
sip_replica_head(struct nfv_sv key)
{
	return sizeof(struct replica_head) + key.n;
}

static char *
put(char *at, const void *bytes, size_t n)
{
	if (n > 0)
		memcpy(at, bytes, n);
	return at + n;
}

static char *
put_binding(char *at, const struct sip_binding *b)
{
	struct replica_item item = { .expires = b->expires,
		.call_id = b->call_id,
		.flow = b->flow,
		.to = b->to,
		.cseq = b->cseq,
		.q = b->q,
		.n_uri = (uint16_t)b->uri.n,
		.n_params = (uint16_t)b->params.n,
		.n_path = (uint16_t)b->path.n,
		.own = b->own,
		.dir = b->dir };

	at = put(at, &item, sizeof(item));
	at = put(at, b->uri.p, b->uri.n);
	at = put(at, b->params.p, b->params.n);
	return put(at, b->path.p, b->path.n);
}

size_t
sip_replica_write(const struct sip_location *l, struct nfv_sv key, uint32_t i,
	char text[SIP_BINDING_TEXT_MAX], char *buf, size_t room)
{
	struct replica_head head = { .key_n = (uint16_t)key.n };
	char *at = put(buf + sizeof(head), key.p, key.n), key_room[SIP_AOR_TEXT_MAX];
	struct sip_aor aor = { .first = SIP_NONE };
	struct sip_binding b;

	if (i != SIP_NONE)
		sip_location_aor_at(l, i, &aor, key_room);
	while (aor.first != SIP_NONE && head.n < SIP_PER_AOR_MAX) {
		aor.first = sip_location_binding(l, aor.first, &b, text);
		if (sip_replica_binding(&b) > room - (size_t)(at - buf))
			break;
		at = put_binding(at, &b);
		head.n++;
	}
	memcpy(buf, &head, sizeof(head));
	return (size_t)(at - buf);
}

/* Cut a binding off `*rest`; false if it is not there. */
static bool
cut_binding(struct nfv_sv *rest, struct sip_binding *b)
{
	struct replica_item item;
	size_t n;

	if (rest->n < sizeof(item))
		return false;
	memcpy(&item, rest->p, sizeof(item));
	*rest = nfv_sv(rest->p + sizeof(item), rest->n - sizeof(item));
	n = (size_t)item.n_uri + item.n_params + item.n_path;
	if (n > rest->n)
		return false;
	*b = (struct sip_binding){ .uri = nfv_sv(rest->p, item.n_uri),
		.params = nfv_sv(rest->p + item.n_uri, item.n_params),
		.path = nfv_sv(rest->p + item.n_uri + item.n_params, item.n_path),
		.expires = item.expires,
		.call_id = item.call_id,
		.flow = item.flow,
		.to = item.to,
		.cseq = item.cseq,
		.q = item.q,
		.own = item.own,
		.dir = item.dir };
	*rest = nfv_sv(rest->p + n, rest->n - n);
	return true;
}

/* Changes that take away all bindings of an AOR; `n` of them. */
static unsigned int
remove_all(struct sip_location *l, uint32_t i, struct sip_change *change,
	char text[SIP_BINDING_TEXT_MAX])
{
	char key[SIP_AOR_TEXT_MAX];
	struct sip_binding b;
	struct sip_aor aor;
	unsigned int n = 0;

	if (i == SIP_NONE || !sip_location_aor_at(l, i, &aor, key))
		return 0;
	while (aor.first != SIP_NONE && n < SIP_PER_AOR_MAX) {
		change[n++] = (struct sip_change){ .kind = SIP_REMOVE, .at = aor.first };
		aor.first = sip_location_binding(l, aor.first, &b, text);
	}
	return n;
}

/* What may stand in a message that is sent. */
static bool
is_sound(const struct sip_binding *b, uint32_t n_own)
{
	struct nfv_sip_uri uri;

	for (size_t i = 0; i < b->uri.n + b->params.n + b->path.n; i++)
		if (memchr("\r\n", b->uri.p[i], 3) != NULL)
			return false;
	return b->q <= SIP_Q_MAX && (b->own < n_own || b->own == SIP_NO_OWN) && b->dir <= 1 &&
		(b->to.addr.family == NFV_IPV4 || b->to.addr.family == NFV_IPV6) &&
		nfv_sip_uri(b->uri, &uri) == 0;
}

bool
sip_replica_check(const void *message, size_t n, uint32_t n_own, struct nfv_sv *key)
{
	struct nfv_sv rest = nfv_sv(message, n);
	struct replica_head head;
	struct sip_binding b;

	if (n < sizeof(head))
		return false;
	memcpy(&head, message, sizeof(head));
	if (head.n == 0 || head.n > SIP_PER_AOR_MAX || head.key_n == 0 ||
		head.key_n > SIP_AOR_TEXT_MAX || head.key_n > n - sizeof(head))
		return false;
	*key = nfv_sv(rest.p + sizeof(head), head.key_n);
	rest = nfv_sv(key->p + key->n, n - sizeof(head) - key->n);
	for (unsigned int i = 0; i < head.n; i++)
		if (!cut_binding(&rest, &b) || !is_sound(&b, n_own))
			return false;
	return rest.n == 0;
}

bool
sip_replica_apply(struct sip_location *l, const void *message, size_t n, uint64_t now,
	char text[SIP_BINDING_TEXT_MAX])
{
	struct sip_change change[2 * SIP_PER_AOR_MAX];
	struct nfv_sv rest = nfv_sv(message, n), key;
	struct replica_head head;
	unsigned int gone;
	uint32_t aor;

	if (n < sizeof(head))
		return false;
	memcpy(&head, rest.p, sizeof(head));
	if (head.n > SIP_PER_AOR_MAX || head.key_n > n - sizeof(head))
		return false;
	key = nfv_sv(rest.p + sizeof(head), head.key_n);
	rest = nfv_sv(key.p + key.n, n - sizeof(head) - key.n);
	aor = sip_location_open(l, key, now);
	gone = remove_all(l, aor, change, text);
	/* A new binding comes first in its AOR: backwards, for the same order. */
	for (unsigned int i = 0; i < head.n; i++) {
		struct sip_change *c = &change[gone + head.n - 1 - i];

		*c = (struct sip_change){ .kind = SIP_ADD };
		if (!cut_binding(&rest, &c->to))
			return false;
	}
	return gone + head.n == 0 ||
		sip_location_apply(l, key, &aor, change, gone + head.n) == SIP_REFUSED_NOT;
}
