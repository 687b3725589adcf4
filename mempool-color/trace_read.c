#include <stdlib.h>
#include <string.h>

#include "trace_format.h"

#define TEXT_LINE 256 /* bytes a line of text, at most */

struct mpc_trace_reader {
	FILE *from;
	bool owned, text;
	char name[256];
	struct mpc_trace_info info;
	/* Of a file: the block being read, and what has been. */
	uint8_t *at, *end;
	uint64_t left; /* accesses of the block */
	uint64_t line[MPC_CLASSES];
	uint32_t class;
	uint64_t time, blocks, seen, lost;
	struct trace_mark last; /* the end, as read first */
	uint64_t lines;         /* of text */
	bool done;
	int error;
	struct nfv_err sentence;
	uint8_t block[MPC_TRACE_BLOCK];
};

static int
fail(struct mpc_trace_reader *r, struct nfv_err *err, const char *what)
{
	r->error = nfv_fail(&r->sentence, EINVAL, "%s: %s", r->name, what);
	if (err != NULL)
		*err = r->sentence;
	return r->error;
}

static int
damaged(struct mpc_trace_reader *r, struct nfv_err *err)
{
	return fail(r, err, "it is damaged; take the trace anew");
}

static int
cut_off(struct mpc_trace_reader *r, struct nfv_err *err)
{
	return fail(r, err,
		"it is cut off, its end is missing; who wrote it was stopped, or the disk full");
}

static bool
get(struct mpc_trace_reader *r, void *p, size_t n)
{
	return fread(p, 1, n, r->from) == n;
}

/* The end of the file comes first: a trace that is cut off is not begun. */
static int
open_end(struct mpc_trace_reader *r, struct nfv_err *err)
{
	uint8_t mark[TRACE_MARK];
	long here = ftell(r->from);
	uint64_t sum;

	if (here < 0 || fseek(r->from, -(long)TRACE_MARK, SEEK_END) < 0 || ftell(r->from) < here ||
		!get(r, mark, sizeof(mark)))
		return cut_off(r, err);
	sum = trace_get_mark(mark, &r->last);
	if (r->last.what != TRACE_END || r->last.bytes != 0 || sum != trace_mark_sum(mark, mark, 0))
		return cut_off(r, err);
	if (fseek(r->from, here, SEEK_SET) < 0)
		return fail(r, err, "it cannot be read twice; give a file, not a pipe");
	r->info.accesses = r->last.accesses;
	r->info.lost = r->last.lost;
	return 0;
}

static int
same_machine(struct mpc_trace_reader *r, const struct mpc_caches *machine, struct nfv_err *err)
{
	char text[200];

	if (r->info.caches.n == 0)
		return fail(r, err, "it does not tell what machine it was taken on");
	for (unsigned int i = 0; i < machine->n; i++) {
		const struct mpc_cache *here = &machine->cache[i],
				       *there = &r->info.caches.cache[i];

		if (i < r->info.caches.n && here->level == there->level &&
			here->type == there->type && here->line == there->line &&
			here->ways == there->ways && here->sets == there->sets)
			continue;
		snprintf(text, sizeof(text),
			"it was taken on another machine: this one's level %u cache has %u sets of %u "
			"ways, that one's is another; take a trace here",
			here->level, here->sets, here->ways);
		return fail(r, err, text);
	}
	return r->info.caches.n == machine->n ?
		0 :
		fail(r, err, "it was taken on another machine, with more caches");
}

static int
open_binary(struct mpc_trace_reader *r, const uint8_t start[TRACE_START], struct nfv_err *err)
{
	uint8_t header[TRACE_HEADER_MAX];
	struct trace_bytes b = { header + 8, header + TRACE_START, false };
	uint64_t version, bytes;
	int rc;

	memcpy(header, start, TRACE_START);
	version = trace_get(&b, 4);
	bytes = trace_get(&b, 4);
	if (version != TRACE_VERSION)
		return fail(
			r, err, "it has a version of the format that this program does not know");
	if (bytes < 8 || bytes > sizeof(header) - TRACE_START)
		return fail(r, err, "its header is larger than headers are");
	if (!get(r, header + TRACE_START, bytes))
		return cut_off(r, err);
	rc = trace_get_header(header, TRACE_START + bytes, &r->info, &r->sentence);
	if (rc < 0) {
		char text[200];

		snprintf(text, sizeof(text), "%.199s", r->sentence.text);
		return fail(r, err, text);
	}
	return open_end(r, err);
}

static bool
looks_like_text(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((p[i] < ' ' && strchr("\t\n\r", p[i]) == NULL) || p[i] > '~' || p[i] == '\0')
			return false;
	return n > 0;
}

