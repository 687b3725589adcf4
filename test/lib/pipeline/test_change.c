/* A stage of a chain replaced by another version while flows are open. */
#include <string.h>

#include "eal.h"
#include "nfv_change.h"
#include "rig.h"

/* A stage that counts a flow's packets, in two versions. */
struct slot1 {
	uint32_t packets, magic;
};
struct slot2 {
	uint64_t packets;
};

struct state {
	uint64_t all, flows;
	int version;
};

static uint32_t last_count, refuse; /* `refuse`: flows with so many packets */
static int last_version, selftest_rc, import_rc;
static unsigned int inits, finis;

static int
init(void *state, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	struct state *s = state;

	(void)err;
	s->version = *(const int *)ctx->conf;
	assert_string_equal(ctx->chain, "edge");
	assert_true(ctx->n_own[NFV_OUTWARD] > 0);
	assert_int_equal(ctx->own[NFV_OUTWARD][0].addr.b[1], 2); /* 10.2.0.1 */
	assert_true(ctx->n_toward > 0);
	inits++;
	return 0;
}

static void
count(struct state *s, uint32_t packets)
{
	s->all++;
	s->flows += packets == 1;
	last_count = packets;
	last_version = s->version;
}

static void
process1(void *state, struct nfv_burst *b, struct nfv_out *out)
{
	(void)out;
	for (uint16_t i = 0; i < b->n; i++) {
		struct slot1 *slot = b->pkt[i].flow;

		if (slot != NULL) {
			slot->magic = 0xabcdef;
			count(state, ++slot->packets);
		}
	}
}

static void
process2(void *state, struct nfv_burst *b, struct nfv_out *out)
{
	(void)out;
	for (uint16_t i = 0; i < b->n; i++) {
		struct slot2 *slot = b->pkt[i].flow;

		if (slot != NULL)
			count(state, (uint32_t)++slot->packets);
	}
}

static size_t
export1(const void *state, const void *slot, void *to, size_t room)
{
	const uint32_t packets = ((const struct slot1 *)slot)->packets;

	(void)state;
	(void)room;
	memcpy(to, &packets, sizeof(packets));
	return sizeof(packets);
}

static int
import2(void *state, uint32_t version, const void *bytes, size_t n, void *slot)
{
	uint32_t packets;

	assert_int_equal(version, 1);
	assert_int_equal(n, sizeof(packets));
	assert_int_equal(((struct slot2 *)slot)->packets, 0);
	memcpy(&packets, bytes, sizeof(packets));
	if (packets == refuse)
		return -EINVAL;
	((struct slot2 *)slot)->packets = packets;
	((struct state *)state)->flows += packets > 0;
	return 0;
}

static int
export_state(void *state, const struct nfv_put *to)
{
	return to->put(to->arg, &((const struct state *)state)->all, 8);
}

static int
import_state(void *state, uint32_t version, const void *bytes, size_t n)
{
	(void)version;
	assert_int_equal(n, 8);
	memcpy(&((struct state *)state)->all, bytes, 8);
	return import_rc;
}

static int
selftest(void *state, struct nfv_err *err)
{
	(void)state;
	return selftest_rc < 0 ? nfv_fail(err, -selftest_rc, "it is not well") : 0;
}

static void
show(const void *state, FILE *to)
{
	const struct state *s = state;

	fprintf(to, "version %d, %lu packets, %lu flows\n", s->version, (unsigned long)s->all,
		(unsigned long)s->flows);
}

static void
flow_end1(void *state, void *slot)
{
	((struct state *)state)->flows -= ((struct slot1 *)slot)->packets > 0;
}

static void
flow_end2(void *state, void *slot)
{
	((struct state *)state)->flows -= ((struct slot2 *)slot)->packets > 0;
}

static void
fini(void *state)
{
	(void)state;
	finis++;
}

static const struct nfv_stage_ops v1 = { .name = "counts",
	.access = NFV_WRITES,
	.state_size = sizeof(struct state),
	.flow_size = sizeof(struct slot1),
	.init = init,
	.process = process1,
	.flow_end = flow_end1,
	.show = show,
	.fini = fini,
	.state_version = 1,
	.state_since = 1,
	.export_flow = export1,
	.export_ = export_state };
static const struct nfv_stage_ops v2 = { .name = "counts",
	.access = NFV_WRITES,
	.state_size = sizeof(struct state),
	.flow_size = sizeof(struct slot2),
	.init = init,
	.process = process2,
	.flow_end = flow_end2,
	.show = show,
	.fini = fini,
	.state_version = 2,
	.state_since = 1,
	.import_flow = import2,
	.import = import_state,
	.selftest = selftest };

static const int one = 1, two = 2;

static struct rig *
open_rig(void)
{
	/* Between others of its kind, whose slots are not to change. */
	static const struct nfv_stage_use use[3] = { { .ops = &v1, .conf = &one },
		{ .ops = &v1, .conf = &one }, { .ops = &v1, .conf = &one } };

	last_count = refuse = 0;
	selftest_rc = import_rc = 0;
	inits = finis = 0;
	return rig_open(&(struct rig_conf){ .stage = use, .n_stages = 3 });
}

static void
packets(struct rig *r, uint16_t flows)
{
	for (uint16_t i = 0; i < flows; i++) {
		struct mk m;
		struct nfv_pkt p = mk_udp(&m, HOST_IN, (uint16_t)(1000 + i), HOST_OUT, 53, "x", 1);

		rig_send(r, INSIDE, &p);
		rig_run(r);
		rig_forget(r);
	}
}

