#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "location_world.h"

#define HZ  1000000u
#define SEC ((uint64_t)HZ)

static struct location_world world;
static struct sip_location *l;

static void
fresh(uint32_t aors, uint32_t bindings, uint32_t chunks, uint32_t per_aor)
{
	struct sip_location_conf conf = { .aors = aors,
		.bindings = bindings,
		.chunks = chunks,
		.per_aor = per_aor,
		.tsc_hz = HZ,
		.seed = 7,
		.identity = 8 };

	location_world_init(&world, &conf);
	l = world.l;
}

static struct nfv_sv
key_of(const char *aor, char buf[SIP_AOR_TEXT_MAX])
{
	struct nfv_sv domain = nfv_sv_str(aor), user = nfv_sv_cut(&domain, '@');

	return sip_aor_key(user, domain, buf);
}

static struct sip_binding
binding(const char *uri, uint16_t q, uint64_t expires)
{
	struct sip_binding b = { .uri = nfv_sv_str(uri), .q = q, .expires = expires };

	nfv_endpoint_parse(NFV_SV("192.0.2.1:5062"), &b.to);
	return b;
}

static enum sip_refusal
add(const char *aor, const char *uri, uint16_t q, uint64_t expires)
{
	struct sip_change c = { SIP_ADD, 0, binding(uri, q, expires) };
	char buf[SIP_AOR_TEXT_MAX];
	struct nfv_sv key = key_of(aor, buf);
	uint32_t at = sip_location_open(l, key, 0);
	enum sip_refusal refusal = sip_location_apply(l, key, &at, &c, 1);

	location_world_move(&world);
	return refusal;
}

static unsigned int
find(const char *aor, uint64_t now, struct sip_target *out, unsigned int max)
{
	struct nfv_sv domain = nfv_sv_str(aor), user = nfv_sv_cut(&domain, '@');

	return sip_location_find(l, user, domain, now, out, max);
}

static void
assert_sv(struct nfv_sv s, const char *text)
{
	if (!nfv_sv_eq(s, nfv_sv_str(text)))
		fail_msg("\"%.*s\", not \"%s\"", NFV_SV_ARG(s), text);
}

static uint32_t
index_of(uint32_t aor, unsigned int id)
{
	char key[SIP_AOR_TEXT_MAX], text[SIP_BINDING_TEXT_MAX];
	struct sip_binding b;
	struct sip_aor a;
	uint32_t next;

	if (aor == SIP_NONE || !sip_location_aor_at(l, aor, &a, key))
		return SIP_NONE;
	for (uint32_t i = a.first; i != SIP_NONE; i = next) {
		next = sip_location_binding(l, i, &b, text);
		if (b.to.port == id)
			return i;
	}
	return SIP_NONE;
}

static void
keys(void **state)
{
	static const struct {
		const char *user, *domain, *key; /* NULL: there is none */
	} t[] = {
		{ "bob", "Example.ORG", "bob@example.org" },
		{ "Bob", "example.org", "Bob@example.org" },
		{ "%62%6Fb", "example.org", "bob@example.org" },
		{ "a%40b", "example.org", "a@b@example.org" },
		{ "100%", "example.org", "100%@example.org" },
		{ "a%4", "example.org", "a%4@example.org" },
		{ "a%zz", "example.org", "a%zz@example.org" },
		{ "b", "192.0.2.1", "b@192.0.2.1" },
		{ "b", "2001:DB8:0:0::1", "b@2001:db8::1" },
		{ "b", "fe.1", "b@fe.1" },
		{ "", "example.org", NULL },
		{ "b", "", NULL },
	};
	static char long_user[SIP_AOR_TEXT_MAX];
	char buf[SIP_AOR_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct nfv_sv key =
			sip_aor_key(nfv_sv_str(t[i].user), nfv_sv_str(t[i].domain), buf);

		if (t[i].key == NULL)
			assert_int_equal(key.n, 0);
		else
			assert_sv(key, t[i].key);
	}
	memset(long_user, 'u', sizeof(long_user));
	assert_int_equal(sip_aor_key(nfv_sv(long_user, SIP_AOR_TEXT_MAX - 2), NFV_SV("d"), buf).n,
		SIP_AOR_TEXT_MAX);
	assert_int_equal(
		sip_aor_key(nfv_sv(long_user, SIP_AOR_TEXT_MAX - 1), NFV_SV("d"), buf).n, 0);
}

