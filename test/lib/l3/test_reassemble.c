/* Datagrams to the ports put together: beside a naive assembler, and what hostile senders try. */
#include "net.h"

#define PLACES  8 /* so a source has two */
#define ROUNDS  3000
#define LONGEST 65507 /* of a UDP payload with IPv4 */

static uint8_t whole_mem[NFV_FRAME_MAX];
static uint8_t bytes[2 * 65536];
static uint64_t seed = 88172645463325252ull;

static uint32_t
rnd(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return below > 0 ? (uint32_t)(seed >> 33) % below : 0;
}

struct frag {
	unsigned int from, size;
	bool more;
	const uint8_t *bytes;
};

static const char *const far[2] = { "10.0.0.2", "fd00::2" };
static const char *const own[2] = { "10.0.0.1", "fd00::1" };

/* A fragment of protocol `proto` from `src` to us, in a packet of its own. */
static struct nfv_pkt
mk_frag(struct mk *m, const char *src, uint32_t id, uint8_t proto, struct frag f)
{
	uint8_t l4[MK_ROOM];
	struct nfv_pkt p;

	if (strchr(src, ':') == NULL) {
		p = mk_ip(m, src, own[0], proto, f.bytes, 0);
		nfv_pkt_resize(&p, (int)f.size);
		if (f.size > 0)
			memcpy(nfv_pkt_l4(&p), f.bytes, f.size);
		nfv_pkt_ip4(&p)->be_len = htobe16((uint16_t)(NFV_IP4_LEN + f.size));
		nfv_pkt_ip4(&p)->be_id = htobe16((uint16_t)id);
		nfv_pkt_ip4(&p)->be_frag =
			htobe16((uint16_t)(f.from / 8 | (f.more ? NFV_IP4_MF : 0)));
		nfv_csum_ip4_set(nfv_pkt_ip4(&p));
		return p;
	}
	memset(l4, 0, 8);
	l4[0] = proto;
	l4[2] = (uint8_t)(f.from >> 8);
	l4[3] = (uint8_t)(f.from | f.more);
	id = htobe32(id);
	memcpy(l4 + 4, &id, 4);
	if (f.size > 0)
		memcpy(l4 + 8, f.bytes, f.size);
	return mk_ip(m, src, own[1], NFV_PROTO_FRAGMENT, l4, 8 + f.size);
}

static uint8_t
take(struct net *n, const char *src, uint32_t id, struct frag f)
{
	struct mk m;

	return net_in(n, 0, mk_frag(&m, src, id, NFV_PROTO_UDP, f));
}

/* The next whole datagram, in a packet of `room` bytes. */
static struct nfv_pkt
whole_in(struct net *n, uint32_t room)
{
	struct nfv_pkt p = { .data = whole_mem,
		.len = NFV_ETH_LEN,
		.l3 = NFV_ETH_LEN,
		.tailroom = (uint16_t)(room - NFV_ETH_LEN) };

	assert_in_range(nfv_l3_whole(n->l3), 1, NFV_FRAME_MAX);
	nfv_l3_take_whole(n->l3, &p, &n->wire);
	return p;
}

/* A UDP datagram of `len` bytes from its header on, with a right checksum, into `to`. */
static void
mk_whole(uint8_t *to, int family, unsigned int len)
{
	struct nfv_udp udp = { htobe16(5), htobe16(5060), htobe16((uint16_t)len), 0 };
	struct nfv_pkt p = { .data = whole_mem, .l3 = NFV_ETH_LEN, .tailroom = NFV_FRAME_MAX };
	uint8_t src[16], dst[16];

	mk_addr(far[family], src);
	mk_addr(own[family], dst);
	assert_true(
		nfv_pkt_ip_header(&p, family == 0 ? 4 : 6, src, dst, NFV_PROTO_UDP, (uint16_t)len));
	memcpy(nfv_pkt_l4(&p), &udp, sizeof(udp));
	for (unsigned int i = sizeof(udp); i < len; i++)
		((uint8_t *)nfv_pkt_l4(&p))[i] = (uint8_t)rnd(256);
	nfv_csum_l4_set(&p);
	memcpy(to, nfv_pkt_l4(&p), len);
}

