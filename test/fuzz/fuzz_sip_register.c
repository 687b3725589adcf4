/**
 * @file
 * A message through authentication and the registrar: whatever it says, what is answered is whole lines,
 * and the location service holds what it says it holds. Two messages in one input, parted by an empty
 * byte, meet in one location service.
 */
#include <stdlib.h>

#include "auth.h"
#include "register_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct register_world w;
static struct sip_auth *auth;

static void
check_lines(const struct nfv_sip_writer *extra)
{
	struct nfv_sv rest = nfv_sip_written(extra, 0);

	if (extra->full || (rest.n > 0 && rest.p[rest.n - 1] != '\n'))
		abort();
	while (rest.n > 0) {
		struct nfv_sv line = nfv_sv_cut(&rest, '\n');

		if (line.n < 2 || line.p[line.n - 1] != '\r' || line.p[0] == ' ' ||
			memchr(line.p, '\r', line.n - 1) != NULL ||
			memchr(line.p, ':', line.n) == NULL)
			abort();
	}
}

static void
one(const char *p, size_t n)
{
	struct nfv_sip_writer extra = nfv_sip_writer(w.extra, sizeof(w.extra));
	const char *text;

	if (n == 0 || register_read(&w, p, n) != 0)
		return;
	for (int proxy = 0; proxy < 2; proxy++) {
		extra.n = 0;
		sip_auth(auth, &w.work, proxy, 0, &extra, &text);
		check_lines(&extra);
	}
	extra.n = 0;
	sip_register(&w.reg, &w.work, w.now, &extra, &text);
	check_lines(&extra);
	w.now += 10 * SEC;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char users[] = "bob:example.org:00112233445566778899aabbccddeeff\n";
	struct sip_auth_conf conf = { .lifetime_ms = 1000 };
	const uint8_t *zero = size > 0 ? memchr(data, 0, size) : NULL;
	size_t first = zero != NULL ? (size_t)(zero - data) : size;
	struct sip_location_stats s;

	if (auth == NULL &&
		sip_auth_parse("users", strdup(users), sizeof(users) - 1, &conf, &auth, NULL) < 0)
		abort();
	register_world_init(&w, 64, 4);
	one((const char *)data, first);
	if (zero != NULL)
		one((const char *)zero + 1, size - first - 1);
	s = sip_location_stats(w.loc.l);
	if (location_count(w.loc.l, 0) != s.bindings || s.bindings < s.aors)
		abort();
	sip_location_expire(w.loc.l, UINT64_MAX / 2, 64);
	register_world_fini(&w);
	return 0;
}
