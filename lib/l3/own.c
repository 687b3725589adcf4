#include <rte_malloc.h>

#include "own.h"

int
own_init(struct own *own, uint32_t n, uint64_t seed, int socket)
{
	uint64_t size = 8;

	while (size < 4ull * n)
		size *= 2;
	own->entry = rte_zmalloc_socket("l3_own", size * sizeof(*own->entry), 64, socket);
	if (own->entry == NULL)
		return -ENOMEM;
	own->mask = size - 1;
	own->key = nfv_hash_key(seed);
	return 0;
}

void
own_fini(struct own *own)
{
	rte_free(own->entry);
}

int
own_add(struct own *own, const struct nfv_addr *a, enum own_kind kind, uint8_t port)
{
	struct own_entry *e = &own->entry[own_find(own, a) - own->entry];
	uint8_t bit = (uint8_t)(1u << port);

	if (e->kind != OWN_NO && (!addr_link_local(a) || e->ports & bit))
		return -EEXIST;
	e->addr = *a;
	e->kind = kind;
	e->ports |= bit;
	return 0;
}
