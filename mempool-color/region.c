#define _GNU_SOURCE /* memfd_create, seals */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mpc_region.h"

#define HUGE (2u << 20)

#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB (21u << 26)
#endif

const char *
mpc_page_kind_name(enum mpc_page_kind kind)
{
	static const char *const name[] = { "any", "huge", "thp", "4k" };

	return name[kind];
}

/*
 * Populated at once: a huge page that is not there makes the mapping fail now, instead of the first
 * touch later. The mapping is placed on a huge page's boundary, so that transparent ones can be had.
 */
static int
map(struct mpc_region *r, unsigned int memfd_flags, bool shared)
{
	uint8_t *room, *at;
	int flags = MAP_FIXED | (shared ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS);

	if (shared) {
		r->fd = memfd_create(
			"mempool-color", MFD_CLOEXEC | MFD_ALLOW_SEALING | memfd_flags);
		if (r->fd < 0 || ftruncate(r->fd, (off_t)r->size) < 0 ||
			fcntl(r->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
			return -ENOMEM;
	}
	room = mmap(NULL, r->size + HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		-1, 0);
	if (room == MAP_FAILED)
		return -ENOMEM;
	at = room + (HUGE - (uintptr_t)room % HUGE) % HUGE;
	if (at > room)
		munmap(room, (size_t)(at - room));
	if (at < room + HUGE)
		munmap(at + r->size, (size_t)(room + HUGE - at));
	r->base = at;
	if (mmap(at, r->size, PROT_READ | PROT_WRITE, flags, r->fd, 0) == MAP_FAILED)
		return -ENOMEM;
	if (!shared)
		madvise(at, r->size, r->kind == MPC_PAGES_THP ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return madvise(at, r->size, MADV_POPULATE_WRITE) < 0 ? -errno : 0;
}

/* Kernels before 5.14 cannot populate on demand; there the pages are touched. */
static int
present(struct mpc_region *r, int rc)
{
	if (rc != -EINVAL)
		return rc;
	for (size_t at = 0; at < r->size; at += MPC_PAGE)
		*(volatile uint8_t *)(r->base + at) = 0;
	return 0;
}

static int
create(struct mpc_region *r, struct nfv_err *err)
{
	bool huge = r->kind == MPC_PAGES_HUGE;
	int rc =
		present(r, map(r, huge ? MFD_HUGETLB | MFD_HUGE_2MB : 0, r->kind != MPC_PAGES_THP));

	if (rc == 0 && r->pages > 0)
		r->page = malloc(r->pages * sizeof(*r->page));
	if (rc < 0 || r->page == NULL) {
		mpc_region_destroy(r);
		return nfv_fail(err, ENOMEM,
			huge ? "%zu MiB of 2 MiB huge pages are not there; reserve them (hugeadm "
			       "--pool-pages-min 2MB:N) or ask for other pages" :
			       "%zu MiB of memory are not there; ask for less",
			r->size >> 20);
	}
	for (uint32_t i = 0; i < r->pages; i++)
		r->page[i] = r->base + (size_t)i * MPC_PAGE;
	return 0;
}

int
mpc_region_create(size_t size, enum mpc_page_kind kind, struct mpc_region *out, struct nfv_err *err)
{
	struct mpc_region r = { .fd = -1, .kind = (uint8_t)kind };

	if (size == 0 || size > SIZE_MAX / 2 || size / MPC_PAGE > UINT32_MAX - HUGE)
		return nfv_fail(err, EINVAL, "a region of %zu bytes cannot be", size);
	r.size = (size + HUGE - 1) / HUGE * HUGE;
	r.pages = (uint32_t)(r.size / MPC_PAGE);
	if (kind == MPC_PAGES_ANY) {
		r.kind = MPC_PAGES_HUGE;
		if (create(&r, NULL) == 0) {
			*out = r;
			return 0;
		}
		r = (struct mpc_region){
			.fd = -1, .kind = MPC_PAGES_4K, .size = r.size, .pages = r.pages
		};
	}
	if (create(&r, err) < 0)
		return -ENOMEM;
	*out = r;
	return 0;
}

void
mpc_region_destroy(struct mpc_region *r)
{
	if (r->base != NULL)
		munmap(r->base, r->size);
	if (r->fd >= 0)
		close(r->fd);
	free(r->page);
	r->base = NULL;
	r->page = NULL;
	r->fd = -1;
}

bool
mpc_region_frames(const struct mpc_region *r, uint64_t *frame)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	size_t bytes = r->pages * sizeof(*frame);
	bool good;

	if (fd < 0)
		return false;
	good = pread(fd, frame, bytes, (off_t)((uintptr_t)r->base / MPC_PAGE * sizeof(*frame))) ==
		(ssize_t)bytes;
	close(fd);
	/* Bits 0–54 are the frame, zero without the privilege to know; bit 63: present. */
	for (uint32_t i = 0; i < r->pages && good; i++) {
		frame[i] &= (1ull << 55) - 1;
		good = frame[i] != 0;
	}
	return good;
}
