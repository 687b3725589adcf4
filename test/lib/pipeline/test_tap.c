/* Captures: what is written, what the filter keeps, what it costs and how it ends. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pcap/pcap.h>

#include "eal.h"
#include "nfv_tap.h"
#include "probe.h"

static char path[64];

static int
setup(void **state)
{
	(void)state;
	probe_reset();
	snprintf(path, sizeof(path), "/tmp/test_tap.%d.pcapng", (int)getpid());
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

static struct nfv_tap *
open_tap(const struct rig *r, int side, const char *filter, uint16_t snaplen)
{
	struct nfv_tap_conf conf = { .file = path,
		.filter = filter,
		.comment = "edge:0",
		.port = r->port[side],
		.snaplen = snaplen,
		.socket = SOCKET_ID_ANY };
	struct nfv_tap *tap = NULL;
	struct nfv_err err = { "" };

	if (nfv_tap_open(&conf, &tap, &err) < 0)
		fail_msg("%s", err.text);
	return tap;
}

static void
send_udp(struct rig *r, int side, uint16_t dport, uint16_t payload)
{
	static uint8_t data[1400];
	struct mk m;
	struct nfv_pkt p = mk_udp(&m, side == INSIDE ? HOST_IN : HOST_OUT, 1000,
		side == INSIDE ? HOST_OUT : HOST_IN, dport, data, payload);

	rig_send(r, side, &p);
}

struct read {
	unsigned int n;
	struct {
		uint32_t caplen, len;
		uint8_t bytes[64];
	} pkt[64];
};

/* Read the file back with libpcap, which knows nothing of who wrote it. */
static void
read_back(struct read *out)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *f = pcap_open_offline(path, why);
	struct pcap_pkthdr *h;
	const u_char *bytes;
	int rc;

	memset(out, 0, sizeof(*out));
	if (f == NULL)
		fail_msg("%s", why);
	assert_int_equal(pcap_datalink(f), DLT_EN10MB);
	while ((rc = pcap_next_ex(f, &h, &bytes)) == 1) {
		assert_in_range(out->n, 0, 63);
		out->pkt[out->n].caplen = h->caplen;
		out->pkt[out->n].len = h->len;
		memcpy(out->pkt[out->n++].bytes, bytes, h->caplen < 64 ? h->caplen : 64);
	}
	assert_int_equal(rc, PCAP_ERROR_BREAK);
	pcap_close(f);
}

static void
ports_are_tapped_both_ways(void **state)
{
	struct rig *r = probe_rig(1, (struct rig_conf){ 0 });
	struct nfv_tap *tap = open_tap(r, OUTSIDE, NULL, 2048);
	struct read file;

	(void)state;
	send_udp(r, INSIDE, 7, 10); /* neighbours get to know each other untapped */
	send_udp(r, OUTSIDE, 7, 10);
	rig_run(r);
	rig_forget(r);
	nfv_chain_tap_port(r->chain, OUTSIDE, tap);
	send_udp(r, INSIDE, 2000, 100);
	rig_run(r);
	send_udp(r, OUTSIDE, 3000, 0);
	rig_run(r);
	nfv_chain_tap_port(r->chain, OUTSIDE, NULL);
	send_udp(r, INSIDE, 2000, 100);
	rig_run(r);
	assert_int_equal(nfv_tap_stats(tap).matched, 2);
	nfv_tap_close(tap);
	read_back(&file);
	assert_int_equal(file.n, 2);
	/* As sent: with the addresses of the link it left by. */
	assert_int_equal(file.pkt[0].len, r->got[OUTSIDE][0].len);
	assert_memory_equal(file.pkt[0].bytes, r->got[OUTSIDE][0].bytes, 64);
	assert_memory_equal(file.pkt[1].bytes + 6, rig_host_mac[OUTSIDE], 6);
	assert_int_equal(file.pkt[1].len, NFV_ETH_LEN + NFV_IP4_LEN + NFV_UDP_LEN);
	rig_close(r);
}

static void
seams_are_tapped(void **state)
{
	/* What is dropped at stage 1 is seen at seams 0 and 1 on its way out, 2 on its way in. */
	static const unsigned int want[] = { 1, 1, 1 };

	(void)state;
	for (uint32_t seam = 0; seam <= 2; seam++) {
		struct rig *r = probe_rig(2, (struct rig_conf){ 0 });
		struct nfv_tap *tap = open_tap(r, INSIDE, "", 2048);
		struct read file;

		probe[1].act = probe_drop;
		probe[1].arg = NFV_DROP(0);
		nfv_chain_tap_seam(r->chain, seam, tap);
		send_udp(r, INSIDE, 2000, 10);
		rig_run(r);
		if (seam == 2) {
			send_udp(r, OUTSIDE, 2000, 10);
			rig_run(r);
		}
		nfv_chain_tap_seam(r->chain, seam, NULL);
		nfv_tap_close(tap);
		read_back(&file);
		assert_int_equal(file.n, want[seam]);
		rig_close(r);
	}
}