static void
shows(struct rig *r, uint32_t at, const char *want)
{
	char *text = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&text, &n);

	nfv_chain_show_stage(r->chain, at, to);
	fclose(to);
	if (strstr(text, want) == NULL)
		fail_msg("%s", text);
	free(text);
}

static void
flows_go_on_in_the_new_version(void **state)
{
	const struct nfv_stage_use use = { .ops = &v2, .conf = &two };
	struct rig *r = open_rig();
	struct nfv_change_result result;
	struct nfv_change *ch;
	struct nfv_err err = { "" };

	(void)state;
	for (int i = 0; i < 5; i++)
		packets(r, 20);
	if (nfv_change_prepare(r->chain, 1, &use, NULL, &ch, &err) < 0)
		fail_msg("%s", err.text);
	packets(r, 20); /* the old one works on meanwhile */
	nfv_change_switch(ch);
	result = nfv_change_finish(ch, &err);
	assert_int_equal(result.rc, 0);
	assert_int_equal(result.flows, 20);
	assert_int_equal(result.refused, 0);
	assert_int_equal(inits, 4);
	assert_int_equal(finis, 1);
	shows(r, 0, "version 1, 120 packets, 20 flows");
	shows(r, 1, "version 2, 120 packets, 20 flows");
	packets(r, 1);
	shows(r, 1, "version 2, 121 packets, 20 flows");
	assert_int_equal(last_count, 7); /* of the last stage, which is the old version still */
	packets(r, 21);
	assert_int_equal(last_count, 1);
	shows(r, 1, "version 2, 142 packets, 21 flows");
	rig_close(r);
	assert_int_equal(finis, 4);
}

static void
flows_that_are_not_taken_end(void **state)
{
	const struct nfv_stage_use use = { .ops = &v2, .conf = &two };
	struct rig *r = open_rig();
	struct nfv_change_result result;
	struct nfv_change *ch;
	struct nfv_err err = { "" };

	(void)state;
	packets(r, 3);
	packets(r, 2);
	refuse = 1; /* the third one */
	assert_int_equal(nfv_change_prepare(r->chain, 1, &use, NULL, &ch, &err), 0);
	nfv_change_switch(ch);
	result = nfv_change_finish(ch, &err);
	assert_int_equal(result.flows, 2);
	assert_int_equal(result.refused, 1);
	assert_int_equal(nfv_chain_flow_stats(r->chain).live, 2);
	shows(r, 0, "5 packets, 2 flows");
	shows(r, 1, "5 packets, 2 flows");
	packets(r, 3);
	shows(r, 1, "8 packets, 3 flows");
	rig_close(r);
}

static void
what_fails_leaves_all_as_it_was(void **state)
{
	const struct nfv_stage_use use = { .ops = &v2, .conf = &two };
	struct rig *r = open_rig();
	struct nfv_change *ch;
	struct nfv_err err = { "" };

	(void)state;
	packets(r, 5);
	selftest_rc = -EIO;
	assert_int_equal(nfv_change_prepare(r->chain, 1, &use, NULL, &ch, &err), -EIO);
	assert_non_null(strstr(err.text, "stage counts: it is not well"));
	assert_int_equal(finis, 1);
	selftest_rc = 0;
	import_rc = -EINVAL;
	assert_int_equal(nfv_change_prepare(r->chain, 1, &use, NULL, &ch, &err), 0);
	nfv_change_switch(ch);
	assert_int_equal(nfv_change_finish(ch, &err).rc, -EINVAL);
	assert_non_null(strstr(err.text, "the old one goes on"));
	assert_int_equal(nfv_change_prepare(r->chain, 1, &use, NULL, &ch, &err), 0);
	assert_int_equal(nfv_change_finish(ch, &err).rc, -ECANCELED);
	assert_int_equal(finis, 3);
	packets(r, 5);
	assert_int_equal(last_count, 2);
	shows(r, 1, "version 1, 10 packets, 5 flows");
	nfv_change_finish(NULL, &err);
	rig_close(r);
}

static void
what_is_another_stage_is_refused(void **state)
{
	struct rig *r = open_rig();
	struct nfv_stage_ops other[7];
	static const char *const why[] = { "is another stage", "is another kind", "is another kind",
		"keeps more of a flow", "takes over no flows", "does not read the records",
		"another number of reasons" };
	static const char *const drops[] = { "one", NULL };
	struct nfv_change *ch;
	struct nfv_err err;

	(void)state;
	for (int i = 0; i < 7; i++)
		other[i] = v2;
	other[0].name = "other";
	other[1].access = NFV_READS;
	other[2].ends_flows = true;
	other[3].flow_size = 16;
	other[4].state_version = 0;
	other[5].state_since = 2;
	other[6].drops = drops;
	for (int i = 0; i < 7; i++) {
		const struct nfv_stage_use use = { .ops = &other[i], .conf = &two };

		assert_int_equal(nfv_change_prepare(r->chain, 1, &use, NULL, &ch, &err), -EINVAL);
		if (strstr(err.text, why[i]) == NULL)
			fail_msg("%s", err.text);
	}
	assert_int_equal(inits, 3);
	rig_close(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flows_go_on_in_the_new_version),
		cmocka_unit_test(flows_that_are_not_taken_end),
		cmocka_unit_test(what_fails_leaves_all_as_it_was),
		cmocka_unit_test(what_is_another_stage_is_refused),
	};

	test_eal("256");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