static void
assert_is(struct nfv_pkt *p, const uint8_t *want, unsigned int len)
{
	assert_int_equal(p->verdict, NFV_KEEP);
	assert_true(p->flags & NFV_PKT_LOCAL);
	assert_false(p->flags & NFV_PKT_FRAGMENT);
	assert_int_equal(nfv_pkt_l4_len(p), len);
	assert_memory_equal(nfv_pkt_l4(p), want, len);
	assert_true(nfv_csum_l4_ok(p));
	assert_int_equal(p->len + p->tailroom, NFV_FRAME_MAX);
	assert_int_equal(nfv_pkt_parse(p), NFV_PARSE_OK);
}

/* ---- beside a model ---- */

/* What the rules say, in the simplest words: a note for each byte, and of each fragment. */
struct model {
	uint8_t have[65536 + 8], bytes[65536 + 8];
	struct frag seen[256];
	unsigned int n_seen, total, spoilt;
};

static unsigned int
model_put(struct model *m, struct frag f)
{
	unsigned int end = 0, hits = 0;
	bool same = false;

	if (m->spoilt != 0)
		return m->spoilt;
	for (unsigned int i = 0; i < m->n_seen; i++) {
		const struct frag *s = &m->seen[i];

		same |= s->from == f.from && s->size == f.size && s->more == f.more &&
			memcmp(m->bytes + f.from, f.bytes, f.size) == 0;
		end = s->from + s->size > end ? s->from + s->size : end;
	}
	if (same)
		return NFV_L3_FRAG_DUPLICATE;
	for (unsigned int i = f.from; i < f.from + f.size; i++)
		hits += m->have[i];
	if (hits > 0)
		return m->spoilt = NFV_L3_FRAG_OVERLAP;
	if ((f.more && m->total != 0 && f.from + f.size >= m->total) ||
		(!f.more && (m->total != 0 || end > f.from + f.size)))
		return m->spoilt = NFV_L3_FRAG_LENGTH;
	memcpy(m->bytes + f.from, f.bytes, f.size);
	memset(m->have + f.from, 1, f.size);
	m->seen[m->n_seen++] = f;
	if (!f.more)
		m->total = f.from + f.size;
	return 0;
}

static bool
model_whole(const struct model *m)
{
	return m->spoilt == 0 && m->total > 0 && memchr(m->have, 0, m->total) == NULL;
}

/* Cut [0, len) into pieces of units of eight, none longer than a frame takes. */
static unsigned int
cut(struct frag *f, unsigned int len)
{
	unsigned int n = 0, most = 8 * (1 + rnd(180));

	if (len / most > 100)
		most = 1480;
	for (unsigned int at = 0; at < len; n++) {
		unsigned int size = rnd(4) == 0 ? 8 * (1 + rnd(most / 8)) : most;

		if (at == 0 && size < 8)
			size = 8;
		if (size > len - at || n == 110)
			size = len - at < 3000 ? len - at : most;
		f[n] = (struct frag){ at, size, at + size < len, bytes + at };
		at += size;
	}
	return n;
}

