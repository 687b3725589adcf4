#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "journal_file.h"
#include "register_world.h"

#define WALL  1700000000000ull
#define USERS 60

static struct register_world w;
static struct sip_journal *j;
static struct nfv_err err;
static char folder[] = "/tmp/test_journal.XXXXXX";
static char path[64], path_new[80];
static bool durable, is_child;
static uint64_t seed = 1;

static uint32_t
rnd(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

/* A program starts, `ms` after the first one. */
static int
try_start(uint32_t bindings, uint64_t ms)
{
	struct sip_journal_conf conf = {
		.path = path, .durable = durable, .tsc_hz = HZ, .wall_ms = WALL + ms
	};
	int rc;

	register_world_init(&w, bindings, 4);
	/* The TSC begins anew with the machine. */
	w.now = conf.now = 5 * SEC;
	conf.own = w.px.own;
	conf.n_own = w.px.n_own;
	j = NULL;
	rc = sip_journal_create(&conf, w.loc.l, &j, &err);
	w.reg.conf.journal = j;
	if (rc < 0)
		register_world_fini(&w);
	return rc;
}

/* A child that fails must not go on with the parent's tests. */
static void
give_up(const char *what)
{
	if (is_child)
		_exit(1);
	fail_msg("%s", what);
}

static void
start(uint64_t ms)
{
	if (try_start(64, ms) < 0)
		give_up(err.text);
}

static void
stop(void)
{
	sip_journal_destroy(j);
	register_world_fini(&w);
}

/* What a program leaves that is killed: nothing is tidied up or synced. */
static void
kill_it(void)
{
	munmap(j->map, j->bytes);
	j->map = NULL;
	stop();
}

static unsigned int
reg(unsigned int user, unsigned int cseq, const char *lines)
{
	char to[64];

	snprintf(to, sizeof(to), "sip:u%u@example.org", user);
	return register_one(&w, to, "id", cseq, lines);
}

/* The contact's number, or -1. */
static int
found(unsigned int user)
{
	struct sip_target t;
	char name[16];
	int n = snprintf(name, sizeof(name), "u%u", user), number;

	if (sip_location_find(
		    w.loc.l, nfv_sv(name, (size_t)n), NFV_SV("example.org"), w.now, &t, 1) == 0)
		return -1;
	assert_int_equal(sscanf(t.uri.p, "sip:c%d@", &number), 1);
	return number;
}

/* Operation `op` of an endless row of them; true if it leaves a binding. */
static bool
operate(unsigned int op, unsigned int *user)
{
	char lines[512];
	bool gone = op % 7 == 3;

	*user = (op * 2654435761u >> 8) % USERS;
	snprintf(lines, sizeof(lines),
		"Contact: <sip:c%u@10.1.1.1>;+sip.instance=\"<i>\";reg-id=1;pad=%0*d\r\n", op,
		(int)(op % 300) + 1, 0);
	if (gone)
		snprintf(lines, sizeof(lines), "Contact: *\r\nExpires: 0\r\n");
	if (reg(*user, op + 1, lines) != 200)
		give_up("an operation that is not answered with 200");
	return !gone;
}

static void
checksum(void **state)
{
	uint8_t data[100];

	(void)state;
	assert_int_equal(journal_crc(0, "123456789", 9), 0xe3069283);
	assert_int_equal(journal_crc_portable(0, "123456789", 9), 0xe3069283);
	assert_int_equal(journal_crc(journal_crc(0, "1234", 4), "56789", 5), 0xe3069283);
	for (size_t i = 0; i < sizeof(data); i++) {
		data[i] = (uint8_t)rnd(256);
		assert_int_equal(journal_crc(0, data, i), journal_crc_portable(0, data, i));
	}
}

/* All of a binding comes back, and the order of its REGISTERs. */
static void
comes_back(void **state)
{
	struct sip_target t[4];

	(void)state;
	start(0);
	assert_int_equal(reg(1, 10,
				 "Contact: <sip:c7@10.1.1.1>;q=0.5;x=y, <sip:c8@10.1.1.2>;q=0.4\r\n"
				 "Path: <sip:p;lr>\r\nExpires: 600\r\n"),
		200);
	nfv_endpoint_parse(NFV_SV("[" OUT6 "]:5060"), &w.in.dst);
	nfv_endpoint_parse(NFV_SV("[2001:db8::9]:5062"), &w.in.src);
	assert_int_equal(reg(2, 1, "Contact: <sip:c9@10.1.1.1>\r\n"), 200);
	assert_int_equal(reg(3, 1, "Contact: <sip:c9@10.1.1.1>;expires=60\r\n"), 200);
	kill_it();

	start(100000);
	assert_int_equal(j->stats.replay.records, 3);
	assert_int_equal(j->stats.replay.bindings, 3);
	assert_int_equal(j->stats.replay.expired, 1);
	assert_int_equal(j->stats.replay.torn + j->stats.replay.bad, 0);
	assert_int_equal(
		sip_location_find(w.loc.l, NFV_SV("u1"), NFV_SV("example.org"), w.now, t, 4), 2);
	assert_true(nfv_sv_eq(t[0].uri, NFV_SV("sip:c7@10.1.1.1")));
	assert_true(nfv_sv_eq(t[0].path, NFV_SV("<sip:p;lr>")));
	assert_int_equal(t[0].q, 500);
	assert_true(nfv_addr_eq(&t[0].to.addr, &w.in.src.addr));
	assert_int_equal(t[0].to.port, 5090);
	assert_int_equal(t[0].own, 0);
	assert_int_equal(t[0].dir, NFV_OUTWARD);
	assert_int_equal(reg(1, 11, ""), 200);
	assert_non_null(strstr(w.extra, "<sip:c7@10.1.1.1>;x=y;q=0.500;expires=500\r\n"));
	assert_int_equal(reg(1, 9, "Contact: <sip:c7@10.1.1.1>\r\n"), 500);
	assert_int_equal(reg(1, 10, "Contact: <sip:c7@10.1.1.1>\r\n"), 200);
	assert_int_equal(w.reg.count[SIP_REGISTER_REPEATED], 1);
	assert_int_equal(
		sip_location_find(w.loc.l, NFV_SV("u2"), NFV_SV("example.org"), w.now, t, 4), 1);
	assert_int_equal(t[0].own, 1);
	assert_int_equal(t[0].to.addr.family, NFV_IPV6);
	assert_int_equal(found(3), -1);
	stop();

	/* Of three contacts one goes, in the order that they had. */
	start(200000);
	assert_int_equal(reg(1, 12, "Contact: <sip:c7@10.1.1.1>;expires=0\r\n"), 200);
	kill_it();
	start(200000);
	assert_int_equal(found(1), 8);
	assert_int_equal(reg(2, 2, "Contact: *\r\nExpires: 0\r\n"), 200);
	kill_it();
	start(200000);
	assert_int_equal(found(2), -1);
	assert_int_equal(reg(1, 13, "Contact: *\r\nExpires: 0\r\n"), 200);
	assert_int_equal(sip_location_stats(w.loc.l).bindings, 0);
	stop();
}

/* An address of ours that has gone, and one that has moved. */
static void
own_addresses(void **state)
{
	struct sip_target t;
	struct sip_proxy px;

	(void)state;
	unlink(path);
	start(0);
	assert_int_equal(reg(1, 1, "Contact: <sip:c7@10.1.1.1>\r\n"), 200);
	for (unsigned int k = 0; k < 2; k++) {
		struct sip_journal_conf conf = { .path = path,
			.tsc_hz = HZ,
			.now = w.now,
			.wall_ms = WALL,
			.own = px.own,
			.n_own = k == 0 ? 3 : 2 };

		px = w.px;
		px.own[2] = w.px.own[0];
		px.own[0] = w.px.own[1];
		kill_it();
		register_world_init(&w, 64, 4);
		w.now = conf.now;
		assert_int_equal(sip_journal_create(&conf, w.loc.l, &j, &err), 0);
		assert_int_equal(sip_location_find(w.loc.l, NFV_SV("u1"), NFV_SV("example.org"),
					 w.now, &t, 1),
			1);
		assert_int_equal(t.own, k == 0 ? 2 : SIP_NO_OWN);
	}
	stop();
}

/* Over many halves, looked at in between. */
static void
halves(void **state)
{
	int want[USERS];
	unsigned int op = 0, user;
	uint64_t switches = 0;

	(void)state;
	unlink(path);
	memset(want, -1, sizeof(want));
	for (unsigned int round = 0; round < 12; round++) {
		start(0);
		for (unsigned int i = 0; i < USERS; i++)
			assert_int_equal(found(i), want[i]);
		for (unsigned int end = op + 1 + rnd(12000); op < end; op++) {
			bool there = operate(op, &user);

			want[user] = there ? (int)op : -1;
			if (rnd(100) == 0)
				sip_journal_tick(j, w.now, 1 + rnd(5));
		}
		switches += j->stats.switches;
		assert_int_equal(j->stats.refused, 0);
		kill_it();
	}
	assert_true(switches > 12);
}

/* Without ticks; and every AOR is written again, though nobody has asked for it. */
static void
quiet_ones_are_copied(void **state)
{
	char lines[128];

	(void)state;
	unlink(path);
	start(0);
	for (unsigned int i = 0; i < USERS; i++) {
		snprintf(lines, sizeof(lines), "Contact: <sip:c%u@10.1.1.1>\r\n", i);
		assert_int_equal(reg(i, 1, lines), 200);
	}
	for (unsigned int i = 2; j->stats.switches < 5; i++)
		assert_int_equal(reg(0, i, "Contact: <sip:c0@10.1.1.1>\r\n"), 200);
	assert_true(j->stats.copied >= 4ul * (USERS - 1));
	kill_it();
	start(0);
	for (unsigned int i = 0; i < USERS; i++)
		assert_int_equal(found(i), (int)i);
	stop();
}

/* --- killed at any moment --- */

struct ack {
	unsigned int op;
	int there;
};

static void
child(int fd, unsigned int op)
{
	unsigned int user;

	is_child = true;
	start(0);
	for (;; op++) {
		struct ack a = { op, operate(op, &user) };

		if (rnd(64) == 0)
			sip_journal_tick(j, w.now, 3);
		if (write(fd, &a, sizeof(a)) != sizeof(a))
			_exit(1);
	}
}

static void
killed(void **state)
{
	unsigned int op = 0, user;
	int want[USERS], fds[2], status;
	uint64_t records = 0;

	(void)state;
	unlink(path);
	memset(want, -1, sizeof(want));
	for (unsigned int round = 0; round < 20; round++) {
		unsigned int most = 1 + rnd(4000);
		bool either;
		struct ack a;
		pid_t pid;

		assert_int_equal(pipe(fds), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			close(fds[0]);
			child(fds[1], op);
		}
		close(fds[1]);
		for (unsigned int n = 0; read(fds[0], &a, sizeof(a)) == sizeof(a); n++) {
			user = (a.op * 2654435761u >> 8) % USERS;
			want[user] = a.there ? (int)a.op : -1;
			op = a.op + 1;
			if (n == most)
				kill(pid, SIGKILL);
		}
		close(fds[0]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

		start(0);
		records += j->stats.replay.records;
		assert_int_equal(j->stats.replay.torn + j->stats.replay.bad, 0);
		/* What was asked for last may have been done without an answer. */
		user = (op * 2654435761u >> 8) % USERS;
		either = found(user) == (op % 7 == 3 ? -1 : (int)op);
		if (either)
			want[user] = found(user);
		for (unsigned int i = 0; i < USERS; i++)
			assert_int_equal(found(i), want[i]);
		stop();
		op++;
	}
	assert_true(records > 1000);
}

/* --- damage --- */

static void
patch(off_t at, const void *data, size_t n)
{
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, n, at), n);
	close(fd);
}

