#include <math.h>
#include <stdio.h>

#include "put.h"

/* Exactly `digits` of them. */
static void
put_digits(struct cursor *c, uint64_t v, unsigned int digits)
{
	char text[20];

	for (unsigned int i = digits; i-- > 0; v /= 10)
		text[i] = (char)('0' + v % 10);
	put(c, text, digits);
}

void
put_number(struct cursor *c, double v)
{
	double a = fabs(v);
	char text[352];
	uint64_t u;
	int n;

	if (!(a < 1e9)) {
		n = snprintf(text, sizeof(text), "%f", v);
		put(c, text, (size_t)n);
		return;
	}
	u = (uint64_t)llrint(a * 1e6);
	if (signbit(v))
		put(c, "-", 1);
	put_u64(c, u / 1000000);
	put(c, ".", 1);
	put_digits(c, u % 1000000, 6);
}

struct civil {
	unsigned int year, month, day, weekday; /* month and weekday from 0 */
};

/* The day that many days after 1 January 1970, in eras of 400 years that begin in March. */
static struct civil
civil(uint64_t days)
{
	uint64_t z = days + 719468, era = z / 146097, doe = z % 146097;
	uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	unsigned int month = (unsigned int)(mp < 10 ? mp + 2 : mp - 10);

	return (struct civil){ (unsigned int)(yoe + era * 400 + (month < 2)), month,
		(unsigned int)(doy - (153 * mp + 2) / 5 + 1), (unsigned int)((days + 4) % 7) };
}

static void
put_clock(struct cursor *c, uint64_t seconds)
{
	put_digits(c, seconds / 3600 % 24, 2);
	put(c, ":", 1);
	put_digits(c, seconds / 60 % 60, 2);
	put(c, ":", 1);
	put_digits(c, seconds % 60, 2);
}

static void
put_micros(struct cursor *c, uint64_t us)
{
	put(c, ".", 1);
	put_digits(c, us % 1000000, 6);
}

void
put_timestamp(struct cursor *c, uint64_t us)
{
	struct civil d = civil(us / 1000000 / 86400);

	put_digits(c, d.year, 4);
	put(c, "-", 1);
	put_digits(c, d.month + 1, 2);
	put(c, "-", 1);
	put_digits(c, d.day, 2);
	put(c, "\t", 1);
	put_clock(c, us / 1000000);
	put_micros(c, us);
	put(c, "\t", 1);
	put_u64(c, us / 1000000);
	put_micros(c, us);
}

void
put_date(struct cursor *c, uint64_t us)
{
	static const char month[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	static const char weekday[] = "SunMonTueWedThuFriSat";
	struct civil d = civil(us / 1000000 / 86400);

	put(c, weekday + (size_t)3 * d.weekday, 3);
	put(c, ", ", 2);
	put_digits(c, d.day, 2);
	put(c, " ", 1);
	put(c, month + (size_t)3 * d.month, 3);
	put(c, " ", 1);
	put_digits(c, d.year, 4);
	put(c, " ", 1);
	put_clock(c, us / 1000000);
	put(c, " GMT", 4);
}