/* Originated packets have no addresses yet, but the type by which filters know them. */
static void
originated_packets_are_seen(void **state)
{
	struct rig *r = probe_rig(2, (struct rig_conf){ 0 });
	struct nfv_tap *tap = open_tap(r, INSIDE, "udp", 2048);
	struct read file;

	(void)state;
	probe[1].act = probe_answer;
	nfv_chain_tap_seam(r->chain, 1, tap);
	send_udp(r, INSIDE, 2000, 10);
	rig_run(r);
	nfv_chain_tap_seam(r->chain, 1, NULL);
	nfv_tap_close(tap);
	read_back(&file);
	assert_int_equal(file.n, 2);
	assert_int_equal(file.pkt[1].bytes[12] << 8 | file.pkt[1].bytes[13], NFV_ETH_IP4);
	rig_close(r);
}

static void
filters_and_cuts(void **state)
{
	struct rig *r = probe_rig(1, (struct rig_conf){ 0 });
	struct nfv_tap *tap = open_tap(r, INSIDE, "udp dst port 2001 or udp dst port 2003", 64);
	struct nfv_tap_stats s;
	struct read file;

	(void)state;
	nfv_chain_tap_seam(r->chain, 0, tap);
	for (uint16_t i = 0; i < 5; i++)
		send_udp(r, INSIDE, (uint16_t)(2000 + i), 1000);
	rig_run(r);
	nfv_chain_tap_seam(r->chain, 0, NULL);
	assert_int_equal(nfv_tap_drain(tap), 0);
	s = nfv_tap_stats(tap);
	assert_int_equal(s.matched, 2);
	assert_int_equal(s.written, 2);
	assert_int_equal(s.lost, 0);
	nfv_tap_close(tap);
	read_back(&file);
	assert_int_equal(file.n, 2);
	assert_int_equal(file.pkt[0].caplen, 64);
	assert_int_equal(file.pkt[0].len, NFV_ETH_LEN + NFV_IP4_LEN + NFV_UDP_LEN + 1000);
	/* What was cut in the file goes out whole. */
	assert_int_equal(r->n_got[OUTSIDE], 5);
	assert_int_equal(rig_got(r, OUTSIDE, 1).len, file.pkt[0].len);
	rig_close(r);
}

/* Jumbo: as much as a capture may be told to keep, and more. */
static void
any_length_may_be_kept(void **state)
{
	static const uint16_t snaplen[] = { 64, 65, 9216, UINT16_MAX };
	struct rig *r = probe_rig(1, (struct rig_conf){ 0 });

	(void)state;
	for (size_t i = 0; i < sizeof(snaplen) / sizeof(snaplen[0]); i++) {
		struct nfv_tap_conf conf = { .file = path,
			.port = r->port[INSIDE],
			.snaplen = snaplen[i],
			.socket = SOCKET_ID_ANY };
		struct nfv_tap *tap;
		struct nfv_err err = { "" };
		struct read file;
		uint32_t len = NFV_ETH_LEN + NFV_IP4_LEN + NFV_UDP_LEN + 1333;
		int rc = nfv_tap_open(&conf, &tap, &err);

		if (rc < 0) { /* not that much memory here: said, and nothing left behind */
			assert_int_equal(rc, -ENOMEM);
			assert_non_null(strstr(err.text, "memory"));
			continue;
		}
		nfv_chain_tap_seam(r->chain, 0, tap);
		send_udp(r, INSIDE, 2000, 1333);
		rig_run(r);
		nfv_chain_tap_seam(r->chain, 0, NULL);
		nfv_tap_close(tap);
		read_back(&file);
		assert_int_equal(file.n, 1);
		assert_int_equal(file.pkt[0].len, len);
		assert_int_equal(file.pkt[0].caplen, len < snaplen[i] ? len : snaplen[i]);
	}
	rig_close(r);
}

