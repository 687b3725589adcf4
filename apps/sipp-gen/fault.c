#include "fault.h"

#define CERTAIN (1ull << 53)

int
fault_init(struct faults *f, const struct fault_conf *conf, struct nfv_err *err)
{
	static const char *const name[FAULT_KINDS] = { "loss", "delay", "duplication",
		"reordering" };

	for (unsigned int i = 0; i < FAULT_KINDS; i++)
		if (!(conf->chance[i] >= 0 && conf->chance[i] <= 1))
			return nfv_fail(err, ERANGE,
				"the chance of %s is %g; it must be between 0 and 1", name[i],
				conf->chance[i]);
	if (conf->delay_min > conf->delay_max || conf->delay_max == UINT32_MAX)
		return nfv_fail(err, ERANGE, "delays from %u to %u ms: the shorter one comes first",
			conf->delay_min, conf->delay_max);
	*f = (struct faults){ .delay_min = conf->delay_min,
		.delay_n = conf->delay_max - conf->delay_min + 1 };
	for (unsigned int i = 0; i < FAULT_KINDS; i++) {
		f->below[i] = (uint64_t)(conf->chance[i] * CERTAIN);
		f->rnd[i] = rnd_init(conf->seed, conf->stream * FAULT_KINDS + i);
	}
	return 0;
}

bool
fault_any(const struct faults *f)
{
	return (f->below[FAULT_LOSS] | f->below[FAULT_DELAY] | f->below[FAULT_DUPLICATE] |
		       f->below[FAULT_SWAP]) != 0;
}

/* A number is drawn for every packet, whatever the others of its numbers say. */
static struct fault
decide(struct faults *f, uint64_t loss)
{
	struct fault is = { 0 };
	bool hit[FAULT_KINDS];

	for (unsigned int i = 0; i < FAULT_KINDS; i++) {
		uint64_t below = i == FAULT_LOSS ? loss : f->below[i];

		hit[i] = rnd_u64(&f->rnd[i]) >> 11 < below;
	}
	/* The delay's length, from the same packet's number of the kind's own sequence. */
	if (hit[FAULT_DELAY]) {
		struct rnd length = rnd_init(f->rnd[FAULT_DELAY].at, f->packets);

		is.delay_ms = f->delay_min + (uint32_t)rnd_below(&length, f->delay_n);
	}
	f->packets++;
	if (hit[FAULT_LOSS]) {
		f->count[FAULT_LOSS]++;
		return (struct fault){ .drop = true };
	}
	is.dup = hit[FAULT_DUPLICATE];
	is.swap = hit[FAULT_SWAP];
	for (unsigned int i = FAULT_DELAY; i < FAULT_KINDS; i++)
		f->count[i] += hit[i];
	return is;
}

struct fault
fault_decide(struct faults *f)
{
	return decide(f, f->below[FAULT_LOSS]);
}

struct fault
fault_decide_lost(struct faults *f, double loss)
{
	return decide(f, loss < 0 ? f->below[FAULT_LOSS] : (uint64_t)(loss * CERTAIN));
}
