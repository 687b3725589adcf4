/* Which objects may be mapped, and what becomes of those that may not. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <elf.h>

#include "nfv_object_map.h"
#include "store.h"

static struct store store;

static int
open_store(void **state)
{
	(void)state;
	if (!store_open(&store))
		return 0;
	store_add(&store, OBJECT_NAT, "nat.so", true);
	return 0;
}

static int
close_store(void **state)
{
	(void)state;
	store_close(&store);
	return 0;
}

static void
need_root(void)
{
	if (store.policy.n_dirs == 0)
		skip();
}

/* It is refused, with this error and a sentence that has all of these. */
static void
refused(const char *path, int code, const char *why, const char *remedy)
{
	struct nfv_err err = { "" };
	struct nfv_object_file f = { .fd = -1 };
	int rc = nfv_object_open(&store.policy, path, &f, &err);

	if (rc != -code || strstr(err.text, why) == NULL || strstr(err.text, remedy) == NULL)
		fail_msg("%d: %s", rc, err.text);
	assert_int_equal(f.fd, -1);
}

static void
one_that_is_allowed_is_mapped(void **state)
{
	const char *const paths[] = { "nat.so", store_path(&store, "nat.so") };
	struct nfv_object_file f;
	struct nfv_object_map m[2] = { { .fd = -1 } };
	struct nfv_err err = { "" };

	(void)state;
	need_root();
	for (int i = 0; i < 2; i++) {
		if (nfv_object_open(&store.policy, paths[i], &f, &err) < 0)
			fail_msg("%s", err.text);
		assert_string_equal(f.name, "nat.so");
		assert_int_equal(strlen(f.sum), 64);
		if (nfv_object_map(dup(f.fd), "nat", &m[i], &err) < 0)
			fail_msg("%s", err.text);
		assert_string_equal(m[i].object->version, "1");
		assert_string_equal(m[i].object->ops->name, "nat");
		nfv_object_close(&f);
	}
	/* Two of them side by side are two. */
	assert_ptr_not_equal(m[0].object, m[1].object);
	nfv_object_unmap(&m[0]);
	nfv_object_unmap(&m[1]);
	nfv_object_unmap(&m[1]);
	nfv_object_close(&f);
}

static void
what_is_mapped_cannot_be_changed(void **state)
{
	struct nfv_object_file f;
	char path[64];
	int seals;

	(void)state;
	need_root();
	assert_int_equal(nfv_object_open(&store.policy, "nat.so", &f, NULL), 0);
	seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	assert_int_equal(fcntl(f.fd, F_GET_SEALS) & seals, seals);
	assert_int_equal(write(f.fd, "x", 1), -1);
	assert_int_equal(ftruncate(f.fd, 0), -1);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, f.fd, 0), MAP_FAILED);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", f.fd);
	seals = open(path, O_RDWR | O_CLOEXEC);
	if (seals >= 0) {
		assert_int_equal(write(seals, "x", 1), -1);
		close(seals);
	}
	nfv_object_close(&f);
}

