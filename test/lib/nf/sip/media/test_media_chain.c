/*
 * Media through a whole chain: `firewall, nat` and a stage that has the relay in it, between two hosts.
 * The firewall lets nothing in or out but what a call has announced.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "config.h"
#include "eal.h"
#include "media.h"
#include "rig.h"

#define PHONE 4000 /* at HOST_IN */
#define PEER  5000 /* at HOST_OUT */

static const char yaml[] =
	"ports:\n"
	"  - {name: inside, device: net_null0, addresses: [10.1.0.1/24]}\n"
	"  - {name: outside, device: net_null1, addresses: [10.2.0.1/24]}\n"
	"workers: [{name: w0, lcore: 1}]\n"
	"chains:\n"
	"  - {name: edge, worker: w0, inside: inside, outside: outside, stages: [firewall, nat]}\n"
	"firewall: {rules: media.rules}\n"
	"nat: {addresses: [10.2.0.1], ports: 40000-40063}\n";

static struct config config;

/* The stage, and what the test sees of it. */
static struct {
	bool relayed; /* with a relay; set before the chain comes up */
	struct sip_relay *relay;
	struct sip_media *media;
	struct nfv_pages relay_pages, media_pages;
} stage;

static int
media_init(void *state, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	struct sip_relay_conf rc = {
		.lo = 20000, .hi = 20031, .streams = 8, .seed = 3, .tsc_hz = ctx->tsc_hz
	};
	struct sip_media_conf mc = { .calls = 8, .setup = 180, .idle = 60, .max = 3600 };

	(void)state;
	if (stage.relayed) {
		stage.relay_pages = nfv_pages_alloc(sip_relay_pages(&rc));
		assert_int_equal(sip_relay_create(&rc, &stage.relay_pages, &stage.relay, err), 0);
	}
	assert_non_null(ctx->pinholes);
	mc.pinholes = ctx->pinholes;
	mc.relay = stage.relay;
	stage.media_pages = nfv_pages_alloc(sip_media_pages(&mc));
	return sip_media_create(&mc, ctx, &stage.media_pages, rte_rdtsc(), &stage.media, err);
}

static void
media_process(void *state, struct nfv_burst *b, struct nfv_out *out)
{
	(void)state;
	for (uint16_t i = 0; stage.relay != NULL && i < b->n; i++)
		sip_relay(stage.relay, &b->pkt[i], b->dir, b->tsc, out);
}

static void
media_fini(void *state)
{
	(void)state;
	sip_media_destroy(stage.media);
	sip_relay_destroy(stage.relay);
	stage.media = NULL;
	stage.relay = NULL;
	nfv_pages_free(&stage.media_pages);
	nfv_pages_free(&stage.relay_pages);
}

static const char *const drops[] = { SIP_RELAY_DROP_NAMES(0), NULL };

static const struct nfv_stage_ops media_ops = {
	.name = "media",
	.access = NFV_WRITES,
	.ends_flows = true,
	.pinholes = true,
	.drops = drops,
	.init = media_init,
	.process = media_process,
	.fini = media_fini,
};

static struct rig *
bring_up(bool nat, bool relay)
{
	struct nfv_stage_use use[3];
	struct rig_conf conf = { .stage = use };
	const char *const name[] = { "firewall", nat ? "nat" : NULL };

	for (int i = 0; i < 2; i++) {
		const struct nfv_stage_ops *ops = name[i] != NULL ? nfv_stage_find(name[i]) : NULL;

		if (ops != NULL)
			use[conf.n_stages++] = (struct nfv_stage_use){ .ops = ops,
				.conf = config_section(&config, ops) };
	}
	use[conf.n_stages++] = (struct nfv_stage_use){ .ops = &media_ops };
	stage.relayed = relay;
	return rig_open(&conf);
}

static struct sip_media_leg
leg(const char *peer, const char *own, enum nfv_dir dir)
{
	struct sip_media_leg l = { .dir = dir };

	nfv_addr_parse(nfv_sv_str(peer), &l.peer);
	nfv_addr_parse(nfv_sv_str(own), &l.own);
	return l;
}

