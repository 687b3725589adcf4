#include <rte_cycles.h>

#include "lanes_rig.h"
#include "nfv_hash.h"

struct mock mock[LANES];
int mock_lane_of[FLOWS];
bool mock_tracks;

uint32_t
mock_word(const struct nfv_pkt *p)
{
	uint32_t word;

	memcpy(&word, (const uint8_t *)nfv_pkt_l4(p) + NFV_UDP_LEN, sizeof(word));
	return word;
}

static void
track(const struct mock *m, const struct nfv_burst *b)
{
	for (uint16_t i = 0; i < b->n; i++) {
		uint32_t flow = mock_word(&b->pkt[i]) >> 16;

		if (mock_lane_of[flow] < 0)
			mock_lane_of[flow] = (int)m->number;
		assert_int_equal(mock_lane_of[flow], m->number);
	}
}

static void
translate(struct mock *m, struct nfv_pkt *p, enum nfv_dir dir)
{
	struct nfv_udp *u = nfv_pkt_l4(p);
	struct nfv_ip4 *ip = nfv_pkt_ip4(p);
	uint16_t in = be16toh(u->be_sport), ext = be16toh(u->be_dport);
	uint32_t i = 0;

	if (dir == NFV_INWARD) {
		/* A port of another one's would not be known here. */
		assert_in_range(
			ext, 10000 + m->number * 1000, 10000 + m->number * 1000 + m->n_ports - 1);
		u->be_dport = htobe16(m->in_port[ext - 10000 - m->number * 1000]);
		inet_pton(AF_INET, "10.1.0.2", &ip->be_dst);
		return;
	}
	while (i < m->n_ports && m->in_port[i] != in)
		i++;
	m->in_port[i] = in;
	m->n_ports += i == m->n_ports;
	u->be_sport = htobe16((uint16_t)(10000 + m->number * 1000 + i));
	inet_pton(AF_INET, EXT, &ip->be_src);
}

static void
mock_process(void *arg, struct nfv_burst *b)
{
	struct mock *m = arg;

	m->seen += b->n;
	if (mock_tracks)
		track(m, b);
	if (m->passes)
		return;
	for (uint16_t i = 0; i < b->n; i++) {
		assert_false(b->pkt[i].flags & (NFV_PKT_NEW | NFV_PKT_REPLY | NFV_PKT_RELATED));
		if (m->head - m->tail == ON_WAY) {
			m->full++;
			continue;
		}
		m->dir[m->head % ON_WAY] = b->dir;
		m->pkt[m->head++ % ON_WAY] = b->pkt[i];
	}
	b->n = 0;
}

static uint32_t
mock_collect(void *arg, struct nfv_burst back[2], struct nfv_burst origin[2])
{
	struct mock *m = arg;
	uint32_t n = 0;

	for (int d = 0; d < 2; d++) {
		back[d].n = origin[d].n = 0;
		back[d].dir = origin[d].dir = (enum nfv_dir)d;
	}
	for (; m->tail != m->head && n < 8; m->tail++, n++) {
		enum nfv_dir dir = m->dir[m->tail % ON_WAY];
		struct nfv_pkt *p = &back[dir].pkt[back[dir].n++];

		*p = m->pkt[m->tail % ON_WAY];
		if (m->translates)
			translate(m, p, dir);
		if (m->turns)
			p->family = 6;
		p->verdict = m->drops || m->drop_first ? NFV_DROP(0) : NFV_KEEP;
		m->drop_first = false;
	}
	return n;
}

static uint32_t
mock_waiting(const void *arg)
{
	const struct mock *m = arg;

	return m->head - m->tail;
}

static void
mock_lost(const void *arg, uint64_t lost[NFV_AWAY_LOSSES])
{
	lost[NFV_AWAY_FULL] = ((const struct mock *)arg)->full;
}

static void
mock_control(void *arg)
{
	(void)arg;
}

static void
mock_show(void *arg, FILE *to)
{
	fprintf(to, "mock %u\n", ((struct mock *)arg)->number);
}

static void
mock_close(void *arg)
{
	((struct mock *)arg)->closed++;
}

const struct nfv_away_ops mock_ops = { mock_process, mock_collect, mock_waiting, mock_lost,
	mock_control, mock_show, mock_close };

struct nfv_lanes *lanes;
struct nfv_away lanes_away;
struct nfv_stage_ops lanes_ops;

/* What has to be in order: a flow's packets, in each direction. */
static uint32_t next_out[FLOWS][2], next_back[FLOWS][2];

int
lanes_no_steer(const void *state, const struct nfv_pkt *p, enum nfv_dir dir)
{
	(void)state, (void)p, (void)dir;
	return -1;
}

void
lanes_open(uint32_t i)
{
	nfv_lanes_open(lanes, i, (struct nfv_away){ &mock_ops, &mock[i] }, 0);
}

void
lanes_up(uint32_t n, uint32_t flows, uint64_t hz)
{
	struct nfv_err err;
	struct nfv_lanes_conf conf = { .ops = &lanes_ops,
		.most = LANES,
		.flows = flows,
		.timeouts = { 300, 7440, 240, 60, 600 },
		.tsc_hz = hz,
		.tsc = rte_rdtsc(),
		.seed = 7 };

	assert_int_equal(nfv_lanes_create(&conf, &lanes, &err), 0);
	lanes_away = nfv_lanes_away(lanes);
	for (uint32_t i = 0; i < n; i++)
		lanes_open(i);
	nfv_lanes_deal(lanes, n);
}

