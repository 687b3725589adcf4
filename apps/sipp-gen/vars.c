#include "vars.h"

struct vars *
vars_init(void *mem, uint32_t n, uint32_t room)
{
	struct vars *v = mem;

	v->n = n;
	v->room = (room + 7u) & ~7u;
	vars_reset(v);
	return v;
}

void
vars_reset(struct vars *v)
{
	v->used = 0;
	for (uint32_t i = 0; i < v->n; i++)
		v->value[i].kind = VALUE_UNSET;
}

/* Push the texts that are still in use together, in the order in which they lie. */
static void
tidy(struct vars *v)
{
	char *base = (char *)&v->value[v->n], *to = base;
	const char *done = base; /* texts before it have been moved */

	for (;;) {
		struct value *low = NULL;

		for (uint32_t i = 0; i < v->n; i++) {
			struct value *it = &v->value[i];

			if (it->kind == VALUE_TEXT && it->n > 0 && it->text >= done &&
				(low == NULL || it->text < low->text))
				low = it;
		}
		if (low == NULL)
			break;
		done = low->text + low->n;
		memmove(to, low->text, low->n);
		low->text = to;
		to += low->n;
	}
	v->used = (uint32_t)(to - base);
}

bool
vars_set_text(struct vars *v, uint32_t place, struct nfv_sv text)
{
	char *base = (char *)&v->value[v->n];
	struct value *it = &v->value[place];
	char *to;

	if (it->kind == VALUE_TEXT && text.n <= it->n) {
		to = (char *)(uintptr_t)it->text;
	} else {
		it->kind = VALUE_UNSET;
		if (text.n > v->room - v->used && v->used > 0)
			tidy(v);
		if (text.n > v->room - v->used || text.n > UINT16_MAX)
			return false;
		to = base + v->used;
		v->used += (uint32_t)text.n;
	}
	if (text.n > 0)
		memcpy(to, text.p, text.n);
	it->kind = VALUE_TEXT;
	it->text = to;
	it->n = (uint16_t)text.n;
	return true;
}
