#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "nfv_wire.h"

static int sock[2];
static struct nfv_wire_msg msg;
static struct nfv_err err;
static uint8_t body[NFV_WIRE_MAX];

static int
open_pair(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock);
}

static int
close_pair(void **state)
{
	(void)state;
	close(sock[0]);
	close(sock[1]);
	return 0;
}

static unsigned int
open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static struct nfv_wire_told
told(void)
{
	static const struct nfv_prefix own[2] = { { .addr = { .family = 4 }, .len = 24 },
		{ .addr = { .family = 6 }, .len = 64 } };
	static const struct nfv_toward toward[3] = { { { .addr = { .family = 4 }, .len = 32 },
							     NFV_INWARD },
		{ { .addr = { .family = 4 }, .len = 8 }, NFV_OUTWARD },
		{ { .addr = { .family = 6 }, .len = 0 }, NFV_OUTWARD } };
	static const char text[] = "nat: {}\n";

	return (struct nfv_wire_told){ .c = { .stage = "nat",
					       .chain = "edge",
					       .file = "a.yaml",
					       .access = NFV_WRITES,
					       .buffers = 100,
					       .stride = 2048,
					       .pool_size = 204800,
					       .ring = 64,
					       .empties = 64,
					       .tsc_hz = 1000,
					       .shard = 1,
					       .shards = 2,
					       .n_own = { 2, 1 },
					       .n_toward = 3,
					       .n_text = sizeof(text) - 1 },
		.own = { own, own + 1 },
		.toward = toward,
		.text = text };
}

static void
a_configuration_goes_over_whole(void **state)
{
	struct nfv_wire_told t = told(), got;
	int fd[1] = { dup(0) }, len = nfv_wire_pack(&t, body, &err);

	(void)state;
	assert_true(len > 0);
	assert_int_equal(
		nfv_wire_send(sock[0], NFV_WIRE_CONFIG, body, (uint32_t)len, fd, 1, &err), 0);
	close(fd[0]);
	assert_int_equal(nfv_wire_recv(sock[1], true, &msg, &err), 1);
	assert_int_equal(msg.type, NFV_WIRE_CONFIG);
	assert_int_equal(msg.n_fd, 1);
	assert_int_equal(nfv_wire_unpack(&msg, &got, &err), 0);
	assert_memory_equal(&got.c, &t.c, sizeof(t.c));
	assert_memory_equal(got.own[0], t.own[0], 2 * sizeof(*t.own[0]));
	assert_memory_equal(got.own[1], t.own[1], sizeof(*t.own[1]));
	assert_memory_equal(got.toward, t.toward, 3 * sizeof(*t.toward));
	assert_memory_equal(got.text, t.text, t.c.n_text);
	nfv_wire_close(&msg);
}

static void
nothing_yet_and_the_end_are_told_apart(void **state)
{
	(void)state;
	assert_int_equal(nfv_wire_recv(sock[1], false, &msg, &err), -EAGAIN);
	close(sock[0]);
	sock[0] = dup(0);
	assert_int_equal(nfv_wire_recv(sock[1], false, &msg, &err), 0);
}

/* One field wrong at a time. */
static void
a_wrong_configuration_is_refused(void **state)
{
	static const struct {
		size_t at;
		uint32_t value;
	} wrong[] = {
		{ offsetof(struct nfv_wire_config, access), 2 },
		{ offsetof(struct nfv_wire_config, buffers), 101 },
		{ offsetof(struct nfv_wire_config, buffers), 0 },
		{ offsetof(struct nfv_wire_config, stride), 0 },
		{ offsetof(struct nfv_wire_config, stride), 65536 },
		{ offsetof(struct nfv_wire_config, ring), 65 },
		{ offsetof(struct nfv_wire_config, ring), 0 },
		{ offsetof(struct nfv_wire_config, ring), 131072 },
		{ offsetof(struct nfv_wire_config, empties), 128 },
		{ offsetof(struct nfv_wire_config, tsc_hz), 0 },
		{ offsetof(struct nfv_wire_config, shard), 2 },
		{ offsetof(struct nfv_wire_config, n_own), 3 },
		{ offsetof(struct nfv_wire_config, n_own), UINT32_MAX },
		{ offsetof(struct nfv_wire_config, n_toward), 100 },
		{ offsetof(struct nfv_wire_config, n_text), 100 },
		{ offsetof(struct nfv_wire_config, n_text), UINT32_MAX },
	};
	struct nfv_wire_told t = told(), got;
	int len = nfv_wire_pack(&t, body, &err);

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		memcpy(msg.body, body, (size_t)len);
		memcpy(msg.body + wrong[i].at, &wrong[i].value, 4);
		msg.len = (uint32_t)len;
		assert_int_equal(nfv_wire_unpack(&msg, &got, &err), -EPROTO);
		assert_non_null(strstr(err.text, "is refused: "));
	}
	memcpy(msg.body, body, (size_t)len);
	memset(msg.body, 'x', NFV_WIRE_NAME);
	assert_int_equal(nfv_wire_unpack(&msg, &got, &err), -EPROTO);
	memcpy(msg.body, body, (size_t)len);
	msg.body[sizeof(struct nfv_wire_config) + offsetof(struct nfv_prefix, len)] = 33;
	assert_int_equal(nfv_wire_unpack(&msg, &got, &err), -EPROTO);
	t.c.n_text = NFV_WIRE_MAX;
	assert_int_equal(nfv_wire_pack(&t, body, &err), -E2BIG);
}

static void
every_length_is_checked(void **state)
{
	unsigned int files = open_files();
	int fd[4] = { 0, 1, 2, 0 };

	(void)state;
	for (uint32_t type = 0; type < NFV_WIRE_TYPES + 2; type++) {
		for (uint32_t len = 0; len < 700; len += len < 20 ? 1 : 97) {
			for (uint32_t n = 0; n <= 4; n++) {
				int rc;

				assert_int_equal(nfv_wire_send(sock[0], (enum nfv_wire_type)type,
							 body, len, fd, n, &err),
					0);
				rc = nfv_wire_recv(sock[1], false, &msg, &err);
				assert_true(rc == 1 || rc == -EPROTO);
				if (rc == 1)
					assert_in_range(type, 1, NFV_WIRE_TYPES - 1);
				nfv_wire_close(&msg);
			}
		}
	}
	assert_int_equal(open_files(), files);
}

static void
garbage_is_refused(void **state)
{
	static uint8_t junk[NFV_WIRE_MAX + 100];

	(void)state;
	srandom(1);
	for (int i = 0; i < 2000; i++) {
		size_t n = 1 + (size_t)random() % 300;

		for (size_t k = 0; k < n; k++)
			junk[k] = (uint8_t)random();
		assert_int_equal(send(sock[0], junk, n, 0), n);
		assert_int_equal(nfv_wire_recv(sock[1], false, &msg, &err), -EPROTO);
	}
	assert_int_equal(send(sock[0], junk, sizeof(junk), 0), sizeof(junk));
	assert_int_equal(nfv_wire_recv(sock[1], false, &msg, &err), -EPROTO);
	assert_string_equal(err.text, "a message is refused: it is longer than any");
}

#define PAIR(test) cmocka_unit_test_setup_teardown(test, open_pair, close_pair)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR(a_configuration_goes_over_whole),
		PAIR(nothing_yet_and_the_end_are_told_apart),
		PAIR(a_wrong_configuration_is_refused),
		PAIR(every_length_is_checked),
		PAIR(garbage_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