static void
as_the_model_says(void **state)
{
	static struct model model;
	struct net *n = *state;
	unsigned int whole = 0, spoilt = 0, duplicate = 0;

	for (uint32_t id = 1; id <= ROUNDS; id++) {
		unsigned int len = 8 + (rnd(20) == 0 ? rnd(60000) : rnd(6000)), more, extra = 0;
		int family = (int)rnd(2);
		struct frag f[256] = { { 0 } };
		bool done = false;

		mk_whole(bytes, family, len);
		more = cut(f, len);
		if (more == 1)
			continue; /* nothing to put together */
		memset(&model, 0, sizeof(model));
		/* Copies, and in some rounds lies: other bytes, other bounds, other ends. */
		if (rnd(2) == 0)
			for (extra = rnd(4); extra > 0; extra--, more++)
				f[more] = f[rnd(more)];
		if (rnd(4) == 0) {
			struct frag lie = f[rnd(more)];

			memcpy(bytes + 65536, bytes, NFV_UDP_LEN);
			lie.bytes += rnd(2) == 0 ? 0 : 65536;
			lie.more = rnd(3) > 0 || lie.from == 0 ? lie.more : !lie.more;
			lie.size = lie.size > 16 && rnd(2) == 0 ? lie.size / 16 * 8 : lie.size;
			lie.from += lie.from > 0 && rnd(3) == 0 ? 8 : 0;
			if (!lie.more || lie.size % 8 == 0)
				f[more++] = lie;
		}
		for (unsigned int i = more - 1; i > 0 && rnd(8) > 0; i--) {
			unsigned int k = rnd(i + 1);
			struct frag swap = f[i];

			f[i] = f[k];
			f[k] = swap;
		}
		more -= rnd(5) == 0; /* one is lost */
		for (unsigned int i = 0; i < more && !done; i++) {
			unsigned int why;
			uint8_t got;

			if (f[i].from == 0 && f[i].size < 8)
				continue; /* the parser's to drop */
			why = model_put(&model, f[i]);
			got = take(n, far[family], id, f[i]);
			assert_int_equal(got, why == 0 ? NFV_CONSUMED : NFV_DROP(why));
			duplicate += why == NFV_L3_FRAG_DUPLICATE;
			done = model_whole(&model);
			assert_int_equal(nfv_l3_whole(n->l3) > 0, done);
		}
		if (done) {
			struct nfv_pkt p = whole_in(n, NFV_FRAME_MAX);

			/* A lie that fits in may have taken the place of the truth. */
			if (memcmp(model.bytes, bytes, len) == 0 && model.total == len)
				assert_is(&p, model.bytes, model.total);
			else
				assert_memory_equal(
					whole_mem + p.len - model.total, model.bytes, model.total);
			whole++;
		}
		spoilt += model.spoilt != 0;
		assert_int_equal(nfv_l3_whole(n->l3), 0);
	}
	assert_in_range(whole, ROUNDS / 3, ROUNDS);
	assert_in_range(spoilt, ROUNDS / 50, ROUNDS);
	assert_in_range(duplicate, ROUNDS / 50, 10 * ROUNDS);
}

/* ---- bounds ---- */

static void
longest_datagrams(void **state)
{
	static const unsigned int most[2] = { NFV_FRAME_MAX - 34, NFV_FRAME_MAX - 54 };
	struct net *n = *state;

	for (int family = 0; family < 2; family++) {
		for (unsigned int len = most[family] - 1; len <= most[family] + 1; len++) {
			uint8_t got = 0;

			mk_whole(bytes, family, len <= most[family] ? len : most[family]);
			for (unsigned int at = 0; at < len; at += 1448) {
				unsigned int size = len - at < 1448 ? len - at : 1448;

				got = take(n, far[family], len,
					(struct frag){ at, size, at + size < len, bytes + at });
			}
			assert_int_equal(got,
				len <= most[family] ? NFV_CONSUMED : NFV_DROP(NFV_L3_FRAG_LENGTH));
			if (len <= most[family]) {
				struct nfv_pkt p = whole_in(n, NFV_FRAME_MAX);

				assert_is(&p, bytes, len);
			}
			assert_int_equal(nfv_l3_whole(n->l3), 0);
		}
	}
}

/* An offset near the end and a length that leads past 64 KiB ("ping of death"), units that are not
 * whole, empty ones: nothing of that datagram is taken any more. */
static void
impossible_ends(void **state)
{
	static const struct {
		struct frag f;
		unsigned int why;
	} cases[] = {
		{ { 65528, 100, false, bytes }, NFV_PARSE_FRAGMENT_TINY },
		{ { 65528, 7, false, bytes }, NFV_L3_FRAG_LENGTH },
		{ { 65504, 8, true, bytes }, NFV_L3_FRAG_LENGTH },
		{ { 8, 9, true, bytes }, NFV_PARSE_FRAGMENT_TINY },
		{ { 0, 9, true, bytes }, NFV_L3_FRAG_LENGTH },
		{ { 16, 0, false, bytes }, NFV_L3_FRAG_LENGTH },
	};
	struct net *n = *state;

	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned int why = cases[i / 2].why;
		const char *src = far[i % 2];
		bool mine = why == NFV_L3_FRAG_LENGTH;

		mk_whole(bytes, (int)i % 2, 1400);
		assert_int_equal(take(n, src, (uint32_t)i, cases[i / 2].f), NFV_DROP(why));
		assert_int_equal(take(n, src, (uint32_t)i, (struct frag){ 0, 1000, true, bytes }),
			mine ? NFV_DROP(why) : NFV_CONSUMED);
		take(n, src, (uint32_t)i, (struct frag){ 1000, 400, false, bytes + 1000 });
		assert_int_equal(nfv_l3_whole(n->l3) > 0, !mine);
		if (!mine)
			whole_in(n, NFV_FRAME_MAX);
	}
}

