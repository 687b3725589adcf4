/*
 * Opening a journal. What the old file holds is put into the location service and from there into a
 * new one, FILE.new, which is renamed when the disk has it; so at every moment FILE is whole, and it is
 * of the size that is wanted now. Each file is locked before it can be seen under the name FILE.
 */
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal_file.h"

static int
lock(int fd, const char *path, struct nfv_err *err)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return nfv_fail(err, EBUSY, "%s is in use by another process", path);
	return nfv_fail(err, errno, "%s cannot be locked: %s", path, strerror(errno));
}

/* Whether the file behind `fd`, or none where fd is -1, is what the name stands for. */
static bool
is_named(int fd, const char *path)
{
	struct stat named, open;

	if (stat(path, &named) < 0)
		return fd < 0 && errno == ENOENT;
	return fd >= 0 && fstat(fd, &open) == 0 && open.st_ino == named.st_ino &&
		open.st_dev == named.st_dev;
}

/* The old file, locked; *fd is -1 if there is none. */
static int
open_old(const char *path, int *fd, struct nfv_err *err)
{
	int rc, f = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (f < 0 && errno != ENOENT)
		return nfv_fail(err, errno, "%s cannot be opened: %s", path, strerror(errno));
	if (f >= 0) {
		rc = lock(f, path, err);
		if (rc < 0) {
			close(f);
			return rc;
		}
	}
	*fd = f;
	return 0;
}

/* Whether the location service is to be smaller than the one the file was written for. */
static bool
is_smaller(const struct sip_location *l, const struct journal_head *h)
{
	struct sip_location_stats s = sip_location_stats(l);

	return s.max_aors < h->aors || s.max_bindings < h->bindings || s.max_chunks < h->chunks ||
		sip_location_per_aor(l) < h->per_aor;
}

static int
read_file(const struct sip_journal_conf *conf, struct sip_location *l, int fd,
	struct sip_replay *out, struct nfv_err *err)
{
	const char *path = conf->path;
	struct nfv_hash_key identity;
	struct journal_head head;
	struct stat st;
	uint8_t *map;
	int rc;

	if (fstat(fd, &st) < 0)
		return nfv_fail(err, errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)JOURNAL_HEAD)
		return nfv_fail(err, EINVAL, "%s is no journal of bindings; move it away", path);
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return nfv_fail(err, errno, "%s cannot be mapped: %s", path, strerror(errno));
	rc = journal_head_check(map, (size_t)st.st_size, path, err);
	if (rc < 0)
		goto out;
	memcpy(&head, map, sizeof(head));
	memcpy(identity.k, head.identity, sizeof(identity.k));
	sip_location_set_identity(l, &identity);
	journal_replay(map, conf, l, out);
	if (out->refused > 0 && is_smaller(l, &head))
		rc = nfv_fail(err, ENOSPC,
			"%s holds more than there is room for: it was written with room for %u "
			"users, %u bindings, %u blocks of text and %u bindings a user; a start "
			"with these takes out of it what has gone since",
			path, head.aors, head.bindings, head.chunks, head.per_aor);
out:
	munmap(map, (size_t)st.st_size);
	return rc;
}

int
sip_journal_read(const struct sip_journal_conf *conf, struct sip_location *l,
	struct sip_replay *out, struct nfv_err *err)
{
	int rc, fd = open(conf->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return nfv_fail(err, errno, "%s cannot be opened: %s", conf->path, strerror(errno));
	rc = read_file(conf, l, fd, out, err);
	close(fd);
	return rc;
}

/* One left by a process that was ended while it began may go, but nothing else of that name. */
static int
remove_left(const char *name, struct nfv_err *err)
{
	struct journal_head h = { 0 };
	int rc = 0, fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return nfv_fail(err, errno, "%s cannot be opened: %s", name, strerror(errno));
	rc = lock(fd, name, err);
	if (rc == 0 && pread(fd, &h, sizeof(h), 0) > 0 && h.magic != 0 && h.magic != JOURNAL_MAGIC)
		rc = nfv_fail(err, EEXIST, "%s is in the way; move it away", name);
	if (rc == 0 && is_named(fd, name) && unlink(name) < 0)
		rc = nfv_fail(err, errno, "%s cannot be removed: %s", name, strerror(errno));
	close(fd);
	return rc;
}

static int
create_new(const char *name, size_t bytes, int *fd, struct nfv_err *err)
{
	int rc, f = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (f < 0 && errno == EEXIST) {
		rc = remove_left(name, err);
		if (rc < 0)
			return rc;
		f = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	}
	if (f < 0)
		return nfv_fail(err, errno, "%s cannot be created: %s", name, strerror(errno));
	rc = lock(f, name, err);
	if (rc < 0)
		goto fail;
	rc = posix_fallocate(f, 0, (off_t)bytes);
	if (rc != 0) {
		rc = nfv_fail(err, rc, "%s needs %zu MB on its disk: %s", name, bytes >> 20,
			strerror(rc));
		goto fail;
	}
	*fd = f;
	return 0;
fail:
	unlink(name);
	close(f);
	return rc;
}

static void
write_head(struct sip_journal *j)
{
	struct sip_location_stats s = sip_location_stats(j->location);
	struct nfv_hash_key identity = sip_location_get_identity(j->location);
	struct journal_head h = { .magic = JOURNAL_MAGIC,
		.version = JOURNAL_VERSION,
		.half = j->half,
		.aors = s.max_aors,
		.bindings = s.max_bindings,
		.chunks = s.max_chunks,
		.per_aor = sip_location_per_aor(j->location) };

	memcpy(h.identity, identity.k, sizeof(h.identity));
	h.crc = journal_crc(0, &h, sizeof(h));
	memcpy(j->map, &h, sizeof(h));
}

static int
sync_folder(const char *path, struct nfv_err *err)
{
	char copy[PATH_MAX];
	int rc = 0, fd;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Some file systems cannot sync a folder, and have no need to. */
	if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL))
		rc = nfv_fail(
			err, errno, "the folder of %s cannot be synced: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return rc;
}

