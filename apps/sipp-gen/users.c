#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nfv_hash.h"
#include "users.h"

#define DIGITS_MAX 20u

struct users {
	char *name;
	enum users_order order;
	char *text;      /* lines of users only, one behind the other, without their ends */
	uint32_t *start; /* of each line, and the end of the last */
	uint32_t stored, lines;
	bool printf;
	uint64_t multiple, offset;
	/* A range has no text; it counts from `offset`. */
	unsigned int digits; /* 0: not a range; else how many at least */
	/* Lines + 1 by their field's hash, 0: none. */
	uint32_t *slot, mask;
	unsigned int indexed;
};

void
users_destroy(struct users *u)
{
	if (u == NULL)
		return;
	free(u->name);
	free(u->text);
	free(u->start);
	free(u->slot);
	free(u);
}

const char *
users_name(const struct users *u)
{
	return u->name;
}

enum users_order
users_order(const struct users *u)
{
	return u->order;
}

uint32_t
users_lines(const struct users *u)
{
	return u->lines;
}

/* A % in a field: its width, padding and base; false if it is none that is known. Cuts it off. */
static bool
directive(struct nfv_sv *s, unsigned int *width, char *pad, char *kind)
{
	size_t i = 1;

	*width = 0;
	*pad = i < s->n && s->p[i] == '0' ? '0' : ' ';
	for (; i < s->n && s->p[i] >= '0' && s->p[i] <= '9'; i++) {
		*width = *width * 10 + (unsigned int)(s->p[i] - '0');
		if (*width > DIGITS_MAX)
			return false;
	}
	if (i == s->n || strchr("dxX%", s->p[i]) == NULL || (s->p[i] == '%' && i > 1))
		return false;
	*kind = s->p[i];
	*s = nfv_sv(s->p + i + 1, s->n - i - 1);
	return true;
}

/* Whether the line's formats are known, and every field with one fits when it is filled in. */
static bool
check_formats(struct nfv_sv line)
{
	while (line.p != NULL) {
		struct nfv_sv field = nfv_sv_cut(&line, ';'), rest = field;
		unsigned int width, formats = 0;
		char pad, kind;

		while (rest.n > 0 && (rest.p = memchr(rest.p, '%', rest.n)) != NULL) {
			rest.n = (size_t)(field.p + field.n - rest.p);
			if (!directive(&rest, &width, &pad, &kind))
				return false;
			formats++;
		}
		if (formats > 0 && field.n + (size_t)formats * DIGITS_MAX > USERS_FIELD_MAX)
			return false;
	}
	return true;
}

static size_t
number(char *to, uint64_t v, unsigned int width, char pad, char kind)
{
	char text[DIGITS_MAX + 1];
	unsigned int at = sizeof(text) - 1, base = kind == 'd' ? 10 : 16;

	do
		text[--at] = (kind == 'X' ? "0123456789ABCDEF" : "0123456789abcdef")[v % base];
	while ((v /= base) != 0);
	while (sizeof(text) - 1 - at < width)
		text[--at] = pad;
	memcpy(to, text + at, sizeof(text) - 1 - at);
	return sizeof(text) - 1 - at;
}

static struct nfv_sv
fill_in(struct nfv_sv field, uint64_t value, char *scratch)
{
	unsigned int width;
	char pad, kind;
	size_t n = 0;

	while (field.n > 0) {
		if (field.p[0] != '%') {
			scratch[n++] = *field.p++;
			field.n--;
			continue;
		}
		if (!directive(&field, &width, &pad, &kind))
			break;
		if (kind == '%')
			scratch[n++] = '%';
		else
			n += number(scratch + n, value, width, pad, kind);
	}
	return nfv_sv(scratch, n);
}

