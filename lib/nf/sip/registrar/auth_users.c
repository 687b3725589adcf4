/* The file of users: read once, into one block of slots. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth_users.h"

#define USERS_MAX (1u << 26)

const char *const sip_auth_name[SIP_AUTH_OUTCOMES] = {
	[SIP_AUTH_OK] = "ok",
	[SIP_AUTH_NONE] = "challenged",
	[SIP_AUTH_WRONG] = "wrong",
	[SIP_AUTH_STALE] = "stale",
	[SIP_AUTH_URI] = "other-uri",
	[SIP_AUTH_OTHER] = "other-user",
};

static uint64_t
hash(const struct sip_auth *a, struct nfv_sv s)
{
	uint64_t w[2], h = nfv_hash2(&a->key, s.n, 0);

	for (size_t n; s.n > 0; s = nfv_sv(s.p + n, s.n - n)) {
		w[0] = w[1] = 0;
		n = s.n < sizeof(w) ? s.n : sizeof(w);
		memcpy(w, s.p, n);
		h = nfv_hash2_more(&a->key, h, w[0], w[1]);
	}
	return h;
}

struct auth_user *
auth_find(const struct sip_auth *a, struct nfv_sv name)
{
	for (uint64_t i = hash(a, name);; i++) {
		struct auth_user *u = &a->slot[i & a->mask];

		if (u->name_n == 0 || nfv_sv_eq(nfv_sv(a->text + u->name, u->name_n), name))
			return u;
	}
}

/* --- one line --- */

struct reader {
	struct sip_auth *a;
	const char *file;
	unsigned int line;
	struct nfv_err *err;
};

static int
bad(const struct reader *r, const char *what)
{
	return nfv_fail(r->err, EINVAL, "%s:%u: %s", r->file, r->line, what);
}

static bool
hex(struct nfv_sv s, uint8_t *out, size_t n)
{
	if (s.n != 2 * n)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		const char *digits = "0123456789abcdef", *at;
		char c = s.p[i] >= 'A' && s.p[i] <= 'F' ? (char)(s.p[i] | 0x20) : s.p[i];

		at = c != '\0' ? strchr(digits, c) : NULL;
		if (at == NULL)
			return false;
		out[i / 2] = (uint8_t)(out[i / 2] << 4 | (at - digits));
	}
	return true;
}

static int
read_realm(const struct reader *r, struct nfv_sv realm)
{
	if (realm.n == 0 || realm.n > SIP_AUTH_REALM_MAX)
		return bad(r, "a realm has 1 to 128 characters");
	for (size_t i = 0; i < realm.n; i++)
		if (realm.p[i] == '"' || realm.p[i] == '\\' || (unsigned char)realm.p[i] < ' ')
			return bad(r, "a realm has no quotes, backslashes or control characters");
	if (r->a->realm.p == NULL)
		r->a->realm = realm;
	else if (!nfv_sv_eq(realm, r->a->realm))
		return nfv_fail(r->err, EINVAL,
			"%s:%u: realm \"%.*s\", but the lines before have \"%.*s\"", r->file,
			r->line, NFV_SV_ARG(realm), NFV_SV_ARG(r->a->realm));
	return 0;
}

static int
read_user(const struct reader *r, struct nfv_sv line)
{
	struct nfv_sv name = nfv_sv_cut(&line, ':'), realm = nfv_sv_cut(&line, ':');
	struct nfv_sv md5 = nfv_sv_cut(&line, ':'), sha256 = nfv_sv_cut(&line, ':');
	struct auth_user u = { 0 }, *at;
	int rc;

	if (md5.p == NULL || line.p != NULL)
		return bad(r, "a line is user:realm:MD5 or user:realm:MD5:SHA-256");
	if (name.n == 0 || name.n > SIP_AUTH_USER_MAX)
		return bad(r, "a user's name has 1 to 128 characters");
	rc = read_realm(r, realm);
	if (rc < 0)
		return rc;
	if (md5.n > 0 && !hex(md5, u.md5, sizeof(u.md5)))
		return bad(r, "a hash of MD5 has 32 hexadecimal digits");
	if (sha256.n > 0 && !hex(sha256, u.sha256, sizeof(u.sha256)))
		return bad(r, "a hash of SHA-256 has 64 hexadecimal digits");
	u.has = (uint8_t)((md5.n > 0) << AUTH_MD5 | (sha256.n > 0) << AUTH_SHA256);
	if (u.has == 0)
		return bad(r, "a user has a hash of MD5, of SHA-256, or both");
	at = auth_find(r->a, name);
	if (at->name_n != 0)
		return bad(r, "this user has a line already");
	u.name = (uint32_t)(name.p - r->a->text);
	u.name_n = (uint8_t)name.n;
	*at = u;
	r->a->n++;
	r->a->any |= u.has;
	return 0;
}

