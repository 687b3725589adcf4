/**
 * @file
 * The stage `nat`: bursts in, verdicts out. What it does to a packet is in nat.c.
 */
#include "nat_carry.h"
#include "nat_conf.h"
#include "nat_mend.h"
#include "nfv_object.h"

static int
init(void *state, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	return nat_init(state, ctx, err);
}

static void
process(void *state, struct nfv_burst *burst, struct nfv_out *out)
{
	(void)out;
	for (uint16_t i = 0; i < burst->n; i++) {
		__builtin_prefetch(burst->pkt[i].flow);
		__builtin_prefetch(burst->pkt[i].data + burst->pkt[i].l3, 1);
	}
	for (uint16_t i = 0; i < burst->n; i++) {
		struct nfv_pkt *p = &burst->pkt[i];

		p->verdict =
			burst->dir == NFV_OUTWARD ? nat_outward(state, p) : nat_inward(state, p);
	}
}

static int
steer(const void *state, const struct nfv_pkt *p, enum nfv_dir dir)
{
	return nat_steer(state, p, dir);
}

static void
flow_end(void *state, void *slot)
{
	nat_flow_end(state, slot);
}

static int
mend(void *state, const struct nfv_mend *m)
{
	return nat_mend(state, m);
}

static void
show(const void *state, FILE *to)
{
	const struct nat *nat = state;

	nat_table_show(nat->table, to, 20);
}

static void
fini(void *state)
{
	nat_fini(state);
}

static struct nfv_stage_ops ops = {
	.name = "nat",
	.access = NFV_WRITES,
	.state_size = sizeof(struct nat),
	.flow_size = sizeof(struct nat_slot),
	.conf = &nat_conf_schema,
	.drops = nat_drop_name,
	.init = init,
	.process = process,
	.steer = steer,
	.flow_end = flow_end,
	.mend = mend,
	.show = show,
	.fini = fini,
	.state_version = NAT_CARRY_VERSION,
	.state_since = 1,
	.export_flow = nat_export_flow,
	.import_flow = nat_import_flow,
	.export_ = nat_export,
	.import = nat_import,
	.selftest = nat_selftest,
};

NFV_STAGE_REGISTER(ops)
NFV_STAGE_OBJECT(ops, 1, "1")
