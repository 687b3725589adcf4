#define _GNU_SOURCE /* memfd, seals */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "nfv_segment.h"

#define SIZE 10000u

static struct nfv_segment
segment(bool alone)
{
	struct nfv_segment s;
	struct nfv_err err;

	assert_int_equal(nfv_segment_create("test", SIZE, false, &s, &err), 0);
	assert_int_equal(s.size, 12288);
	for (size_t i = 0; i < s.size; i++)
		assert_int_equal(s.at[i], 0);
	assert_int_equal(nfv_segment_seal(&s, alone, &err), 0);
	return s;
}

static int
open_again(int fd, int how)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, how | O_CLOEXEC);
}

/* All ways there are to write through a descriptor fail, and the bytes are what they were. */
static void
no_way_to_write(int fd, const struct nfv_segment *s)
{
	void *m = mmap(NULL, s->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_ptr_equal(m, MAP_FAILED);
	m = mmap(NULL, s->size, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(m, MAP_FAILED);
	assert_int_equal(mprotect(m, s->size, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(madvise(m, s->size, MADV_REMOVE), -1);
	munmap(m, s->size);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
	assert_int_equal(s->at[0], 'a');
}

static void
a_reader_cannot_write(void **state)
{
	struct nfv_segment s = segment(true), reader;
	struct nfv_err err;
	int fd, again;

	(void)state;
	s.at[0] = 'a';
	fd = nfv_segment_lend(&s, false, &err);
	assert_true(fd >= 0);
	assert_int_equal(nfv_segment_attach(fd, SIZE, false, &reader, &err), 0);
	assert_int_equal(reader.at[0], 'a');
	s.at[SIZE] = 'b'; /* the creator's mapping goes on writing */
	assert_int_equal(reader.at[SIZE], 'b');
	assert_int_equal(mprotect(reader.at, reader.size, PROT_READ | PROT_WRITE), -1);
	no_way_to_write(fd, &s);
	/* Opened anew it is as good as before, even with the mode changed by its owner. */
	assert_int_equal(fchmod(fd, 0666), 0);
	again = open_again(fd, O_RDWR);
	if (again >= 0) {
		no_way_to_write(again, &s);
		close(again);
	}
	/* And the seals are final. */
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	nfv_segment_fini(&reader);
	nfv_segment_fini(&s);
}

/* Beside writers a reader has a descriptor for reading; that is what holds it. */
static void
a_reader_beside_writers_cannot_write(void **state)
{
	struct nfv_segment s = segment(false);
	struct nfv_err err;
	int fd;

	(void)state;
	s.at[0] = 'a';
	fd = nfv_segment_lend(&s, false, &err);
	assert_true(fd >= 0);
	no_way_to_write(fd, &s);
	close(fd);
	nfv_segment_fini(&s);
}

static void
a_writer_writes_and_cannot_cut_it(void **state)
{
	struct nfv_segment s = segment(false), writer;
	struct nfv_err err;
	int fd;

	(void)state;
	fd = nfv_segment_lend(&s, true, &err);
	assert_true(fd >= 0);
	assert_int_equal(nfv_segment_attach(fd, SIZE, true, &writer, &err), 0);
	writer.at[5] = 'w';
	assert_int_equal(s.at[5], 'w');
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, 1 << 20), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	nfv_segment_fini(&writer);
	assert_int_equal(s.at[5], 'w');
	nfv_segment_fini(&s);
}

static void
what_is_not_sealed_or_not_as_large_is_refused(void **state)
{
	struct nfv_segment s, none = { 0 };
	struct nfv_err err;
	int fd = memfd_create("bare", MFD_CLOEXEC | MFD_ALLOW_SEALING), pipes[2];

	(void)state;
	assert_int_equal(ftruncate(fd, SIZE), 0);
	assert_int_equal(nfv_segment_attach(fd, SIZE, true, &none, &err), -EPERM);
	assert_string_equal(err.text, "shared memory is refused: its size is not sealed");
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
	assert_int_equal(nfv_segment_attach(fd, SIZE, true, &none, &err), -EPERM);
	close(fd);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(nfv_segment_attach(pipes[0], SIZE, true, &none, &err), -EPERM);
	close(pipes[0]);
	close(pipes[1]);

	s = segment(false);
	assert_int_equal(nfv_segment_attach(s.fd, SIZE * 2, true, &none, &err), -EINVAL);
	assert_int_equal(nfv_segment_attach(s.fd, SIZE / 4, true, &none, &err), -EINVAL);
	assert_int_equal(nfv_segment_attach(s.fd, 0, true, &none, &err), -EINVAL);
	assert_null(none.at);
	nfv_segment_fini(&s);
	nfv_segment_fini(&s);
	nfv_segment_fini(&none);
}

/* Huge pages that are promised but not there must not become a SIGBUS at the first touch. */
static void
huge_pages_are_a_wish(void **state)
{
	struct nfv_segment s;
	struct nfv_err err;

	(void)state;
	assert_int_equal(nfv_segment_create("test", 3u << 20, true, &s, &err), 0);
	assert_true(s.page == 4096 || s.page == 2u << 20);
	memset(s.at, 0xff, s.size);
	nfv_segment_fini(&s);
	assert_int_equal(nfv_segment_create("test", SIZE_MAX, true, &s, &err), -EINVAL);
	assert_true(nfv_segment_create("test", SIZE_MAX / 4, true, &s, &err) < 0);
	assert_non_null(strstr(err.text, "cannot be had"));
	assert_null(s.at);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reader_cannot_write),
		cmocka_unit_test(a_reader_beside_writers_cannot_write),
		cmocka_unit_test(a_writer_writes_and_cannot_cut_it),
		cmocka_unit_test(what_is_not_sealed_or_not_as_large_is_refused),
		cmocka_unit_test(huge_pages_are_a_wish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