/* The file is another one once it was looked at: what was looked at is mapped. */
static void
a_file_that_changes_meanwhile_is_of_no_matter(void **state)
{
	struct nfv_object_map m;
	struct nfv_object_file f;
	struct nfv_err err = { "" };

	(void)state;
	need_root();
	assert_int_equal(nfv_object_open(&store.policy, "nat.so", &f, &err), 0);
	store_write(&store, "nat.so", "evil", 4);
	if (nfv_object_map(dup(f.fd), "nat", &m, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(m.object->ops->name, "nat");
	nfv_object_unmap(&m);
	nfv_object_close(&f);
	refused("nat.so", EPERM, "the file is not what was allowed", "the list is old");
	store_add(&store, OBJECT_NAT, "nat.so", false);
}

static void
one_that_is_not_on_the_list(void **state)
{
	(void)state;
	need_root();
	store_add(&store, OBJECT_BAD_0, "new.so", false);
	refused("new.so", EPERM, "is not on the list", "add what sha256sum prints");
}

static void
one_elsewhere(void **state)
{
	char path[160];

	(void)state;
	need_root();
	refused("/usr/lib/nat.so", EACCES, "it does not lie in", "move it there");
	snprintf(path, sizeof(path), "%s/../%s/nat.so", store.dir, strrchr(store.dir, '/') + 1);
	refused(path, EACCES, "it does not lie in", "move it there");
	snprintf(path, sizeof(path), "%s2/nat.so", store.dir);
	refused(path, EACCES, "it does not lie in", "move it there");
	refused("../nat.so", EACCES, "it does not lie in", "move it there");
	refused("nowhere.so", ENOENT, "No such file", "nowhere.so");
	refused("", EACCES, "it is no regular file", "name one");
}

static void
links_are_not_followed(void **state)
{
	(void)state;
	need_root();
	assert_int_equal(symlink("nat.so", store_path(&store, "link.so")), 0);
	refused("link.so", EACCES, "is a symbolic link", "name the file itself");
	assert_int_equal(symlink(".", store_path(&store, "linked")), 0);
	refused("linked/nat.so", EACCES, "linked", "name the file itself");
}

static void
files_that_others_may_write(void **state)
{
	(void)state;
	need_root();
	chmod(store_path(&store, "nat.so"), 0664);
	refused("nat.so", EACCES, "others than root may write to", "chmod go-w");
	chmod(store_path(&store, "nat.so"), 0646);
	refused("nat.so", EACCES, "others than root may write to", "chmod go-w");
	chmod(store_path(&store, "nat.so"), 0644);
	assert_int_equal(chown(store_path(&store, "nat.so"), 65534, 0), 0);
	refused("nat.so", EACCES, "belongs to user 65534", "chown it to root");
	assert_int_equal(chown(store_path(&store, "nat.so"), 0, 0), 0);
}

static void
folders_that_others_may_write(void **state)
{
	(void)state;
	need_root();
	chmod(store.dir, 0777);
	refused("nat.so", EACCES, "others than root may write to", "chmod go-w");
	chmod(store.dir, 0755);
	assert_int_equal(chown(store.dir, 65534, 0), 0);
	refused("nat.so", EACCES, "belongs to user 65534", "chown it to root");
	assert_int_equal(chown(store.dir, 0, 0), 0);
}

static void
lists_that_are_none(void **state)
{
	(void)state;
	need_root();
	chmod(store.list, 0666);
	refused("nat.so", EACCES, "the list of objects: ", "chmod go-w");
	chmod(store.list, 0644);
	store.policy.allowed = "/nowhere/allowed";
	refused("nat.so", ENOENT, "the list of objects: ", "No such file");
	store.policy.allowed = store_path(&store, "other");
	store_write(&store, "other", "# one\nno sum  nat.so\n", 21);
	refused("nat.so", EINVAL, "other:2: ", "sha256sum");
	store.policy.allowed = store.list;
}

static void
what_is_no_file(void **state)
{
	(void)state;
	need_root();
	assert_int_equal(mkdir(store_path(&store, "folder.so"), 0755), 0);
	refused("folder.so", EACCES, "it is no regular file", "name one");
	assert_int_equal(mkfifo(store_path(&store, "pipe.so"), 0644), 0);
	refused("pipe.so", EACCES, "it is no regular file", "name one");
	refused("nat.so/nat.so", ENOTDIR, "nat.so", "Not a directory");
	store.policy.size_max = 1000;
	refused("nat.so", EFBIG, "bytes; at most 1000", "");
	store.policy.size_max = 0;
}

/* --- what stands in it; needs no root ------------------------------------------------------------ */

static void
no_elf(const char *bytes, size_t n, const char *why)
{
	struct nfv_err err = { "" };

	assert_int_equal(nfv_object_elf((const uint8_t *)bytes, n, false, &err), -ENOEXEC);
	if (strstr(err.text, why) == NULL)
		fail_msg("%s", err.text);
}

static void
elf_files_are_looked_at(void **state)
{
	size_t n;
	char *bytes = store_read(OBJECT_NAT, &n);
	Elf64_Ehdr good, *h = (Elf64_Ehdr *)(void *)bytes;
	Elf64_Phdr *p;

	(void)state;
	memcpy(&good, h, sizeof(good));
	p = (Elf64_Phdr *)(void *)(bytes + h->e_phoff);
	assert_int_equal(nfv_object_elf((const uint8_t *)bytes, n, false, NULL), 0);
	no_elf(bytes, 40, "shorter than the head");
	no_elf(bytes, sizeof(*h), "table of segments");
	no_elf(bytes, 4096, "a segment lies outside");
	bytes[0] = 'x';
	no_elf(bytes, n, "not an ELF file");
	*h = good;
	h->e_ident[EI_CLASS] = ELFCLASS32;
	no_elf(bytes, n, "another machine");
	*h = good;
	h->e_machine = EM_S390;
	no_elf(bytes, n, "another machine");
	*h = good;
	h->e_type = ET_EXEC;
	no_elf(bytes, n, "no shared object");
	*h = good;
	h->e_phoff = n - 8;
	no_elf(bytes, n, "table of segments");
	h->e_phoff = UINT64_MAX - 8;
	no_elf(bytes, n, "table of segments");
	*h = good;
	p[0].p_flags |= PF_W | PF_X;
	no_elf(bytes, n, "both writable and executable");
	p[0].p_flags = PF_R;
	for (int i = 0; i < h->e_phnum; i++) {
		uint32_t type = p[i].p_type, flags = p[i].p_flags;

		if (type == PT_GNU_STACK) {
			p[i].p_flags |= PF_X;
			no_elf(bytes, n, "executable stack");
		} else if (type == PT_DYNAMIC) {
			p[i].p_type = PT_NULL;
			no_elf(bytes, n, "exports nothing");
		} else if (type == PT_NOTE) {
			p[i].p_type = PT_INTERP;
			no_elf(bytes, n, "it is a program");
		}
		p[i].p_type = type;
		p[i].p_flags = flags;
	}
	free(bytes);
}

/* A program is another thing than an object, and may take libraries from where the system has them. */
static void
programs_are_looked_at(void **state)
{
	struct nfv_err err = { "" };
	size_t n;
	char *bytes = store_read(STAGE_PROGRAM, &n), *name = memmem(bytes, n, "libc.so.6", 9);
	Elf64_Ehdr *h = (Elf64_Ehdr *)(void *)bytes;

	(void)state;
	if (nfv_object_elf((const uint8_t *)bytes, n, true, &err) < 0)
		fail_msg("%s", err.text);
	no_elf(bytes, n, "it is a program");
	assert_non_null(name);
	memcpy(name, "liba.so", 8);
	assert_int_equal(nfv_object_elf((const uint8_t *)bytes, n, true, &err), 0);
	memcpy(name, "/x/a.so", 8);
	assert_int_equal(nfv_object_elf((const uint8_t *)bytes, n, true, &err), -ENOEXEC);
	assert_non_null(strstr(err.text, "the library /x/a.so, which nobody has checked"));
	memcpy(name, "libc.so.6", 9);
	h->e_machine = EM_S390;
	assert_int_equal(nfv_object_elf((const uint8_t *)bytes, n, true, &err), -ENOEXEC);
	free(bytes);
	bytes = store_read(OBJECT_NAT, &n);
	assert_int_equal(nfv_object_elf((const uint8_t *)bytes, n, true, &err), -ENOEXEC);
	assert_non_null(strstr(err.text, "it is no program"));
	free(bytes);
}

/* Any byte may be another: it is refused or not, and read within its bounds. */
static void
elf_files_of_any_kind(void **state)
{
	size_t n;
	char *bytes = store_read(OBJECT_NAT, &n), *copy = malloc(n);
	struct nfv_err err;

	(void)state;
	assert_non_null(copy);
	srandom(1);
	for (int i = 0; i < 2000; i++) {
		size_t len = i % 4 == 0 ? (size_t)random() % n : n;
		char *tight = malloc(len + 1);

		assert_non_null(tight);
		memcpy(tight, bytes, len);
		for (int k = 0; k < 8; k++)
			if (len > 0)
				tight[(size_t)random() %
					(k % 2                     ? len :
							len < 1024 ? len :
								     1024)] = (char)random();
		nfv_object_elf((const uint8_t *)tight, len, i % 2 == 0, &err);
		free(tight);
	}
	free(copy);
	free(bytes);
}

static void
one_that_needs_other_libraries(void **state)
{
	size_t n;
	char *bytes = store_read(OBJECT_NAT, &n);
	char *name = memmem(bytes, n, "libc.so.6", 9);

	(void)state;
	assert_non_null(name);
	name[3] = 'z';
	no_elf(bytes, n, "it needs the library libz.so.6");
	free(bytes);
}

/* --- mapped -------------------------------------------------------------------------------------- */

static void
what_is_not_sealed_is_not_mapped(void **state)
{
	struct nfv_object_map m;
	struct nfv_err err = { "" };
	int fd = open(OBJECT_NAT, O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(nfv_object_map(fd, "nat", &m, &err), -EPERM);
	assert_non_null(strstr(err.text, "not sealed"));
	assert_int_equal(fcntl(fd, F_GETFD), -1); /* it is taken all the same */
}

static void
objects_that_are_none(void **state)
{
	static const struct {
		const char *file, *name, *why;
	} bad[] = {
		{ OBJECT_BAD_0, NULL, "exports no nfv_stage_object" },
		{ OBJECT_BAD_1, NULL, "built for another version of the programs" },
		{ OBJECT_BAD_2, NULL, "exports as nfv_stage_object is none" },
		{ OBJECT_BAD_3, NULL, "no operations" },
		{ OBJECT_NAT, "firewall", "it is the stage nat, not firewall" },
	};

	(void)state;
	need_root();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct nfv_object_file f;
		struct nfv_object_map m;
		struct nfv_err err = { "" };

		store_add(&store, bad[i].file, "bad.so", true);
		if (nfv_object_open(&store.policy, "bad.so", &f, &err) < 0)
			fail_msg("%s", err.text);
		assert_int_equal(nfv_object_map(f.fd, bad[i].name, &m, &err), -ENOEXEC);
		if (strstr(err.text, bad[i].why) == NULL)
			fail_msg("%s", err.text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_is_allowed_is_mapped),
		cmocka_unit_test(what_is_mapped_cannot_be_changed),
		cmocka_unit_test(a_file_that_changes_meanwhile_is_of_no_matter),
		cmocka_unit_test(one_that_is_not_on_the_list),
		cmocka_unit_test(one_elsewhere),
		cmocka_unit_test(links_are_not_followed),
		cmocka_unit_test(files_that_others_may_write),
		cmocka_unit_test(folders_that_others_may_write),
		cmocka_unit_test(lists_that_are_none),
		cmocka_unit_test(what_is_no_file),
		cmocka_unit_test(elf_files_are_looked_at),
		cmocka_unit_test(programs_are_looked_at),
		cmocka_unit_test(elf_files_of_any_kind),
		cmocka_unit_test(one_that_needs_other_libraries),
		cmocka_unit_test(what_is_not_sealed_is_not_mapped),
		cmocka_unit_test(objects_that_are_none),
	};

	return cmocka_run_group_tests(tests, open_store, close_store);
}
