/**
 * @file
 * SIP messages in datagrams (RFC 3261, 3581, 5118): read in place, nothing copied, nothing
 * allocated, everything bounded.
 *
 * Two layers. nfv_sip_parse() frames: it finds the start line, indexes the header lines, recognises
 * the known names and cuts the body by Content-Length; it refuses only what is no SIP message at
 * all. What is wrong with a message that can be framed is left for nfv_sip_validate(), which names
 * the status to answer. In between, parsers for single header fields run on demand.
 *
 * Shapes: a message is at most 65535 bytes; offsets count from its start line. Views point into the
 * datagram, which must outlive them. A folded line keeps its line ends inside the value; all
 * parsers take them as white space (RFC 3261 §7.3.1).
 *
 * Errors: parsers return 0 or -EINVAL and leave the output unspecified on failure; list parsers
 * return 1 for a value, 0 at the end. Nothing is read outside the given view.
 * Threads: pure functions on plain data.
 */
#ifndef NFV_SIP_H
#define NFV_SIP_H

#include "nfv_addr.h"
#include "nfv_sv.h"

#define NFV_SIP_BYTES_MAX 65535u
#define NFV_SIP_HDRS_MAX  256u
#define NFV_SIP_LINE_MAX  8192u /* a header field with its folded lines, and the start line */
#define NFV_SIP_URI_MAX   2048u
#define NFV_SIP_VIAS_MAX  70u
#define NFV_SIP_PORT      5060u
#define NFV_SIP_COOKIE    "z9hG4bK" /* begins the branch of an RFC 3261 element (§8.1.1.7) */

/** Methods are case-sensitive (RFC 3261 §7.1); what is not listed is NFV_SIP_OTHER. */
enum nfv_sip_method {
	NFV_SIP_OTHER,
	NFV_SIP_INVITE,
	NFV_SIP_ACK,
	NFV_SIP_BYE,
	NFV_SIP_CANCEL,
	NFV_SIP_OPTIONS,
	NFV_SIP_REGISTER,
	NFV_SIP_PRACK,
	NFV_SIP_SUBSCRIBE,
	NFV_SIP_NOTIFY,
	NFV_SIP_PUBLISH,
	NFV_SIP_INFO,
	NFV_SIP_REFER,
	NFV_SIP_MESSAGE,
	NFV_SIP_UPDATE,
	NFV_SIP_METHODS
};

/** Header fields that are indexed by name, compact forms included. */
enum nfv_sip_field {
	NFV_SIP_H_OTHER,
	NFV_SIP_H_VIA,
	NFV_SIP_H_FROM,
	NFV_SIP_H_TO,
	NFV_SIP_H_CALL_ID,
	NFV_SIP_H_CSEQ,
	NFV_SIP_H_CONTACT,
	NFV_SIP_H_MAX_FORWARDS,
	NFV_SIP_H_CONTENT_LENGTH,
	NFV_SIP_H_CONTENT_TYPE,
	NFV_SIP_H_ROUTE,
	NFV_SIP_H_RECORD_ROUTE,
	NFV_SIP_H_REQUIRE,
	NFV_SIP_H_PROXY_REQUIRE,
	NFV_SIP_H_SUPPORTED,
	NFV_SIP_H_EXPIRES,
	NFV_SIP_H_MIN_EXPIRES,
	NFV_SIP_H_PATH,
	NFV_SIP_H_EVENT,
	NFV_SIP_H_RETRY_AFTER,
	NFV_SIP_H_AUTHORIZATION,
	NFV_SIP_H_PROXY_AUTHORIZATION,
	NFV_SIP_H_WWW_AUTHENTICATE,
	NFV_SIP_H_PROXY_AUTHENTICATE,
	NFV_SIP_H_FIELDS
};

/** One header field: offsets into the message. */
struct nfv_sip_hdr {
	uint16_t at, end;        /* from its name to behind its last line end */
	uint16_t name_n;         /* 0: the line has no proper name */
	uint16_t value, value_n; /* without white space at either end */
	uint16_t next;           /* index + 1 of the next of this field, 0: none */
	uint8_t field;           /* enum nfv_sip_field */
};

/** What framing has found wrong; nfv_sip_validate() turns it into a status. */
enum nfv_sip_flaw {
	NFV_SIP_FLAW_START_LINE = 1 << 0, /* white space or a number where none may be */
	NFV_SIP_FLAW_VERSION = 1 << 1,    /* not SIP/2.0 */
	NFV_SIP_FLAW_HEADER = 1 << 2,     /* a line that is no header field */
	NFV_SIP_FLAW_LINE_END = 1 << 3,   /* CR or LF alone, or no empty line before the end */
	NFV_SIP_FLAW_LENGTH = 1 << 4,     /* Content-Length is no number, or stands twice */
	NFV_SIP_FLAW_CUT = 1 << 5,        /* Content-Length claims more than the datagram has */
	NFV_SIP_FLAW_TOO_LARGE = 1 << 6,  /* too many lines, or a line too long */
};

