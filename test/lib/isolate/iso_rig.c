#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "iso_rig.h"
#include "mkpkt.h"
#include "nfv_tsc.h"

/* Far longer than anything takes; a test that waits so long fails. */
#define PATIENCE_S 60

static uint32_t
take(void *arg, struct nfv_pkt *p, uint32_t n)
{
	struct iso_rig *r = arg;
	uint32_t k = 0;

	for (; k < n && r->n_free > 0; k++) {
		uint32_t i = r->free[--r->n_free];

		assert_false(r->out[i]);
		r->out[i] = true;
		p[k] = (struct nfv_pkt){ .data = r->segment.at + (size_t)i * RIG_STRIDE + 128,
			.buf = (void *)(uintptr_t)(i + 1),
			.len = NFV_ETH_LEN,
			.l3 = NFV_ETH_LEN,
			.headroom = 128,
			.tailroom = RIG_STRIDE - 128 - NFV_ETH_LEN };
	}
	return k;
}

static void
give(void *arg, void *const *buf, uint32_t n)
{
	struct iso_rig *r = arg;

	for (uint32_t k = 0; k < n; k++) {
		uint32_t i = (uint32_t)(uintptr_t)buf[k] - 1;

		assert_in_range(i, 0, RIG_BUFFERS - 1);
		assert_true(r->out[i]);
		r->out[i] = false;
		r->free[r->n_free++] = i;
	}
}

struct iso_rig *
iso_rig(const struct nfv_stage_ops *ops, const char *mode)
{
	static const char *argv[3];
	struct iso_rig *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	assert_int_equal(nfv_segment_create("test-pool", (size_t)RIG_BUFFERS * RIG_STRIDE, false,
				 &r->segment, &r->err),
		0);
	assert_int_equal(nfv_segment_seal(&r->segment, ops->access == NFV_READS, &r->err), 0);
	for (uint32_t i = 0; i < RIG_BUFFERS; i++)
		r->free[r->n_free++] = i;
	argv[0] = GUEST_PROGRAM;
	argv[1] = mode;
	r->ctx = (struct nfv_stage_ctx){ .chain = "edge", .tsc_hz = 2000000000, .seed = 5 };
	r->conf = (struct nfv_isolated_conf){ .ops = ops,
		.ctx = &r->ctx,
		.flows = 256,
		.timeouts = { 300, 7440, 240, 60, 600 },
		.pool = { .segment = &r->segment,
			.stride = RIG_STRIDE,
			.buffers = RIG_BUFFERS,
			.arg = r,
			.take = take,
			.give = give },
		.argv = argv,
		.cpu = -1,
		.worker_cpu = -1,
		.ring = 256,
		.idle_us = 100,
		.beat_ms = 10000,
		.progress_ms = 10000 };
	return r;
}

int
iso_rig_start(struct iso_rig *r)
{
	int rc = nfv_isolated_create(&r->conf, &r->iso, &r->err);

	if (rc == 0)
		r->stats = nfv_isolated_stats(r->iso);
	return rc;
}

/* Whatever was sent has come back, is one of the losses, or is still on its way. */
static void
add_up(const struct iso_rig *r)
{
	struct nfv_away away = nfv_isolated_away(r->iso);
	uint64_t lost[NFV_AWAY_LOSSES], sum = r->stats->returned + r->bypassed;

	away.ops->lost(away.arg, lost);
	for (int i = 0; i < NFV_AWAY_LOSSES; i++)
		sum += i == NFV_AWAY_UNREADABLE ? 0 : lost[i]; /* they have returned */
	assert_int_equal(r->sent, sum + away.ops->waiting(away.arg));
}

void
iso_rig_end(struct iso_rig *r)
{
	if (r->iso != NULL && r->sent > 0)
		add_up(r);
	nfv_isolated_destroy(r->iso);
	nfv_isolated_await_ends(PATIENCE_S * 1000);
	assert_int_equal(r->n_free, RIG_BUFFERS);
	nfv_segment_fini(&r->segment);
	free(r);
}

