#include <rte_malloc.h>

#include "icmp.h"
#include "reassemble.h"

#define FRAG6_LEN 8
#define QUOTE_MAX 1280 /* more than any error quotes */

/* One fragment's place in its datagram. */
struct part {
	const uint8_t *bytes;
	unsigned int from, to;
	bool more;
};

int
reasm_init(struct reasm_table *t, uint32_t n, uint64_t hz, uint64_t seed, int socket)
{
	if (n == 0)
		return 0;
	t->place = rte_zmalloc_socket("l3_reasm", n * sizeof(*t->place), 64, socket);
	t->reasm = rte_zmalloc_socket("l3_reasm", n * sizeof(*t->reasm), 64, socket);
	t->bytes = rte_malloc_socket("l3_reasm", (size_t)n * REASM_BYTES, 64, socket);
	if (t->place == NULL || t->reasm == NULL || t->bytes == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		t->reasm[i].bytes = t->bytes + (size_t)i * REASM_BYTES;
	t->n = n;
	t->share = (n + 3) / 4;
	t->hz = hz;
	t->hash = nfv_hash_key(seed ^ 0x66726167);
	return 0;
}

void
reasm_fini(struct reasm_table *t)
{
	rte_free(t->place);
	rte_free(t->reasm);
	rte_free(t->bytes);
}

/* ---- places ---- */

static struct reasm_key
key_of(const struct turn *t, const struct nfv_pkt *p)
{
	struct reasm_key key = { .src = host_src_of(p), .dst = host_dst_of(p), .port = t->port };

	if (p->family == 4) {
		key.id = nfv_pkt_ip4(p)->be_id;
		key.proto = p->proto;
	} else {
		memcpy(&key.id, p->data + p->l4 - 4, sizeof(key.id));
	}
	return key;
}

static uint64_t
key_hash(const struct reasm_table *t, const struct reasm_key *key)
{
	uint64_t rest = (uint64_t)key->id << 16 | (uint64_t)key->proto << 8 | key->port;
	uint64_t h = hash_addr(&t->hash, &key->src, 0);

	/* 0 is a free place's. */
	return nfv_hash2_more(&t->hash, h, hash_addr(&t->hash, &key->dst, 0), rest) | 1;
}

static bool
key_eq(const struct reasm_key *a, const struct reasm_key *b)
{
	return a->id == b->id && a->proto == b->proto && a->port == b->port &&
		nfv_addr_eq(&a->src, &b->src) && nfv_addr_eq(&a->dst, &b->dst);
}

static void
give_up(struct reasm_table *t, uint32_t i)
{
	t->place[i].hash = 0;
	t->used--;
}

/* The same sender, as far as one can tell: of IPv6 it has a /64 at least. */
static bool
same_source(const struct nfv_addr *a, const struct nfv_addr *b)
{
	return a->family == b->family && memcmp(a->b, b->b, a->family == NFV_IPV6 ? 8 : 4) == 0;
}

/* A place for a new datagram, in place of another if need be; NULL: all hold whole ones. */
static struct reasm *
add(const struct turn *t, const struct reasm_key *key, uint64_t hash)
{
	struct reasm_table *rt = &t->l3->reasm;
	uint32_t unused = rt->n, oldest = rt->n, own = rt->n, owned = 0, at;
	int seconds = key->src.family == NFV_IPV4 ? REASM_S4 : REASM_S6;
	struct reasm *r;

	for (uint32_t i = 0; i < rt->n; i++) {
		r = &rt->reasm[i];
		if (rt->place[i].hash == 0) {
			unused = i;
			continue;
		}
		if (rt->place[i].whole)
			continue;
		if (oldest == rt->n || r->serial < rt->reasm[oldest].serial)
			oldest = i;
		if (!same_source(&r->key.src, &key->src))
			continue;
		owned++;
		if (own == rt->n || r->serial < rt->reasm[own].serial)
			own = i;
	}
	at = owned >= rt->share ? own : unused < rt->n ? unused : oldest;
	if (at == rt->n)
		return NULL;
	if (rt->place[at].hash != 0) {
		t->l3->count.frag_evicted_source += at == own && owned >= rt->share;
		t->l3->count.frag_evicted += !(at == own && owned >= rt->share);
		give_up(rt, at);
	}
	rt->place[at] = (struct reasm_place){ hash, t->now + (uint64_t)seconds * rt->hz, false };
	rt->used++;
	r = &rt->reasm[at];
	r->key = *key;
	r->serial = rt->serial++;
	r->have = r->total = 0;
	r->spoilt = 0;
	r->n = r->head_len = 0;
	return r;
}

static struct reasm *
find(const struct reasm_table *t, const struct reasm_key *key, uint64_t hash)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (t->place[i].hash == hash && !t->place[i].whole && key_eq(&t->reasm[i].key, key))
			return &t->reasm[i];
	return NULL;
}

