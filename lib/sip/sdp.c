/* Line by line: each tells by its letter what it is, and an `m=` begins a stream. */
#include <errno.h>

#include "nfv_sdp.h"
#include "scan.h"

/* Clock rates of the static payload types (RFC 3551 §6); 0: not assigned. */
static const uint32_t static_clock[] = {
	[0] = 8000,
	[3 ... 5] = 8000,
	[6] = 16000,
	[7 ... 9] = 8000, /* 9: G.722 samples at 16 kHz, yet counts at 8 */
	[10 ... 11] = 44100,
	[12 ... 13] = 8000,
	[14] = 90000,
	[15] = 8000,
	[16] = 11025,
	[17] = 22050,
	[18] = 8000,
	[25 ... 26] = 90000,
	[28] = 90000,
	[31 ... 34] = 90000,
};

/* The next line without its end, and what is left; false at the end of the text or if the line is
 * none. `*ended` tells whether it had a line end. */
static bool
next_line(struct nfv_sv *rest, struct nfv_sv *line, bool *ended)
{
	*line = nfv_sv_cut(rest, '\n');
	*ended = rest->p != NULL;
	if (line->n > 0 && line->p[line->n - 1] == '\r' && *ended)
		line->n--;
	return line->n >= 2 && line->p[1] == '=' && memchr(line->p, '\r', line->n) == NULL &&
		memchr(line->p, '\0', line->n) == NULL &&
		strchr("vosiuepcbtrzkam", line->p[0]) != NULL;
}

/* `IN IP4 address[/ttl[/n]]`; a name is an address too (RFC 8866 §5.7). */
static int
read_conn(struct nfv_sv value, struct nfv_sdp_conn *out)
{
	struct nfv_sv type, name, rest = value;
	uint8_t family;

	if (out->text.p != NULL || !nfv_sv_eq(nfv_sv_word(&rest), NFV_SV("IN")))
		return -EINVAL;
	type = nfv_sv_word(&rest);
	name = nfv_sv_word(&rest);
	if (name.n == 0 || nfv_sv_word(&rest).n > 0)
		return -EINVAL;
	out->text = nfv_sv(type.p, (size_t)(name.p + name.n - type.p));
	name = nfv_sv_cut(&name, '/');
	if (nfv_sv_eq(type, NFV_SV("IP4")))
		family = NFV_IPV4;
	else if (nfv_sv_eq(type, NFV_SV("IP6")))
		family = NFV_IPV6;
	else
		return -EINVAL;
	if (nfv_addr_parse(name, &out->addr) == 0)
		return out->addr.family == family ? 0 : -EINVAL;
	out->addr.family = NFV_NO_ADDR;
	return scan_span(&name, CH_HOST).n > 0 && name.n == 0 ? 0 : -EINVAL;
}

static bool
ends_with(struct nfv_sv s, struct nfv_sv with)
{
	return s.n >= with.n && nfv_sv_ieq(nfv_sv(s.p + s.n - with.n, with.n), with);
}

/* `RTP/AVP` and its kin, `UDP/TLS/RTP/SAVPF`, `udptl`; not `TCP/…`. */
static bool
is_udp(struct nfv_sv proto)
{
	struct nfv_sv first = nfv_sv_cut(&proto, '/');

	return nfv_sv_ieq(first, NFV_SV("RTP")) || nfv_sv_ieq(first, NFV_SV("UDP")) ||
		nfv_sv_ieq(first, NFV_SV("udptl"));
}

static uint32_t
clock_of(struct nfv_sv format)
{
	uint64_t type;

	if (nfv_sv_u64(format, 0, sizeof(static_clock) / sizeof(static_clock[0]) - 1, &type) < 0)
		return 0;
	return static_clock[type];
}

/* `audio 49170[/2] RTP/AVP 0 8` */
static int
read_media(struct nfv_sv value, struct nfv_sdp_media *m)
{
	struct nfv_sv port, count, formats;
	uint64_t v, n = 1;

	m->type = nfv_sv_word(&value);
	count = nfv_sv_word(&value);
	m->proto = nfv_sv_word(&value);
	m->formats = nfv_sv_trim(value);
	formats = m->formats;
	port = nfv_sv_cut(&count, '/');
	if (m->formats.n == 0 || nfv_sv_u64(port, 0, UINT16_MAX, &v) < 0 ||
		(count.p != NULL && nfv_sv_u64(count, 1, UINT16_MAX, &n) < 0))
		return -EINVAL;
	if (v != 0 && v + 2 * n > UINT16_MAX + 1u && n > 1)
		return -EINVAL;
	m->port_text = port;
	m->port = (uint16_t)v;
	m->ports = (uint16_t)n;
	m->udp = is_udp(m->proto);
	m->clock = ends_with(m->proto, NFV_SV("udptl")) ? 0 : clock_of(nfv_sv_word(&formats));
	return 0;
}

/* `port [IN IP4 address]` (RFC 3605 §2.1) */
static int
read_rtcp(struct nfv_sv value, struct nfv_sdp_media *m)
{
	struct nfv_sv rest = value;
	struct nfv_sdp_conn conn = { .text = { NULL, 0 } };
	uint64_t port;

	if (m->rtcp.p != NULL || nfv_sv_u64(nfv_sv_word(&rest), 1, UINT16_MAX, &port) < 0)
		return -EINVAL;
	rest = nfv_sv_trim(rest);
	if (rest.n > 0 && read_conn(rest, &conn) < 0)
		return -EINVAL;
	m->rtcp = value;
	m->rtcp_port = (uint16_t)port;
	m->rtcp_addr = conn.addr;
	return 0;
}

