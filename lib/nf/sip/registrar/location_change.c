/* Changes of the location service: what they need is counted first, so that they succeed or leave
 * everything as it was. */
#include "location_slots.h"

/* Slots that are free are chained through the member that chains them in use. */
static uint32_t *
link_of(const struct slots *s, uint32_t i)
{
	size_t per_page = NFV_PAGE / s->size;

	return (uint32_t *)(void *)(s->page[i / per_page] + i % per_page * s->size + s->link);
}

static uint32_t
take(struct slots *s)
{
	uint32_t i = s->free;

	if (i == SIP_NONE)
		i = s->fresh++;
	else
		s->free = *link_of(s, i);
	s->used++;
	return i;
}

static void
give(struct slots *s, uint32_t i)
{
	*link_of(s, i) = s->free;
	s->free = i;
	s->used--;
}

/* Writes a text of several parts: into its slot first, then into chunks. */
struct pen {
	struct sip_location *l;
	char *at;
	size_t room;
	uint32_t *link; /* where the next chunk is to be named */
};

static void
pen_put(struct pen *p, struct nfv_sv s)
{
	while (s.n > 0) {
		size_t n = s.n < p->room ? s.n : p->room;

		memcpy(p->at, s.p, n);
		p->at += n;
		p->room -= n;
		s = nfv_sv(s.p + n, s.n - n);
		if (s.n > 0) {
			uint32_t i = take(&p->l->chunks);
			struct chunk *c = chunk_at(p->l, i);

			*p->link = i;
			p->link = &c->next;
			p->at = c->text;
			p->room = sizeof(c->text);
		}
	}
}

static void
drop_text(struct sip_location *l, uint32_t *chunk)
{
	while (*chunk != SIP_NONE) {
		uint32_t next = chunk_at(l, *chunk)->next;

		give(&l->chunks, *chunk);
		*chunk = next;
	}
}

/* --- AORs --- */

static uint32_t
add_aor(struct sip_location *l, struct nfv_sv key)
{
	uint64_t hash = location_hash_key(l, key);
	uint32_t i = take(&l->aors), *head = head_at(l, hash);
	struct aor *a = aor_at(l, i);
	struct pen pen = { l, a->key, sizeof(a->key), &a->chunk };

	a->hash = (uint32_t)(hash >> 32);
	a->next = *head;
	a->first = SIP_NONE;
	a->n = 0;
	a->mark = 0;
	pen_put(&pen, key);
	*pen.link = SIP_NONE;
	a->key_n = (uint16_t)key.n;
	*head = i;
	return i;
}

static void
drop_aor(struct sip_location *l, uint32_t i)
{
	struct aor *a = aor_at(l, i);
	struct nfv_sv key = location_text(
		l, a->key, sizeof(a->key), a->chunk, a->key_n, l->text, SIP_AOR_TEXT_MAX);
	uint32_t *at = head_at(l, location_hash_key(l, key));

	while (*at != i)
		at = &aor_at(l, *at)->next;
	*at = a->next;
	a->key_n = 0;
	drop_text(l, &a->chunk);
	give(&l->aors, i);
}

/* --- bindings --- */

static void
put_binding(struct sip_location *l, uint32_t i, const struct sip_binding *v)
{
	struct binding *b = binding_at(l, i);
	struct pen pen = { l, b->text, sizeof(b->text), &b->chunk };

	nfv_item_touch(&l->items, b->aor);
	b->expires = v->expires;
	b->call_id = v->call_id;
	b->flow = v->flow;
	b->cseq = v->cseq;
	memcpy(b->addr, v->to.addr.b, sizeof(b->addr));
	b->family = v->to.addr.family;
	b->port = v->to.port;
	b->q = v->q;
	b->own = v->own;
	b->dir = v->dir;
	pen_put(&pen, v->uri);
	pen_put(&pen, v->params);
	pen_put(&pen, v->path);
	*pen.link = SIP_NONE;
	b->n_uri = (uint16_t)v->uri.n;
	b->n_params = (uint16_t)v->params.n;
	b->n_path = (uint16_t)v->path.n;
	nfv_wheel_add(&l->wheel, i, v->expires);
}

static void
add_binding(struct sip_location *l, uint32_t aor, const struct sip_binding *v)
{
	struct aor *a = aor_at(l, aor);
	uint32_t i = take(&l->bindings);
	struct binding *b = binding_at(l, i);

	b->aor = aor;
	b->next = a->first;
	put_binding(l, i, v);
	a->first = i;
	a->n++;
}

static void
drop_binding(struct sip_location *l, uint32_t i)
{
	struct binding *b = binding_at(l, i);
	struct aor *a = aor_at(l, b->aor);
	uint32_t *at = &a->first;

	nfv_item_touch(&l->items, b->aor);
	while (*at != i)
		at = &binding_at(l, *at)->next;
	*at = b->next;
	a->n--;
	nfv_wheel_cancel(&l->wheel, i);
	drop_text(l, &b->chunk);
	give(&l->bindings, i);
}

