#include "mock_away.h"

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