static void
too_many_pieces(void **state)
{
	struct net *n = *state;

	for (unsigned int i = 0; i < 128; i++)
		assert_int_equal(take(n, far[0], 1, (struct frag){ 8 * i, 8, true, bytes + 8 }),
			NFV_CONSUMED);
	for (unsigned int i = 128; i < 131; i++)
		assert_int_equal(take(n, far[0], 1, (struct frag){ 8 * i, 8, true, bytes + 8 }),
			NFV_DROP(NFV_L3_FRAG_PIECES));
}

/* The classic attacks: the transport header cut in two, written over later, or hidden behind headers
 * that push it out of the first fragment. */
static void
headers_in_pieces(void **state)
{
	struct net *n = *state;
	uint8_t ext[64] = { NFV_PROTO_UDP, 3 }; /* destination options, 32 bytes */
	struct nfv_pkt p;
	struct mk m;

	mk_whole(bytes, 0, 100);
	/* RFC 1858: tiny; RFC 3128: the flags overwritten. */
	p = mk_frag(&m, far[0], 1, NFV_PROTO_TCP, (struct frag){ 0, 16, true, bytes });
	assert_int_equal(net_in(n, 0, p), NFV_DROP(NFV_PARSE_FRAGMENT_TINY));
	p = mk_frag(&m, far[0], 1, NFV_PROTO_TCP, (struct frag){ 8, 16, true, bytes });
	assert_int_equal(net_in(n, 0, p), NFV_DROP(NFV_PARSE_FRAGMENT_TINY));
	/* RFC 7112: a chain of headers that ends in the second fragment. */
	memset(ext + 2, 0, 30);
	ext[2] = 1; /* PadN */
	ext[3] = 28;
	mk_whole(ext + 32, 1, 32);
	p = mk_frag(&m, far[1], 2, NFV_PROTO_DSTOPTS, (struct frag){ 0, 32, true, ext });
	assert_int_equal(net_in(n, 0, p), NFV_CONSUMED);
	p = mk_frag(&m, far[1], 2, NFV_PROTO_DSTOPTS, (struct frag){ 32, 32, false, ext + 32 });
	assert_int_equal(net_in(n, 0, p), NFV_CONSUMED);
	p = whole_in(n, NFV_FRAME_MAX);
	assert_int_equal(p.verdict, NFV_DROP(NFV_PARSE_FRAGMENT_TINY));
	/* The same, ending in the first. */
	p = mk_frag(&m, far[1], 3, NFV_PROTO_DSTOPTS, (struct frag){ 0, 40, true, ext });
	assert_int_equal(net_in(n, 0, p), NFV_CONSUMED);
	p = mk_frag(&m, far[1], 3, NFV_PROTO_DSTOPTS, (struct frag){ 40, 24, false, ext + 40 });
	assert_int_equal(net_in(n, 0, p), NFV_CONSUMED);
	p = whole_in(n, NFV_FRAME_MAX);
	assert_is(&p, ext + 32, 32);
	/* What is whole may lie like anything else. */
	mk_whole(bytes, 0, 100);
	bytes[5] = 200; /* UDP's length */
	take(n, far[0], 4, (struct frag){ 0, 64, true, bytes });
	take(n, far[0], 4, (struct frag){ 64, 36, false, bytes + 64 });
	p = whole_in(n, NFV_FRAME_MAX);
	assert_int_equal(p.verdict, NFV_DROP(NFV_PARSE_UDP_LENGTH));
}