struct nfv_sip_msg {
	const char *p; /* at the start line: empty lines before it are passed over (§7.5) */
	uint16_t n; /* up to the end of the body; octets behind it are not of the message (§18.3) */
	uint16_t headers;      /* offset of the first header line */
	uint16_t body, body_n; /* offset and length */
	uint16_t flaws;        /* enum nfv_sip_flaw */
	uint16_t status;       /* of a response: 100…699, 0 if it is no such number */
	bool response;
	bool has_length;                /* Content-Length was given */
	uint8_t method;                 /* enum nfv_sip_method, of a request */
	struct nfv_sv method_name, uri; /* of a request */
	struct nfv_sv version;
	struct nfv_sv reason; /* of a response */
	uint16_t n_hdr;
	uint16_t first[NFV_SIP_H_FIELDS]; /* index + 1 into hdr, 0: none */
	struct nfv_sip_hdr hdr[NFV_SIP_HDRS_MAX];
};

enum nfv_sip_kind {
	NFV_SIP_MESSAGE_OK,
	NFV_SIP_KEEPALIVE, /* nothing but line ends (RFC 5626 §3.5.1) */
	NFV_SIP_STUN,      /* RFC 8489 shares the port with SIP */
	NFV_SIP_NOT_SIP,
};

/** Frame `n` bytes at `p`. Only for NFV_SIP_MESSAGE_OK is `*m` filled. */
enum nfv_sip_kind nfv_sip_parse(struct nfv_sip_msg *m, const char *p, size_t n);

enum nfv_sip_field nfv_sip_field(struct nfv_sv name);
enum nfv_sip_method nfv_sip_method(struct nfv_sv name);
/** Names, indexed by enum nfv_sip_method; "other" for NFV_SIP_OTHER. */
extern const char *const nfv_sip_method_name[NFV_SIP_METHODS];
/** The reason phrase of a status (RFC 3261 §21); "Unknown" for one that is not known. */
const char *nfv_sip_reason(unsigned int status);

/** The first header line of a field, or NULL; then by nfv_sip_next_hdr. */
static inline const struct nfv_sip_hdr *
nfv_sip_first_hdr(const struct nfv_sip_msg *m, enum nfv_sip_field field)
{
	return m->first[field] != 0 ? &m->hdr[m->first[field] - 1] : NULL;
}

static inline const struct nfv_sip_hdr *
nfv_sip_next_hdr(const struct nfv_sip_msg *m, const struct nfv_sip_hdr *h)
{
	return h->next != 0 ? &m->hdr[h->next - 1] : NULL;
}

static inline struct nfv_sv
nfv_sip_value(const struct nfv_sip_msg *m, const struct nfv_sip_hdr *h)
{
	return nfv_sv(m->p + h->value, h->value_n);
}

enum nfv_sip_scheme {
	NFV_SIP_SCHEME_OTHER,
	NFV_SIP_SCHEME_SIP,
	NFV_SIP_SCHEME_SIPS,
	NFV_SIP_SCHEME_TEL
};

/** RFC 3261 §19.1; of a scheme that is neither sip nor sips only `text` and `scheme` are set. */
struct nfv_sip_uri {
	struct nfv_sv text;
	enum nfv_sip_scheme scheme;
	struct nfv_sv user, password; /* p == NULL: there is none */
	struct nfv_sv host;           /* an IPv6 address without its brackets */
	struct nfv_sv port_text;      /* with its colon; empty if there is none */
	uint16_t port;                /* 0: none */
	struct nfv_sv params;         /* from the first semicolon on */
	struct nfv_sv headers;        /* behind the question mark; p == NULL: none */
};

int nfv_sip_uri(struct nfv_sv s, struct nfv_sip_uri *out);
/** The value of a parameter of a URI, empty if it has none; p == NULL if it is not there. */
struct nfv_sv nfv_sip_uri_param(const struct nfv_sip_uri *uri, const char *name);

/** One Via value (RFC 3261 §20.42, 3581). */
struct nfv_sip_via {
	struct nfv_sv text; /* all of it: from the protocol's name to the last parameter */
	struct nfv_sv version, transport;
	struct nfv_sv sent_by;       /* host and port as they stand there */
	struct nfv_sv host;          /* an IPv6 address without its brackets */
	uint16_t port;               /* 0: none */
	struct nfv_sv branch, maddr; /* p == NULL: not there */
	struct nfv_addr received;    /* NFV_NO_ADDR: none, or not an address */
	bool has_rport;
	uint16_t rport; /* 0: no value */
	uint8_t ttl;
	/* Whole parameters, semicolon included, for cutting them out; empty if not there. */
	struct nfv_sv received_param, rport_param;
};

/** A From, To, Contact, Route or Record-Route value. */
struct nfv_sip_name {
	struct nfv_sv text;    /* all of it, parameters included */
	struct nfv_sv display; /* quotes included; empty if there is none */
	struct nfv_sv uri;     /* without angle brackets */
	struct nfv_sv params;  /* from the first semicolon on */
	struct nfv_sv tag;     /* p == NULL: none */
};