static void
order_of_q(void **state)
{
	struct sip_target t[8];

	(void)state;
	fresh(10, 10, 10, 8);
	assert_int_equal(add("a@x", "sip:1", 500, SEC), SIP_REFUSED_NOT);
	assert_int_equal(add("a@x", "sip:2", 1000, 2 * SEC), SIP_REFUSED_NOT);
	assert_int_equal(add("a@x", "sip:3", 500, SEC), SIP_REFUSED_NOT);
	assert_int_equal(add("a@x", "sip:4", 0, SEC), SIP_REFUSED_NOT);
	assert_int_equal(find("a@X", 0, t, 8), 4);
	assert_sv(t[0].uri, "sip:2");
	assert_sv(t[1].uri, "sip:3");
	assert_sv(t[2].uri, "sip:1");
	assert_sv(t[3].uri, "sip:4");
	assert_int_equal(t[0].to.port, 5062);
	assert_int_equal(find("a@x", 0, t, 2), 2);
	assert_sv(t[1].uri, "sip:3");
	assert_int_equal(find("A@x", 0, t, 8), 0);
	/* What has expired is not found before it is taken away either. */
	assert_int_equal(find("a@x", SEC, t, 8), 1);
	assert_int_equal(sip_location_stats(l).bindings, 4);
	location_world_fini(&world);
}

static void
expiry(void **state)
{
	char name[32];
	uint32_t n, total = 0;

	(void)state;
	fresh(1000, 1000, 0, 1);
	for (unsigned int i = 0; i < 1000; i++) {
		sprintf(name, "u%u@x", i);
		assert_int_equal(add(name, "sip:a@b", 1, (i / 100 + 1) * SEC), SIP_REFUSED_NOT);
	}
	for (unsigned int sec = 1; sec <= 10; sec++) {
		unsigned int calls = 0;

		while ((n = sip_location_expire(l, sec * SEC + SEC / 2, 30)) > 0 || calls < 9) {
			assert_in_range(n, 0, 30);
			total += n;
			calls++;
		}
		assert_int_equal(total, sec * 100);
		assert_int_equal(sip_location_stats(l).aors, 1000 - total);
	}
	assert_int_equal(sip_location_stats(l).expired, 1000);
	location_world_fini(&world);
}

static void
caps(void **state)
{
	static char text[SIP_BINDING_TEXT_MAX + 2];
	char name[32], buf[SIP_AOR_TEXT_MAX];
	struct sip_location_stats s;
	struct sip_change c;
	uint32_t aor;

	(void)state;
	fresh(64, 80, 64, 3); /* whole pages: 64 users, 80 bindings, 64 chunks */
	for (unsigned int i = 0; i < 64; i++) {
		sprintf(name, "u%u@x", i);
		assert_int_equal(add(name, "sip:a@b", 1, SEC), SIP_REFUSED_NOT);
	}
	assert_int_equal(add("new@x", "sip:a@b", 1, SEC), SIP_REFUSED_AORS);
	assert_int_equal(add("u0@x", "sip:2", 1, SEC), SIP_REFUSED_NOT);
	assert_int_equal(add("u0@x", "sip:3", 1, SEC), SIP_REFUSED_NOT);
	assert_int_equal(add("u0@x", "sip:4", 1, SEC), SIP_REFUSED_PER_AOR);
	for (unsigned int i = 1; i < 15; i++) {
		sprintf(name, "u%u@x", i);
		assert_int_equal(add(name, "sip:2", 1, SEC), SIP_REFUSED_NOT);
	}
	assert_int_equal(add("u20@x", "sip:2", 1, SEC), SIP_REFUSED_BINDINGS);
	s = sip_location_stats(l);
	assert_int_equal(s.bindings, s.max_bindings);
	assert_int_equal(s.refused[SIP_REFUSED_BINDINGS], 1);
	assert_int_equal(s.refused[SIP_REFUSED_AORS], 1);
	location_world_fini(&world);

	fresh(64, 80, 64, 3);
	memset(text, 'x', sizeof(text) - 1);
	assert_int_equal(add("a@x", text, 1, SEC), SIP_REFUSED_TEXT);
	text[SIP_BINDING_TEXT_MAX] = '\0';
	assert_int_equal(add("a@x", text, 1, SEC), SIP_REFUSED_CHUNKS);
	text[170 + 63 * 60] = '\0';
	assert_int_equal(add("a@x", text, 1, SEC), SIP_REFUSED_NOT);
	text[170 + 60] = '\0';
	assert_int_equal(add("b@x", text, 1, SEC), SIP_REFUSED_NOT);
	assert_int_equal(add("c@x", text, 1, SEC), SIP_REFUSED_CHUNKS);
	assert_int_equal(sip_location_stats(l).chunks, 64);
	/* A text that replaces another needs no more than is there. */
	aor = sip_location_open(l, key_of("b@x", buf), 0);
	c = (struct sip_change){ SIP_UPDATE, index_of(aor, 5062), binding(text, 2, SEC) };
	assert_int_equal(sip_location_apply(l, key_of("b@x", buf), &aor, &c, 1), SIP_REFUSED_NOT);
	assert_int_equal(sip_location_stats(l).chunks, 64);
	assert_int_equal(sip_location_expire(l, 2 * SEC, 10), 2);
	s = sip_location_stats(l);
	assert_int_equal(s.chunks + s.aors + s.bindings, 0);
	location_world_fini(&world);
}