/* ---- pieces ---- */

static struct part
part_of(const struct nfv_pkt *p)
{
	struct part part = { .bytes = nfv_pkt_l4(p) };
	unsigned int word;

	if (p->family == 4) {
		word = be16toh(nfv_pkt_ip4(p)->be_frag);
		part.from = (word & NFV_IP4_OFFSET) * 8;
		part.more = word & NFV_IP4_MF;
	} else {
		word = (unsigned int)p->data[p->l4 - 6] << 8 | p->data[p->l4 - 5];
		part.from = word & 0xfff8;
		part.more = word & 1;
	}
	part.to = part.from + nfv_pkt_l4_len(p);
	return part;
}

/* What the ends say of themselves: whole units, and a datagram that has a buffer. */
static bool
is_sane(const struct nfv_pkt *p, const struct part *part)
{
	unsigned int least = NFV_ETH_LEN + (p->family == 4 ? NFV_IP4_LEN : NFV_IP6_LEN);

	return part->to > part->from && (!part->more || part->to % 8 == 0) &&
		least + part->to <= NFV_FRAME_MAX && (part->from > 0 || p->l4 <= REASM_HEAD);
}

/* The ends and those of what has come already: one end only, and nothing behind it. */
static bool
agrees(const struct reasm *r, const struct part *part)
{
	if (part->more)
		return r->total == 0 || part->to < r->total;
	return r->total == 0 ? r->n == 0 || r->piece[r->n - 1].to <= part->to :
			       r->total == part->to;
}

/* Take a part in. Returns 0, or the reason not to; every one but a duplicate spoils the datagram:
 * who sends two versions of a byte wants somebody to choose the wrong one (RFC 5722). */
static uint8_t
put(struct reasm *r, const struct part *part)
{
	unsigned int at = r->n;

	while (at > 0 && r->piece[at - 1].from > part->from)
		at--;
	if (at > 0 && r->piece[at - 1].to > part->from) {
		const struct reasm_piece *had = &r->piece[at - 1];

		return had->from == part->from && had->to == part->to && agrees(r, part) &&
				memcmp(r->bytes + part->from, part->bytes, part->to - part->from) ==
					0 ?
			NFV_L3_FRAG_DUPLICATE :
			NFV_L3_FRAG_OVERLAP;
	}
	if (at < r->n && r->piece[at].from < part->to)
		return NFV_L3_FRAG_OVERLAP;
	if (!agrees(r, part))
		return NFV_L3_FRAG_LENGTH;
	if (r->n == REASM_PIECES)
		return NFV_L3_FRAG_PIECES;
	memmove(&r->piece[at + 1], &r->piece[at], (r->n - at) * sizeof(r->piece[0]));
	r->piece[at] = (struct reasm_piece){ (uint16_t)part->from, (uint16_t)part->to };
	r->n++;
	memcpy(r->bytes + part->from, part->bytes, part->to - part->from);
	r->have += part->to - part->from;
	if (!part->more)
		r->total = part->to;
	return 0;
}

static uint32_t
frame_len(const struct reasm *r)
{
	return r->head_len - (r->key.src.family == NFV_IPV6 ? FRAG6_LEN : 0u) + r->total;
}

uint8_t
reasm_input(const struct turn *t, const struct nfv_pkt *p)
{
	struct reasm_table *rt = &t->l3->reasm;
	struct reasm_key key = key_of(t, p);
	uint64_t hash = key_hash(rt, &key);
	struct part part = part_of(p);
	struct reasm *r = find(rt, &key, hash);
	uint8_t why;

	if (rt->n == 0)
		return NFV_DROP(NFV_L3_FRAGMENT);
	if (r == NULL)
		r = add(t, &key, hash);
	if (r == NULL)
		return NFV_DROP(NFV_L3_FRAG_FULL);
	why = r->spoilt;
	if (why == 0)
		why = is_sane(p, &part) ? put(r, &part) : NFV_L3_FRAG_LENGTH;
	if (why == 0 && part.from == 0) {
		memcpy(r->head, p->data, p->l4);
		r->head_len = p->l4;
		r->proto = p->proto;
	}
	if (why == 0 && r->have == r->total && frame_len(r) > NFV_FRAME_MAX)
		why = NFV_L3_FRAG_LENGTH;
	if (why != 0) {
		if (why != NFV_L3_FRAG_DUPLICATE)
			r->spoilt = why;
		return NFV_DROP(why);
	}
	if (r->have == r->total) {
		/* As many as packets in a burst, and every burst's are taken before the next. */
		if (rt->n_whole == NFV_BURST_MAX) {
			give_up(rt, (uint32_t)(r - rt->reasm));
			return NFV_DROP(NFV_L3_FRAG_FULL);
		}
		rt->place[r - rt->reasm].whole = true;
		rt->whole[rt->n_whole++] = (uint16_t)(r - rt->reasm);
	}
	return NFV_CONSUMED;
}

