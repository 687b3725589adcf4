#include "media_carry.h"
#include "relay_slots.h"

void
relay_export(const struct sip_relay *r, uint32_t id, struct relay_record *to)
{
	const struct sip_relay_stream *s = stream_at(r, id);

	memset(to, 0, sizeof(*to));
	to->heard = s->heard;
	for (int i = 0; i < 2; i++) {
		const struct sip_relay_side *from = &s->side[i];

		to->side[i] =
			(struct relay_record_side){ .heard = { from->heard[0], from->heard[1] },
				.announced = { from->announced[0], from->announced[1] },
				.latched = { from->latched[0], from->latched[1] },
				.signalling = from->signalling,
				.own = from->own,
				.rank = { from->rank[0], from->rank[1] },
				.dir = from->dir,
				.ready = from->ready,
				.port = from->port,
				.clock = from->clock };
	}
}

/* While streams come it is `of_pair` that says which ports are taken; the ring of free ones follows in the
 * end. */
static uint32_t *
pair_at(const struct sip_relay *r, uint16_t port)
{
	return &r->of_pair[(port - r->conf.lo) / 2];
}

static bool
is_family(uint8_t family, bool needed)
{
	return family == NFV_IPV4 || family == NFV_IPV6 || (!needed && family == NFV_NO_ADDR);
}

static bool
is_sound(const struct sip_relay *r, const struct relay_record_side *s)
{
	for (int i = 0; i < 2; i++)
		if (s->rank[i] > 3 || !is_family(s->announced[i].addr.family, false) ||
			!is_family(s->latched[i].addr.family, s->rank[i] > 0))
			return false;
	return s->dir <= 1 && s->ready <= 1 && is_family(s->signalling.family, s->ready) &&
		is_family(s->own.family, s->ready) && sip_relay_has_port(r, s->port) &&
		s->port % 2 == 0 && *pair_at(r, s->port) == 0;
}

uint32_t
relay_import(struct sip_relay *r, const struct relay_record *rec)
{
	uint32_t id = r->free_stream;
	struct sip_relay_stream *s;

	if (id == 0 || rec->side[0].port == rec->side[1].port || !is_sound(r, &rec->side[0]) ||
		!is_sound(r, &rec->side[1]))
		return 0;
	s = stream_at(r, id);
	r->free_stream = s->next_free;
	*s = (struct sip_relay_stream){ .heard = rec->heard, .open = true };
	for (uint32_t i = 0; i < 2; i++) {
		const struct relay_record_side *from = &rec->side[i];

		s->side[i] = (struct sip_relay_side){ .announced = { from->announced[0],
							      from->announced[1] },
			.latched = { from->latched[0], from->latched[1] },
			.signalling = from->signalling,
			.own = from->own,
			.heard = { from->heard[0], from->heard[1] },
			.port = from->port,
			.rank = { from->rank[0], from->rank[1] },
			.dir = from->dir,
			.ready = from->ready,
			.clock = from->clock };
		*pair_at(r, from->port) = id * 2 + i;
	}
	r->stats.open++;
	return id;
}

uint32_t
relay_owner(const struct sip_relay *r, uint16_t port)
{
	uint32_t is = sip_relay_has_port(r, port) ? *pair_at(r, port) : 0;

	return is != 0 ? stream_at(r, is / 2)->owner : 0;
}

void
relay_forget(struct sip_relay *r, uint32_t id)
{
	struct sip_relay_stream *s = stream_at(r, id);

	for (int i = 0; i < 2; i++)
		*pair_at(r, s->side[i].port) = 0;
	s->open = false;
	s->next_free = r->free_stream;
	r->free_stream = id;
	r->stats.open--;
}

void
relay_settle(struct sip_relay *r)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->n_pairs; i++) {
		uint16_t pair = r->free_pair[i];

		if (r->of_pair[pair] == 0)
			r->free_pair[n++] = pair;
	}
	r->free_first = 0;
	r->n_free = n;
}

uint64_t *
sip_relay_counts(struct sip_relay *r)
{
	return &r->stats.opened;
}
