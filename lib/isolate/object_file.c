/* Files that nobody but root can have put there, copied where nobody can change them. */
#define _GNU_SOURCE /* openat2, memfd, seals */
#include <ctype.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <nettle/sha2.h>

#include "nfv_object_file.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#define SEALS            (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define SIZE_MAX_DEFAULT (16u << 20)
#define LIST_MAX         (1u << 20)

/* --- the way to a file --------------------------------------------------------------------------- */

/* Of the whole path, up to `len` bytes, is it root's alone? */
static int
check_owner(int fd, const char *path, int len, struct nfv_err *err)
{
	struct stat st;

	if (len == 0)
		len = 1; /* the root itself */
	if (fstat(fd, &st) < 0)
		return nfv_fail(err, errno, "%s: %s", path, strerror(errno));
	if (st.st_uid != 0)
		return nfv_fail(err, EACCES,
			"%s: %.*s belongs to user %u and not to root; chown it to root", path, len,
			path, st.st_uid);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return nfv_fail(err, EACCES,
			"%s: others than root may write to %.*s (mode %04o); chmod go-w it", path,
			len, path, st.st_mode & 07777);
	return 0;
}

static int
open_step(int dir, const char *name, bool last)
{
	struct open_how how = { .flags = (uint64_t)(last ? O_RDONLY | O_NONBLOCK | O_NOCTTY :
							   O_PATH | O_DIRECTORY) |
			O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };

	return (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

static int
step_failed(const char *path, int len, int code, struct nfv_err *err)
{
	if (code == ELOOP)
		return nfv_fail(err, EACCES,
			"%s: %.*s is a symbolic link, which is not followed; name the file itself",
			path, len, path);
	if (code == EXDEV)
		return nfv_fail(err, EACCES,
			"%s: %.*s leads out of its folder; name the file without `..`", path, len,
			path);
	if (code == ENOSYS)
		return nfv_fail(
			err, code, "%s: the kernel has no openat2; it must be 5.6 or later", path);
	return nfv_fail(err, code, "%s: %.*s: %s", path, len, path, strerror(code));
}

/* A regular file at an absolute path; every step is root's alone, and none is a link. */
static int
open_safe(const char *path, struct stat *st, struct nfv_err *err)
{
	int dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1, rc;
	const char *at = path + strspn(path, "/");
	char name[256];

	if (dir < 0)
		return nfv_fail(err, errno, "%s: %s", path, strerror(errno));
	rc = check_owner(dir, path, 0, err);
	while (rc == 0) {
		size_t n = strcspn(at, "/");
		const char *next = at + n + strspn(at + n, "/");
		int here = (int)(at + n - path);

		if (n == 0 || n >= sizeof(name)) {
			rc = nfv_fail(err, ENAMETOOLONG, "%s: no name of a file", path);
			break;
		}
		memcpy(name, at, n);
		name[n] = 0;
		fd = open_step(dir, name, *next == 0);
		if (fd < 0) {
			rc = step_failed(path, here, errno, err);
			break;
		}
		rc = check_owner(fd, path, here, err);
		if (*next == 0)
			break;
		close(dir);
		dir = fd;
		fd = -1;
		at = next;
	}
	close(dir);
	if (rc == 0 && (fstat(fd, st) < 0 || !S_ISREG(st->st_mode)))
		rc = nfv_fail(err, EACCES, "%s: it is no regular file; name one", path);
	if (rc < 0 && fd >= 0)
		close(fd);
	return rc < 0 ? rc : fd;
}

/* --- the list ------------------------------------------------------------------------------------ */

/* All of it, malloc'd; NULL with a sentence in *err and -errno in *rc. */
static char *
read_list(const char *path, int *rc, struct nfv_err *err)
{
	struct stat st = { 0 };
	char *text = NULL;
	int fd = open_safe(path, &st, err);
	ssize_t n = -1;

	if (fd < 0) {
		*rc = nfv_fail_in(err, fd, "the list of objects");
		return NULL;
	}
	errno = EFBIG;
	if (st.st_size <= LIST_MAX)
		text = malloc(LIST_MAX + 1);
	if (text != NULL)
		n = read(fd, text, LIST_MAX);
	if (n < 0) {
		*rc = nfv_fail(err, errno, "the list of objects %s: %s", path, strerror(errno));
		free(text);
		text = NULL;
	} else {
		text[n] = 0;
	}
	close(fd);
	return text;
}

/* The name in a line as sha256sum writes it: `SUM  NAME` or `SUM *NAME`, a backslash before it all where
 * NAME has some of its own. NULL: it is none. */
static const char *
name_in(char *line, const char **sum)
{
	size_t n = 0;

	line += *line == '\\';
	while (isxdigit((unsigned char)line[n])) {
		line[n] = (char)tolower((unsigned char)line[n]);
		n++;
	}
	if (n != 64 || line[n] != ' ' || (line[n + 1] != ' ' && line[n + 1] != '*') ||
		line[n + 2] == 0)
		return NULL;
	line[n] = 0;
	*sum = line;
	return line + n + 2;
}

static const char *
last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static int
check_listed(const struct nfv_object_policy *policy, const char *path, const char sum[65],
	struct nfv_err *err)
{
	bool listed = false, other = false;
	unsigned int number = 0;
	int rc = 0;
	char *text = read_list(policy->allowed, &rc, err), *rest, *line;

	if (text == NULL)
		return rc;
	for (rest = text; !listed && rc == 0 && (line = strsep(&rest, "\n")) != NULL;) {
		const char *its, *name;

		number++;
		if (*line == 0 || *line == '#')
			continue;
		name = name_in(line, &its);
		if (name == NULL) {
			rc = nfv_fail(err, EINVAL,
				"%s:%u: this is no line of the kind that sha256sum prints",
				policy->allowed, number);
			break;
		}
		listed = strcmp(its, sum) == 0;
		other |= strcmp(last_part(name), last_part(path)) == 0;
	}
	free(text);
	if (rc < 0 || listed)
		return rc;
	return nfv_fail(err, EPERM,
		other ? "%s: its SHA-256 is %s, and %s has another one for it: the file is not "
			"what was allowed, or the list is old" :
			"%s: its SHA-256 %s is not on the list %s; if it may be used, add what "
			"sha256sum prints",
		path, sum, policy->allowed);
}

/* --- the copy ------------------------------------------------------------------------------------ */

static int
fill(int from, int to, size_t size, const char *path, struct nfv_err *err)
{
	uint8_t buf[65536];
	size_t done = 0;

	for (;;) {
		ssize_t n = read(from, buf, sizeof(buf));

		if (n < 0)
			return nfv_fail(err, errno, "%s: %s", path, strerror(errno));
		if (n == 0)
			break;
		if (done + (size_t)n > size)
			return nfv_fail(err, EFBIG, "%s: it has more than %zu bytes", path, size);
		if (write(to, buf, (size_t)n) != n)
			return nfv_fail(
				err, ENOMEM, "%s: no memory for a copy: %s", path, strerror(errno));
		done += (size_t)n;
	}
	return 0;
}

static int
copy_sealed(int from, size_t most, const char *path, struct nfv_err *err)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create("nfv-object", flags | MFD_EXEC), rc;

	if (fd < 0 && errno == EINVAL) /* before Linux 6.3 all of them are so */
		fd = memfd_create("nfv-object", flags);
	if (fd < 0)
		return nfv_fail(err, errno, "%s: no memory to map code from: %s%s", path,
			strerror(errno), errno == EACCES ? "; vm.memfd_noexec forbids it" : "");
	rc = fill(from, fd, most, path, err);
	if (rc == 0 && (fchmod(fd, 0500) < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0))
		rc = nfv_fail(
			err, errno, "%s: its copy cannot be sealed: %s", path, strerror(errno));
	if (rc < 0)
		close(fd);
	return rc < 0 ? rc : fd;
}

/* Of the bytes that nothing can change any more; they are not looked at more closely before it is known
 * that they are allowed. */
static int
check_bytes(const struct nfv_object_policy *policy, struct nfv_object_file *f, const char *path,
	struct nfv_err *err)
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx ctx;
	struct stat st;
	uint8_t *at;
	int rc;

	if (fstat(f->fd, &st) < 0 || st.st_size == 0)
		return nfv_fail(err, ENOEXEC, "%s: it is empty", path);
	f->size = (size_t)st.st_size;
	at = mmap(NULL, f->size, PROT_READ, MAP_SHARED, f->fd, 0);
	if (at == MAP_FAILED)
		return nfv_fail(err, errno, "%s: %s", path, strerror(errno));
	sha256_init(&ctx);
	sha256_update(&ctx, f->size, at);
	sha256_digest(&ctx, sizeof(digest), digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(f->sum + 2 * i, 3, "%02x", digest[i]);
	rc = check_listed(policy, path, f->sum, err);
	if (rc == 0 && nfv_object_elf(at, f->size, policy->program, err) < 0)
		rc = nfv_fail_in(err, -ENOEXEC, "%s", path);
	munmap(at, f->size);
	return rc;
}

/* --- all of it ----------------------------------------------------------------------------------- */

/* The absolute path of `name`, below which of the folders. */
static int
find(const struct nfv_object_policy *p, const char *name, char *to, size_t size,
	struct nfv_err *err)
{
	struct stat st;

	for (uint32_t i = 0; i < p->n_dirs; i++) {
		size_t n = strlen(p->dir[i]);

		while (n > 0 && p->dir[i][n - 1] == '/')
			n--;
		if (name[0] == '/' ? strncmp(name, p->dir[i], n) != 0 || name[n] != '/' :
				     (size_t)snprintf(to, size, "%.*s/%s", (int)n, p->dir[i],
					     name) >= size ||
					(lstat(to, &st) < 0 && i + 1 < p->n_dirs))
			continue;
		if (name[0] == '/' && (size_t)snprintf(to, size, "%s", name) >= size)
			continue;
		if (strstr(to, "/../") != NULL)
			break;
		return 0;
	}
	return nfv_fail(err, EACCES,
		"%s: it does not lie in %s%s, where objects may lie; move it there", name,
		p->n_dirs > 0 ? p->dir[0] : "any folder",
		p->n_dirs > 1 ? " or another of the folders" : "");
}

int
nfv_object_open(const struct nfv_object_policy *policy, const char *name,
	struct nfv_object_file *out, struct nfv_err *err)
{
	size_t most = policy->size_max > 0 ? policy->size_max : SIZE_MAX_DEFAULT;
	struct nfv_object_file f = { .fd = -1 };
	struct stat st = { 0 };
	char path[1024];
	int from, rc = find(policy, name, path, sizeof(path), err);

	if (rc < 0)
		return rc;
	from = open_safe(path, &st, err);
	if (from < 0)
		return from;
	rc = st.st_size > (off_t)most ?
		nfv_fail(err, EFBIG, "%s: it has %lld bytes; at most %zu are taken", path,
			(long long)st.st_size, most) :
		copy_sealed(from, most, path, err);
	close(from);
	if (rc < 0)
		return rc;
	f.fd = rc;
	snprintf(f.name, sizeof(f.name), "%.127s", last_part(path));
	rc = check_bytes(policy, &f, path, err);
	if (rc < 0) {
		close(f.fd);
		return rc;
	}
	*out = f;
	return 0;
}

void
nfv_object_close(struct nfv_object_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}
