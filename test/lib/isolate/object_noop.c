/* A stage that does nothing, and again not much else. */
#include "nfv_object.h"

static void
process(void *state, struct nfv_burst *b, struct nfv_out *out)
{
	(void)state;
	(void)b;
	(void)out;
}

static struct nfv_stage_ops ops = { .name = "noop", .access = NFV_WRITES, .process = process };
NFV_STAGE_OBJECT(ops, 1, "1")