struct nfv_sip_param {
	struct nfv_sv text; /* semicolon included */
	struct nfv_sv name;
	struct nfv_sv value; /* quotes included; p == NULL: none */
};

/** The next of `;name[=value]…`; 1, or 0 at the end or before a comma, or -EINVAL. */
int nfv_sip_param_next(struct nfv_sv *rest, struct nfv_sip_param *out);

/** Walks the values of one field, over header lines and over commas inside them. */
struct nfv_sip_iter {
	const struct nfv_sip_msg *m;
	const struct nfv_sip_hdr *hdr; /* line of the value returned last */
	struct nfv_sv rest;            /* of that line */
	uint16_t next;                 /* index + 1 of the next line */
	uint16_t at, end; /* of the value returned last: offsets of it and of what follows its
	                   * comma, or of the end of its header's value */
};

void nfv_sip_iter(struct nfv_sip_iter *it, const struct nfv_sip_msg *m, enum nfv_sip_field field);
int nfv_sip_next_via(struct nfv_sip_iter *it, struct nfv_sip_via *out);
int nfv_sip_next_name(struct nfv_sip_iter *it, struct nfv_sip_name *out);
/** Of lists of tokens: Require, Proxy-Require, Supported. */
int nfv_sip_next_token(struct nfv_sip_iter *it, struct nfv_sv *out);
/** Whether the value returned last is the last one on its line. */
static inline bool
nfv_sip_iter_line_done(const struct nfv_sip_iter *it)
{
	return it->rest.n == 0;
}

/** The single From or To value that `s` is; what follows is an error. */
int nfv_sip_name(struct nfv_sv s, struct nfv_sip_name *out);

struct nfv_sip_cseq {
	uint32_t number; /* below 2^31 (§8.1.1.5) */
	struct nfv_sv method;
};

int nfv_sip_cseq(struct nfv_sv s, struct nfv_sip_cseq *out);
/** Call-ID: word [ "@" word ]. */
int nfv_sip_call_id(struct nfv_sv s);

/** What every element needs of every message, parsed and checked. */
struct nfv_sip_core {
	struct nfv_sip_uri uri;       /* of a request */
	struct nfv_sip_via via;       /* the topmost */
	uint16_t via_end;             /* nfv_sip_iter.end of it */
	bool via_line_done;           /* nothing behind it on its line */
	bool via_ok;                  /* `via` is filled in */
	struct nfv_sip_name from, to; /* text.n == 0: missing or malformed */
	struct nfv_sv call_id;
	struct nfv_sip_cseq cseq;
	int16_t max_forwards; /* -1: none */
	uint16_t n_vias;
};

/**
 * Whether a message is one that any element may act upon (RFC 3261 §8.1.1, 16.3 (1), 18.3).
 * 0, or the status to answer a request with (400, 414, 505, 513) and its reason phrase in `*text`;
 * a response with a fault is dropped. `*core` is filled as far as the message allows.
 */
unsigned int nfv_sip_validate(
	const struct nfv_sip_msg *m, struct nfv_sip_core *core, const char **text);

/**
 * What it takes to know a request again, and to refuse it: the lines are good, From, To, Call-ID and CSeq
 * stand there once, the topmost Via is one with a branch of RFC 3261, To has a tag or none; so much of
 * `*core` is filled in. False: nfv_sip_validate() may say what is wrong.
 */
bool nfv_sip_read_top(const struct nfv_sip_msg *m, struct nfv_sip_core *core);

/**
 * nfv_sip_validate() for a proxy, which need not read what it does not use (§16.3 (1)): of a response, and of a
 * request of a dialog (with a To tag; no REGISTER), what has to be good are the lines, the Request-URI,
 * the topmost Via, Call-ID, CSeq, Max-Forwards, and of From and To what leads to the tag; `n_vias` is 2
 * if there are more than one. Contact, Route, further Vias, names and their URIs are not looked at.
 * Whatever else it is, or if it is not good, it is judged by nfv_sip_validate().
 * `topped`: nfv_sip_read_top() has taken it.
 */
unsigned int nfv_sip_validate_used(
	const struct nfv_sip_msg *m, struct nfv_sip_core *core, bool topped, const char **text);

/** Begin as if the topmost Via had just been returned: it is `core->via`, whose `via_ok` is set. */
void nfv_sip_iter_behind(
	struct nfv_sip_iter *it, const struct nfv_sip_msg *m, const struct nfv_sip_core *core);

/**
 * What a proxy checks further in a valid request (§16.3 (2)–(5)): 416, 483 or 420; 0 if nothing.
 * No extension is supported, so every option of Proxy-Require is one too many.
 */
unsigned int nfv_sip_validate_proxy(
	const struct nfv_sip_msg *m, const struct nfv_sip_core *core, const char **text);

#endif
