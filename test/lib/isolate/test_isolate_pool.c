/* The pool that isolated stages map: mbufs here, data there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <rte_mbuf.h>

#include "eal.h"
#include "nfv_isolate_pool.h"

#define BUFFERS 255u
#define STRIDE  2176u /* no power of two */

static void
every_buffer_lies_in_the_segment_at_its_place(void **state)
{
	struct nfv_isolate_pool p;
	struct nfv_isolated_pool of;
	struct nfv_pkt pkt[BUFFERS + 32];
	bool seen[BUFFERS] = { false };
	struct nfv_err err;
	uint32_t n = 0, k;

	(void)state;
	assert_int_equal(
		nfv_isolate_pool_init(&p, "test", BUFFERS, STRIDE, 0, true, SOCKET_ID_ANY, &err),
		0);
	of = nfv_isolate_pool_of(&p);
	assert_int_equal(of.stride, STRIDE);
	while ((k = of.take(of.arg, &pkt[n], n + 32 <= BUFFERS ? 32 : BUFFERS - n)) > 0)
		n += k;
	assert_int_equal(n, BUFFERS);
	for (uint32_t i = 0; i < n; i++) {
		size_t at = (size_t)(pkt[i].data - pkt[i].headroom - of.segment->at);

		assert_int_equal(at % STRIDE, 0);
		assert_in_range(at / STRIDE, 0, BUFFERS - 1);
		assert_false(seen[at / STRIDE]);
		seen[at / STRIDE] = true;
		assert_int_equal(pkt[i].headroom + pkt[i].len + pkt[i].tailroom, STRIDE);
		memset(pkt[i].data - pkt[i].headroom, 0xff, STRIDE);
		of.give(of.arg, &pkt[i].buf, 1);
	}
	assert_int_equal(rte_mempool_avail_count(p.mp), BUFFERS);
	nfv_isolate_pool_fini(&p);
	nfv_isolate_pool_fini(&p);
}

static void
nobody_else_writes_where_stages_only_read(void **state)
{
	struct nfv_isolate_pool p;
	struct rte_mbuf *m;
	struct nfv_err err;
	int fd;

	(void)state;
	assert_int_equal(
		nfv_isolate_pool_init(&p, "test", BUFFERS, STRIDE, 0, false, SOCKET_ID_ANY, &err),
		0);
	m = rte_pktmbuf_alloc(p.mp);
	assert_non_null(m);
	memset(rte_pktmbuf_mtod(m, void *), 1, 100);
	rte_pktmbuf_free(m);
	fd = nfv_segment_lend(&p.segment, true, &err);
	assert_true(fd >= 0);
	assert_ptr_equal(
		mmap(NULL, p.segment.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	close(fd);
	nfv_isolate_pool_fini(&p);
}

static void
what_cannot_be_is_told(void **state)
{
	struct nfv_isolate_pool p;
	struct nfv_err err;

	(void)state;
	assert_int_equal(
		nfv_isolate_pool_init(&p, "test", BUFFERS, 2000, 0, true, SOCKET_ID_ANY, &err),
		-EINVAL);
	assert_non_null(strstr(err.text, "pool test: buffers of 2000 bytes are not possible"));
	assert_int_equal(
		nfv_isolate_pool_init(&p, "test", BUFFERS, 128, 0, true, SOCKET_ID_ANY, &err),
		-EINVAL);
	assert_null(p.mp);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_buffer_lies_in_the_segment_at_its_place),
		cmocka_unit_test(nobody_else_writes_where_stages_only_read),
		cmocka_unit_test(what_cannot_be_is_told),
	};

	test_eal("64");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