void
iso_rig_send(struct iso_rig *r, enum ask ask, uint16_t n, enum nfv_dir dir)
{
	struct nfv_burst b = { .dir = dir, .tsc = nfv_tsc() };
	uint16_t before;
	struct mk m;

	b.n = before = (uint16_t)take(r, b.pkt, n);
	for (uint16_t i = 0; i < b.n; i++) {
		struct nfv_pkt *p = &b.pkt[i], made;
		uint8_t data[6] = { (uint8_t)ask, 0 };

		memcpy(data + 2, &r->next_seq, 4);
		made = mk_udp(&m, "10.1.0.2",
			(uint16_t)(1000 + (r->flows > 0 ? r->next_seq % r->flows : 0)), "10.2.0.2",
			2000, data, sizeof(data));
		r->next_seq++;
		memcpy(p->data, made.data, made.len);
		p->tailroom = (uint16_t)(p->tailroom + p->len - made.len);
		p->len = made.len;
		assert_int_equal(nfv_pkt_parse(p), NFV_PARSE_OK);
	}
	nfv_isolated_process(r->iso, &b);
	r->sent += before;
	r->bypassed += b.n;
	for (uint16_t i = 0; i < b.n; i++)
		give(r, &b.pkt[i].buf, 1);
}

/* A packet is the one that lies in its buffer, and no older than those of its direction before it. */
static void
check(struct iso_rig *r, const struct nfv_pkt *p, int dir)
{
	uint32_t i = (uint32_t)(uintptr_t)p->buf - 1, seq;
	const struct nfv_udp *u;

	assert_in_range(i, 0, RIG_BUFFERS - 1);
	assert_true(r->out[i]);
	assert_ptr_equal(p->data - p->headroom, r->segment.at + (size_t)i * RIG_STRIDE);
	assert_int_equal(p->headroom + p->len + p->tailroom, RIG_STRIDE);
	if (p->verdict != NFV_KEEP)
		return;
	assert_int_equal(p->family, 4);
	assert_int_equal(p->l3, NFV_ETH_LEN);
	assert_int_equal(p->l4, NFV_ETH_LEN + 20);
	assert_int_equal(p->proto, NFV_PROTO_UDP);
	u = nfv_pkt_l4(p);
	memcpy(&seq, (const uint8_t *)(u + 1) + 2, 4);
	assert_true(seq >= r->last_seq[dir]);
	r->last_seq[dir] = seq;
	r->first = ((const uint8_t *)(u + 1))[0];
	r->count = ((const uint8_t *)(u + 1))[1];
	r->kept++;
	if (r->see != NULL)
		r->see(r, p);
}

uint32_t
iso_rig_collect(struct iso_rig *r)
{
	struct nfv_burst back[2], origin[2];
	uint32_t n = nfv_isolated_collect(r->iso, back, origin);

	for (int dir = 0; dir < 2; dir++) {
		for (uint16_t i = 0; i < back[dir].n; i++) {
			struct nfv_pkt *p = &back[dir].pkt[i];

			check(r, p, dir);
			r->dropped += p->verdict >= NFV_DROP_BASE;
			r->consumed += p->verdict == NFV_CONSUMED;
			give(r, &p->buf, 1);
		}
		for (uint16_t i = 0; i < origin[dir].n; i++) {
			struct nfv_pkt *p = &origin[dir].pkt[i];

			assert_int_equal(nfv_pkt_parse_ip(p), NFV_PARSE_OK);
			assert_true(nfv_csum_l4_ok(p));
			r->origins++;
			give(r, &p->buf, 1);
		}
	}
	return n;
}

