/* Users on their way to another version of the stage. */
#include "location_slots.h"
#include "replica.h"

struct nfv_items *
sip_location_items(struct sip_location *l)
{
	return &l->items;
}

size_t
sip_location_export(
	const struct sip_location *l, uint32_t i, char text[SIP_BINDING_TEXT_MAX], uint8_t *to)
{
	char key[SIP_AOR_TEXT_MAX];
	struct sip_aor aor;

	if (i >= l->aors.fresh || !sip_location_aor_at(l, i, &aor, key))
		return 0;
	return sip_replica_write(l, aor.key, i, text, (char *)to, NFV_ITEM_MAX);
}

/* Free slots are chained both ways while users come; `first` is the one before. */
static void
chain_back(struct sip_location *l, uint32_t i, uint32_t before)
{
	if (i != SIP_NONE)
		aor_at(l, i)->first = before;
}

static void
push(struct sip_location *l, uint32_t i)
{
	aor_at(l, i)->next = l->aors.free;
	chain_back(l, l->aors.free, i);
	l->aors.free = i;
}

/* Have a free slot be the one that is taken next. */
static void
choose(struct sip_location *l, uint32_t i)
{
	const struct aor *a = aor_at(l, i);

	while (l->aors.fresh <= i)
		push(l, l->aors.fresh++);
	if (l->aors.free == i)
		return;
	aor_at(l, a->first)->next = a->next;
	chain_back(l, a->next, a->first);
	push(l, i);
}

/* Of slot `i`, if there are any. */
static void
drop(struct sip_location *l, uint32_t i, char text[SIP_BINDING_TEXT_MAX])
{
	char key[SIP_AOR_TEXT_MAX], none[SIP_REPLICA_NONE_MAX];
	uint32_t free = l->aors.free;
	struct sip_aor aor;

	if (i >= l->aors.fresh || !sip_location_aor_at(l, i, &aor, key))
		return;
	sip_replica_apply(l, none,
		sip_replica_write(l, aor.key, SIP_NONE, text, none, sizeof(none)), 0, text);
	chain_back(l, free, i);
}

int
sip_location_import(struct sip_location *l, uint32_t i, uint32_t n_own,
	char text[SIP_BINDING_TEXT_MAX], const uint8_t *bytes, size_t n)
{
	char buf[SIP_AOR_TEXT_MAX];
	struct sip_aor aor;
	struct nfv_sv key;
	uint32_t is;

	if (i >= l->aors.n)
		return -EINVAL;
	if (n == 0 || !sip_replica_check(bytes, n, n_own, &key)) {
		drop(l, i, text);
		return n == 0 ? 0 : -EINVAL;
	}
	if (i < l->aors.fresh && sip_location_aor_at(l, i, &aor, buf) && !nfv_sv_eq(aor.key, key))
		drop(l, i, text);
	/* Whoever else has the key is of before. */
	is = location_lookup(l, key, location_hash_key(l, key));
	if (is != SIP_NONE && is != i)
		drop(l, is, text);
	if (is != i)
		choose(l, i);
	if (sip_replica_apply(l, bytes, n, 0, text))
		return 0;
	drop(l, i, text);
	return -ENOSPC;
}