/* IPv4 options, and IPv6 extension headers in front, stay; the fragment header goes. */
static void
headers_are_the_first_ones(void **state)
{
	static const uint8_t router_alert[4] = { 148, 4, 0, 0 };
	struct net *n = *state;
	struct nfv_pkt p;
	struct mk m;
	uint8_t l4[MK_ROOM] = { NFV_PROTO_FRAGMENT, 0, 1, 4 }; /* destination options: padding */

	mk_whole(bytes, 0, 2000);
	assert_int_equal(
		take(n, far[0], 1, (struct frag){ 1000, 1000, false, bytes + 1000 }), NFV_CONSUMED);
	p = mk_frag(&m, far[0], 1, NFV_PROTO_UDP, (struct frag){ 0, 1000, true, bytes });
	nfv_pkt_resize(&p, 4);
	memmove(p.data + 38, p.data + 34, 1000);
	memcpy(p.data + 34, router_alert, 4);
	nfv_pkt_ip4(&p)->version_ihl = 0x46;
	nfv_pkt_ip4(&p)->be_len = htobe16(1024);
	nfv_csum_ip4_set(nfv_pkt_ip4(&p));
	assert_int_equal(net_in(n, 0, p), NFV_CONSUMED);
	p = whole_in(n, NFV_FRAME_MAX);
	assert_is(&p, bytes, 2000);
	assert_int_equal(nfv_ip4_hlen(nfv_pkt_ip4(&p)), 24);
	assert_memory_equal(nfv_pkt_ip4(&p) + 1, router_alert, 4);

	mk_whole(bytes, 1, 2000);
	for (int last = 0; last < 2; last++) {
		memset(l4 + 8, 0, 8);
		l4[8] = NFV_PROTO_UDP;
		l4[10] = (uint8_t)(last * 1000 >> 8);
		l4[11] = (uint8_t)(last * 1000 | !last);
		memcpy(l4 + 16, last ? bytes + 1000 : bytes, 1000);
		p = mk_ip(&m, far[1], own[1], NFV_PROTO_DSTOPTS, l4, 1016);
		assert_int_equal(net_in(n, 0, p), NFV_CONSUMED);
	}
	p = whole_in(n, NFV_FRAME_MAX);
	assert_is(&p, bytes, 2000);
	assert_int_equal(p.l4, p.l3 + NFV_IP6_LEN + 8);
	assert_int_equal(p.data[p.l3 + NFV_IP6_LEN], NFV_PROTO_UDP);
}

/* Its own only fragment (RFC 6946): neither waits for others nor mixes with them. */
static void
atomic_fragments(void **state)
{
	struct net *n = *state;
	uint8_t ns[24] = { NFV_ICMP6_NS };
	struct nfv_pkt p;
	struct mk m;

	mk_whole(bytes, 1, 100);
	assert_int_equal(take(n, far[1], 7, (struct frag){ 0, 64, true, bytes }), NFV_CONSUMED);
	assert_int_equal(take(n, far[1], 7, (struct frag){ 0, 100, false, bytes }), NFV_KEEP);
	p = n->burst.pkt[0];
	assert_true(p.flags & NFV_PKT_LOCAL);
	assert_int_equal(nfv_pkt_l4_len(&p), 100);
	assert_memory_equal(nfv_pkt_l4(&p), bytes, 100);
	assert_true(nfv_csum_l4_ok(&p));
	assert_int_equal(nfv_l3_whole(n->l3), 0);
	assert_int_equal(
		take(n, far[1], 7, (struct frag){ 64, 36, false, bytes + 64 }), NFV_CONSUMED);
	p = whole_in(n, NFV_FRAME_MAX);
	assert_is(&p, bytes, 100);
	/* Another fragment header behind it, and neighbour discovery (RFC 6980). */
	memset(bytes, 0, 16);
	bytes[0] = NFV_PROTO_UDP;
	bytes[3] = 1;
	bytes[8 + 5] = 32; /* UDP's length */
	p = mk_frag(&m, far[1], 8, NFV_PROTO_FRAGMENT, (struct frag){ 0, 40, false, bytes });
	assert_int_equal(net_in(n, 0, p), NFV_DROP(NFV_PARSE_EXTENSION));
	p = mk_frag(&m, far[1], 8, NFV_PROTO_ICMP6, (struct frag){ 0, 24, false, ns });
	nfv_pkt_ip6(&p)->hops = 255;
	assert_int_equal(net_in(n, 0, p), NFV_DROP(NFV_L3_ND_BAD));
}

