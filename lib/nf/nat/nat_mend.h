/** @file  nfv_stage_ops.mend of the stage `nat`. Threads: the owner's. */
#ifndef NAT_MEND_H
#define NAT_MEND_H

#include "nat.h"
#include "nfv_stage.h"

int nat_mend(struct nat *nat, const struct nfv_mend *mend);

#endif
