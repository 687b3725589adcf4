/**
 * @file
 * The firewall as a stage: configuration in, struct firewall out. What it does is in judge.h.
 */
#include "carry.h"
#include "nfv_stage.h"

struct firewall_conf {
	const char *rules;
	uint32_t otherwise; /* enum fw_action */
	uint32_t reject_rate;
};

static const struct nfv_conf_field firewall_fields[] = {
	{ .name = "rules",
		.help = "the rule file",
		.type = NFV_CONF_PATH,
		.offset = offsetof(struct firewall_conf, rules) },
	{ .name = "default",
		.help = "for what no rule matches; a line in the file wins",
		.type = NFV_CONF_CHOICE,
		.choices = fw_action_name,
		.def = "drop",
		.offset = offsetof(struct firewall_conf, otherwise) },
	{ .name = "reject-rate",
		.help = "answers to rejected packets a second, per worker",
		.type = NFV_CONF_UINT,
		.min = 0,
		.max = 1000000,
		.def = "100",
		.offset = offsetof(struct firewall_conf, reject_rate) },
	{ .name = NULL },
};

static const struct nfv_conf_schema firewall_schema = {
	.size = sizeof(struct firewall_conf),
	.help = "stateful packet filter (docs/firewall.md)",
	.fields = firewall_fields,
};

/* The first address of either family on the port that packets leave by in `dir`. */
static void
learn_own(struct firewall *fw, const struct nfv_stage_ctx *ctx, enum nfv_dir dir)
{
	for (uint32_t i = ctx->n_own[dir]; i-- > 0;) {
		const struct nfv_addr *a = &ctx->own[dir][i].addr;

		fw->own[dir][a->family == NFV_IPV6] = *a;
	}
}

static int
firewall_init(void *state, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	const struct firewall_conf *conf = ctx->conf;
	struct firewall *fw = state;
	struct fw_rules *rules;
	struct nfv_err inner;
	int rc;

	learn_own(fw, ctx, NFV_OUTWARD);
	learn_own(fw, ctx, NFV_INWARD);
	fw->pinholes = ctx->pinhole_set;
	fw->own_pinholes = ctx->pinholes;
	fw->bucket = fw_bucket(conf->reject_rate, ctx->tsc_hz);
	rc = fw_rules_load(conf->rules, (enum fw_action)conf->otherwise, &rules, &inner);
	if (rc == -EINVAL) /* the mistake has its place in the rule file */
		return nfv_fail(err, -rc, "%s", inner.text);
	if (rc < 0)
		return nfv_conf_fail(ctx->doc, &conf->rules, err, "%s", inner.text);
	return fw_set_create(
		conf->rules, rules, ctx->socket, FW_ELSEWHERE + 1, ctx->lender, &fw->set, err);
}

static void
stage_process(void *state, struct nfv_burst *burst, struct nfv_out *out)
{
	firewall_process(state, burst, out);
}

/* Slots are what there is: one that says what no rule set of ours has written goes. */
static int
firewall_mend(void *state, const struct nfv_mend *mend)
{
	const struct firewall *fw = state;
	struct nfv_mend_flow f = { .slot = NULL };

	while (mend->next(mend, &f)) {
		const struct fw_flow *flow = f.slot;

		if (flow->generation > fw->set->generation || flow->rule > fw->set->rules->n ||
			(flow->pinhole != 0 && !nfv_pinholes_know(fw->pinholes, flow->pinhole)))
			mend->drop(mend, &f);
	}
	return 0;
}

static void
stage_show(const void *state, FILE *to)
{
	firewall_show(state, to);
}

static void
firewall_fini(void *state)
{
	struct firewall *fw = state;

	fw_set_destroy(fw->set);
	fw->set = NULL;
}

static struct nfv_stage_ops firewall_ops = {
	.name = "firewall",
	.access = NFV_READS,
	.dpdk = true,
	.finds = true,
	.state_size = sizeof(struct firewall),
	.flow_size = sizeof(struct fw_flow),
	.conf = &firewall_schema,
	.drops = fw_drop_name,
	.init = firewall_init,
	.process = stage_process,
	.mend = firewall_mend,
	.show = stage_show,
	.fini = firewall_fini,
	.state_version = FW_CARRY_VERSION,
	.state_since = FW_CARRY_VERSION,
	.export_flow = fw_export_flow,
	.import_flow = fw_import_flow,
	.export_ = fw_export,
	.import = fw_import,
	.selftest = fw_selftest,
};
NFV_STAGE_REGISTER(firewall_ops)
