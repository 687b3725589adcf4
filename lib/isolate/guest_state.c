#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "guest_state.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static size_t
pages_of(const struct state_region *r)
{
	return r->size / NFV_PAGE;
}

/* Pages that are there: with a kernel before 5.14 they come as they are touched. */
static bool
populate(uint8_t *at, size_t size)
{
	return madvise(at, size, MADV_POPULATE_WRITE) == 0 || errno == EINVAL;
}

static void *
take_region(struct guest_state *s, size_t size)
{
	struct state_region *more;
	uint8_t *at;

	if (size == 0)
		return NULL;
	size = (size + NFV_PAGE - 1) / NFV_PAGE * NFV_PAGE;
	more = realloc(s->region, (s->n + 1) * sizeof(*more));
	if (more == NULL)
		return NULL;
	s->region = more;
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		return NULL;
	madvise(at, size, MADV_HUGEPAGE); /* a wish */
	if (!populate(at, size)) {
		munmap(at, size);
		return NULL;
	}
	s->region[s->n++] = (struct state_region){ .at = at, .size = size };
	return at;
}

static void
drop_region(struct state_region *r)
{
	munmap(r->at, r->size);
	if (r->image != NULL)
		munmap(r->image, r->n_used * NFV_PAGE);
	free(r->used);
}

static void
give_region(struct guest_state *s, const void *at)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (s->region[i].at == at) {
			drop_region(&s->region[i]);
			s->region[i] = s->region[--s->n];
			return;
		}
}

static struct nfv_pages
take(void *arg, const char *class_name, size_t n)
{
	struct nfv_pages p = { calloc(n, sizeof(*p.page)), n };
	uint8_t *at = p.page != NULL ? take_region(arg, n * NFV_PAGE) : NULL;

	(void)class_name;
	if (at == NULL) {
		free(p.page);
		return (struct nfv_pages){ NULL, 0 };
	}
	for (size_t i = 0; i < n; i++)
		p.page[i] = at + i * NFV_PAGE;
	return p;
}

static void
give(void *arg, struct nfv_pages *p)
{
	if (p->page != NULL)
		give_region(arg, p->page[0]);
	free(p->page);
	*p = (struct nfv_pages){ NULL, 0 };
}

static void *
take_piece(void *arg, size_t bytes)
{
	return take_region(arg, bytes);
}

static void
give_piece(void *arg, void *piece)
{
	give_region(arg, piece);
}

int
state_init(struct guest_state *s, struct nfv_err *err)
{
	*s = (struct guest_state){ .lender = { .arg = s,
					   .take = take,
					   .give = give,
					   .alloc = take_piece,
					   .free = give_piece } };
	s->head = take_region(s, sizeof(*s->head));
	return s->head != NULL ? 0 : nfv_fail(err, ENOMEM, "no memory to share with instances");
}

void
state_fini(struct guest_state *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		drop_region(&s->region[i]);
	free(s->region);
	*s = (struct guest_state){ .n = 0 };
}

static bool
is_zero(const uint8_t *page)
{
	return page[0] == 0 && memcmp(page, page + 1, NFV_PAGE - 1) == 0;
}

static bool
keep_region(struct state_region *r)
{
	uint8_t *to;

	r->used = calloc(pages_of(r) / 64 + 1, sizeof(*r->used));
	if (r->used == NULL)
		return false;
	for (size_t i = 0; i < pages_of(r); i++)
		if (!is_zero(r->at + i * NFV_PAGE)) {
			r->used[i / 64] |= 1ull << i % 64;
			r->n_used++;
		}
	if (r->n_used == 0)
		return true;
	/* Shared as well, though nobody writes: a fork copies no page tables of it. */
	to = mmap(NULL, r->n_used * NFV_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		-1, 0);
	if (to == MAP_FAILED || !populate(to, r->n_used * NFV_PAGE))
		return false;
	r->image = to;
	for (size_t i = 0; i < pages_of(r); i++)
		if (r->used[i / 64] >> i % 64 & 1) {
			memcpy(to, r->at + i * NFV_PAGE, NFV_PAGE);
			to += NFV_PAGE;
		}
	mprotect(r->image, r->n_used * NFV_PAGE, PROT_READ);
	return true;
}

int
state_keep(struct guest_state *s, struct nfv_err *err)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (!keep_region(&s->region[i]))
			return nfv_fail(err, ENOMEM, "no memory for an image of its state");
	s->kept = true;
	return 0;
}

void
state_restore(const struct guest_state *s)
{
	for (uint32_t k = 0; k < s->n; k++) {
		const struct state_region *r = &s->region[k];
		const uint8_t *from = r->image;

		if (r->at == (const uint8_t *)s->head)
			continue;
		for (size_t i = 0; i < pages_of(r); i++) {
			if (r->used[i / 64] >> i % 64 & 1) {
				memcpy(r->at + i * NFV_PAGE, from, NFV_PAGE);
				from += NFV_PAGE;
			} else {
				memset(r->at + i * NFV_PAGE, 0, NFV_PAGE);
			}
		}
	}
}

bool
state_own(const struct guest_state *s)
{
	if (!s->kept) /* so nobody has been forked */
		return true;
	for (uint32_t i = 0; i < s->n; i++) {
		const struct state_region *r = &s->region[i];

		if (mmap(r->at, r->size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
			return false;
	}
	state_restore(s);
	return true;
}