static void
torn(void **state)
{
	static const uint8_t byte = 0xa5;

	(void)state;
	for (unsigned int what = 0; what < 3; what++) {
		off_t last;

		unlink(path);
		start(0);
		assert_int_equal(reg(1, 1, "Contact: <sip:c1@10.1.1.1>\r\n"), 200);
		last = (off_t)(JOURNAL_HEAD + j->at);
		assert_int_equal(reg(2, 1, "Contact: <sip:c2@10.1.1.1>\r\n"), 200);
		kill_it();
		/* a byte in its text, its length, its sequence number */
		patch(last + (what == 0 ? 120 : what == 1 ? 6 : 9), &byte, 1);
		start(0);
		assert_int_equal(j->stats.replay.torn, 1);
		assert_int_equal(j->stats.replay.records, 1);
		assert_int_equal(found(1), 1);
		assert_int_equal(found(2), -1);
		/* The new file is whole. */
		kill_it();
		start(0);
		assert_int_equal(j->stats.replay.torn, 0);
		assert_int_equal(found(1), 1);
		stop();
	}
}

/* Records whose checksum is right and that are nonsense all the same. */
static void
nonsense(void **state)
{
	static const struct {
		size_t at, n;
		uint32_t value;
	} t[] = {
		{ offsetof(struct journal_record, n), 2, 33 },
		{ offsetof(struct journal_record, n), 2, 2 },
		{ offsetof(struct journal_record, key_n), 2, 0 },
		{ offsetof(struct journal_record, key_n), 2, 0xffff },
		{ 24 + offsetof(struct journal_item, n_uri), 2, 0 },
		{ 24 + offsetof(struct journal_item, n_path), 2, 0xffff },
		{ 24 + offsetof(struct journal_item, q), 2, 1001 },
		{ 24 + offsetof(struct journal_item, to_family), 1, 5 },
		{ 24 + offsetof(struct journal_item, dir), 1, 2 },
		{ 24 + 80 + 15, 1, '\n' },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct journal_record rec;
		uint8_t *at;

		unlink(path);
		start(0);
		at = j->map + JOURNAL_HEAD + j->at;
		assert_int_equal(reg(1, 1, "Contact: <sip:c1@10.1.1.1>\r\n"), 200);
		memcpy(at + t[i].at, &t[i].value, t[i].n);
		memcpy(&rec, at, sizeof(rec));
		rec.crc = journal_crc(0, at + 4, rec.bytes - 4);
		memcpy(at, &rec.crc, sizeof(rec.crc));
		assert_int_equal(reg(2, 1, "Contact: <sip:c2@10.1.1.1>\r\n"), 200);
		kill_it();
		start(0);
		assert_int_equal(j->stats.replay.bad, 1);
		assert_int_equal(found(1), -1);
		assert_int_equal(found(2), 2);
		stop();
	}
}