uint32_t
sip_location_open(struct sip_location *l, struct nfv_sv key, uint64_t now)
{
	uint32_t aor = location_lookup(l, key, location_hash_key(l, key)), i, next;

	if (aor == SIP_NONE)
		return SIP_NONE;
	for (i = aor_at(l, aor)->first; i != SIP_NONE; i = next) {
		const struct binding *b = binding_at(l, i);

		next = b->next;
		if (b->expires <= now) {
			drop_binding(l, i);
			l->expired++;
		}
	}
	if (aor_at(l, aor)->n > 0)
		return aor;
	drop_aor(l, aor);
	return SIP_NONE;
}

uint32_t
sip_location_expire(struct sip_location *l, uint64_t now, uint32_t max)
{
	uint32_t out[64], n, total = 0;

	do {
		uint32_t burst = max - total < 64 ? max - total : 64;

		n = nfv_wheel_advance(&l->wheel, now, out, burst);
		for (uint32_t i = 0; i < n; i++) {
			uint32_t aor = binding_at(l, out[i])->aor;

			/* The wheel's reach is three weeks. */
			if (binding_at(l, out[i])->expires > now) {
				nfv_wheel_add(&l->wheel, out[i], binding_at(l, out[i])->expires);
				continue;
			}
			drop_binding(l, out[i]);
			if (aor_at(l, aor)->n == 0)
				drop_aor(l, aor);
			l->expired++;
		}
		total += n;
	} while (n > 0 && total < max);
	return total;
}

/* --- several changes at once --- */

struct need {
	int64_t bindings, chunks;
	bool too_long;
};

static uint32_t
new_chunks(const struct sip_binding *v, struct need *need)
{
	size_t n = v->uri.n + v->params.n + v->path.n;

	need->too_long |= n > SIP_BINDING_TEXT_MAX;
	return chunks_of(n, sizeof(((struct binding *)0)->text));
}

static uint32_t
old_chunks(const struct sip_location *l, uint32_t i)
{
	const struct binding *b = binding_at(l, i);

	return chunks_of(binding_text_n(b), sizeof(b->text));
}

static struct need
needs(const struct sip_location *l, const struct sip_change *change, unsigned int n)
{
	struct need need = { 0 };

	for (unsigned int i = 0; i < n; i++) {
		const struct sip_change *c = &change[i];

		if (c->kind == SIP_ADD || c->kind == SIP_UPDATE)
			need.chunks += new_chunks(&c->to, &need);
		if (c->kind == SIP_UPDATE || c->kind == SIP_REMOVE)
			need.chunks -= old_chunks(l, c->at);
		need.bindings += (c->kind == SIP_ADD) - (c->kind == SIP_REMOVE);
	}
	return need;
}

static enum sip_refusal
fits(const struct sip_location *l, struct nfv_sv key, uint32_t aor, struct need need)
{
	int64_t had = aor != SIP_NONE ? aor_at(l, aor)->n : 0;

	if (need.too_long || key.n == 0 || key.n > SIP_AOR_TEXT_MAX)
		return SIP_REFUSED_TEXT;
	if (had + need.bindings > l->per_aor && need.bindings > 0)
		return SIP_REFUSED_PER_AOR;
	if (aor == SIP_NONE && need.bindings > 0) {
		if (l->aors.used == l->aors.n)
			return SIP_REFUSED_AORS;
		need.chunks += chunks_of(key.n, sizeof(((struct aor *)0)->key));
	}
	if (need.bindings > (int64_t)l->bindings.n - l->bindings.used)
		return SIP_REFUSED_BINDINGS;
	if (need.chunks > 0 && need.chunks > (int64_t)l->chunks.n - l->chunks.used)
		return SIP_REFUSED_CHUNKS;
	return SIP_REFUSED_NOT;
}

enum sip_refusal
sip_location_apply(struct sip_location *l, struct nfv_sv key, uint32_t *aor,
	const struct sip_change *change, unsigned int n)
{
	struct need need = needs(l, change, n);
	enum sip_refusal why = fits(l, key, *aor, need);

	if (why != SIP_REFUSED_NOT) {
		l->refused[why]++;
		return why;
	}
	/* What goes makes room for what comes. */
	for (unsigned int i = 0; i < n; i++) {
		if (change[i].kind == SIP_REMOVE) {
			drop_binding(l, change[i].at);
			l->removed++;
		} else if (change[i].kind == SIP_UPDATE) {
			drop_text(l, &binding_at(l, change[i].at)->chunk);
		}
	}
	for (unsigned int i = 0; i < n; i++) {
		if (change[i].kind == SIP_UPDATE) {
			put_binding(l, change[i].at, &change[i].to);
			l->updated++;
		} else if (change[i].kind == SIP_ADD) {
			if (*aor == SIP_NONE)
				*aor = add_aor(l, key);
			add_binding(l, *aor, &change[i].to);
			l->added++;
		}
	}
	if (*aor != SIP_NONE && aor_at(l, *aor)->n == 0) {
		drop_aor(l, *aor);
		*aor = SIP_NONE;
	}
	return SIP_REFUSED_NOT;
}

void
sip_location_mark(struct sip_location *l, uint32_t aor, uint8_t mark)
{
	aor_at(l, aor)->mark = mark;
}