int
lanes_setup(void **state)
{
	(void)state;
	memset(mock, 0, sizeof(mock));
	memset(next_out, 0, sizeof(next_out));
	memset(next_back, 0, sizeof(next_back));
	memset(mock_lane_of, 0xff, sizeof(mock_lane_of));
	mock_tracks = false;
	for (uint32_t i = 0; i < LANES; i++)
		mock[i].number = i;
	lanes_ops = (struct nfv_stage_ops){ .name = "mock", .access = NFV_WRITES };
	return 0;
}

int
lanes_down(void **state)
{
	(void)state;
	if (lanes != NULL)
		lanes_away.ops->close(lanes_away.arg);
	lanes = NULL;
	return 0;
}

struct nfv_pkt
lanes_udp(struct mk *m, const char *src, uint16_t sport, const char *dst, uint16_t dport,
	uint32_t word)
{
	struct nfv_pkt p = mk_udp(m, src, sport, dst, dport, &word, sizeof(word));

	assert_int_equal(nfv_pkt_parse(&p), NFV_PARSE_OK);
	return p;
}

void
lanes_give(enum nfv_dir dir, const struct nfv_pkt *p, uint16_t n, struct nfv_burst *b)
{
	*b = (struct nfv_burst){ .tsc = rte_rdtsc(), .dir = dir, .n = n };
	memcpy(b->pkt, p, n * sizeof(*p));
	lanes_away.ops->process(lanes_away.arg, b);
}

void
lanes_give1(enum nfv_dir dir, const struct nfv_pkt *p)
{
	struct nfv_burst b;

	lanes_give(dir, p, 1, &b);
}

uint32_t
lanes_seen_by(void)
{
	uint32_t who = LANES;

	for (uint32_t i = 0; i < LANES; i++) {
		if (mock[i].seen > 0)
			assert_int_equal(who, LANES);
		if (mock[i].seen > 0)
			who = i;
		mock[i].seen = 0;
	}
	assert_true(who < LANES);
	return who;
}

void
lanes_send(enum nfv_dir dir, struct mk *m, const char *src, uint16_t sport, const char *dst,
	uint16_t dport)
{
	struct nfv_pkt p = lanes_udp(m, src, sport, dst, dport, 0);

	lanes_give1(dir, &p);
}

uint32_t
lanes_collect_all(struct nfv_pkt last[2])
{
	struct nfv_burst back[2], origin[2];
	uint32_t sum = 0, n;

	while ((n = lanes_away.ops->collect(lanes_away.arg, back, origin)) > 0) {
		sum += n;
		for (int d = 0; d < 2; d++) {
			for (uint16_t i = 0; i < back[d].n; i++)
				assert_null(back[d].pkt[i].rec);
			if (back[d].n > 0 && last != NULL)
				last[d] = back[d].pkt[back[d].n - 1];
		}
	}
	return sum;
}

uint32_t
lanes_live(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < LANES; i++)
		n += nfv_lane_stats(lanes, i).flows;
	return n;
}

uint32_t
lanes_collect_in_order(void)
{
	struct nfv_burst back[2], origin[2];
	uint32_t n = lanes_away.ops->collect(lanes_away.arg, back, origin);

	for (int d = 0; n > 0 && d < 2; d++)
		for (uint16_t i = 0; i < back[d].n; i++) {
			uint32_t word = mock_word(&back[d].pkt[i]);

			assert_int_equal(word & 0xffff, next_back[word >> 16][d]++);
		}
	return n;
}

/* Every other flow begins inside. Nobody answers before the first packet has come through. */
static bool
may_go(uint32_t f, enum nfv_dir dir)
{
	return (f & 1) == (uint32_t)dir || next_back[f][f & 1] > 0;
}

uint32_t
lanes_traffic(uint64_t seed, uint32_t from, uint32_t to, uint32_t rounds)
{
	static struct mk m[1024]; /* more than may be on their way */
	uint32_t sum = 0;

	for (uint32_t r = 0; r < rounds; r++) {
		uint64_t bits = seed = nfv_hash_mix(seed + r, 0x9e3779b97f4a7c15u);
		struct nfv_burst b = { .tsc = rte_rdtsc(),
			.n = (uint16_t)(1 + bits % 16),
			.dir = bits & 1 << 8 ? NFV_INWARD : NFV_OUTWARD };

		for (uint16_t i = 0; i < b.n; i++, sum++) {
			uint32_t f = from + (uint32_t)(nfv_hash_mix(bits, i + 3u) % (to - from));
			struct mk *at = &m[sum % 1024];
			uint32_t word;
			uint16_t port;

			f = may_go(f, b.dir) ? f : f ^ 1;
			port = (uint16_t)(1000 + f);
			word = f << 16 | next_out[f][b.dir]++;
			b.pkt[i] = b.dir == NFV_OUTWARD ?
				lanes_udp(at, "10.1.0.2", port, OUTSIDE, 80, word) :
				lanes_udp(at, OUTSIDE, 80, "10.1.0.2", port, word);
		}
		lanes_away.ops->process(lanes_away.arg, &b);
		assert_int_equal(b.n, 0);
		for (uint64_t k = bits >> 16 & 3; k > 0; k--)
			lanes_collect_in_order();
		while (lanes_away.ops->waiting(lanes_away.arg) > ON_WAY / 2)
			lanes_collect_in_order();
	}
	return sum;
}

void
lanes_settle(void)
{
	while (lanes_collect_in_order() > 0)
		;
	assert_int_equal(lanes_away.ops->waiting(lanes_away.arg), 0);
	for (uint32_t f = 0; f < FLOWS; f++)
		assert_memory_equal(next_out[f], next_back[f], sizeof(next_out[f]));
}
