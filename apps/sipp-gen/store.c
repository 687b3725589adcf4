#include <stdlib.h>

#include "store.h"

#define CHUNK 16384u
#define ALIGN 16u

struct chunk {
	struct chunk *next;
	size_t n, room;
	_Alignas(ALIGN) char bytes[];
};

struct store {
	struct chunk *chunk;
};

struct store *
store_create(void)
{
	return calloc(1, sizeof(struct store));
}

void
store_destroy(struct store *s)
{
	struct chunk *next;

	if (s == NULL)
		return;
	for (struct chunk *c = s->chunk; c != NULL; c = next) {
		next = c->next;
		free(c);
	}
	free(s);
}

void *
store_take(struct store *s, size_t n)
{
	struct chunk *c = s->chunk;
	size_t room;

	n = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (c == NULL || n > c->room - c->n) {
		room = n > CHUNK ? n : CHUNK;
		c = calloc(1, sizeof(*c) + room);
		if (c == NULL)
			return NULL;
		c->room = room;
		c->next = s->chunk;
		s->chunk = c;
	}
	c->n += n;
	return c->bytes + c->n - n;
}

struct nfv_sv
store_text(struct store *s, struct nfv_sv text)
{
	char *copy = store_take(s, text.n + 1);

	if (copy != NULL && text.n > 0)
		memcpy(copy, text.p, text.n);
	return nfv_sv(copy, copy != NULL ? text.n : 0);
}