struct nfv_sv
users_field(const struct users *u, uint32_t line, unsigned int field, char scratch[USERS_FIELD_MAX])
{
	uint32_t at = line;
	struct nfv_sv s, part;

	if (line >= u->lines || (u->digits > 0 && field > 0))
		return nfv_sv(NULL, 0);
	if (u->digits > 0)
		return nfv_sv(scratch, number(scratch, u->offset + line, u->digits, '0', 'd'));
	if (u->printf)
		at %= u->stored;
	s = nfv_sv(u->text + u->start[at], u->start[at + 1] - u->start[at]);
	do
		part = nfv_sv_cut(&s, ';');
	while (field-- > 0 && part.p != NULL);
	if (u->printf && part.p != NULL && memchr(part.p, '%', part.n) != NULL)
		return fill_in(part, line * u->multiple + u->offset, scratch);
	return part;
}

static uint64_t
hash(struct nfv_sv s)
{
	static const struct nfv_hash_key key = { { 0xa0761d6478bd642f, 0xe7037ed1a0b428db,
		0x8ebc6af09c88c6e3 } };

	return nfv_hash_bytes(&key, s.p, s.n);
}

int64_t
users_lookup(const struct users *u, struct nfv_sv key)
{
	char scratch[USERS_FIELD_MAX];
	uint64_t v;

	if (u->digits > 0) {
		if (key.n < u->digits || (key.n > u->digits && key.p[0] == '0') ||
			nfv_sv_u64(key, u->offset, u->offset + u->lines - 1, &v) < 0)
			return -1;
		return (int64_t)(v - u->offset);
	}
	if (u->slot == NULL || key.p == NULL)
		return -1;
	for (uint64_t i = hash(key);; i++) {
		uint32_t line = u->slot[i & u->mask];

		if (line == 0)
			return -1;
		if (nfv_sv_eq(users_field(u, line - 1, u->indexed, scratch), key))
			return line - 1;
	}
}

int
users_index(struct users *u, unsigned int field, struct nfv_err *err)
{
	char scratch[USERS_FIELD_MAX];
	uint32_t *slot, mask = 1, n = 0;

	if (u->digits > 0)
		return field == 0 ? 0 : nfv_fail(err, EINVAL, "%s has field 0 only", u->name);
	while (mask / 2 < u->lines)
		mask = mask * 2 + 1;
	slot = calloc((size_t)mask + 1, sizeof(*slot));
	if (slot == NULL)
		return nfv_fail(err, ENOMEM, "out of memory");
	for (uint32_t line = 0; line < u->lines; line++) {
		struct nfv_sv key = users_field(u, line, field, scratch), other;
		char made[USERS_FIELD_MAX];
		uint64_t i;

		if (key.p == NULL)
			continue;
		n++;
		for (i = hash(key); slot[i & mask] != 0; i++) {
			other = users_field(u, slot[i & mask] - 1, field, made);
			if (nfv_sv_eq(other, key))
				break; /* the first of its kind is the one that is found */
		}
		if (slot[i & mask] == 0)
			slot[i & mask] = line + 1;
	}
	if (n == 0) {
		free(slot);
		return nfv_fail(
			err, EINVAL, "no line of %s has a field %u to index", u->name, field);
	}
	free(u->slot);
	u->slot = slot;
	u->mask = mask;
	u->indexed = field;
	return 0;
}

void
users_cursor_init(struct users_cursor *c, const struct users *u, uint32_t worker, uint32_t workers,
	uint64_t seed)
{
	*c = (struct users_cursor){ .worker = worker, .workers = workers };
	if (worker >= u->lines)
		c->worker = worker % u->lines;
	c->own = (u->lines - c->worker + workers - 1) / workers;
	c->rnd = rnd_init(seed, worker);
}

uint32_t
users_next(const struct users *u, struct users_cursor *c)
{
	uint32_t line;

	if (u->order == USERS_RANDOM)
		return (uint32_t)rnd_below(&c->rnd, u->lines);
	line = users_line(c, c->at);
	c->at = c->at + 1 < c->own ? c->at + 1 : 0;
	return line;
}

/* --- reading --- */

