#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "siphash.h"

/* The key 00 01 … 0f over 00 01 …, in two pieces. */
static void
known_values(void **state)
{
	static const struct siphash_key key = { { 0x0706050403020100, 0x0f0e0d0c0b0a0908 } };
	static const struct {
		size_t n;
		uint64_t value;
	} t[] = { { 0, 0xabac0158050fc4dc }, { 1, 0xc9f49bf37d57ca93 },
		{ 15, 0xd320d86d2a519956 } };
	uint8_t in[16];

	(void)state;
	for (uint8_t i = 0; i < sizeof(in); i++)
		in[i] = i;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct siphash h;

		for (size_t cut = 0; cut <= t[i].n; cut++) {
			siphash_init(&h, &key);
			siphash_add(&h, in, cut);
			siphash_add(&h, in + cut, t[i].n - cut);
			assert_true(siphash_end(&h) == t[i].value);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(known_values) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
