/* Packets that are longer than a buffer: to a stage in a process of its own by copy, and back, and from it. */
#include <string.h>

#include "iso_rig.h"
#include "mkpkt.h"
#include "nfv_csum.h"
#include "nfv_tsc.h"

#define LARGES 8

static struct iso_rig *r;
static uint8_t room[LARGES][NFV_FRAME_MAX];
static bool taken[LARGES];
static uint32_t back_n, wrong, origin_n;
static void (*give_small)(void *arg, void *const *buf, uint32_t n);
static bool scarce; /* none is to be had */

static struct nfv_pkt
large(uint32_t i)
{
	taken[i] = true;
	return (struct nfv_pkt){ .data = room[i],
		.buf = room[i],
		.len = NFV_ETH_LEN,
		.l3 = NFV_ETH_LEN,
		.tailroom = NFV_FRAME_MAX - NFV_ETH_LEN };
}

static bool
take_large(void *arg, struct nfv_pkt *p)
{
	uint32_t i = 0;

	(void)arg;
	while (i < LARGES && taken[i])
		i++;
	if (i == LARGES || scarce)
		return false;
	*p = large(i);
	return true;
}

static void
give(void *arg, void *const *buf, uint32_t n)
{
	for (uint32_t k = 0; k < n; k++) {
		uint8_t(*at)[NFV_FRAME_MAX] = buf[k];

		if (at < room || at >= room + LARGES) {
			give_small(arg, &buf[k], 1);
			continue;
		}
		assert_true(taken[at - room]);
		taken[at - room] = false;
	}
}

static void
begin(const struct nfv_stage_ops *ops, const char *mode)
{
	r = iso_rig(ops, mode);
	give_small = r->conf.pool.give;
	r->conf.pool.give = give;
	r->conf.pool.take_large = take_large;
	r->conf.progress_ms = 1000;
	back_n = wrong = origin_n = 0;
	scarce = false;
	iso_rig_up(r);
}

static void
end(void)
{
	iso_rig_end(r);
	for (uint32_t i = 0; i < LARGES; i++)
		assert_false(taken[i]);
}

static uint8_t
pattern(uint32_t i)
{
	return (uint8_t)(i * 7 + i / 256);
}

static bool
send_large(enum ask ask, uint32_t payload)
{
	const uint8_t src[4] = { 10, 1, 0, 2 }, dst[4] = { 10, 2, 0, 2 };
	struct nfv_burst b = { .dir = NFV_OUTWARD, .tsc = nfv_tsc(), .n = 1 };
	uint8_t *data;

	if (!take_large(NULL, &b.pkt[0]))
		return false;
	memset(b.pkt[0].data, 0, NFV_ETH_LEN);
	b.pkt[0].data[12] = 8;
	nfv_pkt_ip_header(&b.pkt[0], 4, src, dst, NFV_PROTO_UDP, NFV_UDP_LEN + payload);
	*(struct nfv_udp *)nfv_pkt_l4(&b.pkt[0]) = (struct nfv_udp){ htobe16(1000), htobe16(2000),
		htobe16((uint16_t)(NFV_UDP_LEN + payload)), 0 };
	data = (uint8_t *)nfv_pkt_l4(&b.pkt[0]) + NFV_UDP_LEN;
	for (uint32_t i = 0; i < payload; i++)
		data[i] = pattern(i);
	data[0] = (uint8_t)ask;
	assert_int_equal(nfv_pkt_parse(&b.pkt[0]), NFV_PARSE_OK);
	nfv_isolated_process(r->iso, &b);
	r->sent++;
	return true;
}

/* Of what comes back every byte is looked at. */
static void
look(const struct nfv_pkt *p, uint16_t sport, const char *first, uint32_t n_first)
{
	const struct nfv_udp *u = nfv_pkt_l4(p);
	const uint8_t *data = (const uint8_t *)(u + 1);
	uint32_t n = be16toh(u->be_len) - (uint32_t)sizeof(*u);

	wrong += be16toh(u->be_sport) != sport || p->data + p->len != data + n ||
		memcmp(data, first, n_first) != 0;
	for (uint32_t i = n_first > 2 ? n_first : 2; i < n; i++)
		wrong += data[i] != pattern(i);
}