static int
first_line(struct users *u, struct nfv_sv s, unsigned int line, struct nfv_err *err)
{
	struct nfv_sv word = nfv_sv_trim(nfv_sv_cut(&s, ','));
	uint64_t lines = 0;

	u->multiple = 1;
	if (nfv_sv_eq(word, NFV_SV("SEQUENTIAL")))
		u->order = USERS_SEQUENTIAL;
	else if (nfv_sv_eq(word, NFV_SV("RANDOM")))
		u->order = USERS_RANDOM;
	else if (nfv_sv_eq(word, NFV_SV("USER")) || nfv_sv_eq(word, NFV_SV("USERS")))
		u->order = USERS_USER;
	else
		return nfv_fail(err, EINVAL,
			"%s:%u: the first line must say SEQUENTIAL, RANDOM or USER, not \"%.*s\"",
			u->name, line, (int)(word.n < 40 ? word.n : 40), word.p);
	while (s.p != NULL) {
		struct nfv_sv value = nfv_sv_trim(nfv_sv_cut(&s, ','));
		struct nfv_sv key = nfv_sv_trim(nfv_sv_cut(&value, '='));
		int rc = -EINVAL;

		value = nfv_sv_trim(value);
		if (nfv_sv_eq(key, NFV_SV("PRINTF")))
			rc = nfv_sv_u64(value, 1, USERS_LINES_MAX, &lines);
		else if (nfv_sv_eq(key, NFV_SV("PRINTFMULTIPLE")))
			rc = nfv_sv_u64(value, 0, UINT32_MAX, &u->multiple);
		else if (nfv_sv_eq(key, NFV_SV("PRINTFOFFSET")))
			rc = nfv_sv_u64(value, 0, INT64_MAX, &u->offset);
		if (rc < 0)
			return nfv_fail(err, EINVAL,
				"%s:%u: expected PRINTF=1…%u, PRINTFMULTIPLE= or PRINTFOFFSET= and "
				"a number, not \"%.*s\"",
				u->name, line, USERS_LINES_MAX, (int)(key.n < 40 ? key.n : 40),
				key.p);
	}
	u->printf = lines > 0;
	u->lines = (uint32_t)lines;
	return 0;
}

static int
add_line(struct users *u, uint32_t *room)
{
	uint32_t *more;

	if (u->stored + 1 >= *room) {
		*room = *room == 0 ? 1024 : 2 * *room;
		more = realloc(u->start, *room * sizeof(*more));
		if (more == NULL)
			return -ENOMEM;
		u->start = more;
	}
	u->stored++;
	return 0;
}

/* Find the lines and push them together, so that each ends where the next begins. */
static int
read_lines(struct users *u, struct nfv_sv rest, struct nfv_err *err)
{
	uint32_t room = 0, end = 0;
	bool begun = false;

	if (rest.n >= 3 && memcmp(rest.p, "\xef\xbb\xbf", 3) == 0)
		rest = nfv_sv(rest.p + 3, rest.n - 3);
	for (unsigned int line = 1; rest.p != NULL; line++) {
		struct nfv_sv s = nfv_sv_cut(&rest, '\n');

		if (s.n > 0 && s.p[s.n - 1] == '\r')
			s.n--;
		if (s.n == 0 || s.p[0] == '#')
			continue;
		if (memchr(s.p, '\0', s.n) != NULL)
			return nfv_fail(
				err, EINVAL, "%s:%u: a NUL byte: this is not text", u->name, line);
		if (!begun) {
			if (first_line(u, s, line, err) < 0)
				return -EINVAL;
			begun = true;
			continue;
		}
		if (u->printf && !check_formats(s))
			return nfv_fail(err, EINVAL,
				"%s:%u: with PRINTF, %% must be followed by d, x or X, perhaps with "
				"a width up to %u, or by %%, in fields of up to %u bytes in all",
				u->name, line, DIGITS_MAX, USERS_FIELD_MAX);
		if (add_line(u, &room) < 0)
			return nfv_fail(err, ENOMEM, "%s:%u: out of memory", u->name, line);
		u->start[u->stored - 1] = end;
		memmove(u->text + end, s.p, s.n);
		end += (uint32_t)s.n;
	}
	if (u->stored == 0)
		return nfv_fail(err, EINVAL, "%s: there is no line of fields in it", u->name);
	u->start[u->stored] = end;
	if (!u->printf)
		u->lines = u->stored;
	return 0;
}