static void
refuse(int rc, const char *text)
{
	int got = try_start(64, 0);

	assert_int_equal(got, rc);
	if (strstr(err.text, text) == NULL)
		fail_msg("no \"%s\" in \"%s\"", text, err.text);
}

static void
content(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void
foreign(void **state)
{
	static char big[JOURNAL_HEAD * 2], back[16];
	uint32_t version = 2;
	int fd;

	(void)state;
	unlink(path);
	content(path, "precious");
	refuse(-EINVAL, "is no journal of bindings");
	memset(big, 'x', sizeof(big) - 1);
	content(path, big);
	refuse(-EINVAL, "is no journal of bindings");
	fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, back, sizeof(back)), sizeof(back));
	assert_memory_equal(back, big, sizeof(back));
	close(fd);
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	refuse(-EISDIR, "cannot be opened");
	rmdir(path);

	start(0);
	assert_int_equal(reg(1, 1, "Contact: <sip:c1@10.1.1.1>\r\n"), 200);
	stop();
	patch(offsetof(struct journal_head, version), &version, sizeof(version));
	refuse(-EINVAL, "is a journal of version 2");
	version = JOURNAL_VERSION;
	patch(offsetof(struct journal_head, version), &version, sizeof(version));
	patch(offsetof(struct journal_head, identity), &version, sizeof(version));
	refuse(-EINVAL, "is damaged");
	unlink(path);
	start(0);
	stop();
	assert_int_equal(truncate(path, JOURNAL_HEAD + 100), 0);
	refuse(-EINVAL, "is cut short");
	unlink(path);

	content(path_new, "precious");
	refuse(-EEXIST, "is in the way");
	assert_int_equal(access(path_new, F_OK), 0);
	/* What a start left that was killed is not. */
	content(path_new, "");
	start(0);
	stop();
	assert_int_equal(access(path_new, F_OK), -1);
}

