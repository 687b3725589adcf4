#define _GNU_SOURCE /* memfd, seals */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nfv_segment.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#define SMALL     4096u
#define HUGE_PAGE (2u << 20)
#define SIZED     (F_SEAL_SHRINK | F_SEAL_GROW)

/* Every page now; older kernels than 5.14 do not know how, and make them on a mapping's wish. */
static int
populate(uint8_t *at, size_t size)
{
	if (madvise(at, size, MADV_POPULATE_WRITE) == 0)
		return 0;
	return errno == EINVAL ? 0 : -errno;
}

static int
try_create(const char *name, size_t size, size_t page, struct nfv_segment *out)
{
	struct nfv_segment s = { .size = (size + page - 1) / page * page, .page = page };
	int rc;

	if (s.size < size || s.size == 0)
		return -EINVAL;
	s.fd = memfd_create(name,
		MFD_CLOEXEC | MFD_ALLOW_SEALING |
			(page == HUGE_PAGE ? MFD_HUGETLB | 21u << 26 /* of 2 MiB */ : 0u));
	if (s.fd < 0)
		return -errno;
	/* The mode counts where somebody opens it anew through /proc. */
	if (fchmod(s.fd, 0600) < 0 || ftruncate(s.fd, (off_t)s.size) < 0 ||
		fcntl(s.fd, F_ADD_SEALS, SIZED) < 0)
		goto fail;
	s.at = mmap(NULL, s.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, s.fd, 0);
	if (s.at == MAP_FAILED) {
		s.at = NULL;
		goto fail;
	}
	rc = populate(s.at, s.size);
	if (rc == 0) {
		*out = s;
		return 0;
	}
	errno = -rc;
fail:
	rc = -errno;
	nfv_segment_fini(&s);
	return rc;
}

int
nfv_segment_create(
	const char *name, size_t size, bool huge, struct nfv_segment *out, struct nfv_err *err)
{
	int rc;

	if (huge && try_create(name, size, HUGE_PAGE, out) == 0)
		return 0;
	rc = try_create(name, size, SMALL, out);
	if (rc < 0)
		return nfv_fail(err, -rc, "shared memory %s: %zu bytes cannot be had: %s", name,
			size, strerror(-rc));
	return 0;
}

int
nfv_segment_seal(struct nfv_segment *s, bool alone, struct nfv_err *err)
{
	unsigned int seals = F_SEAL_SEAL | (alone ? F_SEAL_FUTURE_WRITE : 0u);

	if (fcntl(s->fd, F_ADD_SEALS, seals) < 0)
		return nfv_fail(err, errno, "shared memory cannot be sealed: %s", strerror(errno));
	return 0;
}

int
nfv_segment_lend(const struct nfv_segment *s, bool writable, struct nfv_err *err)
{
	char path[64];
	int fd;

	if (writable) {
		fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 3);
	} else {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", s->fd);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0)
		return nfv_fail(err, errno,
			"shared memory cannot be lent %s: %s; is /proc mounted?",
			writable ? "for writing" : "read-only", strerror(errno));
	return fd;
}

int
nfv_segment_attach(int fd, size_t size, bool writable, struct nfv_segment *out, struct nfv_err *err)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	uint8_t *at;

	if (seals < 0 || (seals & (SIZED | F_SEAL_SEAL)) != (SIZED | F_SEAL_SEAL))
		return nfv_fail(err, EPERM, "shared memory is refused: its size is not sealed");
	if (fstat(fd, &st) < 0 || size == 0 || (size_t)st.st_size < size ||
		(size_t)st.st_size - size >= (size_t)st.st_blksize)
		return nfv_fail(err, EINVAL,
			"shared memory is refused: it has not the %zu bytes "
			"that are told",
			size);
	at = mmap(NULL, (size_t)st.st_size, writable ? PROT_READ | PROT_WRITE : PROT_READ,
		MAP_SHARED | MAP_POPULATE, fd, 0);
	if (at == MAP_FAILED)
		return nfv_fail(err, errno, "shared memory of %zu bytes cannot be mapped: %s", size,
			strerror(errno));
	*out = (struct nfv_segment){
		.at = at, .size = (size_t)st.st_size, .page = (size_t)st.st_blksize, .fd = fd
	};
	return 0;
}

void
nfv_segment_fini(struct nfv_segment *s)
{
	if (s->at != NULL)
		munmap(s->at, s->size);
	if (s->size > 0)
		close(s->fd);
	memset(s, 0, sizeof(*s));
}
