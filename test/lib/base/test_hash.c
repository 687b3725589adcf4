#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* Call-IDs and names as they come: long common parts, a number that counts; and no byte is left out. */
static void
bytes_spread_and_all_count(void **state)
{
	static unsigned int low[SLOTS];
	struct nfv_hash_key key = nfv_hash_key(7);
	char text[40] = { 0 };
	uint64_t h;

	(void)state;
	for (unsigned int i = 0; i < KEYS; i++) {
		int n = snprintf(text, sizeof(text), "%08x-5f3a9c01@10.0.0.1", i);

		low[nfv_hash_bytes(&key, text, (size_t)n) % SLOTS]++;
	}
	assert_true(chi2(low) < 4095 + 6 * 90);
	memset(text, 0, sizeof(text));
	for (size_t n = 0; n < sizeof(text); n++) {
		h = nfv_hash_bytes(&key, text, n);
		assert_true(nfv_hash_bytes(&key, text, n + 1) != h);
		for (size_t i = 0; i < n; i++) {
			text[i] = 1;
			assert_true(nfv_hash_bytes(&key, text, n) != h);
			text[i] = 0;
		}
	}
	assert_int_equal(nfv_hash_bytes(&key, NULL, 0), nfv_hash_bytes(&key, text, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(regular_keys_spread_in_low_and_high_bits),
		cmocka_unit_test(every_bit_of_input_and_key_counts),
		cmocka_unit_test(bytes_spread_and_all_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
