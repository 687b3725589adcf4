#include <string.h>

#include "nfv_hash.h"
#include "trace_format.h"

void
trace_put(struct trace_bytes *b, uint64_t v, unsigned int bytes)
{
	if ((size_t)(b->end - b->at) < bytes) {
		b->bad = true;
		return;
	}
	for (unsigned int i = 0; i < bytes; i++)
		*b->at++ = (uint8_t)(v >> 8 * i);
}

uint64_t
trace_get(struct trace_bytes *b, unsigned int bytes)
{
	uint64_t v = 0;

	if ((size_t)(b->end - b->at) < bytes) {
		b->bad = true;
		return 0;
	}
	for (unsigned int i = 0; i < bytes; i++)
		v |= (uint64_t)*b->at++ << 8 * i;
	return v;
}

/* Against accidents only: whoever wants to can make a file with right sums. */
uint64_t
trace_sum(uint64_t begin, const uint8_t *p, size_t n)
{
	uint64_t sum = begin ^ n, word = 0;

	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&word, p, 8);
		sum = nfv_hash_mix(sum ^ word, 0x9e3779b97f4a7c15u);
	}
	word = 0;
	memcpy(&word, p, n);
	return nfv_hash_mix(sum ^ word, 0xd1b54a32d192ed03u) ^ sum;
}

uint64_t
trace_mark_sum(const uint8_t in[TRACE_MARK], const uint8_t *data, size_t n)
{
	return trace_sum(trace_sum(1, in, TRACE_MARK - 8), data, n);
}

void
trace_put_mark(uint8_t out[TRACE_MARK], const struct trace_mark *m, const uint8_t *data)
{
	struct trace_bytes b = { out, out + TRACE_MARK, false };

	trace_put(&b, m->what, 4);
	trace_put(&b, m->bytes, 4);
	trace_put(&b, m->accesses, 8);
	trace_put(&b, m->time, 8);
	trace_put(&b, m->lost, 8);
	trace_put(&b, trace_mark_sum(out, data, m->bytes), 8);
}

uint64_t
trace_get_mark(const uint8_t in[TRACE_MARK], struct trace_mark *out)
{
	uint8_t copy[TRACE_MARK];
	struct trace_bytes b = { copy, copy + TRACE_MARK, false };

	memcpy(copy, in, TRACE_MARK);
	out->what = (uint32_t)trace_get(&b, 4);
	out->bytes = (uint32_t)trace_get(&b, 4);
	out->accesses = trace_get(&b, 8);
	out->time = trace_get(&b, 8);
	out->lost = trace_get(&b, 8);
	return trace_get(&b, 8);
}

size_t
trace_put_header(uint8_t out[TRACE_HEADER_MAX], const struct mpc_trace_info *info)
{
	struct trace_bytes b = { out + TRACE_START, out + TRACE_HEADER_MAX, false };
	struct trace_bytes start = { out, out + TRACE_START, false };

	trace_put(&b, info->line, 4);
	trace_put(&b, info->hz, 8);
	trace_put(&b, info->caches.n, 4);
	for (unsigned int i = 0; i < info->caches.n; i++) {
		const struct mpc_cache *c = &info->caches.cache[i];
		const uint32_t v[] = { c->level, c->type, c->line, c->ways, c->sets, c->shared };

		for (unsigned int k = 0; k < sizeof(v) / sizeof(v[0]); k++)
			trace_put(&b, v[k], 4);
	}
	trace_put(&b, info->classes, 4);
	for (unsigned int i = 0; i < info->classes; i++) {
		const char *name = info->class[i].name;
		size_t n = strnlen(name, MPC_CLASS_NAME);

		trace_put(&b, n, 1);
		for (size_t k = 0; k < n; k++)
			trace_put(&b, (uint8_t)name[k], 1);
		trace_put(&b, info->class[i].pages, 4);
	}
	trace_put(&start, TRACE_MAGIC, 8);
	trace_put(&start, TRACE_VERSION, 4);
	trace_put(&start, (uint64_t)(b.at - out) + 8 - TRACE_START, 4);
	trace_put(&b, trace_sum(0, out, (size_t)(b.at - out)), 8);
	return (size_t)(b.at - out);
}

bool
trace_name_good(struct nfv_sv name)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] > '~')
			return false;
	return name.n > 0 && name.n < MPC_CLASS_NAME;
}

bool
trace_line_good(uint32_t line)
{
	return line >= 16 && line <= MPC_PAGE && (line & (line - 1)) == 0;
}

static int
get_caches(struct trace_bytes *b, struct mpc_caches *out, struct nfv_err *err)
{
	uint64_t n = trace_get(b, 4);

	if (n > MPC_CACHES)
		return nfv_fail(err, EINVAL, "it tells of more than %d caches", MPC_CACHES);
	for (unsigned int i = 0; i < n; i++) {
		struct mpc_cache *c = &out->cache[i];
		uint64_t level = trace_get(b, 4), type = trace_get(b, 4), line = trace_get(b, 4);

		*c = (struct mpc_cache){ .level = (uint8_t)level,
			.type = (uint8_t)type,
			.line = (uint16_t)line,
			.ways = (uint32_t)trace_get(b, 4),
			.sets = (uint32_t)trace_get(b, 4),
			.shared = (uint32_t)trace_get(b, 4) };
		if (level > UINT8_MAX || type > MPC_CACHE_UNIFIED || line > MPC_PAGE ||
			(uint64_t)c->ways * c->sets > UINT32_MAX)
			return nfv_fail(err, EINVAL, "one of its caches is not one");
		if (mpc_cache_complete(c, err) < 0)
			return -EINVAL;
	}
	out->n = (unsigned int)n;
	return 0;
}

static int
get_classes(struct trace_bytes *b, struct mpc_trace_info *out, struct nfv_err *err)
{
	uint64_t n = trace_get(b, 4);

	if (n > MPC_CLASSES)
		return nfv_fail(err, EINVAL, "it has more than %d classes", MPC_CLASSES);
	for (unsigned int i = 0; i < n; i++) {
		struct mpc_class *c = &out->class[i];
		size_t length = (size_t)trace_get(b, 1);

		for (size_t k = 0; k < length; k++) {
			char letter = (char)trace_get(b, 1);

			if (k < MPC_CLASS_NAME - 1)
				c->name[k] = letter;
		}
		if (length >= MPC_CLASS_NAME || !trace_name_good(nfv_sv(c->name, length)))
			return nfv_fail(err, EINVAL, "the name of its class %u is not one", i);
		c->pages = (uint32_t)trace_get(b, 4);
	}
	out->classes = (unsigned int)n;
	return 0;
}

int
trace_get_header(uint8_t *in, size_t n, struct mpc_trace_info *out, struct nfv_err *err)
{
	struct trace_bytes b = { in + TRACE_START, in + n - 8, false };
	struct trace_bytes sum = { in + n - 8, in + n, false };
	struct mpc_trace_info info = { .line = (uint32_t)trace_get(&b, 4), .hz = trace_get(&b, 8) };
	int rc;

	if (trace_get(&sum, 8) != trace_sum(0, in, n - 8))
		return nfv_fail(err, EINVAL, "its header is damaged");
	if (!trace_line_good(info.line))
		return nfv_fail(err, EINVAL, "lines of %u bytes are none", info.line);
	rc = get_caches(&b, &info.caches, err);
	if (rc == 0)
		rc = get_classes(&b, &info, err);
	if (rc == 0 && (b.bad || b.at != b.end))
		rc = nfv_fail(err, EINVAL, "its header has not the size it tells");
	if (rc == 0)
		*out = info;
	return rc;
}
