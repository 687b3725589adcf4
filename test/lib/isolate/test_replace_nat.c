/* The NAT, mapped as an object, replaced while its sessions go on; and what such a process weighs. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "iso_rig.h"
#include "nfv_csum.h"
#include "store.h"

#define SESSIONS 500u

void __asan_init(void) __attribute__((weak));

static const char *const argv[] = { STAGE_PROGRAM, "--fd", "3", NULL };
static const struct nfv_prefix outside[] = { { { { 198, 51, 100, 1 }, NFV_IPV4 }, 24 } };

/* As far as the manager knows it. */
static const char *const drops[] = { "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11",
	NULL };
static struct nfv_stage_ops nat = { .name = "nat", .access = NFV_WRITES, .drops = drops };

static struct store store;
static uint16_t be_port[SESSIONS]; /* each session's, outside */
static uint32_t seen;

static int
open_store(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	if (!store_open(&store))
		return 0;
	store_add(&store, OBJECT_NAT, "nat.so", true);
	store_add(&store, OBJECT_NOOP, "noop.so", true);
	return 0;
}

static int
close_store(void **state)
{
	(void)state;
	store_close(&store);
	return 0;
}

/* A session leaves from one port and no other, from its first packet to its last. */
static void
see(struct iso_rig *r, const struct nfv_pkt *p)
{
	const struct nfv_udp *u = nfv_pkt_l4(p);
	uint32_t seq, i;

	memcpy(&seq, (const uint8_t *)(u + 1) + 2, 4);
	i = seq % r->flows;
	assert_memory_equal(&nfv_pkt_ip4(p)->be_src, outside[0].addr.b, 4);
	assert_true(nfv_csum_l4_ok(p));
	if (be_port[i] == 0)
		be_port[i] = u->be_sport;
	assert_int_equal(u->be_sport, be_port[i]);
	seen++;
}

static void
sessions_are_kept(void **state)
{
	struct nfv_object_file f = store_object(&store, "nat.so");
	const struct nfv_isolated_version v = { .object = &f };
	struct iso_rig *r = iso_rig(&nat, "stage");
	int rc;

	(void)state;
	r->conf.argv = argv;
	r->conf.object = &f;
	r->conf.flows = 2 * SESSIONS;
	r->conf.probation_ms = 50;
	r->conf.text = "nat: {}\n";
	r->ctx.own[NFV_OUTWARD] = outside;
	r->ctx.n_own[NFV_OUTWARD] = 1;
	r->flows = SESSIONS;
	r->see = see;
	iso_rig_up(r);
	for (uint64_t n = 1; n <= 10; n++) {
		while (r->next_seq < n * SESSIONS)
			iso_rig_send(r, ASK_KEEP, 16, NFV_OUTWARD), iso_rig_settle(r);
		while ((rc = nfv_isolated_replace_by(r->iso, &v, &r->err)) == -EAGAIN)
			iso_rig_settle(r), iso_rig_collect(r), nfv_isolated_control(r->iso, 1);
		if (rc < 0)
			fail_msg("%s", r->err.text);
		iso_rig_swapped(r, NFV_SWAP_PROBATION);
		iso_rig_swapped(r, NFV_SWAP_NONE);
		assert_int_equal(r->stats->replaced, n);
	}
	iso_rig_until(r, &r->kept, r->sent);
	assert_int_equal(seen, r->sent);
	assert_int_equal(r->stats->flows_refused, 0);
	assert_string_equal(nfv_isolated_last(r->iso), "");
	print_message("%u sessions, %lu replacements: packets waited %.3f ms at most\n", SESSIONS,
		(unsigned long)r->stats->replaced,
		(double)r->stats->switch_most_tsc * 1000 / (double)r->conf.ctx->tsc_hz);
	nfv_object_close(&f);
	iso_rig_end(r);
}

/* --- what it weighs ------------------------------------------------------------------------------- */

static size_t
size_of(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		fail_msg("%s", path);
	return (size_t)st.st_size;
}

static void
an_image_is_small(void **state)
{
	size_t all = size_of(STAGE_PROGRAM) + size_of(OBJECT_NAT);
	char line[512], path[512];
	FILE *f = fopen("/proc/self/maps", "re");
	bool libc = false;

	(void)state;
	if (__asan_init != NULL || f == NULL)
		skip();
	/* What it takes of the system is what this test has mapped: libc and the loader. */
	for (path[0] = 0; fgets(line, sizeof(line), f) != NULL;) {
		const char *at = strchr(line, '/');

		if (at == NULL || strncmp(at, path, strlen(at)) == 0 ||
			(strstr(at, "/libc.so.") == NULL && strstr(at, "/ld-linux") == NULL))
			continue;
		snprintf(path, sizeof(path), "%s", at);
		line[strcspn(line, "\n")] = 0;
		libc |= strstr(at, "/libc.so.") != NULL;
		all += size_of(at);
	}
	fclose(f);
	assert_true(libc);
	print_message("program, object, libc and loader: %.1f MiB\n", (double)all / (1 << 20));
	assert_in_range(all, 1, 5 << 20);
}

/* Memory of a process that is nobody else's, and that which is only its family's, in KiB. */
static size_t
memory_of(int pid, bool family)
{
	char path[64], line[256];
	size_t sum = 0, n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	f = fopen(path, "re");
	if (f == NULL)
		skip();
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "Private_Dirty: %zu", &n) == 1 ||
			(family && sscanf(line, "Anonymous: %zu", &n) == 1) ||
			(!family && sscanf(line, "Private_Clean: %zu", &n) == 1))
			sum = family && strncmp(line, "Private", 7) == 0 ? sum : sum + n;
	fclose(f);
	return sum;
}

static void
a_process_is_small(void **state)
{
	static struct nfv_stage_ops noop = { .name = "noop", .access = NFV_WRITES };
	struct nfv_object_file f = store_object(&store, "noop.so");
	struct iso_rig *r = iso_rig(&noop, "stage");
	size_t own, all;
	int pid;

	(void)state;
	r->conf.argv = argv;
	r->conf.object = &f;
	iso_rig_up(r);
	for (int i = 0; i < 1000; i++) {
		iso_rig_send(r, ASK_KEEP, 16, NFV_OUTWARD);
		iso_rig_settle(r);
	}
	assert_true(nfv_isolated_live(r->iso, &pid));
	own = memory_of(pid, false);
	all = memory_of(pid, true);
	print_message(
		"a stage that does nothing: %zu KiB private, %zu KiB of its own or shared with its "
		"template\n",
		own, all);
	if (__asan_init == NULL)
		assert_in_range(own > all ? own : all, 1, 1024);
	nfv_object_close(&f);
	iso_rig_end(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions_are_kept),
		cmocka_unit_test(an_image_is_small),
		cmocka_unit_test(a_process_is_small),
	};

	return cmocka_run_group_tests(tests, open_store, close_store);
}
