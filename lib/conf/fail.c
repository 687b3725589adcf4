#include <stdarg.h>

#include "place.h"

int
nfv_conf_fail(
	const struct nfv_conf *conf, const void *at, struct nfv_err *err, const char *fmt, ...)
{
	char text[sizeof(err->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (conf == NULL)
		return nfv_fail(err, EINVAL, "%s", text);
	/* The last one wins: a struct that was moved may have left older places behind. */
	for (size_t i = conf->n_place; i-- > 0;)
		if (conf->place[i].at == at)
			return nfv_fail(err, EINVAL, "%s:%u:%u: %s", conf->name,
				conf->place[i].line, conf->place[i].column, text);
	return nfv_fail(err, EINVAL, "%s: %s", conf->name, text);
}