/* Takes the text, which is in memory of its own. */
static int
take_text(const char *name, char *text, size_t n, struct users **out, struct nfv_err *err)
{
	struct users *u = calloc(1, sizeof(*u));
	int rc = -ENOMEM;

	if (u == NULL) {
		free(text);
		return nfv_fail(err, ENOMEM, "out of memory");
	}
	u->text = text;
	u->name = strdup(name);
	if (u->name == NULL)
		nfv_fail(err, ENOMEM, "out of memory");
	else
		rc = read_lines(u, nfv_sv(text, n), err);
	if (rc < 0) {
		users_destroy(u);
		return rc;
	}
	*out = u;
	return 0;
}

int
users_parse(const char *name, struct nfv_sv text, struct users **out, struct nfv_err *err)
{
	char *copy;

	if (text.n > USERS_LINES_MAX)
		return nfv_fail(err, E2BIG, "%s: more than 2 GiB", name);
	copy = malloc(text.n + 1);
	if (copy == NULL)
		return nfv_fail(err, ENOMEM, "out of memory");
	memcpy(copy, text.p, text.n);
	return take_text(name, copy, text.n, out, err);
}

static int
range(const char *name, struct users **out, struct nfv_err *err)
{
	struct nfv_sv to = nfv_sv_str(name), from = nfv_sv_cut(&to, '-');
	struct users *u;
	uint64_t a, b;

	if (from.n > DIGITS_MAX || nfv_sv_u64(from, 0, INT64_MAX, &a) < 0 ||
		nfv_sv_u64(to, 0, INT64_MAX, &b) < 0)
		return nfv_fail(err, ENOENT,
			"%s: there is no such file, and it is no range 1000-9999", name);
	if (b < a || b - a >= USERS_LINES_MAX)
		return nfv_fail(err, EINVAL, "%s: a range is of 1 to %u numbers, the lower first",
			name, USERS_LINES_MAX);
	u = calloc(1, sizeof(*u));
	if (u == NULL || (u->name = strdup(name)) == NULL) {
		users_destroy(u);
		return nfv_fail(err, ENOMEM, "out of memory");
	}
	u->order = USERS_USER;
	u->digits = (unsigned int)from.n;
	u->offset = a;
	u->lines = (uint32_t)(b - a + 1);
	*out = u;
	return 0;
}

/* All of it, whether its size is known before or not. */
static int
slurp(int fd, char **out, size_t *n)
{
	size_t room = 1 << 16, got = 0;
	off_t size = lseek(fd, 0, SEEK_END);
	char *text, *more;
	ssize_t rc;

	if (size > 0 && lseek(fd, 0, SEEK_SET) == 0 && size < USERS_LINES_MAX)
		room = (size_t)size + 1;
	text = malloc(room);
	while (text != NULL) {
		rc = read(fd, text + got, room - got);
		if (rc == 0) {
			*out = text;
			*n = got;
			return 0;
		}
		if (rc < 0 && errno == EINTR)
			continue;
		if (rc < 0 || (got += (size_t)rc) > USERS_LINES_MAX) {
			rc = rc < 0 ? -errno : -E2BIG;
			free(text);
			return (int)rc;
		}
		if (got < room)
			continue;
		more = realloc(text, room *= 2);
		if (more == NULL)
			free(text);
		text = more;
	}
	return -ENOMEM;
}

int
users_load(const char *name, struct users **out, struct nfv_err *err)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC), rc;
	char *text = NULL;
	size_t n = 0;

	if (fd < 0)
		return errno == ENOENT ? range(name, out, err) :
					 nfv_fail(err, errno, "%s: %s", name, strerror(errno));
	rc = slurp(fd, &text, &n);
	close(fd);
	if (rc < 0)
		return nfv_fail(err, -rc, "%s: %s", name, strerror(-rc));
	return take_text(name, text, n, out, err);
}
