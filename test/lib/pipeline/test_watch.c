/* Who watches learns which lines of packets, records and slots a chain touches; nobody, nothing. */
#include <string.h>

#include <rte_mbuf.h>

#include "eal.h"
#include "nfv_watch.h"
#include "probe.h"

#define MAX 4096

struct touch {
	const uint8_t *p;
	size_t n;
};

static struct notes {
	struct nfv_watcher watcher;
	struct touch touch[MAX];
	unsigned int n;
} notes;

static void
note(struct nfv_watcher *w, const void *p, size_t n)
{
	struct notes *t = (struct notes *)w;

	assert_true(n > 0);
	assert_true(t->n < MAX);
	t->touch[t->n++] = (struct touch){ p, n };
}

static unsigned int
times(const void *p, size_t n)
{
	unsigned int found = 0;

	for (unsigned int i = 0; i < notes.n; i++)
		found += notes.touch[i].p == p && notes.touch[i].n == n;
	return found;
}

static int
setup(void **state)
{
	(void)state;
	probe_reset();
	memset(&notes, 0, sizeof(notes));
	notes.watcher.touch = note;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	nfv_watching = NULL;
	return 0;
}

static void
send_one(struct rig *r, uint16_t payload)
{
	static uint8_t data[1000];
	struct mk m;
	struct nfv_pkt p = mk_udp(&m, HOST_IN, 1000, HOST_OUT, 2000, data, payload);

	rig_send(r, INSIDE, &p);
	rig_run(r);
}

static void
nothing_unless_watched(void **state)
{
	struct rig *r = probe_rig(2, (struct rig_conf){ 0 });

	(void)state;
	send_one(r, 100);
	assert_int_equal(r->n_got[OUTSIDE], 1);
	assert_int_equal(notes.n, 0);
	assert_false(nfv_watched());
	rig_close(r);
}

static void
a_packet_its_record_its_slots(void **state)
{
	struct rig *r = probe_rig(2, (struct rig_conf){ 0 });
	unsigned int mbufs = 0, heads = 0, lines = 0;
	const uint8_t *slot, *record = NULL;

	(void)state;
	send_one(r, 100); /* begins the flow */
	nfv_watching = &notes.watcher;
	send_one(r, 100);
	nfv_watching = NULL;
	assert_int_equal(r->n_got[OUTSIDE], 2);
	/* Each stage's slot once, in the record that the look-up touched whole. */
	for (int i = 0; i < 2; i++) {
		slot = probe[i].note[1].flow;
		assert_non_null(slot);
		assert_int_equal(times(slot, probe[i].ops.flow_size), 1);
	}
	slot = probe[0].note[1].flow;
	for (unsigned int i = 0; i < notes.n; i++) {
		const struct touch *t = &notes.touch[i];

		if (t->p < slot && t->p + t->n > slot) {
			record = t->p;
			assert_int_equal((uintptr_t)t->p % 64, 0);
		}
	}
	assert_non_null(record);
	assert_int_equal(times(record, sizeof(struct nfv_flow)), 1); /* noted that it has passed */
	/* A ring is no copying port: the first line of the frame both times; headers for each stage. */
	for (unsigned int i = 0; i < notes.n; i++) {
		const struct touch *t = &notes.touch[i];

		mbufs += t->n == sizeof(struct rte_mbuf) && t->p != record;
		heads += t->n == NFV_ETH_LEN + NFV_IP4_LEN + NFV_UDP_LEN;
		lines += t->n == 64;
	}
	assert_int_equal(mbufs, 2); /* received, sent */
	assert_int_equal(heads, 2);
	assert_int_equal(lines, 3); /* with the bucket */
	rig_close(r);
}

/* What a stage writes itself is touched whole, and a flow that ends is touched once more. */
static void
what_is_written_here(void **state)
{
	struct rig *r = probe_rig(1, (struct rig_conf){ 0 });
	unsigned int whole = 0;

	(void)state;
	send_one(r, 100);
	probe[0].act = probe_answer;
	nfv_watching = &notes.watcher;
	send_one(r, 100);
	nfv_watching = NULL;
	assert_int_equal(r->n_got[INSIDE], 1);
	for (unsigned int i = 0; i < notes.n; i++)
		whole += notes.touch[i].n == r->got[INSIDE][0].len;
	assert_true(whole >= 1);
	rig_close(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_unless_watched, setup, teardown),
		cmocka_unit_test_setup_teardown(a_packet_its_record_its_slots, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_written_here, setup, teardown),
	};

	test_eal("512");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