/* ---- places and time ---- */

static void
places_are_shared(void **state)
{
	struct net *n = *state;
	struct frag first = { 0, 64, true, bytes }, last = { 64, 36, false, bytes + 64 };
	struct nfv_pkt p;
	char src[32];

	mk_whole(bytes, 0, 100);
	/* A source has two of eight: its third pushes its first out. */
	for (uint32_t id = 1; id <= 3; id++)
		assert_int_equal(take(n, far[0], id, first), NFV_CONSUMED);
	assert_shows(n, "given up for newer ones of their source: 1\n");
	for (uint32_t id = 3; id >= 2; id--) {
		assert_int_equal(take(n, far[0], id, last), NFV_CONSUMED);
		p = whole_in(n, NFV_FRAME_MAX);
		assert_is(&p, bytes, 100);
	}
	assert_int_equal(take(n, far[0], 1, last), NFV_CONSUMED);
	assert_int_equal(nfv_l3_whole(n->l3), 0);
	/* Of IPv6 all of a /64 is one. */
	for (int i = 2; i < 5; i++) {
		snprintf(src, sizeof(src), "fd00::%d", i);
		assert_int_equal(take(n, src, 1, first), NFV_CONSUMED);
	}
	assert_shows(n, "given up for newer ones of their source: 2\n");
	/* Many: the oldest of all goes. */
	for (int i = 10; i < 30; i++) {
		snprintf(src, sizeof(src), "10.0.0.%d", i);
		assert_int_equal(take(n, src, 1, first), NFV_CONSUMED);
	}
	assert_shows(n, "given up for newer ones: 15\n");
	assert_int_equal(take(n, "10.0.0.29", 1, last), NFV_CONSUMED);
	whole_in(n, NFV_FRAME_MAX);
	assert_int_equal(take(n, "10.0.0.21", 1, last), NFV_CONSUMED);
	assert_int_equal(nfv_l3_whole(n->l3), 0);
}

/* Protocol, port and id tell datagrams apart. */
static void
datagrams_do_not_mix(void **state)
{
	struct net *n = *state;
	struct frag last = { 64, 36, false, bytes + 64 };
	struct nfv_pkt p;
	struct mk m;

	mk_whole(bytes, 0, 100);
	assert_int_equal(take(n, far[0], 1, (struct frag){ 0, 64, true, bytes }), NFV_CONSUMED);
	p = mk_frag(&m, far[0], 1, NFV_PROTO_ICMP, last);
	assert_int_equal(net_in(n, 0, p), NFV_CONSUMED);
	p = mk_frag(&m, far[0], 1, NFV_PROTO_UDP, last);
	assert_int_equal(net_in(n, 1, p), NFV_CONSUMED);
	assert_int_equal(take(n, far[0], 2, last), NFV_CONSUMED);
	assert_int_equal(nfv_l3_whole(n->l3), 0);
}

/* A whole burst of datagrams at once, and one too many to be held. */
static void
many_at_once(void **state)
{
	struct net *n = *state;
	char src[32];

	mk_whole(bytes, 0, 100);
	for (int i = 0; i < PLACES; i++) {
		snprintf(src, sizeof(src), "10.0.0.%d", 10 + i);
		assert_int_equal(
			take(n, src, 1, (struct frag){ 0, 64, true, bytes }), NFV_CONSUMED);
		assert_int_equal(
			take(n, src, 1, (struct frag){ 64, 36, false, bytes + 64 }), NFV_CONSUMED);
	}
	assert_int_equal(take(n, "10.0.0.99", 1, (struct frag){ 0, 64, true, bytes }),
		NFV_DROP(NFV_L3_FRAG_FULL));
	for (int i = 0; i < PLACES; i++) {
		struct nfv_pkt p = whole_in(n, NFV_FRAME_MAX);

		assert_int_equal(nfv_pkt_ip4(&p)->be_src, htobe32(0x0a00000a + (uint32_t)i));
	}
	assert_int_equal(nfv_l3_whole(n->l3), 0);
	assert_int_equal(
		take(n, "10.0.0.99", 1, (struct frag){ 0, 64, true, bytes }), NFV_CONSUMED);
}