static void
locked(void **state)
{
	struct register_world *other = malloc(sizeof(*other));
	struct sip_journal *first;

	(void)state;
	unlink(path);
	start(0);
	assert_int_equal(reg(1, 1, "Contact: <sip:c1@10.1.1.1>\r\n"), 200);
	memcpy(other, &w, sizeof(w));
	first = j;
	refuse(-EBUSY, "is in use by another process");
	memcpy(&w, other, sizeof(w));
	j = first;
	assert_int_equal(found(1), 1);
	stop();
	start(0);
	assert_int_equal(found(1), 1);
	stop();
	free(other);
}

/* There is no disk for it: what was there stays. */
static void
disk_full(void **state)
{
	struct rlimit was, less = { JOURNAL_HEAD, RLIM_INFINITY };

	(void)state;
	unlink(path);
	start(0);
	assert_int_equal(reg(1, 1, "Contact: <sip:c1@10.1.1.1>\r\n"), 200);
	stop();
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	less.rlim_max = was.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &less), 0);
	refuse(-EFBIG, "MB on its disk");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(access(path_new, F_OK), -1);
	start(0);
	assert_int_equal(found(1), 1);
	stop();
}

static void
smaller(void **state)
{
	unsigned int user;

	(void)state;
	unlink(path);
	assert_int_equal(try_start(640, 0), 0);
	for (unsigned int i = 0; i < 300; i++)
		assert_int_equal(reg(i, 1, "Contact: <sip:c1@10.1.1.1>\r\n"), 200);
	stop();
	refuse(-ENOSPC, "holds more than there is room for");
	assert_int_equal(try_start(640, 0), 0);
	assert_int_equal(j->stats.replay.bindings, 300);
	for (user = 64; user < 300; user++)
		assert_int_equal(reg(user, 2, "Contact: *\r\nExpires: 0\r\n"), 200);
	stop();
	/* Once more, and what has gone is no longer in the file. */
	assert_int_equal(try_start(640, 0), 0);
	stop();
	start(0);
	assert_int_equal(j->stats.replay.bindings, 64);
	stop();
}

