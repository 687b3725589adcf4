/**
 * @file
 * Any frame from either side, through what makes the ports hosts and out again.
 *
 * Input: a byte whose bit 0 is the port it comes in by, bit 1 whether it comes out as a packet of
 * our own, bit 2 whether the neighbours are known before, bits 3…5 seconds that pass afterwards, where 7
 * stands for 70 and for several frames, each with its length in two bytes before it; then the frame, or
 * frames. Their MAC addresses are put right if bit 6 is set, its checksums if bit 7 is, since a
 * fuzzer guesses those last. What several fragments make whole goes the same way.
 *
 * Seeds: this byte in front of frames of any capture of ARP, neighbour discovery, pings and UDP over
 * both families will do; 10.0.0.1 and fd00::1 are port 0, 192.0.2.1 and fd01::1 are port 1.
 *
 * Besides the sanitizers' own findings: buffers have exactly the room they claim, verdicts exist,
 * and what is written is a whole IP or ARP frame no longer than the MTU.
 */
#include <stdlib.h>

#include "eal.h"
#include "mkpkt.h"
#include "nfv_l3.h"

#define HZ       1000000ull
#define ROOM     64
#define FRAME    2048
#define HEADROOM 128
#define MTU      1500
#define PLACES   4

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t mac[2][6] = { { 2, 0, 0, 0, 0, 0x10 }, { 2, 0, 0, 0, 0, 0x11 } };
static const uint8_t friend[2][6] = { { 2, 0, 0, 0, 0, 2 }, { 2, 0, 0, 0, 0, 0xfe } };
static struct nfv_l3 *l3;
static uint64_t now = HZ;
static uint8_t *memory[2 * ROOM + 1], *large;

static void
check(bool ok)
{
	if (!ok)
		abort();
}

static struct nfv_prefix
prefix(const char *text)
{
	struct nfv_prefix p;

	check(nfv_prefix_parse(nfv_sv_str(text), &p) == 0);
	return p;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct nfv_prefix addr[2][2] = { { prefix("10.0.0.1/24"), prefix("fd00::1/64") },
		{ prefix("192.0.2.1/24"), prefix("fd01::1/64") } };
	struct nfv_l3_route route[2] = {
		{ prefix("0.0.0.0/0"), prefix("192.0.2.254").addr, 1 },
		{ prefix("::/0"), prefix("fd01::fe").addr, 1 },
	};
	struct nfv_l3_conf conf = { .port = { { .mtu = MTU, .addr = addr[0], .n_addr = 2 },
					    { .mtu = MTU, .addr = addr[1], .n_addr = 2 } },
		.route = route,
		.n_route = 2,
		.neighbours = 4,
		.icmp_rate = 1000000,
		.reassembly = PLACES,
		.tsc_hz = HZ,
		.socket = -1 };

	(void)argc;
	(void)argv;
	test_eal("128");
	for (int i = 0; i < 2; i++)
		memcpy(conf.port[i].mac, mac[i], 6);
	check(nfv_l3_create(&conf, &l3, NULL) == 0);
	for (int i = 0; i < 2 * ROOM + 1; i++)
		memory[i] = malloc(HEADROOM + FRAME);
	large = malloc(NFV_FRAME_MAX);
	return 0;
}

static void
arm(struct nfv_out *out, int first)
{
	*out = (struct nfv_out){ .room = ROOM };
	for (int i = 0; i < ROOM; i++)
		out->pkt[i] = (struct nfv_pkt){ .data = memory[first + i] + HEADROOM,
			.len = NFV_ETH_LEN,
			.l3 = NFV_ETH_LEN,
			.headroom = HEADROOM,
			.tailroom = FRAME - NFV_ETH_LEN };
}

static void
check_out(struct nfv_out *out, bool frames)
{
	check(out->n <= out->room);
	for (int i = 0; i < out->n; i++) {
		struct nfv_pkt *p = &out->pkt[i];

		check(p->len + p->tailroom == FRAME && p->len <= NFV_ETH_LEN + MTU);
		check((frames ? nfv_pkt_parse(p) : nfv_pkt_parse_ip(p)) == NFV_PARSE_OK);
	}
}

static void
arp_from(uint8_t port, const char *spa, const char *tpa, struct nfv_out *wire)
{
	struct nfv_addr from = prefix(spa).addr, to = prefix(tpa).addr;
	uint8_t f[42] = { [12] = 8, 6, 0, 1, 8, 0, 6, 4, 0, 1 };
	struct nfv_burst b = { .tsc = now, .n = 1, .dir = port ? NFV_INWARD : NFV_OUTWARD };

	memcpy(f, mac[port], 6);
	memcpy(f + 6, friend[port], 6);
	memcpy(f + 22, friend[port], 6);
	memcpy(f + 28, from.b, 4);
	memcpy(f + 38, to.b, 4);
	b.pkt[0] = (struct nfv_pkt){ .data = f, .len = sizeof(f) };
	nfv_l3_input(l3, &b, wire);
	check(b.pkt[0].verdict == NFV_CONSUMED);
}