/* --- against a list that is searched from end to end --- */

#define MODEL 200

struct model {
	bool live;
	unsigned int aor, id;
	uint16_t q, path;
	size_t n;
	uint64_t expires, age;
};

static struct model model[MODEL];
static uint64_t seed, age;

static uint32_t
rnd(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

/* Texts that tell which binding they are of, and which of its lives. */
static const char *
text_of(const struct model *m, char *buf)
{
	memset(buf, 'a' + (int)(m->id % 26), m->n);
	sprintf(buf + m->n, "#%u#%u", m->id, (unsigned int)m->expires);
	return buf;
}

static const char *
aor_of(unsigned int i, char *buf)
{
	/* Some keys are longer than their slot. */
	sprintf(buf, "user%u%.*s@example.org", i, i % 3 == 0 ? 60 : 0,
		"------------------------------------------------------------");
	return buf;
}

static struct sip_binding
model_binding(const struct model *m, char *uri, char *path)
{
	struct sip_binding b = { .uri = nfv_sv_str(text_of(m, uri)), .path = { path, m->path } };

	memset(path, 'p', m->path);
	b.q = m->q;
	b.expires = m->expires;
	b.to.port = (uint16_t)m->id;
	return b;
}

static void
check_aor(unsigned int aor, uint64_t now)
{
	struct sip_target t[SIP_PER_AOR_MAX];
	char name[128], uri[1024];
	unsigned int n = find(aor_of(aor, name), now, t, SIP_PER_AOR_MAX), want = 0;

	for (unsigned int i = 0; i < MODEL; i++)
		want += model[i].live && model[i].aor == aor && model[i].expires > now;
	assert_int_equal(n, want);
	for (unsigned int i = 0; i < n; i++) {
		const struct model *m = &model[t[i].to.port];

		assert_true(m->live && m->aor == aor && m->q == t[i].q);
		assert_sv(t[i].uri, text_of(m, uri));
		assert_int_equal(t[i].path.n, m->path);
		if (i > 0)
			assert_true(t[i - 1].q > t[i].q ||
				(t[i - 1].q == t[i].q && model[t[i - 1].to.port].age > m->age));
	}
}

static void
step(uint64_t now)
{
	struct model *m = &model[rnd(MODEL)], was = *m;
	char name[128], uri[1024], path[1024], buf[SIP_AOR_TEXT_MAX];
	struct sip_change c = { 0 };
	struct nfv_sv key;
	uint32_t aor;

	m->id = (unsigned int)(m - model);
	key = key_of(aor_of(m->id % 31, name), buf);
	aor = sip_location_open(l, key, now);
	c.at = index_of(aor, m->id);
	assert_int_equal(c.at != SIP_NONE, m->live && m->expires > now);
	if (c.at != SIP_NONE && rnd(3) == 0) {
		c.kind = SIP_REMOVE;
		m->live = false;
	} else {
		c.kind = c.at != SIP_NONE ? SIP_UPDATE : SIP_ADD;
		m->live = true;
		m->aor = m->id % 31;
		m->q = (uint16_t)rnd(4);
		m->n = rnd(4) == 0 ? rnd(900) : rnd(150);
		m->path = (uint16_t)(rnd(3) == 0 ? rnd(300) : 0);
		m->expires = now + 1 + rnd(20 * HZ);
		m->age = c.kind == SIP_ADD ? ++age : m->age;
		c.to = model_binding(m, uri, path);
	}
	if (sip_location_apply(l, key, &aor, &c, 1) != SIP_REFUSED_NOT) {
		assert_int_not_equal(c.kind, SIP_REMOVE);
		*m = was;
	}
	check_aor(m->id % 31, now);
}

static void
model_based(void **state)
{
	struct sip_location_stats s;
	uint64_t now = 0;

	(void)state;
	for (seed = 1; seed <= 5; seed++) {
		uint64_t keep = seed;
		unsigned int live;

		memset(model, 0, sizeof(model));
		/* Not room for all. */
		fresh(64, 150, 192, 6);
		for (unsigned int i = 0; i < 20000; i++) {
			step(now);
			now += rnd(HZ / 20);
			if (rnd(50) == 0)
				sip_location_expire(l, now, rnd(20));
		}
		live = 0;
		for (unsigned int i = 0; i < MODEL; i++)
			live += model[i].live && model[i].expires > now;
		assert_int_equal(location_count(l, now), live);
		s = sip_location_stats(l);
		assert_true(s.refused[SIP_REFUSED_PER_AOR] > 0);
		assert_true(s.refused[SIP_REFUSED_CHUNKS] > 0);
		now += 100 * SEC;
		for (unsigned int i = 0; i < 5000; i++)
			sip_location_expire(l, now, 100);
		s = sip_location_stats(l);
		assert_int_equal(s.aors + s.bindings + s.chunks, 0);
		assert_int_equal(s.added, s.removed + s.expired);
		location_world_fini(&world);
		now = 0;
		seed = keep;
	}
}

/* Several changes are one. */
static void
all_or_nothing(void **state)
{
	struct sip_change c[3] = { { SIP_ADD, 0, binding("sip:1", 1, SEC) },
		{ SIP_ADD, 0, binding("sip:2", 1, SEC) },
		{ SIP_ADD, 0, binding("sip:3", 1, SEC) } };
	char buf[SIP_AOR_TEXT_MAX];
	struct nfv_sv key = key_of("a@x", buf);
	struct sip_target t[4];
	uint32_t aor = SIP_NONE;
	struct sip_location_stats s;

	(void)state;
	fresh(8, 8, 8, 2);
	assert_int_equal(sip_location_apply(l, key, &aor, c, 3), SIP_REFUSED_PER_AOR);
	assert_int_equal(aor, SIP_NONE);
	s = sip_location_stats(l);
	assert_int_equal(s.aors + s.bindings, 0);
	assert_int_equal(sip_location_apply(l, key, &aor, c, 2), SIP_REFUSED_NOT);
	/* One goes, one comes: there are never three. */
	c[0] = (struct sip_change){ SIP_REMOVE, index_of(aor, 5062), { .expires = 0 } };
	assert_int_equal(sip_location_apply(l, key, &aor, (struct sip_change[]){ c[2], c[0] }, 2),
		SIP_REFUSED_NOT);
	assert_int_equal(find("a@x", 0, t, 4), 2);
	location_world_fini(&world);
}

static void
refuses(void **state)
{
	struct sip_location_conf conf = {
		.aors = 1, .bindings = 1, .per_aor = SIP_PER_AOR_MAX + 1, .tsc_hz = HZ
	};
	struct nfv_pages part[SIP_LOCATION_PARTS] = { { NULL, 0 } };
	struct sip_location *out = NULL;
	struct nfv_err err;

	(void)state;
	assert_int_equal(sip_location_create(&conf, part, &out, &err), -EINVAL);
	conf.per_aor = 1;
	assert_int_equal(sip_location_create(&conf, part, &out, &err), -EINVAL);
	assert_non_null(strstr(err.text, "pages for heads"));
	conf.aors = 0;
	assert_int_equal(sip_location_create(&conf, part, &out, &err), -EINVAL);
	assert_null(out);
}

static void
hashes(void **state)
{
	uint64_t h;

	(void)state;
	fresh(100, 100, 10, 2);
	add("a@x", "sip:1", 1, SEC);
	h = sip_location_hash(l, NFV_SV("%61"), NFV_SV("X"));
	assert_true(h == sip_location_hash(l, NFV_SV("a"), NFV_SV("x")));
	assert_true(h != sip_location_hash(l, NFV_SV("b"), NFV_SV("x")));
	sip_location_prefetch(l, h);
	sip_location_prefetch_binding(l, h);
	sip_location_prefetch_binding(l, h + 1);
	assert_true(sip_location_identity(l, NFV_SV("a"), NFV_SV("b")) !=
		sip_location_identity(l, NFV_SV("ab"), NFV_SV("")));
	assert_true(sip_location_identity(l, NFV_SV("a"), NFV_SV("b")) !=
		sip_location_identity(l, NFV_SV("b"), NFV_SV("a")));
	location_world_fini(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys),
		cmocka_unit_test(order_of_q),
		cmocka_unit_test(expiry),
		cmocka_unit_test(caps),
		cmocka_unit_test(model_based),
		cmocka_unit_test(all_or_nothing),
		cmocka_unit_test(refuses),
		cmocka_unit_test(hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