/* The whole state goes into half 0, and the file gets its name, which is still that of `old` now. */
static int
write_new(struct sip_journal *j, const char *name, int old, struct nfv_err *err)
{
	const char *path = j->conf.path;
	int rc;

	j->map = mmap(NULL, j->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, j->fd, 0);
	if (j->map == MAP_FAILED) {
		j->map = NULL;
		return nfv_fail(err, errno, "%s cannot be mapped: %s", name, strerror(errno));
	}
	write_head(j);
	journal_begin(j, 0);
	sip_journal_tick(j, j->conf.now, UINT32_MAX);
	rc = sip_journal_sync(j, err);
	if (rc < 0)
		return rc;
	if (!is_named(old, path))
		return nfv_fail(err, EBUSY, "%s is in use by another process", path);
	if (rename(name, path) < 0)
		return nfv_fail(
			err, errno, "%s cannot be renamed to %s: %s", name, path, strerror(errno));
	return sync_folder(path, err);
}

static void
size_up(struct sip_journal *j)
{
	size_t worst = journal_worst(j->location);

	j->slack = worst / 2 + JOURNAL_RECORD_MAX;
	j->half = worst + j->slack + 2 * JOURNAL_RECORD_MAX;
	j->half = (j->half + NFV_PAGE - 1) & ~(size_t)(NFV_PAGE - 1);
	j->bytes = JOURNAL_HEAD + 2 * j->half;
}

/* The file that another version of the stage writes, as it is. */
static int
open_beside(struct sip_journal *j, struct nfv_err *err)
{
	const char *path = j->conf.path;
	struct nfv_hash_key identity;
	struct journal_head head;
	struct stat st;
	int rc;

	j->fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (j->fd < 0)
		return nfv_fail(err, errno, "%s cannot be opened: %s", path, strerror(errno));
	if (flock(j->fd, LOCK_SH | LOCK_NB) < 0 || !is_named(j->fd, path) || fstat(j->fd, &st) < 0)
		return nfv_fail(err, EBUSY, "%s is in use by another process", path);
	if (st.st_size != (off_t)j->bytes)
		return nfv_fail(err, EINVAL,
			"%s was written with room for another number of registrations; only a new "
			"start changes that",
			path);
	j->map = mmap(NULL, j->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, j->fd, 0);
	if (j->map == MAP_FAILED) {
		j->map = NULL;
		return nfv_fail(err, errno, "%s cannot be mapped: %s", path, strerror(errno));
	}
	rc = journal_head_check(j->map, j->bytes, path, err);
	if (rc < 0)
		return rc;
	memcpy(&head, j->map, sizeof(head));
	if (head.half != j->half)
		return nfv_fail(err, EINVAL, "%s has halves of another length", path);
	memcpy(identity.k, head.identity, sizeof(identity.k));
	sip_location_set_identity(j->location, &identity);
	j->turn = JOURNAL_AWAITED;
	return 0;
}

int
sip_journal_create(const struct sip_journal_conf *conf, struct sip_location *l,
	struct sip_journal **out, struct nfv_err *err)
{
	struct sip_journal *j = nfv_lender_alloc(conf->lender, sizeof(*j));
	char name[PATH_MAX];
	int rc, old = -1;

	if (j == NULL)
		return nfv_fail(err, ENOMEM, "no memory for the journal %s", conf->path);
	*j = (struct sip_journal){ .conf = *conf, .location = l, .fd = -1, .seq = 1 };
	sip_journal_clock(j, conf->now, conf->wall_ms);
	size_up(j);
	if (conf->succeeds) {
		rc = open_beside(j, err);
		if (rc < 0)
			goto fail;
		*out = j;
		return 0;
	}
	if ((size_t)snprintf(name, sizeof(name), "%s.new", conf->path) >= sizeof(name)) {
		rc = nfv_fail(err, ENAMETOOLONG, "%s is too long a name", conf->path);
		goto fail;
	}
	rc = open_old(conf->path, &old, err);
	if (rc == 0 && old >= 0)
		rc = read_file(&j->conf, l, old, &j->stats.replay, err);
	if (rc == 0)
		rc = create_new(name, j->bytes, &j->fd, err);
	if (rc < 0)
		goto fail;
	rc = write_new(j, name, old, err);
	if (rc < 0) {
		unlink(name);
		goto fail;
	}
	if (old >= 0)
		close(old);
	old = -1;
	/* So that another version can open it, and still no other program begin with it. */
	if (flock(j->fd, LOCK_SH | LOCK_NB) < 0) {
		rc = nfv_fail(err, EBUSY, "%s is in use by another process", conf->path);
		goto fail;
	}
	*out = j;
	return 0;
fail:
	if (old >= 0)
		close(old);
	sip_journal_destroy(j);
	return rc;
}

void
sip_journal_destroy(struct sip_journal *j)
{
	if (j == NULL)
		return;
	if (j->map != NULL) {
		msync(j->map, j->bytes, MS_SYNC);
		munmap(j->map, j->bytes);
	}
	if (j->fd >= 0)
		close(j->fd);
	nfv_lender_free(j->conf.lender, j);
}