/* The sums a sender would have made. */
static void
put_sums_right(struct nfv_pkt p)
{
	if (p.len < NFV_ETH_LEN + NFV_IP4_LEN)
		return;
	p.l3 = NFV_ETH_LEN;
	if (p.data[12] == 8 && p.data[13] == 0 && nfv_ip4_hlen(nfv_pkt_ip4(&p)) <= p.len - 14u)
		nfv_csum_ip4_set(nfv_pkt_ip4(&p));
	if (nfv_pkt_parse(&p) == NFV_PARSE_OK && p.family != 0 && !(p.flags & NFV_PKT_FRAGMENT))
		nfv_csum_l4_set(&p);
}

/* What came in and is to be kept goes out again. */
static void
turn_around(struct nfv_burst *b, unsigned int how, struct nfv_out *wire, struct nfv_out *back)
{
	check(b->pkt[0].verdict < NFV_DROP(NFV_L3_REASONS));
	check_out(wire, true);
	arm(wire, 0);
	if (b->pkt[0].verdict != NFV_KEEP)
		return;
	if (how & 2)
		b->pkt[0].flags |= NFV_PKT_OWN;
	nfv_l3_output(l3, b, wire, back);
	check(b->pkt[0].verdict < NFV_DROP(NFV_L3_REASONS));
	check_out(wire, true);
	check_out(back, false);
}

static void
one_frame(const uint8_t *data, size_t size, unsigned int how, struct nfv_out *wire,
	struct nfv_out *back)
{
	/* At the very end of its buffer, so that reading on is noticed. */
	uint8_t *buf = memory[2 * ROOM] + HEADROOM + FRAME - size, port = how & 1;
	struct nfv_burst b = { .tsc = now, .n = 1, .dir = port ? NFV_INWARD : NFV_OUTWARD };
	unsigned int whole;

	memcpy(buf, data, size);
	b.pkt[0] = (struct nfv_pkt){ .data = buf, .len = (uint16_t)size };
	if (how & 64 && size > 12) {
		memcpy(buf + 6, friend[port], 6);
		if (!(buf[0] & 1))
			memcpy(buf, mac[port], 6);
	}
	if (how & 128)
		put_sums_right(b.pkt[0]);
	whole = nfv_l3_input(l3, &b, wire);
	check(whole <= 1);
	turn_around(&b, how, wire, back);
	check((nfv_l3_whole(l3) > 0) == (whole > 0));
	if (whole == 0)
		return;
	arm(wire, 0);
	arm(back, ROOM);
	b.pkt[0] = (struct nfv_pkt){ .data = large + NFV_FRAME_MAX - nfv_l3_whole(l3),
		.len = NFV_ETH_LEN,
		.l3 = NFV_ETH_LEN,
		.tailroom = (uint16_t)(nfv_l3_whole(l3) - NFV_ETH_LEN) };
	nfv_l3_take_whole(l3, &b.pkt[0], wire);
	check(nfv_l3_whole(l3) == 0);
	turn_around(&b, how, wire, back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct nfv_out wire, back;
	unsigned int how, seconds;

	if (size < 1 || size > 1 + 4 * FRAME)
		return 0;
	how = *data++;
	size--;
	seconds = how >> 3 & 7u;
	arm(&wire, 0);
	arm(&back, ROOM);
	if (how & 4) {
		arp_from(0, "10.0.0.2", "10.0.0.1", &wire);
		arp_from(1, "192.0.2.254", "192.0.2.1", &wire);
	}
	if (seconds < 7 && size <= FRAME)
		one_frame(data, size, how, &wire, &back);
	while (seconds == 7 && size >= 2) {
		size_t n = (size_t)data[0] << 8 | data[1];

		n = n < size - 2 ? n : size - 2;
		n = n < FRAME ? n : FRAME;
		arm(&wire, 0);
		arm(&back, ROOM);
		one_frame(data + 2, n, how, &wire, &back);
		data += 2 + n;
		size -= 2 + n;
	}
	for (unsigned int i = 0; i < seconds; i++) {
		now += seconds == 7 ? 10 * HZ : HZ;
		arm(&wire, 0);
		arm(&back, ROOM);
		nfv_l3_tick(l3, now, &wire, &back);
		check_out(&wire, true);
		check_out(&back, false);
	}
	/* Forget everything, so that each input stands for itself. */
	for (int i = 0; i < 8; i++) {
		now += 1000 * HZ;
		arm(&wire, 0);
		arm(&back, ROOM);
		nfv_l3_tick(l3, now, &wire, &back);
	}
	return 0;
}