int
mpc_trace_open_stream(FILE *stream, const char *name, const struct mpc_caches *machine,
	struct mpc_trace_reader **out, struct nfv_err *err)
{
	struct mpc_trace_reader *r = calloc(1, sizeof(*r));
	uint8_t start[TRACE_START];
	struct trace_bytes b = { start, start + sizeof(start), false };
	size_t n;
	bool binary;
	int rc;

	if (r == NULL)
		return nfv_fail(err, ENOMEM, "%s: no memory to read a trace", name);
	r->from = stream;
	snprintf(r->name, sizeof(r->name), "%s", name);
	n = fread(start, 1, sizeof(start), stream);
	binary = n >= 8 && trace_get(&b, 8) == TRACE_MAGIC;
	if (ferror(stream)) {
		rc = nfv_fail(err, EIO, "%s: %s", name, strerror(errno));
	} else if (binary && n == sizeof(start)) {
		rc = open_binary(r, start, err);
	} else if (binary) {
		rc = cut_off(r, err);
	} else if (looks_like_text(start, n)) {
		r->text = true;
		r->info.line = 64;
		rc = fseek(stream, 0, SEEK_SET) < 0 ?
			fail(r, err, "it cannot be read twice; give a file, not a pipe") :
			0;
	} else {
		rc = fail(r, err, n == 0 ? "it is empty" : "it is no trace");
	}
	if (rc == 0 && machine != NULL)
		rc = same_machine(r, machine, err);
	if (rc < 0) {
		free(r);
		return rc;
	}
	*out = r;
	return 0;
}

int
mpc_trace_open(const char *file, const struct mpc_caches *machine, struct mpc_trace_reader **out,
	struct nfv_err *err)
{
	FILE *from = fopen(file, "re");
	int rc;

	if (from == NULL)
		return nfv_fail(err, EIO, "%s: %s", file, strerror(errno));
	rc = mpc_trace_open_stream(from, file, machine, out, err);
	if (rc < 0)
		fclose(from);
	else
		(*out)->owned = true;
	return rc;
}

void
mpc_trace_close(struct mpc_trace_reader *r)
{
	if (r == NULL)
		return;
	if (r->owned)
		fclose(r->from);
	free(r);
}

const struct mpc_trace_info *
mpc_trace_info(const struct mpc_trace_reader *r)
{
	return &r->info;
}

/* The next block, or the end: then r->done is set. */
static int
next_block(struct mpc_trace_reader *r, struct nfv_err *err)
{
	uint8_t mark[TRACE_MARK];
	struct trace_mark m;
	uint64_t sum;

	if (r->at != r->end) /* bytes that no access is in */
		return damaged(r, err);
	if (!get(r, mark, sizeof(mark)))
		return cut_off(r, err);
	sum = trace_get_mark(mark, &m);
	if (m.what == TRACE_END) {
		r->done = true;
		return m.accesses == r->seen && m.time == r->blocks && m.lost >= r->lost &&
				m.accesses == r->last.accesses && m.lost == r->last.lost &&
				fgetc(r->from) == EOF ?
			0 :
			damaged(r, err);
	}
	if (m.what != TRACE_BLOCK || m.accesses == 0 || m.accesses > m.bytes || m.time < r->time)
		return damaged(r, err);
	if (m.bytes > sizeof(r->block))
		return fail(r, err, "one of its blocks is larger than blocks are");
	if (!get(r, r->block, m.bytes))
		return cut_off(r, err);
	if (sum != trace_mark_sum(mark, r->block, m.bytes))
		return damaged(r, err);
	r->at = r->block;
	r->end = r->block + m.bytes;
	r->left = m.accesses;
	r->time = m.time;
	r->lost += m.lost;
	r->blocks++;
	r->class = 0;
	memset(r->line, 0, sizeof(r->line));
	return 0;
}

/* At most ten bytes, at most 64 bits. */
static bool
get_varint(struct mpc_trace_reader *r, uint64_t *out)
{
	uint64_t v = 0;

	for (unsigned int shift = 0; r->at < r->end && shift < 64; shift += 7) {
		uint64_t byte = *r->at++;

		if (shift == 63 && byte > 1)
			return false;
		v |= (byte & 0x7f) << shift;
		if (byte < 0x80) {
			*out = v;
			return true;
		}
	}
	return false;
}

/* Accesses of the current block into `out`, at most n; -1: they are not ones. */
static int
decode(struct mpc_trace_reader *r, struct mpc_access *out, unsigned int n)
{
	unsigned int i = 0;

	for (; i < n && r->left > 0; i++, r->left--) {
		uint64_t v, later = 0;

		if (!get_varint(r, &v))
			return -1;
		if (v & 2) {
			if (r->at == r->end)
				return -1;
			r->class = *r->at++;
		}
		if ((v & 1) && !get_varint(r, &later))
			return -1;
		if (r->class >= r->info.classes || later > UINT64_MAX - r->time)
			return -1;
		v >>= 2;
		r->line[r->class] += v >> 1 ^ (0 - (v & 1));
		r->time += later;
		if (r->line[r->class] > MPC_LINE_MAX)
			return -1;
		out[i] = (struct mpc_access){ r->line[r->class], r->time, r->class };
	}
	return (int)i;
}

