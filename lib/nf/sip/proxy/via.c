#include <string.h>

#include "nfv_hash.h"
#include "proxy.h"

/* Ours among all branches: cookie, mark, own address, transaction, way back. */
#define MARK        NFV_SIP_COOKIE "nfv"
#define MARK_N      (sizeof(MARK) - 1)
#define OWN_DIGITS  2
#define HASH_DIGITS 16
#define BRANCH_N    (MARK_N + OWN_DIGITS + HASH_DIGITS + HASH_DIGITS)

/* Of a client transaction: cookie, mark, slot and generation, a keyed hash of them, the way here. */
#define TXN_MARK NFV_SIP_COOKIE "nft"
#define TXN_N    (MARK_N + 8 + 8 + 8 + HASH_DIGITS)

/* Some texts in whole words, and then how long each was, so that "ab" "c" and "a" "bc" are not the same. */
static void
hash_texts(struct siphash *h, const struct nfv_sv *text, size_t n)
{
	uint64_t lengths = 0;

	for (size_t i = 0; i < n; i++) {
		const uint8_t *p = (const uint8_t *)text[i].p;
		size_t left = text[i].n;

		for (; left >= 8; left -= 8, p += 8)
			siphash_push8(h, p);
		if (left > 0)
			siphash_push(h, siphash_rest(p + left, (unsigned int)left, text[i].n), 8);
		lengths = lengths << 16 | text[i].n;
	}
	siphash_push(h, lengths, 8);
}

bool
sip_via_target(const struct nfv_sip_via *via, struct nfv_endpoint *out)
{
	struct nfv_endpoint e = { .addr = via->received };

	if (e.addr.family == NFV_NO_ADDR && nfv_addr_parse(via->host, &e.addr) < 0)
		return false;
	e.port = via->rport != 0 ? via->rport : via->port != 0 ? via->port : NFV_SIP_PORT;
	*out = e;
	return true;
}

/* Behind a NAT whose mapping is one of our own addresses only the source port leads back, whether
 * the client has asked for rport or not. */
static bool
wants_rport(const struct sip_work *work)
{
	return work->core.via.has_rport || sip_own_find(work->px, &work->in->src.addr) >= 0;
}

struct nfv_endpoint
sip_via_back(const struct sip_work *work)
{
	const struct nfv_sip_via *via = &work->core.via;

	if (!work->core.via_ok || wants_rport(work))
		return work->in->src;
	return (struct nfv_endpoint){ work->in->src.addr,
		via->port != 0 ? via->port : NFV_SIP_PORT };
}

void
sip_via_fix(struct sip_work *work)
{
	const struct nfv_sip_via *via = &work->core.via;
	const struct nfv_sip_msg *m = &work->msg;
	struct nfv_sip_writer *w = &work->ins;
	char text[NFV_ADDR_TEXT];
	struct nfv_addr host;
	size_t from = w->n;

	if (!work->core.via_ok)
		return;
	if (!wants_rport(work) && via->received_param.n == 0 &&
		nfv_addr_parse(via->host, &host) == 0 && nfv_addr_eq(&host, &work->in->src.addr))
		return;
	if (via->received_param.n > 0)
		nfv_sip_edit_view(&work->edits, m, via->received_param, nfv_sv(NULL, 0));
	if (via->rport_param.n > 0)
		nfv_sip_edit_view(&work->edits, m, via->rport_param, nfv_sv(NULL, 0));
	nfv_sip_put_str(w, ";received=");
	nfv_sip_put_str(w, nfv_addr_text(&work->in->src.addr, text));
	if (wants_rport(work)) {
		nfv_sip_put_str(w, ";rport=");
		nfv_sip_put_u64(w, work->in->src.port);
	}
	nfv_sip_edit(&work->edits, (size_t)(via->text.p + via->text.n - m->p), 0,
		nfv_sip_written(w, from));
}

/* RFC 3261 §16.11, 17.2.3: the received branch where it is one, else all that tells transactions apart
 * but the method, and but the To tag, which an ACK has and its INVITE has not. */
static const uint64_t *
identify(struct sip_work *work)
{
	static const struct nfv_sv cookie = { NFV_SIP_COOKIE, sizeof(NFV_SIP_COOKIE) - 1 };
	const struct nfv_sip_core *core = &work->core;
	struct nfv_sv branch = core->via.branch;
	struct siphash h;

	if (work->identified)
		return work->id;
	siphash_init(&h, &work->px->key);
	if (branch.n > cookie.n && memcmp(branch.p, cookie.p, cookie.n) == 0) {
		hash_texts(&h, (const struct nfv_sv[]){ branch, core->via.sent_by }, 2);
	} else {
		hash_texts(&h,
			(const struct nfv_sv[]){
				core->via.text, core->from.tag, core->call_id, work->msg.uri },
			4);
		siphash_push(&h, core->cseq.number, 8);
	}
	siphash_end2(&h, work->id);
	work->identified = true;
	return work->id;
}

uint64_t
sip_txn_hash(struct sip_work *work)
{
	return identify(work)[0];
}