/* With `durable` no half is overwritten that the disk may need. */
static void
synced(void **state)
{
	unsigned int i;

	(void)state;
	unlink(path);
	durable = true;
	start(0);
	for (i = 1; j->stats.switches == 0; i++)
		assert_int_equal(reg(1, i, "Contact: <sip:c1@10.1.1.1>\r\n"), 200);
	while (reg(1, i, "Contact: <sip:c1@10.1.1.1>\r\n") == 200)
		i++;
	assert_int_equal(j->stats.switches, 1);
	assert_int_equal(w.reg.count[SIP_REGISTER_NO_JOURNAL], 1);
	assert_string_equal(w.extra, "Retry-After: 30\r\n");
	/* It has not been done either: heard again it is not taken for one that has. */
	assert_int_equal(reg(1, i, "Contact: <sip:c1@10.1.1.1>\r\n"), 503);
	assert_true(sip_journal_stats(j).unsynced > 0);
	assert_int_equal(sip_journal_sync(j, &err), 0);
	assert_int_equal(sip_journal_stats(j).unsynced, 0);
	assert_int_equal(reg(1, i + 1, "Contact: <sip:c1@10.1.1.1>\r\n"), 200);
	assert_int_equal(j->stats.switches, 2);
	durable = false;
	stop();
}

/* The wall clock is set while bindings live. */
static void
clock_set(void **state)
{
	(void)state;
	unlink(path);
	start(0);
	assert_int_equal(reg(1, 1, "Contact: <sip:c1@10.1.1.1>;expires=100\r\n"), 200);
	w.now += 50 * SEC;
	sip_journal_clock(j, w.now, WALL + 1000000);
	assert_int_equal(reg(2, 1, "Contact: <sip:c2@10.1.1.1>;expires=100\r\n"), 200);
	kill_it();
	start(1050000);
	assert_int_equal(found(1), -1);
	assert_int_equal(reg(2, 2, ""), 200);
	assert_non_null(strstr(w.extra, ";expires=50\r\n"));
	stop();
}

static int
make_folder(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/journal", folder);
	snprintf(path_new, sizeof(path_new), "%s.new", path);
	return 0;
}

static int
remove_folder(void **state)
{
	(void)state;
	unlink(path);
	unlink(path_new);
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksum),
		cmocka_unit_test(comes_back),
		cmocka_unit_test(own_addresses),
		cmocka_unit_test(halves),
		cmocka_unit_test(quiet_ones_are_copied),
		cmocka_unit_test(killed),
		cmocka_unit_test(torn),
		cmocka_unit_test(nonsense),
		cmocka_unit_test(foreign),
		cmocka_unit_test(locked),
		cmocka_unit_test(disk_full),
		cmocka_unit_test(smaller),
		cmocka_unit_test(synced),
		cmocka_unit_test(clock_set),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