/* A message of the call, from inside or outside; returns the port in its SDP as it is sent on. */
static uint16_t
say(bool outward, const char *signalling, const char *first, const char *to, const char *cseq,
	const char *host, unsigned int port)
{
	struct sip_media_leg in = leg(signalling, PORT_IN, NFV_INWARD);
	struct sip_media_leg out = leg(HOST_OUT, PORT_OUT, NFV_OUTWARD);
	char text[1024], sent[1024], room[512], sdp[256] = "";
	struct nfv_sip_writer ins = nfv_sip_writer(room, sizeof(room));
	struct nfv_sip_writer w = nfv_sip_writer(sent, sizeof(sent));
	static struct nfv_sip_msg msg;
	struct nfv_sip_edits edits = { .n = 0 };
	struct nfv_sip_core core;
	struct nfv_sdp d;
	const char *why;
	struct sip_media_in m = { &msg, &core, outward ? in : out, outward ? out : in,
		rte_rdtsc() };
	int n;

	if (host != NULL)
		snprintf(sdp, sizeof(sdp),
			"v=0\r\nc=IN IP4 %s\r\nm=audio %u RTP/AVP 0\r\na=rtcp-mux\r\n", host, port);
	n = snprintf(text, sizeof(text),
		"%s\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nMax-Forwards: 9\r\n"
		"From: <sip:a@h>;tag=a\r\nTo: <sip:b@h>%s\r\nCall-ID: c\r\nCSeq: %s\r\n"
		"Content-Type: application/sdp\r\nContent-Length: %zu\r\n\r\n%s",
		first, to, cseq, strlen(sdp), sdp);
	assert_int_equal(nfv_sip_parse(&msg, text, (size_t)n), NFV_SIP_MESSAGE_OK);
	assert_int_equal(nfv_sip_validate(&msg, &core, &why), 0);
	assert_int_equal(sip_media(stage.media, &m, &edits, &ins), 0);
	nfv_sip_edit_apply(&edits, &msg, msg.body, msg.n, &w);
	if (nfv_sdp_parse(nfv_sip_written(&w, 0), &d) < 0)
		return 0;
	return d.media[0].port;
}

/* Ann calls; ports: of the relay towards either, or their own. */
static void
set_up(const char *signalling, uint16_t *towards_peer, uint16_t *towards_phone)
{
	*towards_peer =
		say(true, signalling, "INVITE sip:b@h SIP/2.0", "", "1 INVITE", HOST_IN, PHONE);
	*towards_phone =
		say(false, signalling, "SIP/2.0 200 OK", ";tag=b", "1 INVITE", HOST_OUT, PEER);
}

static void
tear_down(const char *signalling)
{
	say(true, signalling, "BYE sip:b@h SIP/2.0", ";tag=b", "2 BYE", NULL, 0);
	say(false, signalling, "SIP/2.0 200 OK", ";tag=b", "2 BYE", NULL, 0);
}

static void
send_rtp(struct rig *r, int side, uint16_t sport, const char *dst, uint16_t dport)
{
	static const uint8_t rtp[20] = { 0x80 };
	struct mk m;
	struct nfv_pkt p = mk_udp(
		&m, side == INSIDE ? HOST_IN : HOST_OUT, sport, dst, dport, rtp, sizeof(rtp));

	rig_forget(r);
	rig_send(r, side, &p);
	rig_run(r);
}

static void
got(struct rig *r, int side, const char *src, uint16_t sport, uint16_t dport)
{
	char text[INET_ADDRSTRLEN];
	struct nfv_udp *udp;
	struct nfv_pkt p;

	assert_int_equal(r->n_got[side], 1);
	assert_int_equal(r->n_got[!side], 0);
	p = rig_got(r, side, 0);
	udp = nfv_pkt_l4(&p);
	assert_true(nfv_csum_l4_ok(&p));
	inet_ntop(AF_INET, &nfv_pkt_ip4(&p)->be_src, text, sizeof(text));
	assert_string_equal(text, src);
	inet_ntop(AF_INET, &nfv_pkt_ip4(&p)->be_dst, text, sizeof(text));
	assert_string_equal(text, side == INSIDE ? HOST_IN : HOST_OUT);
	assert_int_equal(be16toh(udp->be_sport), sport);
	assert_int_equal(be16toh(udp->be_dport), dport);
}

static void
got_nothing(struct rig *r)
{
	assert_int_equal(r->n_got[INSIDE] + r->n_got[OUTSIDE], 0);
}

static uint64_t
firewall_drops(const struct rig *r, const char *why)
{
	const struct nfv_stage_ops *ops = nfv_stage_find("firewall");
	unsigned int i = 0;

	while (strcmp(ops->drops[i], why) != 0)
		i++;
	return r->stats->stage[0].drop[i];
}

