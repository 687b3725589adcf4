/**
 * @file
 * A location service with its pages, for tests.
 */
#ifndef LOCATION_WORLD_H
#define LOCATION_WORLD_H

#include <stdlib.h>

#include "location.h"
#include "restless.h"

struct location_world {
	struct sip_location_conf conf;
	struct nfv_pages part[SIP_LOCATION_PARTS];
	struct sip_location *l;
};

/** Between any two calls. */
static inline void
location_world_move(struct location_world *w)
{
	for (int i = 0; i < SIP_LOCATION_PARTS; i++)
		restless_move_all(&w->part[i]);
}

static inline void
location_world_init(struct location_world *w, const struct sip_location_conf *conf)
{
	w->conf = *conf;
	for (int i = 0; i < SIP_LOCATION_PARTS; i++)
		w->part[i] = restless_alloc(sip_location_pages(conf, i));
	if (sip_location_create(conf, w->part, &w->l, NULL) < 0)
		abort();
}

static inline void
location_world_fini(struct location_world *w)
{
	sip_location_destroy(w->l);
	for (int i = 0; i < SIP_LOCATION_PARTS; i++)
		restless_free(&w->part[i]);
}

/** Bindings that live, counted one by one. */
static inline unsigned int
location_count(const struct sip_location *l, uint64_t now)
{
	char key[SIP_AOR_TEXT_MAX], text[SIP_BINDING_TEXT_MAX];
	struct sip_binding b;
	struct sip_aor aor;
	unsigned int n = 0;

	for (uint32_t i = 0; i < sip_location_slots(l); i++) {
		if (!sip_location_aor_at(l, i, &aor, key))
			continue;
		for (uint32_t at = aor.first; at != SIP_NONE;) {
			at = sip_location_binding(l, at, &b, text);
			n += b.expires > now;
		}
	}
	return n;
}

#endif
