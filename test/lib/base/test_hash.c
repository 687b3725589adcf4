#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nfv_hash.h"

enum { SLOTS = 4096, KEYS = 8 * SLOTS };

/* χ² of eight keys a slot over 4096 slots; 4095 degrees of freedom, standard deviation 90. */
static double
chi2(const unsigned int *slot)
{
	double sum = 0, expected = (double)KEYS / SLOTS;

	for (int i = 0; i < SLOTS; i++)
		sum += (slot[i] - expected) * (slot[i] - expected) / expected;
	return sum;
}

/* Tuples as they come in practice: counting addresses and ports, most bits the same. */
static void
regular_keys_spread_in_low_and_high_bits(void **state)
{
	static unsigned int low[SLOTS], high[SLOTS];
	struct nfv_hash_key key = nfv_hash_key(7);

	(void)state;
	for (uint64_t i = 0; i < KEYS; i++) {
		uint64_t h = nfv_hash2(&key, 17ull << 32 | i % 64, 0x0a000000ull << 32 | i / 64);

		low[h % SLOTS]++;
		high[h >> 52]++;
	}
	assert_true(chi2(low) < 4095 + 6 * 90);
	assert_true(chi2(high) < 4095 + 6 * 90);
}

static void
every_bit_of_input_and_key_counts(void **state)
{
	struct nfv_hash_key key = nfv_hash_key(1), other = nfv_hash_key(2);
	uint64_t h = nfv_hash2(&key, 5, 6);

	(void)state;
	for (int bit = 0; bit < 64; bit++) {
		assert_true(nfv_hash2(&key, 5 ^ 1ull << bit, 6) != h);
		assert_true(nfv_hash2(&key, 5, 6 ^ 1ull << bit) != h);
		assert_true(
			nfv_hash2_more(&key, h, 1ull << bit, 0) != nfv_hash2_more(&key, h, 0, 0));
	}
	assert_true(nfv_hash2(&other, 5, 6) != h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(regular_keys_spread_in_low_and_high_bits),
		cmocka_unit_test(every_bit_of_input_and_key_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