/* `96 opus/48000/2`; only that of the first format counts, and no rate is worse than a wrong one. */
static void
read_rtpmap(struct nfv_sv value, struct nfv_sdp_media *m)
{
	struct nfv_sv formats = m->formats, rate;
	uint64_t hz;

	if (!nfv_sv_eq(nfv_sv_word(&value), nfv_sv_word(&formats)))
		return;
	rate = nfv_sv_word(&value);
	nfv_sv_cut(&rate, '/');
	if (nfv_sv_u64(nfv_sv_cut(&rate, '/'), 1, 1000000, &hz) == 0)
		m->clock = (uint32_t)hz;
}

/* `m` NULL: an attribute of the session. */
static int
read_attribute(struct nfv_sv value, struct nfv_sdp *s, struct nfv_sdp_media *m)
{
	static const struct {
		struct nfv_sv name;
		uint8_t dir;
	} dirs[] = {
		{ NFV_SV("sendrecv"), NFV_SDP_SENDRECV },
		{ NFV_SV("sendonly"), NFV_SDP_SENDONLY },
		{ NFV_SV("recvonly"), NFV_SDP_RECVONLY },
		{ NFV_SV("inactive"), NFV_SDP_INACTIVE },
	};
	struct nfv_sv name = nfv_sv_cut(&value, ':');

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (nfv_sv_eq(name, dirs[i].name))
			*(m != NULL ? &m->dir : &s->dir) = dirs[i].dir;
	if (m == NULL)
		return 0;
	if (nfv_sv_eq(name, NFV_SV("rtcp")))
		return value.p != NULL ? read_rtcp(value, m) : -EINVAL;
	if (nfv_sv_eq(name, NFV_SV("rtcp-mux")) || nfv_sv_eq(name, NFV_SV("rtcp-mux-only")))
		m->rtcp_mux = true;
	else if (nfv_sv_eq(name, NFV_SV("rtpmap")) && value.p != NULL)
		read_rtpmap(value, m);
	return 0;
}

static int
read_line(struct nfv_sv line, struct nfv_sdp *s)
{
	struct nfv_sdp_media *m = s->n_media > 0 ? &s->media[s->n_media - 1] : NULL;
	struct nfv_sv value = nfv_sv(line.p + 2, line.n - 2);

	switch (line.p[0]) {
	case 'v':
		return -EINVAL; /* it begins a description, and begins it once */
	case 'c':
		return read_conn(value, m != NULL ? &m->conn : &s->conn);
	case 'a':
		return read_attribute(value, s, m);
	case 'm':
		if (s->n_media == NFV_SDP_MEDIA_MAX)
			return -EINVAL;
		m = &s->media[s->n_media++];
		*m = (struct nfv_sdp_media){ .dir = s->dir };
		return read_media(value, m);
	default:
		return 0;
	}
}

/* Nothing but line ends: some add one more at the end. */
static bool
is_blank(struct nfv_sv s)
{
	while (s.n > 0 && (s.p[0] == '\r' || s.p[0] == '\n'))
		scan_skip(&s, 1);
	return s.n == 0;
}

int
nfv_sdp_parse(struct nfv_sv text, struct nfv_sdp *out)
{
	struct nfv_sv rest = text, line;
	bool ended;

	out->conn = (struct nfv_sdp_conn){ .text = { NULL, 0 } };
	out->dir = NFV_SDP_SENDRECV;
	out->n_media = 0;
	if (text.n == 0 || !next_line(&rest, &line, &ended) || !nfv_sv_eq(line, NFV_SV("v=0")))
		return -EINVAL;
	while (!is_blank(rest)) {
		struct nfv_sdp_media *m;

		if (!next_line(&rest, &line, &ended) || read_line(line, out) < 0)
			return -EINVAL;
		/* A connection stands behind the title (RFC 8866 §5). */
		m = out->n_media > 0 ? &out->media[out->n_media - 1] : NULL;
		if (m != NULL && (line.p[0] == 'm' || line.p[0] == 'i'))
			m->conn_at = ended ? nfv_sv(rest.p, 0) : nfv_sv(NULL, 0);
	}
	return 0;
}

bool
nfv_sdp_rtp(const struct nfv_sdp *s, uint32_t media, struct nfv_endpoint *out)
{
	const struct nfv_sdp_media *m = &s->media[media];
	const struct nfv_sdp_conn *conn = m->conn.text.p != NULL ? &m->conn : &s->conn;

	if (m->port == 0 || conn->text.p == NULL || conn->addr.family == NFV_NO_ADDR)
		return false;
	*out = (struct nfv_endpoint){ conn->addr, m->port };
	return true;
}

bool
nfv_sdp_rtcp(const struct nfv_sdp *s, uint32_t media, struct nfv_endpoint *out)
{
	const struct nfv_sdp_media *m = &s->media[media];
	struct nfv_endpoint e;

	if (!nfv_sdp_rtp(s, media, &e))
		return false;
	if (m->rtcp.p != NULL) {
		e.port = m->rtcp_port;
		if (m->rtcp_addr.family != NFV_NO_ADDR)
			e.addr = m->rtcp_addr;
	} else if (e.port == UINT16_MAX) {
		return false;
	} else {
		e.port++;
	}
	*out = e;
	return true;
}
