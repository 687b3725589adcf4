#include <string.h>

#include "nfv_stage.h"

static struct nfv_stage_ops *registry; /* filled by constructors, before any thread starts */

void
nfv_stage_register(struct nfv_stage_ops *ops)
{
	struct nfv_stage_ops **at = &registry;

	while (*at != NULL && strcmp((*at)->name, ops->name) < 0)
		at = &(*at)->next;
	ops->next = *at;
	*at = ops;
}

const struct nfv_stage_ops *
nfv_stage_find(const char *name)
{
	const struct nfv_stage_ops *ops = registry;

	while (ops != NULL && strcmp(ops->name, name) != 0)
		ops = ops->next;
	return ops;
}

const struct nfv_stage_ops *
nfv_stage_next(const struct nfv_stage_ops *after)
{
	return after == NULL ? registry : after->next;
}

enum nfv_dir
nfv_stage_toward(const struct nfv_toward *toward, uint32_t n, const struct nfv_addr *addr,
	enum nfv_dir otherwise)
{
	for (uint32_t i = 0; i < n; i++)
		if (nfv_prefix_has(&toward[i].prefix, addr))
			return toward[i].dir;
	return otherwise;
}
