/* The firewall, in a program with DPDK, replaced by the program anew and by another file's, while its flows go on. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "iso_rig.h"
#include "store.h"

#define FLOWS 100u

void __asan_init(void) __attribute__((weak));

static const char *const argv[] = { DPDK_PROGRAM, "--fd", "3", NULL };

/* As far as the manager knows it. */
static const char *const drops[] = { "rule", "default", "3", "4", "5", "6", "7", "8", "9", NULL };
static struct nfv_stage_ops firewall = { .name = "firewall", .access = NFV_READS, .drops = drops };

static struct store store;
static char rules[64], conf[128];

static void
write_rules(const char *text)
{
	FILE *f = fopen(rules, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	fclose(f);
}

static int
set_up(void **state)
{
	int fd;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	strcpy(rules, "/tmp/test_rules_XXXXXX");
	fd = mkstemp(rules);
	if (fd < 0)
		return -1;
	close(fd);
	snprintf(conf, sizeof(conf), "firewall: {rules: %s}\n", rules);
	if (!store_open(&store))
		return 0;
	store_add(&store, DPDK_PROGRAM, "firewall", true);
	store_add(&store, STAGE_PROGRAM, "unlisted", false);
	store_add(&store, OBJECT_NAT, "nat.so", true);
	store.policy.program = true;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	store_close(&store);
	unlink(rules);
	return 0;
}

static struct iso_rig *
started(void)
{
	struct iso_rig *r;

	if (__asan_init != NULL)
		skip(); /* its shadow and EAL want the same addresses */
	r = iso_rig(&firewall, "stage");
	write_rules("allow out udp from 10.1.0.0/24 to any\n");
	r->conf.argv = argv;
	r->conf.flows = 2 * FLOWS;
	r->conf.probation_ms = 50;
	r->conf.text = conf;
	r->flows = FLOWS;
	if (iso_rig_start(r) < 0)
		fail_msg("%s", r->err.text);
	iso_rig_live(r);
	return r;
}

/* `n` packets of each flow. */
static void
send(struct iso_rig *r, uint32_t n)
{
	for (uint32_t until = r->next_seq + n * FLOWS; r->next_seq < until; iso_rig_settle(r))
		iso_rig_send(r, ASK_KEEP, 10, NFV_OUTWARD);
}

static void
until(struct iso_rig *r, enum nfv_swap swap)
{
	for (int i = 0; nfv_isolated_swap(r->iso) != swap; i++) {
		if (RIG_BUFFERS - r->n_free < 200)
			iso_rig_send(r, ASK_KEEP, 10, NFV_OUTWARD);
		iso_rig_collect(r);
		nfv_isolated_control(r->iso, 0);
		if (i > 50000000)
			fail_msg("last: %s", nfv_isolated_last(r->iso));
	}
}

static void
replace(struct iso_rig *r, const struct nfv_object_file *program)
{
	const struct nfv_isolated_version v = { .program = program };
	int rc;

	while ((rc = nfv_isolated_replace_by(r->iso, &v, &r->err)) == -EAGAIN)
		iso_rig_settle(r), nfv_isolated_control(r->iso, 1);
	if (rc < 0)
		fail_msg("%s", r->err.text);
	until(r, NFV_SWAP_PROBATION);
	iso_rig_settle(r);
	assert_int_equal(r->stats->flows_refused, 0);
}

/* What it shows has all of these. */
static void
shows(struct iso_rig *r, const char *a, const char *b)
{
	char *text = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&text, &n);

	if (nfv_isolated_show(r->iso, to, &r->err) < 0)
		fail_msg("%s", r->err.text);
	fclose(to);
	if (strstr(text, a) == NULL || strstr(text, b) == NULL)
		fail_msg("%s: not \"%s\" and \"%s\"", text, a, b);
	free(text);
}

/* The program anew, with the rules as they stand in their file by then. */
static void
flows_go_on(void **state)
{
	struct iso_rig *r = started();
	char line[64];

	(void)state;
	send(r, 3);
	shows(r, "established 200 ", "          100          100  allow out udp");
	replace(r, NULL);
	/* Under the same rules they are as known as they were: no rule was asked. */
	assert_int_equal(r->kept, r->sent);
	snprintf(line, sizeof(line), "established %lu ", (unsigned long)r->kept - FLOWS);
	shows(r, line, "            0            0  allow out udp");
	until(r, NFV_SWAP_NONE);

	/* Others ask once more. */
	write_rules("allow out udp from any to any port 2000\n");
	replace(r, NULL);
	send(r, 1);
	assert_int_equal(r->kept, r->sent);
	shows(r, "established", "          100          100  allow out udp");
	until(r, NFV_SWAP_NONE);

	write_rules("default drop\n");
	replace(r, NULL);
	assert_int_equal(r->stats->replaced, 3);
	r->kept = r->dropped = 0;
	send(r, 1);
	assert_int_equal(r->kept, 0);
	assert_int_equal(r->dropped, FLOWS);
	assert_string_equal(nfv_isolated_last(r->iso), "");
	iso_rig_end(r);
}

/* What runs is the sealed copy of a file that is allowed, and nothing else of the manager's is open in it. */
static void
another_program_takes_over(void **state)
{
	struct nfv_object_file f;
	struct nfv_err err = { "" };
	char path[64], target[128];
	struct iso_rig *r;
	int pid;

	(void)state;
	if (store.policy.n_dirs == 0)
		skip();
	r = started();
	send(r, 1);
	assert_int_equal(nfv_object_open(&store.policy, "unlisted", &f, &err), -EPERM);
	assert_int_equal(nfv_object_open(&store.policy, "nat.so", &f, &err), -ENOEXEC);
	if (nfv_object_open(&store.policy, "firewall", &f, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(unlink(store_path(&store, "firewall")), 0);
	replace(r, &f);
	nfv_object_close(&f);
	assert_int_equal(r->kept, r->sent);
	assert_memory_equal(nfv_isolated_version(r->iso), f.sum, 12);
	until(r, NFV_SWAP_NONE);
	assert_true(nfv_isolated_live(r->iso, &pid));
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	target[readlink(path, target, sizeof(target) - 1)] = 0;
	assert_string_equal(target, "/memfd:nfv-object (deleted)");
	/* Should it end with its template, it is started from that again. */
	assert_int_equal(kill(-getpgid(pid), SIGKILL), 0);
	iso_rig_until(r, &r->stats->afresh, 1);
	iso_rig_live(r);
	r->kept = 0;
	send(r, 1);
	assert_int_equal(r->kept, FLOWS);
	assert_memory_equal(nfv_isolated_version(r->iso), f.sum, 12);
	iso_rig_end(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flows_go_on),
		cmocka_unit_test(another_program_takes_over),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