static void
collect(uint16_t sport)
{
	struct nfv_burst back[2], origin[2];

	if (nfv_isolated_collect(r->iso, back, origin) == 0)
		nfv_isolated_control(r->iso, 1);
	for (uint16_t i = 0; i < back[0].n; i++, back_n++) {
		if (back[0].pkt[i].verdict == NFV_KEEP)
			look(&back[0].pkt[i], sport, "k", 1);
		give(r, &back[0].pkt[i].buf, 1);
	}
	for (uint16_t i = 0; i < origin[1].n; i++, origin_n++) {
		assert_int_equal(nfv_pkt_parse_ip(&origin[1].pkt[i]), NFV_PARSE_OK);
		assert_true(nfv_csum_l4_ok(&origin[1].pkt[i]));
		look(&origin[1].pkt[i], 1000, "answer", 6);
		give(r, &origin[1].pkt[i].buf, 1);
	}
}

static const uint32_t size[] = { 1473, 2048, 5000, 16384, 65000, 1990, NFV_FRAME_MAX - 42 };
#define SIZES (sizeof(size) / sizeof(size[0]))

static void
there_and_back(const struct nfv_stage_ops *ops, uint16_t sport)
{
	begin(ops, "stage");
	for (uint32_t n = 0; n < 40;) {
		n += send_large(ASK_KEEP, size[n % SIZES]);
		collect(sport);
	}
	while (r->stats->returned + r->stats->full < r->sent)
		collect(sport);
	assert_int_equal(r->stats->foreign, 0);
	assert_true(back_n >= NFV_LARGE_MAX);
	assert_int_equal(wrong, 0);
	/* And small ones beside them. */
	iso_rig_send(r, ASK_KEEP, 10, NFV_INWARD);
	iso_rig_settle(r);
	end();
}

static void
one_that_reads(void **state)
{
	(void)state;
	there_and_back(&stage_look, 1000);
}

static void
one_that_writes(void **state)
{
	(void)state;
	there_and_back(&stage_mirror, 2000);
}

static void
originated(void **state)
{
	(void)state;
	begin(&stage_mirror, "stage");
	for (uint32_t n = 0; n < 40; n++) {
		assert_true(send_large(ASK_ANSWER, size[n % SIZES]));
		while (back_n <= n)
			collect(2000);
	}
	assert_int_equal(origin_n, 40);
	assert_true(send_large(ASK_ANSWER, 5000));
	scarce = true;
	while (back_n <= 40)
		collect(2000);
	assert_int_equal(origin_n, 40);
	assert_int_equal(r->stats->no_buffer, 1);
	scarce = false;
	assert_int_equal(wrong, 0);
	end();
}

/* More at once than there are rooms. */
static void
too_many(void **state)
{
	(void)state;
	begin(&stage_look, "hoard");
	for (uint32_t n = 0; n < NFV_LARGE_MAX + 2; n++)
		assert_true(send_large(ASK_KEEP, 3000));
	assert_int_equal(r->stats->full, 2);
	while (r->stats->ends[NFV_END_PROGRESS] == 0 || r->stats->swept < NFV_LARGE_MAX)
		collect(1000);
	end();
}

/* Whoever is ended for it, one that is honest passes packets again. */
static void
outside(const struct nfv_stage_ops *ops, const char *mode, enum nfv_end why)
{
	begin(ops, mode);
	while (r->stats->ends[why] < 3) {
		send_large(ASK_KEEP, 5000);
		collect(1000);
	}
	end();
}

static void
nonsense_ends_it(void **state)
{
	(void)state;
	outside(&stage_mirror, "wild-offset", NFV_END_BOUNDS);
	outside(&stage_mirror, "no-length", NFV_END_BOUNDS);
	outside(&stage_mirror, "wild-verdict", NFV_END_VERDICT);
	outside(&stage_look, "moved", NFV_END_BOUNDS);
	outside(&stage_mirror, "wild-room", NFV_END_BOUNDS);
	outside(&stage_look, "false-room", NFV_END_BOUNDS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_reads),
		cmocka_unit_test(one_that_writes),
		cmocka_unit_test(originated),
		cmocka_unit_test(too_many),
		cmocka_unit_test(nonsense_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
