/* Objects that are none: which one, BAD says. */
#include <unistd.h>

#include "nfv_object.h"

static void
process(void *state, struct nfv_burst *b, struct nfv_out *out)
{
	(void)state;
	(void)b;
	(void)out;
}

static __attribute__((unused)) struct nfv_stage_ops ops = { .name = "bad", .process = process };

#if BAD == 1 /* of a build whose packets are larger */
extern const struct nfv_stage_object nfv_stage_object;
__attribute__((visibility("default"))) const struct nfv_stage_object nfv_stage_object = {
	.magic = NFV_OBJECT_MAGIC,
	.abi = NFV_OBJECT_ABI,
	.size = sizeof(struct nfv_stage_object),
	.sizes = { .pkt = sizeof(struct nfv_pkt) + 64 },
	.ops = &ops,
};
#elif BAD == 2 /* something else of the same name */
extern const char nfv_stage_object[512];
__attribute__((visibility("default"))) const char nfv_stage_object[512] = "something else";
#elif BAD == 3 /* no version, no operations */
NFV_STAGE_OBJECT(ops, 1, "1")
__attribute__((constructor)) static void
spoil(void)
{
	ops.process = NULL;
}
#else          /* nothing of the kind */
extern int something;
__attribute__((visibility("default"))) int something;
__attribute__((constructor)) static void
use(void)
{
	something = ops.name == NULL;
}
#endif
