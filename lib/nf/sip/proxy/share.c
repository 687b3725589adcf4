#include <string.h>

#include "share.h"

uint32_t
sip_share_of_call(const struct sip_share *s, struct nfv_sv call_id)
{
	struct siphash h;

	siphash_init(&h, &s->key);
	siphash_add(&h, call_id.p, call_id.n);
	return (uint32_t)((siphash_end(&h) >> 32) % s->shards);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct nfv_sv
from(struct nfv_sv s, size_t n)
{
	return nfv_sv(s.p + n, s.n - n);
}

/* The line at the beginning of `*rest`, without its end, which is a line feed, or that of the text. */
static struct nfv_sv
cut_line(struct nfv_sv *rest)
{
	const char *end = memchr(rest->p, '\n', rest->n);
	size_t n = end != NULL ? (size_t)(end - rest->p) : rest->n;
	struct nfv_sv line = nfv_sv(rest->p, n > 0 && rest->p[n - 1] == '\r' ? n - 1 : n);

	*rest = from(*rest, end != NULL ? n + 1 : n);
	return line;
}

/* Whether the line is the header field of this name; `*value` is what stands behind the colon. */
static bool
is_field(struct nfv_sv line, struct nfv_sv name, struct nfv_sv *value)
{
	size_t at = name.n;

	if (line.n < name.n || !nfv_sv_ieq(nfv_sv(line.p, name.n), name))
		return false;
	while (at < line.n && is_blank(line.p[at]))
		at++;
	if (at == line.n || line.p[at] != ':')
		return false;
	*value = from(line, at + 1);
	return true;
}

/* The next word of a field whose line goes on in `rest` as long as lines begin with a blank. */
static struct nfv_sv
next_word(struct nfv_sv *value, struct nfv_sv *rest)
{
	size_t n = 0;
	struct nfv_sv word;

	for (;;) {
		while (value->n > 0 && is_blank(value->p[0]))
			*value = from(*value, 1);
		if (value->n > 0 || rest->n == 0 || !is_blank(rest->p[0]))
			break;
		*value = cut_line(rest);
	}
	while (n < value->n && !is_blank(value->p[n]))
		n++;
	word = nfv_sv(value->p, n);
	*value = from(*value, n);
	return word;
}

uint32_t
sip_share_of_text(const struct sip_share *s, struct nfv_sv text)
{
	struct nfv_sv line, value, call_id = { NULL, 0 }, method;
	bool response;

	/* §7.5: empty lines before a message are passed over. */
	while (text.n > 0 && (text.p[0] == '\r' || text.p[0] == '\n'))
		text = from(text, 1);
	line = cut_line(&text);
	method = next_word(&line, &text);
	response = method.n >= 4 && nfv_sv_ieq(nfv_sv(method.p, 4), NFV_SV("SIP/"));
	if (!response && nfv_sv_ieq(method, NFV_SV("REGISTER")))
		return 0;
	while (text.n > 0 && (call_id.n == 0 || response)) {
		line = cut_line(&text);
		if (line.n == 0)
			break; /* what follows is the body */
		if (call_id.n == 0 &&
			(is_field(line, NFV_SV("Call-ID"), &value) ||
				is_field(line, NFV_SV("i"), &value))) {
			call_id = next_word(&value, &text);
		} else if (response && is_field(line, NFV_SV("CSeq"), &value)) {
			next_word(&value, &text);
			if (nfv_sv_ieq(next_word(&value, &text), NFV_SV("REGISTER")))
				return 0;
			response = false; /* all that was to be known of it */
		}
	}
	return call_id.n > 0 ? sip_share_of_call(s, call_id) : 0;
}

static uint32_t
pairs_each(const struct sip_share *s)
{
	return (uint32_t)(s->rtp_hi - s->rtp_lo + 1) / 2 / s->shards;
}

uint32_t
sip_share_of_port(const struct sip_share *s, uint16_t port)
{
	uint32_t part = (uint32_t)(port - s->rtp_lo) / 2 / pairs_each(s);

	return part < s->shards ? part : s->shards - 1;
}

bool
sip_share_ports(const struct sip_share *s, uint16_t *lo, uint16_t *hi)
{
	uint32_t each = pairs_each(s);

	if (each == 0)
		return false;
	*lo = (uint16_t)(s->rtp_lo + 2 * each * s->shard);
	*hi = s->shard + 1 < s->shards ? (uint16_t)(*lo + 2 * each - 1) : s->rtp_hi;
	return true;
}