/* Who sent the first fragment hears that the others did not come; nobody else does. */
static void
late_ones_are_told(void **state)
{
	static const uint64_t seconds[2] = { 30, 60 };
	struct net *n = *state;

	for (int family = 0; family < 2; family++) {
		const char *src = far[family];
		struct nfv_icmp *icmp;
		struct nfv_pkt *p;

		mk_whole(bytes, family, 3000);
		take(n, src, 1, (struct frag){ 0, 1400, true, bytes });
		take(n, src, 2, (struct frag){ 1400, 1400, true, bytes });
		net_tick(n, seconds[family] - 1);
		assert_int_equal(n->wire.n, 0);
		/* Its time runs from the first that came. */
		take(n, src, 1, (struct frag){ 1400, 1400, true, bytes + 1400 });
		net_tick(n, 1);
		assert_int_equal(n->wire.n, 1);
		p = net_sent(&n->wire, 0, NFV_INWARD);
		assert_mac(p->data, MAC_HOST);
		icmp = nfv_pkt_l4(p);
		assert_int_equal(
			icmp->type, family == 0 ? NFV_ICMP_TIME_EXCEEDED : NFV_ICMP6_TIME_EXCEEDED);
		assert_int_equal(icmp->code, 1);
		/* The fragment is quoted as it came. */
		assert_int_equal(((uint8_t *)(icmp + 1))[6],
			family == 0 ? NFV_IP4_MF >> 8 : NFV_PROTO_FRAGMENT);
		assert_memory_equal((uint8_t *)(icmp + 1) + (family == 0 ? 20 : 48), bytes, 500);
		/* What comes now begins anew. */
		take(n, src, 1, (struct frag){ 2800, 200, false, bytes + 2800 });
		assert_int_equal(nfv_l3_whole(n->l3), 0);
		net_tick(n, 100);
	}
	assert_shows(n, "datagrams never complete: 6\n");
	/* Not about an ICMP error, nor about one that lied. */
	bytes[0] = NFV_ICMP_UNREACHABLE;
	net_in(n, 0,
		mk_frag(&n->in, far[0], 9, NFV_PROTO_ICMP, (struct frag){ 0, 64, true, bytes }));
	mk_whole(bytes, 0, 3000);
	take(n, far[0], 10, (struct frag){ 0, 64, true, bytes });
	take(n, far[0], 10, (struct frag){ 8, 64, true, bytes });
	net_tick(n, 31);
	assert_int_equal(n->wire.n, 0);
	assert_shows(n, "datagrams never complete: 8\n");
}

static void
small_packets_are_refused(void **state)
{
	struct net *n = *state;
	struct nfv_pkt p;

	mk_whole(bytes, 0, 100);
	take(n, far[0], 1, (struct frag){ 0, 64, true, bytes });
	take(n, far[0], 1, (struct frag){ 64, 36, false, bytes + 64 });
	assert_int_equal(nfv_l3_whole(n->l3), 134);
	p = whole_in(n, 133);
	assert_int_equal(p.verdict, NFV_DROP(NFV_L3_NO_BUFFER));
	assert_int_equal(nfv_l3_whole(n->l3), 0);
}

static void
none_where_none_are_wanted(void **state)
{
	struct net *n = *state;

	nfv_l3_destroy(n->l3);
	n->conf.reassembly = 0;
	net_start(n);
	for (int family = 0; family < 2; family++)
		assert_int_equal(take(n, far[family], 1, (struct frag){ 0, 64, true, bytes + 8 }),
			NFV_DROP(NFV_L3_FRAGMENT));
	net_tick(n, 100);
}