void
iso_rig_until(struct iso_rig *r, const uint64_t *counter, uint64_t least)
{
	time_t t0 = time(NULL);

	while (*counter < least) {
		if (time(NULL) - t0 > PATIENCE_S)
			fail_msg("only %lu of %lu have come; last: %s", (unsigned long)*counter,
				(unsigned long)least, nfv_isolated_last(r->iso));
		if (iso_rig_collect(r) == 0)
			nfv_isolated_control(r->iso, 1);
	}
}

void
iso_rig_settle(struct iso_rig *r)
{
	struct nfv_away away = nfv_isolated_away(r->iso);
	time_t t0 = time(NULL);

	/* Those that are held, too. */
	while (away.ops->waiting(away.arg) > 0 ||
		r->stats->handed != r->stats->returned + r->stats->swept) {
		if (time(NULL) - t0 > PATIENCE_S)
			fail_msg("packets do not come back; last: %s", nfv_isolated_last(r->iso));
		if (iso_rig_collect(r) == 0)
			nfv_isolated_control(r->iso, 1);
	}
	iso_rig_collect(r);
}

void
iso_rig_live(struct iso_rig *r)
{
	time_t t0 = time(NULL);

	iso_rig_collect(r); /* the worker learns of one that has ended */
	while (!nfv_isolated_live(r->iso, NULL)) {
		if (time(NULL) - t0 > PATIENCE_S)
			fail_msg("no instance; last: %s", nfv_isolated_last(r->iso));
		iso_rig_collect(r);
		nfv_isolated_control(r->iso, 1);
	}
}

struct iso_rig *
iso_rig_up(struct iso_rig *r)
{
	if (iso_rig_start(r) < 0)
		fail_msg("%s", r->err.text);
	iso_rig_live(r);
	return r;
}

void
iso_rig_spare(struct iso_rig *r)
{
	time_t t0 = time(NULL);

	while (!nfv_isolated_spare(r->iso) && time(NULL) - t0 < PATIENCE_S)
		nfv_isolated_control(r->iso, 1);
	assert_true(nfv_isolated_spare(r->iso));
}

void
iso_rig_traffic(struct iso_rig *r, enum ask ask)
{
	/* Less than the ring has places, those that wait included. */
	if (RIG_BUFFERS - r->n_free < 200)
		iso_rig_send(r, ask, 16, NFV_OUTWARD);
	iso_rig_collect(r);
	nfv_isolated_control(r->iso, 0);
}

void
iso_rig_swapped(struct iso_rig *r, enum nfv_swap swap)
{
	for (int i = 0; nfv_isolated_swap(r->iso) != swap; i++) {
		iso_rig_traffic(r, ASK_KEEP);
		if (i > 50000000)
			fail_msg("last: %s", nfv_isolated_last(r->iso));
	}
}

void
iso_rig_shows(struct iso_rig *r, const char *want)
{
	char *text = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&text, &n);

	assert_non_null(to);
	assert_int_equal(nfv_isolated_show(r->iso, to, &r->err), 0);
	fclose(to);
	if (strncmp(text, want, strlen(want)) != 0)
		fail_msg("%s", text);
	free(text);
}

int
iso_rig_pid(struct iso_rig *r)
{
	int pid = -1;

	iso_rig_live(r);
	assert_true(nfv_isolated_live(r->iso, &pid));
	return pid;
}

int
iso_family(int group)
{
	DIR *proc = opendir("/proc");
	const struct dirent *e;
	int n = 0;

	assert_non_null(proc);
	while ((e = readdir(proc)) != NULL) {
		char path[300], line[512], state;
		int of;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
		f = e->d_name[0] >= '1' && e->d_name[0] <= '9' ? fopen(path, "re") : NULL;
		/* Behind the name, which may hold anything. */
		if (f != NULL && fgets(line, sizeof(line), f) != NULL &&
			strrchr(line, ')') != NULL &&
			sscanf(strrchr(line, ')'), ") %c %*d %d", &state, &of) == 2)
			n += of == group && state != 'Z' && state != 'X';
		if (f != NULL)
			fclose(f);
	}
	closedir(proc);
	return n;
}