static uint64_t
way_back(const struct sip_proxy *px, uint64_t txn, unsigned int own, const struct nfv_endpoint *to)
{
	uint8_t parts[] = { 'w', (uint8_t)own, to->addr.family, (uint8_t)(to->port >> 8),
		(uint8_t)to->port };
	struct siphash h;

	siphash_init(&h, &px->key);
	siphash_add(&h, parts, sizeof(parts));
	siphash_add(&h, to->addr.b, sizeof(to->addr.b));
	siphash_add(&h, &txn, sizeof(txn));
	return siphash_end(&h);
}

void
sip_branch_put(struct sip_work *work, struct nfv_sip_writer *w)
{
	unsigned int own = (unsigned int)sip_own_find(work->px, &work->in->dst.addr);
	struct nfv_endpoint back = sip_via_back(work);
	uint64_t txn = sip_txn_hash(work);

	nfv_sip_put_str(w, MARK);
	nfv_sip_put_hex(w, own, OWN_DIGITS);
	nfv_sip_put_hex(w, txn, HASH_DIGITS);
	nfv_sip_put_hex(w, way_back(work->px, txn, own, &back), HASH_DIGITS);
}

/* Eight or two digits at a time, as nfv_sip_put_hex() writes them. */
static bool
hex(struct nfv_sv s, uint64_t *out)
{
	uint64_t v = 0;

	while (s.n > 0) {
		size_t n = s.n < 8 ? s.n : 8;
		uint64_t text = nfv_sip_hex8(0), x;

		memcpy((char *)&text + 8 - n, s.p, n);
		/* A letter's low half is short of nine. */
		x = be64toh(text);
		x = (x & 0x0f0f0f0f0f0f0f0f) + (x >> 6 & 0x0101010101010101) * 9;
		x = (x | x >> 4) & 0x00ff00ff00ff00ff;
		x = (x | x >> 8) & 0x0000ffff0000ffff;
		x = (x | x >> 16) & 0xffffffff;
		if (nfv_sip_hex8((uint32_t)x) != text)
			return false;
		v = v << 4 * n | x;
		s = nfv_sv(s.p + n, s.n - n);
	}
	*out = v;
	return true;
}

int
sip_branch_check(const struct sip_proxy *px, struct nfv_sv branch, const struct nfv_endpoint *to)
{
	uint64_t own, txn, back;
	const char *p = branch.p;

	if (branch.n != BRANCH_N || memcmp(p, MARK, MARK_N) != 0 ||
		!hex(nfv_sv(p + MARK_N, OWN_DIGITS), &own) ||
		!hex(nfv_sv(p + MARK_N + OWN_DIGITS, HASH_DIGITS), &txn) ||
		!hex(nfv_sv(p + MARK_N + OWN_DIGITS + HASH_DIGITS, HASH_DIGITS), &back))
		return -1;
	if (own >= px->n_own || back != way_back(px, txn, (unsigned int)own, to))
		return -1;
	return (int)own;
}

bool
sip_may_oc(struct nfv_sv s)
{
	const char *end = s.p + s.n, *p = s.p;

	while ((p = memchr(p, ';', (size_t)(end - p))) != NULL)
		if (end - ++p >= 2 && (p[0] | 0x20) == 'o' && (p[1] | 0x20) == 'c')
			return true;
	return false;
}

void
sip_via_oc(struct sip_work *work, const struct nfv_sip_via *via)
{
	static const struct nfv_sv ours[] = { { "oc", 2 }, { "oc-algo", 7 }, { "oc-validity", 11 },
		{ "oc-seq", 6 } };
	const struct sip_overload *o = work->px->overload;
	const char *end = via->text.p + via->text.n;
	struct nfv_sip_writer *w = &work->ins;
	struct nfv_sv rest;
	struct nfv_sip_param p;
	bool asked = false;
	size_t from = w->n;

	if (o == NULL || !sip_may_oc(via->text))
		return;
	rest.p = via->sent_by.p + via->sent_by.n;
	rest.n = (size_t)(end - rest.p);
	while (nfv_sip_param_next(&rest, &p) > 0)
		asked |= nfv_sv_ieq(p.name, ours[0]);
	if (!asked)
		return;
	rest.p = via->sent_by.p + via->sent_by.n;
	rest.n = (size_t)(end - rest.p);
	while (nfv_sip_param_next(&rest, &p) > 0)
		for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
			if (nfv_sv_ieq(p.name, ours[i]))
				nfv_sip_edit_view(
					&work->edits, &work->msg, p.text, nfv_sv(NULL, 0));
	nfv_sip_put_str(w, ";oc=");
	nfv_sip_put_u64(w, sip_overload_loss(o));
	nfv_sip_put_str(w, ";oc-algo=\"loss\";oc-validity=500;oc-seq=");
	nfv_sip_put_u64(w, o->windows);
	nfv_sip_edit(&work->edits, (size_t)(end - work->msg.p), 0, nfv_sip_written(w, from));
}