static int
read_blocks(struct mpc_trace_reader *r, struct mpc_access *out, unsigned int n, struct nfv_err *err)
{
	unsigned int got = 0;

	while (got < n && !r->done) {
		int rc = r->left > 0 ? decode(r, out + got, n - got) : next_block(r, err);

		if (r->error != 0)
			return r->error;
		if (rc < 0)
			return damaged(r, err);
		r->seen += (unsigned int)rc;
		got += (unsigned int)rc;
	}
	return (int)got;
}

/* Which class a name is; a new one is added. -1: there is no room for it, or it is none. */
static int
class_of(struct mpc_trace_info *info, struct nfv_sv name)
{
	for (unsigned int i = 0; i < info->classes; i++)
		if (nfv_sv_eq(nfv_sv_str(info->class[i].name), name))
			return (int)i;
	if (info->classes == MPC_CLASSES || !trace_name_good(name))
		return -1;
	snprintf(info->class[info->classes].name, MPC_CLASS_NAME, "%.*s", NFV_SV_ARG(name));
	return (int)info->classes++;
}

static bool
parse_address(struct nfv_sv word, uint64_t *out)
{
	bool hex = word.n > 2 && word.p[0] == '0' && (word.p[1] == 'x' || word.p[1] == 'X');
	uint64_t v = 0;

	if (!hex)
		return nfv_sv_u64(word, 0, UINT64_MAX, out) == 0;
	if (word.n > 18)
		return false;
	for (size_t i = 2; i < word.n; i++) {
		char c = word.p[i], lower = (char)(c | 0x20);

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint64_t)(c - '0');
		else if (lower >= 'a' && lower <= 'f')
			v = v << 4 | (uint64_t)(lower - 'a' + 10);
		else
			return false;
	}
	*out = v;
	return true;
}

static int
bad_line(struct mpc_trace_reader *r, struct nfv_err *err, const char *what)
{
	char text[200];

	snprintf(text, sizeof(text), "line %llu %s", (unsigned long long)r->lines, what);
	return fail(r, err, text);
}

/* A line of text; 1: an access, 0: none. */
static int
read_line(
	struct mpc_trace_reader *r, struct nfv_sv line, struct mpc_access *out, struct nfv_err *err)
{
	struct nfv_sv name = nfv_sv_word(&line), address = nfv_sv_word(&line);
	uint64_t at;
	int class;

	if (name.n == 0 || name.p[0] == '#')
		return 0;
	if (nfv_sv_word(&line).n > 0 || !parse_address(address, &at))
		return bad_line(
			r, err, "is not a class and an address, such as: table 0x7f0000001040");
	class = class_of(&r->info, name);
	if (class < 0)
		return bad_line(r, err,
			trace_name_good(name) ?
				"has a class too many: 64 are the most" :
				"has a class whose name is too long, or does not print");
	*out = (struct mpc_access){ .line = at / r->info.line, .class = (uint32_t) class };
	return 1;
}

static int
read_text(struct mpc_trace_reader *r, struct mpc_access *out, unsigned int n, struct nfv_err *err)
{
	char text[TEXT_LINE];
	unsigned int got = 0;

	while (got < n) {
		size_t length = 0;
		int c, rc;

		while ((c = fgetc(r->from)) != EOF && c != '\n') {
			if (length == sizeof(text))
				break;
			text[length++] = (char)c;
		}
		if (c == EOF && length == 0)
			break;
		r->lines++;
		if (c != EOF && c != '\n')
			return bad_line(r, err, "is too long to be a class and an address");
		if (length > 0 && text[length - 1] == '\r')
			length--;
		rc = read_line(r, nfv_sv(text, length), &out[got], err);
		if (rc < 0)
			return rc;
		got += (unsigned int)rc;
	}
	r->info.accesses += got;
	return (int)got;
}

int
mpc_trace_read(
	struct mpc_trace_reader *r, struct mpc_access *out, unsigned int n, struct nfv_err *err)
{
	int rc;

	if (r->error != 0) {
		if (err != NULL)
			*err = r->sentence;
		return r->error;
	}
	n = n > INT32_MAX ? INT32_MAX : n;
	rc = r->text ? read_text(r, out, n, err) : read_blocks(r, out, n, err);
	if (rc >= 0 && ferror(r->from)) {
		fail(r, err, "it could not be read");
		r->error = -EIO;
		return -EIO;
	}
	return rc;
}
