#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "nfv_err.h"

int
nfv_fail(struct nfv_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (err != NULL) {
		va_start(ap, fmt);
		vsnprintf(err->text, sizeof(err->text), fmt, ap);
		va_end(ap);
	}
	return -code;
}

static void
append(char *to, size_t room, const char *text)
{
	int n = snprintf(to, room, ": ");

	for (; n >= 0 && (size_t)n + 1 < room && *text != '\0'; n++)
		to[n] = *text++;
	if ((size_t)n < room)
		to[n] = '\0';
}

int
nfv_fail_in(struct nfv_err *err, int rc, const char *fmt, ...)
{
	struct nfv_err inner;
	va_list ap;
	int n;

	if (err != NULL) {
		inner = *err;
		va_start(ap, fmt);
		n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
		va_end(ap);
		/* Where it happened comes first; what does not fit behind it is cut. */
		if (n >= 0 && (size_t)n < sizeof(err->text))
			append(err->text + n, sizeof(err->text) - (size_t)n, inner.text);
	}
	return rc;
}