/* All of a text, and where it ends, into `h`. */
static uint64_t
fold(uint64_t h, struct nfv_sv s)
{
	const uint64_t odd = 0x9e3779b97f4a7c15u;
	const char *p = s.p;
	size_t n = s.n;
	uint64_t w;

	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&w, p, 8);
		h = nfv_hash_mix(h ^ w, odd);
	}
	w = n > 0 ? siphash_rest((const uint8_t *)p + n, (unsigned int)n, s.n) : 0;
	return nfv_hash_mix(h ^ w ^ s.n << 56, odd);
}

/*
 * RFC 5393 §4.2.1: all that decides about where the request goes, and which one it is. Of what lies below
 * an own Via nobody but us can have made another request, so tags say nothing more. Without a key,
 * since it proves nothing: whoever can forge it can as well take the Via away.
 */
static uint64_t
course_hash(const struct sip_work *work)
{
	const struct nfv_sip_msg *m = &work->msg;
	uint64_t h = 0xd1b54a32d192ed03u + work->core.cseq.number;

	h = fold(fold(h, m->uri), work->core.call_id);
	for (const struct nfv_sip_hdr *r = nfv_sip_first_hdr(m, NFV_SIP_H_ROUTE); r != NULL;
		r = nfv_sip_next_hdr(m, r))
		h = fold(h, nfv_sip_value(m, r));
	return h;
}

/* What only we can have made, by its use. */
enum { BRANCH = 'x', REFUSAL = 'r' };

static uint32_t
seal(const struct sip_proxy *px, char use, uint32_t a, uint32_t b)
{
	struct siphash h;

	siphash_init(&h, &px->key);
	siphash_push(&h, (uint64_t)a << 32 | b, 8);
	siphash_push(&h, (uint8_t)use, 1);
	return (uint32_t)siphash_end(&h);
}

void
sip_branch_txn(const struct sip_proxy *px, const struct sip_work *work, uint32_t txn,
	uint32_t generation, struct nfv_sip_writer *w)
{
	nfv_sip_put_str(w, TXN_MARK);
	nfv_sip_put_hex(w, txn, 8);
	nfv_sip_put_hex(w, generation, 8);
	nfv_sip_put_hex(w, seal(px, BRANCH, txn, generation), 8);
	nfv_sip_put_hex(w, work != NULL ? course_hash(work) : 0, HASH_DIGITS);
}

bool
sip_branch_txn_read(
	const struct sip_proxy *px, struct nfv_sv branch, uint32_t *txn, uint32_t *generation)
{
	const char *p = branch.p + MARK_N;
	uint64_t i, g, s;

	if (branch.n != TXN_N || memcmp(branch.p, TXN_MARK, MARK_N) != 0 ||
		!hex(nfv_sv(p, 8), &i) || !hex(nfv_sv(p + 8, 8), &g) ||
		!hex(nfv_sv(p + 16, 8), &s) || s != seal(px, BRANCH, (uint32_t)i, (uint32_t)g))
		return false;
	*txn = (uint32_t)i;
	*generation = (uint32_t)g;
	return true;
}

/* Whether this is the branch of a request like this one. */
static bool
is_of_this(const struct sip_work *work, struct nfv_sv branch)
{
	uint32_t txn, generation;
	uint64_t was;

	return sip_branch_txn_read(work->px, branch, &txn, &generation) &&
		hex(nfv_sv(branch.p + TXN_N - HASH_DIGITS, HASH_DIGITS), &was) &&
		was == course_hash(work);
}

bool
sip_is_loop(const struct sip_work *work)
{
	struct nfv_sip_via via;
	struct nfv_sip_iter it;

	if (work->core.n_vias < 2)
		return false; /* it has not been here */
	if (is_of_this(work, work->core.via.branch))
		return true;
	nfv_sip_iter_behind(&it, &work->msg, &work->core);
	while (nfv_sip_next_via(&it, &via) > 0)
		if (is_of_this(work, via.branch))
			return true;
	return false;
}

void
sip_txn_key(struct sip_work *work, uint64_t key[2])
{
	unsigned int method = work->msg.method;
	struct siphash h;

	memcpy(key, identify(work), sizeof(work->id));
	if (method == NFV_SIP_ACK || method == NFV_SIP_CANCEL)
		method = NFV_SIP_INVITE;
	key[1] += method;
	if (method != NFV_SIP_OTHER)
		return;
	siphash_init(&h, &work->px->key);
	hash_texts(&h, &work->msg.method_name, 1);
	key[1] ^= siphash_end(&h);
}

/* The second word of what it is known by: it chooses no bucket, so it may be shown. */
uint64_t
sip_tag(struct sip_work *work)
{
	uint64_t tag = identify(work)[1];

	if (work->refusing)
		tag = tag >> 32 << 32 | seal(work->px, REFUSAL, (uint32_t)(tag >> 32), 0);
	return tag;
}

bool
sip_is_refusal(const struct sip_proxy *px, struct nfv_sv to)
{
	const char *p = to.p + to.n - 16;
	uint64_t hash, check;

	return to.n > 21 && memcmp(p - 5, ";tag=", 5) == 0 && hex(nfv_sv(p, 8), &hash) &&
		hex(nfv_sv(p + 8, 8), &check) && check == seal(px, REFUSAL, (uint32_t)hash, 0);
}
