/* An isolated stage as chains know stages that run elsewhere. */
#include <inttypes.h>

#include "host.h"

static void
process(void *arg, struct nfv_burst *b)
{
	nfv_isolated_process(arg, b);
}

static uint32_t
collect(void *arg, struct nfv_burst back[2], struct nfv_burst origin[2])
{
	return nfv_isolated_collect(arg, back, origin);
}

static uint32_t
waiting(const void *arg)
{
	const struct nfv_isolated *iso = arg;
	uint32_t n = iso->held_head - iso->held_tail;

	for (int i = 0; i < INSTANCES; i++)
		n += atomic_load_explicit(&iso->slot[i].in_flight, memory_order_relaxed);
	return n;
}

static void
lost(const void *arg, uint64_t out[NFV_AWAY_LOSSES])
{
	const struct nfv_isolated_stats *s = nfv_isolated_stats(arg);

	out[NFV_AWAY_FULL] = s->full;
	out[NFV_AWAY_DOWN] = s->down;
	out[NFV_AWAY_FOREIGN] = s->foreign;
	out[NFV_AWAY_UNREADABLE] = s->unreadable;
	out[NFV_AWAY_SWEPT] = s->swept;
}

static void
control(void *arg)
{
	nfv_isolated_control(arg, 0);
}

static void
show(void *arg, FILE *to)
{
	const struct nfv_isolated_stats *s = nfv_isolated_stats(arg);
	struct nfv_err err = { "" };
	int pid;

	if (nfv_isolated_live(arg, &pid))
		fprintf(to, "isolated, process %d, %s\n", pid,
			nfv_isolated_spare(arg) ? "a spare waits" : "no spare");
	else
		fputs("isolated, no process\n", to);
	fprintf(to,
		"handed over %" PRIu64 ", returned %" PRIu64 ", passed on %" PRIu64
		", waited %" PRIu64 ", longest without a process %.3f ms\n",
		s->handed, s->returned, s->bypassed, s->held,
		(double)s->pause_tsc * 1000 / (double)((struct nfv_isolated *)arg)->tsc_hz);
	if (s->no_buffer > 0)
		fprintf(to, "answers without a buffer %" PRIu64 "\n", s->no_buffer);
	fprintf(to, "forks %" PRIu64 ", templates %" PRIu64, s->forks, s->templates);
	for (int i = 0; i < NFV_ENDS; i++)
		if (s->ends[i] > 0)
			fprintf(to, ", %s %" PRIu64, nfv_end_name[i], s->ends[i]);
	fputc('\n', to);
	fprintf(to,
		"version %s, replaced %" PRIu64 ", rolled back %" PRIu64 ", not replaced %" PRIu64
		", flows not taken over %" PRIu64 ", packets waited %.3f ms at most\n",
		nfv_isolated_version(arg), s->replaced, s->rolled_back, s->not_replaced,
		s->flows_refused,
		(double)s->switch_most_tsc * 1000 / (double)((struct nfv_isolated *)arg)->tsc_hz);
	fprintf(to,
		"state mended %" PRIu64 ", flows dropped %" PRIu64
		", %.3f ms the last time, afresh %" PRIu64 "\n",
		s->mended, s->mend_dropped, (double)s->mend_ns / 1e6, s->afresh);
	if (((struct nfv_isolated *)arg)->holes != NULL)
		fprintf(to, "pinholes opened %" PRIu64 ", not opened %" PRIu64 "\n", s->pinholes,
			s->pinholes_refused);
	if (nfv_isolated_last(arg)[0] != '\0')
		fprintf(to, "last: %s\n", nfv_isolated_last(arg));
	if (nfv_isolated_show(arg, to, &err) < 0)
		fprintf(to, "%s\n", err.text);
}

static void
end(void *arg)
{
	nfv_isolated_destroy(arg);
}

struct nfv_away
nfv_isolated_away(struct nfv_isolated *iso)
{
	static const struct nfv_away_ops ops = { process, collect, waiting, lost, control, show,
		end };

	return (struct nfv_away){ &ops, iso };
}
