/**
 * @file
 * Writing SIP: a bounded writer, and edits of a message that is copied with them in one pass.
 *
 * The writer never writes past its room; what does not fit sets `full`, and everything after it is
 * ignored, so a caller writes a whole message and looks once at the end.
 * Ownership: buffers and inserted texts are the caller's. Threads: plain data.
 */
#ifndef NFV_SIP_WRITE_H
#define NFV_SIP_WRITE_H

#include <endian.h>

#include "nfv_addr.h"
#include "nfv_sip.h"
#include "nfv_sv.h"

struct nfv_sip_writer {
	char *p;
	size_t n, room;
	bool full; /* something did not fit */
};

static inline struct nfv_sip_writer
nfv_sip_writer(char *buf, size_t room)
{
	return (struct nfv_sip_writer){ .p = buf, .room = room };
}

/* Inline, so that a text whose length the compiler knows is a store or two. */

static inline void
nfv_sip_put(struct nfv_sip_writer *w, struct nfv_sv s)
{
	if (w->full || s.n > w->room - w->n) {
		w->full = true;
		return;
	}
	if (s.n > 0)
		memcpy(w->p + w->n, s.p, s.n);
	w->n += s.n;
}

static inline void
nfv_sip_put_str(struct nfv_sip_writer *w, const char *s)
{
	nfv_sip_put(w, nfv_sv_str(s));
}

void nfv_sip_put_u64(struct nfv_sip_writer *w, uint64_t v);
/** Eight hexadecimal digits, lower case, in the order in which they are written. */
static inline uint64_t
nfv_sip_hex8(uint32_t v)
{
	uint64_t x = v;

	x = (x | x << 16) & 0x0000ffff0000ffff;
	x = (x | x << 8) & 0x00ff00ff00ff00ff;
	x = (x | x << 4) & 0x0f0f0f0f0f0f0f0f;
	/* 39 from behind the nines to the letters */
	return htobe64(
		x + 0x3030303030303030 + ((x + 0x0606060606060606) >> 4 & 0x0101010101010101) * 39);
}
/** Up to sixteen hexadecimal digits, the upper ones cut off. */
static inline void
nfv_sip_put_hex(struct nfv_sip_writer *w, uint64_t v, unsigned int digits)
{
	const uint64_t text[2] = { nfv_sip_hex8((uint32_t)(v >> 32)), nfv_sip_hex8((uint32_t)v) };

	digits = digits > sizeof(text) ? sizeof(text) : digits;
	nfv_sip_put(w, nfv_sv((const char *)text + sizeof(text) - digits, digits));
}

/** As a host: an IPv6 address in brackets. */
void nfv_sip_put_host(struct nfv_sip_writer *w, const struct nfv_addr *a);
/** Host, colon, port. */
void nfv_sip_put_hostport(struct nfv_sip_writer *w, const struct nfv_endpoint *e);
/** `Name: value` and the line end. */
void nfv_sip_put_header(struct nfv_sip_writer *w, const char *name, struct nfv_sv value);
/** What was written from `from` (an earlier `n`) on. */
static inline struct nfv_sv
nfv_sip_written(const struct nfv_sip_writer *w, size_t from)
{
	return nfv_sv(w->p + from, w->n - from);
}

#define NFV_SIP_EDITS_MAX 24

/** Instead of `del` bytes at offset `at` of a message, `ins`. */
struct nfv_sip_edit {
	uint16_t at, del;
	struct nfv_sv ins;
};

/** Sorted by offset; of two at one offset the one added first comes first. */
struct nfv_sip_edits {
	uint16_t n;
	bool full; /* one too many, or two that overlap */
	struct nfv_sip_edit e[NFV_SIP_EDITS_MAX];
};

void nfv_sip_edit(struct nfv_sip_edits *edits, size_t at, size_t del, struct nfv_sv ins);
/** The same with a view into the message in place of offset and length. */
void nfv_sip_edit_view(struct nfv_sip_edits *edits, const struct nfv_sip_msg *m, struct nfv_sv part,
	struct nfv_sv ins);
/** Write bytes [from, to) of the message, edited. */
void nfv_sip_edit_apply(const struct nfv_sip_edits *edits, const struct nfv_sip_msg *m, size_t from,
	size_t to, struct nfv_sip_writer *w);

#endif
