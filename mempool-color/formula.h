/**
 * @file
 * Colours from frame numbers, where they are linear in them: every bit of a colour a parity of some
 * address bits, as on bare metal. The parities are not looked up but fitted to measured pages: what
 * two frames of one colour differ in, by exclusive or, says nothing about the colour; if the space of
 * such differences has just the right dimension, a frame's colour is what of it lies outside that
 * space. One page out of line, as everywhere in a virtual machine whose memory is scattered, leaves
 * no formula. Threads: plain data.
 */
#ifndef FORMULA_H
#define FORMULA_H

#include <stdbool.h>
#include <stdint.h>

#define FORMULA_COLOURS 64

struct formula {
	uint64_t same[64]; /* basis of the differences within a colour, by leading bit */
	uint64_t origin;   /* a frame that the others are taken relative to */
	uint64_t rest[FORMULA_COLOURS]; /* per colour: what is left of its frames */
	uint32_t colours;
};

/** Fit to `n` measured pages, colour[i] below `colours`, at most FORMULA_COLOURS; false: no formula. */
bool formula_fit(struct formula *f, const uint64_t *frame, const uint16_t *colour, uint32_t n,
	uint32_t colours);

/** The colour of a frame, or `colours` if the formula does not reach it. */
uint16_t formula_colour(const struct formula *f, uint64_t frame);

#endif