static int
read_lines(struct reader *r, struct nfv_sv text)
{
	int rc = 0;

	while (rc == 0 && text.p != NULL) {
		struct nfv_sv line = nfv_sv_cut(&text, '\n');

		r->line++;
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n > 0 && line.p[0] != '#')
			rc = read_user(r, line);
	}
	if (rc == 0 && r->a->n == 0)
		return nfv_fail(r->err, EINVAL, "%s has no users", r->file);
	return rc;
}

/* --- all of it --- */

static int
make_slots(struct sip_auth *a, const char *name, struct nfv_sv text, struct nfv_err *err)
{
	uint32_t lines = 1, slots = 8;

	for (size_t i = 0; i < text.n && lines <= USERS_MAX; i++)
		lines += text.p[i] == '\n';
	if (text.n > UINT32_MAX || lines > USERS_MAX)
		return nfv_fail(err, E2BIG, "%s has more than 4 GiB or %u lines", name, USERS_MAX);
	while (slots < 2 * lines)
		slots *= 2;
	a->mask = slots - 1;
	a->slot = calloc(slots, sizeof(*a->slot));
	return a->slot != NULL ? 0 : nfv_fail(err, ENOMEM, "no memory for the users in %s", name);
}

void
sip_auth_rekey(struct sip_auth *a, const uint8_t key[NFV_DIGEST_KEY])
{
	nfv_digest_server_init(&a->server[AUTH_MD5], a->realm, NFV_DIGEST_MD5, NFV_DIGEST_AUTH, key,
		a->lifetime_ms);
	nfv_digest_server_init(&a->server[AUTH_SHA256], a->realm, NFV_DIGEST_SHA256,
		NFV_DIGEST_AUTH, key, a->lifetime_ms);
}

int
sip_auth_parse(const char *name, char *text, size_t n, const struct sip_auth_conf *conf,
	struct sip_auth **out, struct nfv_err *err)
{
	struct sip_auth *a = nfv_lender_alloc(conf->lender, sizeof(*a));
	struct reader r = { a, name, 0, err };
	uint64_t seed;
	int rc;

	if (a == NULL) {
		free(text);
		return nfv_fail(err, ENOMEM, "no memory for the users in %s", name);
	}
	a->text = text;
	a->lender = conf->lender;
	memcpy(&seed, conf->key, sizeof(seed));
	a->key = nfv_hash_key(seed);
	rc = make_slots(a, name, nfv_sv(text, n), err);
	if (rc == 0)
		rc = read_lines(&r, nfv_sv(text, n));
	if (rc < 0) {
		sip_auth_destroy(a);
		return rc;
	}
	a->lifetime_ms = conf->lifetime_ms;
	sip_auth_rekey(a, conf->key);
	*out = a;
	return 0;
}

static int
read_all(int fd, char *to, size_t n)
{
	while (n > 0) {
		ssize_t got = read(fd, to, n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EIO;
		to += got;
		n -= (size_t)got;
	}
	return 0;
}

int
sip_auth_create(const char *path, const struct sip_auth_conf *conf, struct sip_auth **out,
	struct nfv_err *err)
{
	int rc, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text = NULL;
	struct stat st;
	size_t n;

	if (fd < 0 || fstat(fd, &st) < 0) {
		rc = nfv_fail(err, errno, "%s cannot be read: %s", path, strerror(errno));
		goto fail;
	}
	if (!S_ISREG(st.st_mode)) {
		rc = nfv_fail(err, EINVAL, "%s is no file of users", path);
		goto fail;
	}
	if (st.st_mode & S_IRWXO) {
		rc = nfv_fail(err, EACCES,
			"%s is open to everyone, who could pass for its users; chmod o-rwx it",
			path);
		goto fail;
	}
	n = (size_t)st.st_size;
	text = malloc(n + 1);
	rc = text != NULL ? read_all(fd, text, n) : -ENOMEM;
	if (rc < 0) {
		rc = nfv_fail(err, -rc, "%s cannot be read: %s", path, strerror(-rc));
		goto fail;
	}
	close(fd);
	return sip_auth_parse(path, text, n, conf, out, err);
fail:
	free(text);
	if (fd >= 0)
		close(fd);
	return rc;
}

void
sip_auth_destroy(struct sip_auth *a)
{
	if (a == NULL)
		return;
	free(a->slot);
	free(a->text);
	nfv_lender_free(a->lender, a);
}

uint32_t
sip_auth_users(const struct sip_auth *a)
{
	return a->n;
}

struct nfv_sv
sip_auth_realm(const struct sip_auth *a)
{
	return a->realm;
}

uint64_t
sip_auth_count(const struct sip_auth *a, enum sip_auth_outcome o)
{
	return a->count[o];
}
