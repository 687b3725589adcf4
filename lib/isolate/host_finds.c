/* A chain's pinholes in memory that stages in other processes read, and their marks. */
#include <stdlib.h>
#include <unistd.h>

#include "host.h"

static void *
share(struct nfv_segment *s, size_t bytes, bool alone)
{
	if (s->at != NULL || nfv_segment_create("nfv-pinholes", bytes, false, s, NULL) < 0)
		return NULL;
	if (nfv_segment_seal(s, alone, NULL) == 0)
		return s->at;
	nfv_segment_fini(s);
	return NULL;
}

static struct nfv_pages
take(void *arg, const char *class_name, size_t n)
{
	struct nfv_isolated_pinholes *p = arg;
	struct nfv_pages pages = { calloc(n, sizeof(*pages.page)), n };
	uint8_t *at = pages.page != NULL ? share(&p->table, n * NFV_PAGE, true) : NULL;

	(void)class_name;
	if (at == NULL) {
		free(pages.page);
		return (struct nfv_pages){ NULL, 0 };
	}
	for (size_t i = 0; i < n; i++)
		pages.page[i] = at + i * NFV_PAGE;
	return pages;
}

static void
give(void *arg, struct nfv_pages *pages)
{
	struct nfv_isolated_pinholes *p = arg;

	if (pages->page != NULL)
		nfv_segment_fini(&p->table);
	free(pages->page);
	*pages = (struct nfv_pages){ NULL, 0 };
}

static void *
alloc(void *arg, size_t bytes)
{
	struct nfv_isolated_pinholes *p = arg;

	return share(&p->marks, bytes, false);
}

static void
give_piece(void *arg, void *piece)
{
	struct nfv_isolated_pinholes *p = arg;

	if (piece != NULL)
		nfv_segment_fini(&p->marks);
}

void
nfv_isolated_pinholes_init(struct nfv_isolated_pinholes *p)
{
	*p = (struct nfv_isolated_pinholes){ .lender = { .arg = p,
						     .take = take,
						     .give = give,
						     .alloc = alloc,
						     .free = give_piece } };
}

void
finds_tell(const struct nfv_isolated_conf *c, struct nfv_wire_config *to)
{
	const struct nfv_pinhole_set *set = c->ctx->pinhole_set;
	const struct nfv_pinholes *t = set != NULL && set->n == 1 ? set->table[0] : NULL;

	if (!c->ops->finds || c->pinholes == NULL || c->pinholes->table.at == NULL || t == NULL)
		return;
	to->finds = t->stats.max;
	to->finds_number = t->number;
	to->finds_key = t->key;
}

int
finds_lend(const struct nfv_isolated *iso, int fd[2], struct nfv_err *err)
{
	const struct nfv_isolated_pinholes *p = iso->conf.pinholes;

	if (!iso->finds)
		return 0;
	fd[0] = nfv_segment_lend(&p->table, false, err);
	if (fd[0] < 0)
		return fd[0];
	fd[1] = nfv_segment_lend(&p->marks, true, err);
	if (fd[1] >= 0)
		return 2;
	close(fd[0]);
	return fd[1];
}
