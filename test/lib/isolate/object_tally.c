/*
 * Versions of a stage that counts the packets of each flow into the payload's second byte, and writes its
 * own number into the first. TALLY is the version, WRONG what is the matter with it.
 */
#include <string.h>
#include <unistd.h>

#include "nfv_object.h"
#include "stages.h"

#define FINE        0
#define NO_SELFTEST 1 /* its test of itself fails */
#define NO_IMPORT   2 /* flows are not taken: it crashes */
#define FRAIL       3 /* it crashes at the first packet that asks for ASK_ANSWER */
#define YOUNG       4 /* it reads its own version's records only */
#define SLOW        5 /* taking over never ends */
#define HOARDS      6 /* it gives nothing back */

#if WRONG == YOUNG
#define SINCE TALLY
#else
#define SINCE 1
#endif

#if TALLY == 1
struct slot {
	uint32_t packets;
};
#else
struct slot {
	uint64_t version, packets;
};
#endif

struct state {
	uint64_t flows, all;
};

static const char *const drops[] = { "asked", NULL };

static int
init(void *state, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	(void)state;
	(void)ctx;
	(void)err;
	return 0;
}

static void
process(void *state, struct nfv_burst *b, struct nfv_out *out)
{
	struct state *s = state;

	(void)out;
	for (uint16_t i = 0; i < b->n; i++) {
		struct slot *slot = b->pkt[i].flow;
		uint8_t *data = (uint8_t *)nfv_pkt_l4(&b->pkt[i]) + NFV_UDP_LEN;

		if (WRONG == FRAIL && data[0] == ASK_ANSWER)
			__builtin_trap();
		while (WRONG == HOARDS && data[0] == ASK_ANSWER)
			__asm__ volatile("" ::: "memory");
		data[0] = TALLY;
		s->all++;
		if (slot == NULL)
			continue;
		s->flows += slot->packets == 0;
		data[1] = (uint8_t)++slot->packets;
	}
}

static void
flow_end(void *state, void *slot)
{
	((struct state *)state)->flows -= ((struct slot *)slot)->packets > 0;
}

static void
show(const void *state, FILE *to)
{
	const struct state *s = state;

	fprintf(to, "version %d, flows %lu, packets %lu\n", TALLY, (unsigned long)s->flows,
		(unsigned long)s->all);
}

static size_t
export_flow(const void *state, const void *slot, void *to, size_t room)
{
	const uint64_t packets = ((const struct slot *)slot)->packets;

	(void)state;
	(void)room;
	memcpy(to, &packets, sizeof(packets));
	return sizeof(packets);
}

static int
import_flow(void *state, uint32_t version, const void *bytes, size_t n, void *slot)
{
	struct slot *s = slot;
	uint64_t packets;

	if (version > TALLY || n != sizeof(packets))
		return -EINVAL;
	if (WRONG == NO_IMPORT)
		__builtin_trap();
	while (WRONG == SLOW)
		__asm__ volatile("" ::: "memory");
	memcpy(&packets, bytes, sizeof(packets));
	*s = (struct slot){ .packets = packets };
	((struct state *)state)->flows += packets > 0;
	return 0;
}

static int
export_state(void *state, const struct nfv_put *to)
{
	return to->put(to->arg, &((const struct state *)state)->all, sizeof(uint64_t));
}

static int
import_state(void *state, uint32_t version, const void *bytes, size_t n)
{
	if (version > TALLY || n != sizeof(uint64_t))
		return -EINVAL;
	memcpy(&((struct state *)state)->all, bytes, n);
	return 0;
}

static int
selftest(void *state, struct nfv_err *err)
{
	(void)state;
	return WRONG == NO_SELFTEST ? nfv_fail(err, EIO, "two and two make five") : 0;
}

static struct nfv_stage_ops ops = {
	.name = "tally",
	.access = NFV_WRITES,
	.state_size = sizeof(struct state),
	.flow_size = sizeof(struct slot),
	.drops = drops,
	.init = init,
	.process = process,
	.flow_end = flow_end,
	.show = show,
	.state_version = TALLY,
	.state_since = SINCE,
	.export_flow = export_flow,
	.import_flow = import_flow,
	.export_ = export_state,
	.import = import_state,
	.selftest = selftest,
};

#define TEXT(x)  #x
#define TEXT2(x) TEXT(x)
NFV_STAGE_OBJECT(ops, TALLY, TEXT2(TALLY) ".0")