/* ---- what comes of it ---- */

/* The byte that announces the fragment header at `at`; the parser has walked here before. */
static uint8_t *
announces(struct nfv_ip6 *ip, unsigned int at)
{
	uint8_t *next = &ip->next, *ext = (uint8_t *)(ip + 1);

	while (ext < (uint8_t *)ip + at) {
		uint8_t kind = *next;

		next = ext;
		ext += kind == NFV_PROTO_AH ? (ext[1] + 2) * 4 : (ext[1] + 1) * 8;
	}
	return next;
}

bool
reasm_atomic(struct nfv_pkt *p)
{
	unsigned int head = p->l4 - FRAG6_LEN;
	struct part part;

	if (p->family != 6)
		return false;
	part = part_of(p);
	if (part.from > 0 || part.more)
		return false;
	*announces(nfv_pkt_ip6(p), head - p->l3) = p->data[head];
	nfv_pkt_ip6(p)->be_len = htobe16((uint16_t)(be16toh(nfv_pkt_ip6(p)->be_len) - FRAG6_LEN));
	memmove(p->data + FRAG6_LEN, p->data, head);
	p->data += FRAG6_LEN;
	p->len = (uint16_t)(p->len - FRAG6_LEN);
	p->headroom = (uint16_t)(p->headroom + FRAG6_LEN);
	return true;
}

uint32_t
nfv_l3_whole(const struct nfv_l3 *l3)
{
	const struct reasm_table *rt = &l3->reasm;

	return rt->n_taken < rt->n_whole ? frame_len(&rt->reasm[rt->whole[rt->n_taken]]) : 0;
}

static void
write_whole(const struct reasm *r, struct nfv_pkt *p, unsigned int head)
{
	p->l3 = NFV_ETH_LEN;
	memcpy(p->data, r->head, head);
	memcpy(p->data + head, r->bytes, r->total);
	if (r->key.src.family == NFV_IPV4) {
		struct nfv_ip4 *ip = nfv_pkt_ip4(p);

		ip->be_len = htobe16((uint16_t)(p->len - p->l3));
		ip->be_frag = 0;
		nfv_csum_ip4_set(ip);
	} else {
		struct nfv_ip6 *ip = nfv_pkt_ip6(p);

		*announces(ip, head - p->l3) = r->head[head];
		ip->be_len = htobe16((uint16_t)(p->len - p->l3 - NFV_IP6_LEN));
	}
}

bool
reasm_take(const struct turn *t, struct nfv_pkt *p, unsigned int *first)
{
	struct reasm_table *rt = &t->l3->reasm;
	uint32_t i = rt->whole[rt->n_taken++];
	const struct reasm *r = &rt->reasm[i];
	unsigned int head = r->head_len - (r->key.src.family == NFV_IPV6 ? FRAG6_LEN : 0u);
	bool ok = nfv_pkt_resize(p, (int)frame_len(r) - p->len);

	if (ok)
		write_whole(r, p, head);
	*first = head + r->piece[0].to;
	t->l3->count.whole += ok;
	give_up(rt, i);
	if (rt->n_taken == rt->n_whole)
		rt->n_taken = rt->n_whole = 0;
	return ok;
}

/* ---- time ---- */

/* Only who sent the first piece can be told, since only that says what it was about. */
static void
tell_late(struct turn *t, const struct reasm *r)
{
	uint8_t bytes[REASM_HEAD + QUOTE_MAX];
	unsigned int n = r->piece[0].to < QUOTE_MAX ? r->piece[0].to : QUOTE_MAX;
	struct nfv_pkt p = { .data = bytes,
		.len = (uint16_t)(r->head_len + n),
		.l3 = NFV_ETH_LEN,
		.l4 = r->head_len,
		.family = r->key.src.family == NFV_IPV4 ? 4 : 6,
		.proto = r->proto };

	if (r->head_len == 0 || r->spoilt != 0)
		return;
	memcpy(bytes, r->head, r->head_len);
	memcpy(bytes + r->head_len, r->bytes, n);
	t->port = r->key.port;
	icmp_error_wire(t, ICMP_REASSEMBLY, 0, &p);
}

void
reasm_tick(struct turn *t)
{
	struct reasm_table *rt = &t->l3->reasm;

	for (uint32_t i = 0; i < rt->n; i++) {
		if (rt->place[i].hash == 0 || rt->place[i].whole ||
			(int64_t)(t->now - rt->place[i].due) < 0)
			continue;
		tell_late(t, &rt->reasm[i]);
		t->l3->count.frag_late++;
		give_up(rt, i);
	}
}
