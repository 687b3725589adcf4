/* A stage's object once more, of the file STAGE, as another version of it: the same code, mapped a second time. */
#include "nfv_object.h"

#undef NFV_STAGE_OBJECT
#define NFV_STAGE_OBJECT(stage_ops, number, text)
#include STAGE /* NOLINT(bugprone-suspicious-include) */

extern const struct nfv_stage_object nfv_stage_object;
__attribute__((visibility("default"))) const struct nfv_stage_object nfv_stage_object = {
	.magic = NFV_OBJECT_MAGIC,
	.abi = NFV_OBJECT_ABI,
	.size = sizeof(struct nfv_stage_object),
	.sizes = NFV_OBJECT_SIZES,
	.number = 2,
	.version = "2",
	.ops = &ops,
};