/* Without a NAT: the two talk to each other, as long as the call lasts. */
static void
straight(void **state)
{
	struct rig *r = bring_up(false, false);
	uint16_t peer, phone;

	(void)state;
	send_rtp(r, OUTSIDE, PEER, HOST_IN, PHONE);
	got_nothing(r);
	set_up(HOST_IN, &peer, &phone);
	assert_int_equal(peer, PHONE);
	assert_int_equal(phone, PEER);
	for (int i = 0; i < 3; i++) {
		send_rtp(r, OUTSIDE, PEER, HOST_IN, PHONE);
		got(r, INSIDE, HOST_OUT, PEER, PHONE);
		send_rtp(r, INSIDE, PHONE, HOST_OUT, PEER);
		got(r, OUTSIDE, HOST_IN, PHONE, PEER);
	}
	send_rtp(r, OUTSIDE, PEER, HOST_IN, PHONE + 1); /* multiplexed: not this one */
	got_nothing(r);
	tear_down(HOST_IN);
	send_rtp(r, OUTSIDE, PEER, HOST_IN, PHONE);
	got_nothing(r);
	send_rtp(r, INSIDE, PHONE, HOST_OUT, PEER);
	got_nothing(r);
	assert_int_equal(firewall_drops(r, "pinhole-closed"), 2);
	assert_int_equal(firewall_drops(r, "default"), 2);
	/* The next call with the same ports. */
	set_up(HOST_IN, &peer, &phone);
	send_rtp(r, INSIDE, PHONE, HOST_OUT, PEER);
	got(r, OUTSIDE, HOST_IN, PHONE, PEER);
	rig_close(r);
}

/* With one: the phone's signalling comes from the NAT's address, its SDP has its own. */
static void
by_nat_and_relay(void **state)
{
	struct rig *r = bring_up(true, true);
	uint16_t peer, phone;

	(void)state;
	set_up(PORT_OUT, &peer, &phone);
	assert_in_range(peer, 20000, 20030);
	assert_in_range(phone, 20000, 20030);
	for (int i = 0; i < 3; i++) {
		send_rtp(r, INSIDE, PHONE, PORT_IN, phone);
		got(r, OUTSIDE, PORT_OUT, peer, PEER);
		send_rtp(r, OUTSIDE, PEER, PORT_OUT, peer);
		got(r, INSIDE, PORT_IN, phone, PHONE);
	}
	tear_down(PORT_OUT);
	send_rtp(r, INSIDE, PHONE, PORT_IN, phone);
	got_nothing(r);
	assert_int_equal(firewall_drops(r, "pinhole-closed"), 1);
	send_rtp(r, OUTSIDE, PEER, PORT_OUT, peer);
	got_nothing(r);
	rig_close(r);
}

/* The other end speaks first, when the NAT knows nothing of the phone's media yet. */
static void
the_peer_speaks_first(void **state)
{
	struct rig *r = bring_up(true, true);
	uint16_t peer, phone;

	(void)state;
	set_up(PORT_OUT, &peer, &phone);
	send_rtp(r, OUTSIDE, PEER, PORT_OUT, peer);
	got(r, INSIDE, PORT_IN, phone, PHONE);
	for (int i = 0; i < 3; i++) {
		send_rtp(r, INSIDE, PHONE, PORT_IN, phone);
		got(r, OUTSIDE, PORT_OUT, peer, PEER);
		send_rtp(r, OUTSIDE, PEER, PORT_OUT, peer);
		got(r, INSIDE, PORT_IN, phone, PHONE);
	}
	tear_down(PORT_OUT);
	send_rtp(r, OUTSIDE, PEER, PORT_OUT, peer);
	got_nothing(r);
	rig_close(r);
}

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
		abort();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(straight),
		cmocka_unit_test(by_nat_and_relay),
		cmocka_unit_test(the_peer_speaks_first),
	};
	char dir[] = "/tmp/test_media.XXXXXX", conf[64], rules[64];
	struct nfv_err err;
	int rc;

	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(conf, sizeof(conf), "%s/media.yaml", dir);
	snprintf(rules, sizeof(rules), "%s/media.rules", dir);
	write_file(conf, yaml);
	write_file(rules, "default drop\n");
	test_eal("256");
	rc = config_load(conf, &config, &err);
	if (rc < 0)
		fprintf(stderr, "%s\n", err.text);
	else
		rc = cmocka_run_group_tests(tests, NULL, NULL);
	if (rc >= 0)
		config_free(&config);
	unlink(conf);
	unlink(rules);
	rmdir(dir);
	return rc != 0;
}
