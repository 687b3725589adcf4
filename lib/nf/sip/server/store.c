#include <string.h>

#include "nfv_watch.h"
#include "store.h"

struct block {
	uint32_t next;  /* of this text, or of the free ones */
	uint16_t n;     /* bytes in this block */
	uint16_t total; /* of the text, and its last block; in its first one */
	uint32_t last;
	char bytes[SIP_STORE_BLOCK - 12];
};

#define HEAD     offsetof(struct block, bytes)
#define PER_PAGE (NFV_PAGE / SIP_STORE_BLOCK)

static inline struct block *
at(const struct sip_store *s, uint32_t i)
{
	return (struct block *)(void *)(s->page[i / PER_PAGE] +
		(size_t)(i % PER_PAGE) * SIP_STORE_BLOCK);
}

size_t
sip_store_pages(uint32_t blocks)
{
	return ((size_t)blocks + PER_PAGE - 1) / PER_PAGE;
}

void
sip_store_init(struct sip_store *s, const struct nfv_pages *pages)
{
	*s = (struct sip_store){ .page = pages->page, .free = SIP_NO_TEXT };
	s->blocks = s->n_free = (uint32_t)pages->n * PER_PAGE;
	for (uint32_t i = s->blocks; i-- > 0;) {
		at(s, i)->next = s->free;
		s->free = i;
	}
}

uint32_t
sip_store_keep(struct sip_store *s, struct nfv_sv text)
{
	size_t room = sizeof(((struct block *)0)->bytes), need = (text.n + room - 1) / room;
	uint32_t first = s->free, last = first, *link = &first;

	if (text.n == 0 || text.n > UINT16_MAX || need > s->n_free)
		return SIP_NO_TEXT;
	s->n_free -= (uint32_t)need;
	at(s, first)->total = (uint16_t)text.n;
	while (text.n > 0) {
		struct block *b = at(s, *link);

		b->n = (uint16_t)(text.n < room ? text.n : room);
		nfv_watch(b, HEAD + b->n);
		memcpy(b->bytes, text.p, b->n);
		text = nfv_sv(text.p + b->n, text.n - b->n);
		last = *link;
		link = &b->next;
	}
	at(s, first)->last = last;
	s->free = *link;
	*link = SIP_NO_TEXT;
	if (s->free != SIP_NO_TEXT) /* what is kept next */
		for (const char *p = (const char *)at(s, s->free), *end = p + SIP_STORE_BLOCK;
			p < end; p += 64)
			__builtin_prefetch(p, 1);
	return first;
}

struct nfv_sv
sip_store_text(const struct sip_store *s, uint32_t id, char *buf)
{
	const struct block *b;
	size_t n = 0, total;

	if (id == SIP_NO_TEXT)
		return nfv_sv(NULL, 0);
	b = at(s, id);
	total = b->total;
	nfv_watch(b, HEAD + b->n);
	if (b->n == total)
		return nfv_sv(b->bytes, total);
	for (;;) {
		memcpy(buf + n, b->bytes, b->n);
		n += b->n;
		if (n == total)
			break;
		b = at(s, b->next); /* the last one has none, and SIP_NO_TEXT is nowhere */
		nfv_watch(b, HEAD + b->n);
	}
	return nfv_sv(buf, total);
}

void
sip_store_prefetch(const struct sip_store *s, uint32_t id)
{
	if (id != SIP_NO_TEXT)
		__builtin_prefetch(at(s, id), 1);
}

void
sip_store_drop(struct sip_store *s, uint32_t id)
{
	const size_t room = sizeof(((struct block *)0)->bytes);
	struct block *b, *last;

	if (id == SIP_NO_TEXT)
		return;
	b = at(s, id);
	last = at(s, b->last); /* those between are not looked at, and it is not waited for */
	nfv_watch(b, HEAD);
	nfv_watch(last, HEAD);
	last->next = s->free;
	s->free = id;
	s->n_free += (uint32_t)((b->total + room - 1) / room);
}
