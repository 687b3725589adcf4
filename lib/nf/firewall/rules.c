#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "rules.h"

const char *const fw_action_name[] = { "allow", "drop", "reject", NULL };

const struct fw_word fw_proto_word[] = {
	{ "any", FW_PROTO_ANY },
	{ "tcp", NFV_PROTO_TCP },
	{ "udp", NFV_PROTO_UDP },
	{ "sctp", NFV_PROTO_SCTP },
	{ "icmp", NFV_PROTO_ICMP },
	{ "icmp6", NFV_PROTO_ICMP6 },
	{ NULL, 0 },
};

const struct fw_word fw_flag_word[] = {
	{ "fin", NFV_TCP_FIN },
	{ "syn", NFV_TCP_SYN },
	{ "rst", NFV_TCP_RST },
	{ "psh", NFV_TCP_PSH },
	{ "ack", NFV_TCP_ACK },
	{ "urg", NFV_TCP_URG },
	{ NULL, 0 },
};

/* The line that is being read, and where to complain about it. */
struct line {
	const char *file;
	uint32_t no;
	struct nfv_sv rest;
	struct nfv_err *err;
};

static int wrong(const struct line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int
wrong(const struct line *l, const char *fmt, ...)
{
	char text[sizeof(l->err->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return nfv_fail(l->err, EINVAL, "%s:%u: %s", l->file, l->no, text);
}

#define QUOTE 48

/* A word for a message: short, and harmless to a terminal. */
static const char *
quoted(struct nfv_sv w, char buf[QUOTE])
{
	size_t n = 0;

	if (w.n == 0)
		return "the end of the line";
	buf[n++] = '"';
	for (size_t i = 0; i < w.n && n < QUOTE - 2; i++)
		buf[n++] = w.p[i] >= 0x20 && w.p[i] < 0x7f ? w.p[i] : '?';
	buf[n++] = '"';
	buf[n] = '\0';
	return buf;
}

static struct nfv_sv
next(struct line *l)
{
	return nfv_sv_word(&l->rest);
}

/* Take the next word if it is `word`. */
static bool
take(struct line *l, const char *word)
{
	struct nfv_sv rest = l->rest;

	if (!nfv_sv_eq(nfv_sv_word(&rest), nfv_sv_str(word)))
		return false;
	l->rest = rest;
	return true;
}

static const struct fw_word *
find(const struct fw_word *table, struct nfv_sv w)
{
	while (table->name != NULL && !nfv_sv_eq(w, nfv_sv_str(table->name)))
		table++;
	return table->name != NULL ? table : NULL;
}

static int
parse_action(const struct line *l, struct nfv_sv w, const char *also, uint8_t *out)
{
	char q[QUOTE];

	for (uint8_t i = 0; fw_action_name[i] != NULL; i++) {
		if (nfv_sv_eq(w, nfv_sv_str(fw_action_name[i]))) {
			*out = i;
			return 0;
		}
	}
	return wrong(l, "%s is no action; use allow, drop%s reject%s", quoted(w, q),
		also[0] != '\0' ? "," : " or", also);
}

static int
parse_number(const struct line *l, const char *what, struct nfv_sv w, uint16_t max, uint16_t *out)
{
	char q[QUOTE];
	uint64_t v;

	if (nfv_sv_u64(w, 0, max, &v) < 0)
		return wrong(l, "%s is no %s; use a number from 0 to %u", quoted(w, q), what, max);
	*out = (uint16_t)v;
	return 0;
}

static int
parse_proto(struct line *l, int16_t *out)
{
	struct nfv_sv w = next(l);
	const struct fw_word *known = find(fw_proto_word, w);
	uint64_t number;
	char q[QUOTE];

	if (known != NULL) {
		*out = (int16_t)known->value;
		return 0;
	}
	if (nfv_sv_u64(w, 0, 255, &number) < 0)
		return wrong(l,
			"%s is no protocol; use any, tcp, udp, sctp, icmp, icmp6 or a "
			"number from 0 to 255",
			quoted(w, q));
	*out = (int16_t)number;
	return 0;
}

/* `[out|in|any] PROTO`: a lone `any` is the protocol. */
static int
parse_head(struct line *l, struct fw_rule *r)
{
	struct nfv_sv rest = l->rest;

	r->dirs = FW_OUT | FW_IN;
	if (take(l, "out")) {
		r->dirs = FW_OUT;
	} else if (take(l, "in")) {
		r->dirs = FW_IN;
	} else if (take(l, "any") && take(l, "from")) {
		l->rest = rest;
	}
	return parse_proto(l, &r->proto);
}

static bool
host_bits(const struct nfv_prefix *p)
{
	for (unsigned int bit = p->len; bit < nfv_addr_bits(&p->addr); bit++)
		if (p->addr.b[bit / 8] & (0x80u >> bit % 8))
			return true;
	return false;
}

static int
parse_addr(struct line *l, struct nfv_prefix *out)
{
	struct nfv_sv w = next(l);
	struct nfv_prefix p;
	char q[QUOTE];

	if (nfv_sv_eq(w, NFV_SV("any")))
		return 0;
	if (nfv_prefix_parse(w, &p) < 0)
		return wrong(l,
			"%s is no address; use any, or a prefix such as 10.0.0.0/8 or "
			"fd00::/8",
			quoted(w, q));
	if (host_bits(&p))
		return wrong(l,
			"%s has bits set past its length; clear them, or leave the length "
			"out for the one host",
			quoted(w, q));
	*out = p;
	return 0;
}

static int
parse_ports(struct line *l, struct fw_range *out)
{
	struct nfv_sv w = next(l), hi = w, lo = nfv_sv_cut(&hi, '-');
	uint64_t a, b;
	char q[QUOTE];

	if (nfv_sv_u64(lo, 0, UINT16_MAX, &a) < 0 ||
		nfv_sv_u64(hi.p != NULL ? hi : lo, 0, UINT16_MAX, &b) < 0)
		return wrong(l, "%s is no port; use a number or a range A-B within 0-65535",
			quoted(w, q));
	if (b < a)
		return wrong(
			l, "the range %s runs backwards; write the lower port first", quoted(w, q));
	*out = (struct fw_range){ (uint16_t)a, (uint16_t)b };
	return 0;
}

/* `from ADDR [port A[-B]]`, and the same with `to`. */
static int
parse_end(
	struct line *l, const char *word, int proto, struct nfv_prefix *addr, struct fw_range *port)
{
	struct nfv_sv at = l->rest;
	char q[QUOTE];

	if (!take(l, word))
		return wrong(l, "%s stands where \"%s\" and an address are expected",
			quoted(nfv_sv_word(&at), q), word);
	if (parse_addr(l, addr) < 0)
		return -EINVAL;
	if (!take(l, "port"))
		return 0;
	if (!fw_proto_has_ports(proto))
		return wrong(l, "this protocol has no ports; port goes with tcp, udp or sctp");
	return parse_ports(l, port);
}

static int
parse_flags(struct line *l, struct fw_rule *r)
{
	struct nfv_sv list = next(l);
	char q[QUOTE];

	if (r->proto != NFV_PROTO_TCP)
		return wrong(l, "flags goes with tcp only");
	do {
		struct nfv_sv w = nfv_sv_cut(&list, ',');
		bool clear = w.n > 0 && w.p[0] == '!';
		struct nfv_sv word = clear ? nfv_sv(w.p + 1, w.n - 1) : w;
		const struct fw_word *flag = find(fw_flag_word, word);

		if (flag == NULL)
			return wrong(l,
				"%s is no TCP flag; use fin, syn, rst, psh, ack or urg, with "
				"! before those that must be clear, parted by commas alone",
				quoted(w, q));
		if (r->flags_mask & flag->value)
			return wrong(l, "the flag %s stands twice; say it once", flag->name);
		r->flags_mask |= (uint8_t)flag->value;
		if (!clear)
			r->flags |= (uint8_t)flag->value;
	} while (list.p != NULL);
	return 0;
}

static int
parse_type(struct line *l, struct fw_rule *r)
{
	uint16_t v = 0;

	if (!fw_proto_is_icmp(r->proto))
		return wrong(l, "type goes with icmp and icmp6 only");
	if (parse_number(l, "type", next(l), 255, &v) < 0)
		return -EINVAL;
	r->sport = (struct fw_range){ v, v };
	if (!take(l, "code"))
		return 0;
	if (parse_number(l, "code", next(l), 255, &v) < 0)
		return -EINVAL;
	r->dport = (struct fw_range){ v, v };
	return 0;
}

static int
parse_stateless(struct line *l, struct fw_rule *r)
{
	if (r->action != FW_ALLOW)
		return wrong(l, "stateless goes with allow only; what is not allowed has no state");
	r->stateless = true;
	return 0;
}

/* `name "label"`: the label may hold spaces, so it is not a word. */
static int
parse_name(struct line *l, struct fw_rule *r)
{
	struct nfv_sv s = nfv_sv_trim(l->rest), label;

	if (s.n == 0 || s.p[0] != '"')
		return wrong(l, "name wants a label in double quotes, such as name \"web\"");
	s = nfv_sv(s.p + 1, s.n - 1);
	label = nfv_sv_cut(&s, '"');
	if (s.p == NULL)
		return wrong(l, "the label does not end; close it with a double quote");
	if (label.n == 0 || label.n >= FW_NAME)
		return wrong(
			l, "the label has %zu characters; 1 to %u are right", label.n, FW_NAME - 1);
	for (size_t i = 0; i < label.n; i++)
		if (label.p[i] < 0x20 || label.p[i] > 0x7e)
			return wrong(l, "the label may only hold printable ASCII characters");
	memcpy(r->name, label.p, label.n);
	if (s.n > 0 && s.p[0] != ' ' && s.p[0] != '\t')
		return wrong(l, "something follows the label's closing quote; part it by a space");
	l->rest = s;
	return 0;
}

static int
parse_options(struct line *l, struct fw_rule *r)
{
	static const struct {
		const char *word;
		int (*parse)(struct line *l, struct fw_rule *r);
	} option[] = {
		{ "flags", parse_flags },
		{ "type", parse_type },
		{ "stateless", parse_stateless },
		{ "name", parse_name },
	};
	enum { N = sizeof(option) / sizeof(option[0]) };
	unsigned int seen = 0;
	struct nfv_sv w;
	char q[QUOTE];

	while ((w = next(l)).n > 0) {
		unsigned int i = 0;

		while (i < N && !nfv_sv_eq(w, nfv_sv_str(option[i].word)))
			i++;
		if (i == N)
			return wrong(l,
				"%s is not known here; what may follow the addresses is "
				"flags, type, stateless or name",
				quoted(w, q));
		if (seen & 1u << i)
			return wrong(l, "%s stands twice; say it once", option[i].word);
		seen |= 1u << i;
		if (option[i].parse(l, r) < 0)
			return -EINVAL;
	}
	return 0;
}

static int
settle_families(const struct line *l, struct fw_rule *r)
{
	uint8_t families = FW_IPV4 | FW_IPV6;

	if (r->proto == NFV_PROTO_ICMP)
		families = FW_IPV4;
	if (r->proto == NFV_PROTO_ICMP6)
		families = FW_IPV6;
	if (r->from.addr.family != NFV_NO_ADDR)
		families &= r->from.addr.family == NFV_IPV4 ? FW_IPV4 : FW_IPV6;
	if (families == 0)
		return wrong(l, "icmp is IPv4's and icmp6 is IPv6's; the address is of the other");
	if (r->to.addr.family != NFV_NO_ADDR)
		families &= r->to.addr.family == NFV_IPV4 ? FW_IPV4 : FW_IPV6;
	if (families == 0)
		return wrong(l,
			"protocol and addresses are not of one family; use IPv4 or IPv6 "
			"all through (icmp is IPv4's, icmp6 is IPv6's)");
	r->families = families;
	return 0;
}

static int
parse_rule(struct line *l, struct fw_rule *r)
{
	*r = (struct fw_rule){
		.line = l->no, .sport = { 0, UINT16_MAX }, .dport = { 0, UINT16_MAX }
	};
	if (parse_action(l, next(l), " or default", &r->action) < 0 || parse_head(l, r) < 0 ||
		parse_end(l, "from", r->proto, &r->from, &r->sport) < 0 ||
		parse_end(l, "to", r->proto, &r->to, &r->dport) < 0 || parse_options(l, r) < 0)
		return -EINVAL;
	return settle_families(l, r);
}

static int
parse_default(struct line *l, struct fw_rules *rules)
{
	struct nfv_sv w;
	uint8_t action = FW_DROP;
	char q[QUOTE];

	if (rules->otherwise_line != 0)
		return wrong(l, "default stands twice; first on line %u", rules->otherwise_line);
	if (parse_action(l, next(l), "", &action) < 0)
		return -EINVAL;
	w = next(l);
	if (w.n > 0)
		return wrong(l, "%s follows the action of default; nothing may", quoted(w, q));
	rules->otherwise = action;
	rules->otherwise_line = l->no;
	return 0;
}

/* Without the comment and the blanks around it. A `#` inside a label is part of the label. */
static struct nfv_sv
strip(struct nfv_sv s)
{
	bool label = false;

	if (s.n > 0 && s.p[s.n - 1] == '\r')
		s.n--;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"')
			label = !label;
		if (s.p[i] == '#' && !label)
			s.n = i;
	}
	return nfv_sv_trim(s);
}

/* The array is doubled at each power of two. */
static int
append(const struct line *l, struct fw_rules *rules, const struct fw_rule *r)
{
	if (rules->n == FW_RULES_MAX)
		return nfv_fail(l->err, E2BIG, "%s:%u: more than %u rules; join or remove some",
			l->file, l->no, FW_RULES_MAX);
	if ((rules->n & (rules->n - 1)) == 0) {
		size_t room = rules->n == 0 ? 1 : 2 * (size_t)rules->n;
		struct fw_rule *p = realloc(rules->rule, room * sizeof(*p));

		if (p == NULL)
			return nfv_fail(l->err, ENOMEM, "%s: out of memory", l->file);
		rules->rule = p;
	}
	rules->rule[rules->n++] = *r;
	return 0;
}

static int
parse_line(struct line *l, struct nfv_sv text, struct fw_rules *rules)
{
	struct fw_rule r;
	int rc;

	if (text.n > FW_LINE_MAX)
		return wrong(
			l, "the line has %zu bytes; at most %u are taken", text.n, FW_LINE_MAX);
	l->rest = strip(text);
	if (l->rest.n == 0)
		return 0;
	if (take(l, "default"))
		return parse_default(l, rules);
	rc = parse_rule(l, &r);
	return rc < 0 ? rc : append(l, rules, &r);
}

int
fw_rules_parse(const char *name, const char *text, size_t len, enum fw_action otherwise,
	struct fw_rules **out, struct nfv_err *err)
{
	struct line l = { .file = name, .err = err };
	struct nfv_sv rest = nfv_sv(text, len);
	struct fw_rules *rules;
	int rc = 0;

	if (len > FW_FILE_MAX)
		return nfv_fail(err, E2BIG, "%s: more than %u MiB; that is no rule file", name,
			FW_FILE_MAX >> 20);
	rules = calloc(1, sizeof(*rules));
	if (rules == NULL)
		return nfv_fail(err, ENOMEM, "%s: out of memory", name);
	rules->otherwise = otherwise;
	while (rc == 0 && rest.n > 0) {
		l.no++;
		rc = parse_line(&l, nfv_sv_cut(&rest, '\n'), rules);
	}
	if (rc < 0) {
		fw_rules_destroy(rules);
		return rc;
	}
	*out = rules;
	return 0;
}

void
fw_rules_destroy(struct fw_rules *rules)
{
	if (rules == NULL)
		return;
	free(rules->rule);
	free(rules);
}
