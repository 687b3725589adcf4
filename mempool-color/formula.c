#include <string.h>

#include "formula.h"

/* What is left of x when every leading bit that the basis has is taken out. */
static uint64_t
reduce(const uint64_t basis[64], uint64_t x)
{
	for (int bit = 63; bit >= 0; bit--)
		if (x >> bit & 1)
			x ^= basis[bit];
	return x;
}

static bool
extend(uint64_t basis[64], uint64_t x)
{
	for (int bit = 63; bit >= 0; bit--) {
		if (!(x >> bit & 1))
			continue;
		if (basis[bit] == 0) {
			basis[bit] = x;
			return true;
		}
		x ^= basis[bit];
	}
	return false;
}

bool
formula_fit(struct formula *f, const uint64_t *frame, const uint16_t *colour, uint32_t n,
	uint32_t colours)
{
	uint64_t all[64] = { 0 }, first[FORMULA_COLOURS] = { 0 };
	bool seen[FORMULA_COLOURS] = { false };
	unsigned int rank = 0, rank_all = 0, found = 0;

	if (colours > FORMULA_COLOURS || n == 0)
		return false;
	*f = (struct formula){ .origin = frame[0], .colours = colours };
	for (uint32_t i = 0; i < n; i++) {
		uint16_t c = colour[i];

		rank_all += extend(all, frame[i] ^ f->origin);
		if (seen[c])
			rank += extend(f->same, frame[i] ^ first[c]);
		else
			first[c] = frame[i];
		found += !seen[c];
		seen[c] = true;
	}
	/* Fewer pages than dimensions would fit anything. */
	if (found != colours || rank_all < rank || 1u << (rank_all - rank) != colours ||
		n < 4 * (rank_all + colours))
		return false;
	for (uint32_t c = 0; c < colours; c++) {
		f->rest[c] = reduce(f->same, first[c] ^ f->origin);
		for (uint32_t d = 0; d < c; d++)
			if (f->rest[d] == f->rest[c])
				return false;
	}
	return true;
}

uint16_t
formula_colour(const struct formula *f, uint64_t frame)
{
	uint64_t rest = reduce(f->same, frame ^ f->origin);
	uint32_t c = 0;

	while (c < f->colours && f->rest[c] != rest)
		c++;
	return (uint16_t)c;
}
