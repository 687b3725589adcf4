#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "nfv_ring.h"

#define SIZE 64u

struct pair {
	struct nfv_ring_end put, get;
	void *memory;
};

static struct pair
pair(void)
{
	struct pair p = { .memory = mmap(NULL, nfv_ring_bytes(SIZE), PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0) };

	assert_ptr_not_equal(p.memory, MAP_FAILED);
	p.put = nfv_ring_end(p.memory, SIZE);
	p.get = nfv_ring_end(p.memory, SIZE);
	return p;
}

static void
unpair(struct pair *p)
{
	munmap(p->memory, nfv_ring_bytes(SIZE));
}

static struct nfv_desc
nth(uint32_t i)
{
	return (struct nfv_desc){ .index = i,
		.off = (uint16_t)(i * 3),
		.len = (uint16_t)~i,
		.hash = i * 0x9e3779b9u,
		.verdict = (uint8_t)i };
}

static void
what_goes_in_comes_out_in_order(void **state)
{
	struct pair p = pair();
	struct nfv_desc d[SIZE + 1], got[SIZE + 1];
	uint32_t in = 0, out = 0;

	(void)state;
	/* Bursts of all lengths, so that the indices wrap at every offset. */
	for (uint32_t round = 0; round < 1000; round++) {
		uint32_t n = round % (SIZE + 2), k;

		for (uint32_t i = 0; i < n; i++)
			d[i] = nth(in + i);
		k = nfv_ring_put(&p.put, d, n);
		assert_int_equal(k, n < SIZE - (in - out) ? n : SIZE - (in - out));
		in += k;
		k = nfv_ring_get(&p.get, got, round % 7 * 9);
		for (uint32_t i = 0; i < k; i++) {
			struct nfv_desc e = nth(out + i);

			assert_memory_equal(&got[i], &e, sizeof(e));
		}
		out += k;
	}
	assert_true(out > 10000);
	assert_false(p.put.bad || p.get.bad);
	unpair(&p);
}

static void
a_full_ring_takes_nothing_and_an_empty_one_has_nothing(void **state)
{
	struct pair p = pair();
	struct nfv_desc d[SIZE] = { 0 };

	(void)state;
	assert_int_equal(nfv_ring_get(&p.get, d, SIZE), 0);
	assert_int_equal(nfv_ring_put(&p.put, d, SIZE), SIZE);
	assert_int_equal(nfv_ring_put(&p.put, d, 1), 0);
	assert_int_equal(nfv_ring_get(&p.get, d, SIZE), SIZE);
	assert_int_equal(nfv_ring_get(&p.get, d, 1), 0);
	assert_int_equal(nfv_ring_put(&p.put, d, SIZE), SIZE);
	unpair(&p);
}

static void
indices_may_wrap_around_32_bits(void **state)
{
	struct pair p = pair();
	struct nfv_desc d[10], got[10];

	(void)state;
	p.put.mine = p.put.other = p.get.mine = p.get.other = UINT32_MAX - 4;
	atomic_store(&p.put.ring->prod, UINT32_MAX - 4);
	atomic_store(&p.put.ring->cons, UINT32_MAX - 4);
	for (uint32_t i = 0; i < 10; i++)
		d[i] = nth(i);
	assert_int_equal(nfv_ring_put(&p.put, d, 10), 10);
	assert_int_equal(nfv_ring_get(&p.get, got, 10), 10);
	assert_memory_equal(d, got, sizeof(d));
	unpair(&p);
}

/* The peer writes into the shared words whatever it likes. */
static void
a_count_that_cannot_be_is_bad_for_good(void **state)
{
	static const uint32_t wild[] = { SIZE + 1, 0x80000000u, UINT32_MAX };
	struct nfv_desc d[SIZE] = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
		struct pair p = pair();

		atomic_store(&p.get.ring->prod, wild[i]);
		assert_int_equal(nfv_ring_get(&p.get, d, SIZE), 0);
		assert_true(p.get.bad);
		atomic_store(&p.get.ring->prod, 1);
		assert_int_equal(nfv_ring_get(&p.get, d, SIZE), 0);

		/* The producer sees a consumer that is ahead of it, or too far behind. */
		assert_int_equal(nfv_ring_put(&p.put, d, SIZE), SIZE);
		atomic_store(&p.put.ring->cons, SIZE - wild[i]);
		assert_int_equal(nfv_ring_put(&p.put, d, SIZE), 0);
		assert_true(p.put.bad);
		unpair(&p);
	}
}

/* What a side has told does not decide what it does: it may be overwritten. */
static void
ones_own_word_overwritten_changes_nothing(void **state)
{
	struct pair p = pair();
	struct nfv_desc d = nth(7), got;

	(void)state;
	assert_int_equal(nfv_ring_put(&p.put, &d, 1), 1);
	atomic_store(&p.put.ring->prod, 12345);
	assert_int_equal(nfv_ring_put(&p.put, &d, 1), 1);
	assert_int_equal(atomic_load(&p.put.ring->prod), 2);
	assert_int_equal(nfv_ring_get(&p.get, &got, 1), 1);
	assert_memory_equal(&got, &d, sizeof(d));
	unpair(&p);
}

/* Two processes: everything once, in order. */
static void
it_works_between_processes(void **state)
{
	enum { N = 200000 };
	struct pair p = pair();
	struct nfv_desc d[32];
	pid_t child = fork();
	int status;

	(void)state;
	assert_true(child >= 0);
	if (child == 0) {
		for (uint32_t in = 0; in < N;) {
			uint32_t n = N - in < 32 ? N - in : 32;

			for (uint32_t i = 0; i < n; i++)
				d[i] = nth(in + i);
			n = nfv_ring_put(&p.put, d, n);
			in += n;
			if (n == 0)
				usleep(0);
		}
		_exit(0);
	}
	for (uint32_t out = 0; out < N;) {
		uint32_t n = nfv_ring_get(&p.get, d, 32);

		for (uint32_t i = 0; i < n; i++) {
			struct nfv_desc e = nth(out + i);

			assert_memory_equal(&d[i], &e, sizeof(e));
		}
		out += n;
		if (n == 0)
			usleep(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	unpair(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_in_comes_out_in_order),
		cmocka_unit_test(a_full_ring_takes_nothing_and_an_empty_one_has_nothing),
		cmocka_unit_test(indices_may_wrap_around_32_bits),
		cmocka_unit_test(a_count_that_cannot_be_is_bad_for_good),
		cmocka_unit_test(ones_own_word_overwritten_changes_nothing),
		cmocka_unit_test(it_works_between_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