static void
a_slow_writer_loses_and_says_so(void **state)
{
	enum { SENT = 3000 };
	struct rig *r = probe_rig(1, (struct rig_conf){ 0 });
	struct nfv_tap *tap = open_tap(r, INSIDE, NULL, 64);
	struct nfv_tap_stats s;

	(void)state;
	nfv_chain_tap_seam(r->chain, 0, tap);
	for (int i = 0; i < SENT; i++) {
		send_udp(r, INSIDE, 2000, 10);
		if (i % 32 == 31) {
			rig_run(r);
			rig_forget(r);
		}
	}
	rig_run(r);
	nfv_chain_tap_seam(r->chain, 0, NULL);
	nfv_tap_drain(tap);
	s = nfv_tap_stats(tap);
	assert_int_equal(s.matched, SENT);
	assert_true(s.lost > 0);
	assert_int_equal(s.written + s.lost, SENT);
	assert_int_equal(r->stats->stage[0].packets, SENT);
	nfv_tap_close(tap);
	rig_close(r);
}

static void
a_full_disk_is_told(void **state)
{
	struct rig *r = probe_rig(1, (struct rig_conf){ 0 });
	struct nfv_tap_conf conf = {
		.file = "/dev/full", .port = r->port[INSIDE], .snaplen = 64, .socket = SOCKET_ID_ANY
	};
	struct nfv_tap *tap = NULL;
	struct nfv_err err = { "" };

	(void)state;
	if (nfv_tap_open(&conf, &tap, &err) < 0) {
		assert_non_null(strstr(err.text, "/dev/full"));
		assert_null(tap);
	} else {
		nfv_chain_tap_seam(r->chain, 0, tap);
		send_udp(r, INSIDE, 2000, 10);
		rig_run(r);
		nfv_chain_tap_seam(r->chain, 0, NULL);
		assert_int_equal(nfv_tap_drain(tap), -EIO);
		assert_int_equal(nfv_tap_stats(tap).lost, 1);
		nfv_tap_close(tap);
	}
	rig_close(r);
}

static void
what_cannot_be_captured_is_refused(void **state)
{
	static const struct {
		const char *file, *filter, *word;
	} row[] = {
		{ "/nowhere/at/all.pcapng", "", "/nowhere/at/all.pcapng" },
		{ "/tmp", "", "/tmp" },
		{ path, "udp and and", "udp and and" },
		{ path, "prot 5060", "prot 5060" },
	};
	struct rig *r = probe_rig(0, (struct rig_conf){ 0 });

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct nfv_tap_conf conf = { .file = row[i].file,
			.filter = row[i].filter,
			.port = r->port[0],
			.snaplen = 2048,
			.socket = SOCKET_ID_ANY };
		struct nfv_tap *tap = (struct nfv_tap *)&conf;
		struct nfv_err err = { "" };

		assert_true(nfv_tap_open(&conf, &tap, &err) < 0);
		assert_ptr_equal(tap, &conf);
		assert_non_null(strstr(err.text, row[i].word));
		/* A filter that is wrong leaves no file. */
		assert_int_not_equal(access(path, F_OK), 0);
	}
	nfv_tap_close(NULL);
	rig_close(r);
}

static void
filters_are_checked(void **state)
{
	struct nfv_err err = { "" };

	(void)state;
	assert_int_equal(nfv_tap_check_filter("udp port 5060 or icmp", &err), 0);
	assert_int_equal(nfv_tap_check_filter("", &err), 0);
	assert_int_equal(nfv_tap_check_filter("udp port 99999", &err), -EINVAL);
	assert_non_null(strstr(err.text, "99999"));
}

/* Thousands of captures one after the other leave nothing behind. */
static void
captures_come_and_go(void **state)
{
	struct rig *r = probe_rig(1, (struct rig_conf){ 0 });

	(void)state;
	for (int i = 0; i < 100; i++) {
		struct nfv_tap *tap = open_tap(r, INSIDE, i % 2 ? "udp" : NULL, 128);

		nfv_chain_tap_seam(r->chain, 0, tap);
		send_udp(r, INSIDE, 2000, 10);
		rig_run(r);
		rig_forget(r);
		nfv_chain_tap_seam(r->chain, 0, NULL);
		nfv_tap_close(tap);
	}
	rig_close(r);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ports_are_tapped_both_ways),
		TEST(seams_are_tapped),
		TEST(originated_packets_are_seen),
		TEST(filters_and_cuts),
		TEST(any_length_may_be_kept),
		TEST(a_slow_writer_loses_and_says_so),
		TEST(a_full_disk_is_told),
		TEST(what_cannot_be_captured_is_refused),
		TEST(filters_are_checked),
		TEST(captures_come_and_go),
	};

	test_eal("512");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