static void
too_many_are_refused(void **state)
{
	struct net *n = *state;
	struct nfv_err err = { "" };
	struct nfv_l3 *l3 = NULL;

	n->conf.reassembly = 1025;
	assert_int_equal(nfv_l3_create(&n->conf, &l3, &err), -ERANGE);
	assert_string_equal(err.text, "1025 datagrams put together at once: at most 1024");
	assert_null(l3);
	n->conf.reassembly = PLACES;
}

/* ---- answers ---- */

/* A ping longer than a frame is answered in pieces, which put together are the ping. */
static void
long_pings(void **state)
{
	static const unsigned int sizes[] = { 1500, 4000, 40000 };
	struct net *n = *state;

	for (unsigned int i = 0; i < 6; i++) {
		unsigned int len = sizes[i / 2], sum = 0, hlen = i % 2 == 0 ? 20 : 48;
		struct nfv_icmp icmp = { .type = i % 2 == 0 ? NFV_ICMP_ECHO : NFV_ICMP6_ECHO,
			.be_rest = 0x01020304 };
		struct nfv_pkt p;

		mk_whole(bytes, i % 2, len);
		memcpy(bytes, &icmp, sizeof(icmp));
		/* The sum is right, if the packet is: written as the whole packet's. */
		p = (struct nfv_pkt){
			.data = whole_mem, .l3 = NFV_ETH_LEN, .tailroom = NFV_FRAME_MAX
		};
		{
			uint8_t src[16], dst[16];

			mk_addr(far[i % 2], src);
			mk_addr(own[i % 2], dst);
			nfv_pkt_ip_header(&p, i % 2 == 0 ? 4 : 6, src, dst,
				i % 2 == 0 ? NFV_PROTO_ICMP : NFV_PROTO_ICMP6, (uint16_t)len);
		}
		memcpy(nfv_pkt_l4(&p), bytes, len);
		nfv_csum_l4_set(&p);
		memcpy(bytes, nfv_pkt_l4(&p), len);
		for (unsigned int at = 0; at < len; at += 1400) {
			struct frag f = { at, len - at < 1400 ? len - at : 1400, at + 1400 < len,
				bytes + at };
			struct mk m;

			assert_int_equal(net_in(n, 0, mk_frag(&m, far[i % 2], 40 + i, p.proto, f)),
				NFV_CONSUMED);
		}
		net_arm(n);
		p = whole_in(n, NFV_FRAME_MAX);
		assert_int_equal(p.verdict, NFV_CONSUMED);
		assert_true(n->wire.n > 1);
		for (int k = 0; k < n->wire.n; k++) {
			struct nfv_pkt *q = net_sent(&n->wire, k, NFV_INWARD);
			unsigned int skip = k == 0 ? 4 : 0;

			assert_mac(q->data, MAC_HOST);
			assert_true(q->len <= NFV_ETH_LEN + 1500);
			assert_true(q->flags & NFV_PKT_FRAGMENT);
			assert_int_equal(q->l4, NFV_ETH_LEN + hlen);
			assert_memory_equal((uint8_t *)nfv_pkt_l4(q) + skip, bytes + sum + skip,
				nfv_pkt_l4_len(q) - skip);
			sum += nfv_pkt_l4_len(q);
		}
		assert_int_equal(sum, len);
	}
	assert_shows(n, "echo replies sent: 6\n");
}

static int
setup(void **state)
{
	static struct net n;

	net_conf(&n);
	n.conf.reassembly = PLACES;
	net_start(&n);
	*state = &n;
	return 0;
}

#define reasm_test(f) cmocka_unit_test_setup_teardown(f, setup, net_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		reasm_test(as_the_model_says),
		reasm_test(longest_datagrams),
		reasm_test(impossible_ends),
		reasm_test(too_many_pieces),
		reasm_test(headers_in_pieces),
		reasm_test(headers_are_the_first_ones),
		reasm_test(atomic_fragments),
		reasm_test(places_are_shared),
		reasm_test(datagrams_do_not_mix),
		reasm_test(many_at_once),
		reasm_test(late_ones_are_told),
		reasm_test(small_packets_are_refused),
		reasm_test(none_where_none_are_wanted),
		reasm_test(too_many_are_refused),
		reasm_test(long_pings),
	};

	test_eal("256");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
