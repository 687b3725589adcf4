#include <string.h>

#include "ports.h"

void
nat_ports_init(struct nat_ports *p, uint32_t lo, uint32_t hi)
{
	memset(p, 0, sizeof(*p));
	p->lo = lo;
	p->hi = hi;
	p->n_free = hi - lo + 1;
	for (uint32_t w = lo / 64; w <= hi / 64; w++) {
		p->word[w] = ~0ull;
		p->summary[w / 64] |= 1ull << w % 64;
	}
	p->word[lo / 64] &= ~0ull << lo % 64;
	p->word[hi / 64] &= ~0ull >> (63 - hi % 64);
}

bool
nat_ports_take(struct nat_ports *p, uint16_t port)
{
	uint32_t w = port / 64;
	uint64_t bit = 1ull << port % 64;

	if ((p->word[w] & bit) == 0)
		return false;
	p->word[w] &= ~bit;
	if (p->word[w] == 0)
		p->summary[w / 64] &= ~(1ull << w % 64);
	p->n_free--;
	return true;
}

/* The first word after `w` that has a free port, going round; the caller knows there is one. */
static uint32_t
next_word(const struct nat_ports *p, uint32_t w)
{
	uint32_t next = (w + 1) % NAT_PORTS_WORDS, s = next / 64;
	uint64_t bits = p->summary[s] & ~0ull << next % 64;

	while (bits == 0) {
		s = (s + 1) % NAT_PORTS_SUMMARY;
		bits = p->summary[s];
	}
	return s * 64 + (uint32_t)__builtin_ctzll(bits);
}

int32_t
nat_ports_take_from(struct nat_ports *p, uint16_t from)
{
	uint32_t w = from / 64;
	uint64_t bits = p->word[w] & ~0ull << from % 64;
	uint16_t port;

	if (p->n_free == 0)
		return -1;
	if (bits == 0) {
		w = next_word(p, w);
		bits = p->word[w];
	}
	port = (uint16_t)(w * 64 + (uint32_t)__builtin_ctzll(bits));
	nat_ports_take(p, port);
	return port;
}

void
nat_ports_give(struct nat_ports *p, uint16_t port)
{
	uint32_t w = port / 64;
	uint64_t bit = 1ull << port % 64;

	if (port < p->lo || port > p->hi || (p->word[w] & bit) != 0)
		return;
	p->word[w] |= bit;
	p->summary[w / 64] |= 1ull << w % 64;
	p->n_free++;
}
