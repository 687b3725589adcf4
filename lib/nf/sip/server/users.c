#include <stdlib.h>
#include <time.h>

#include "users.h"

#define EXPIRED 64 /* bindings a tick */
#define COPIED  64 /* users a tick, to the other half of the journal */

struct sip_users {
	struct sip_users_conf conf;
	struct nfv_pages part[SIP_LOCATION_PARTS];
	struct sip_location *location;
	struct sip_journal *journal;
	struct sip_auth *auth;
	struct sip_registrar registrar;
	uint64_t now; /* of the message at hand */
	uint64_t sync_at, clock_at;
	struct { /* of a replica */
		struct sip_replay replay;
		uint64_t told, refused;
		char text[SIP_BINDING_TEXT_MAX];
	} replica;
	struct nfv_err disk; /* what the last sync said; "" if it was good */
};

static uint64_t
wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int
open_location(struct sip_users *u, struct nfv_err *err)
{
	const struct sip_users_conf *c = &u->conf;
	const struct sip_location_conf lc = { .aors = c->registrations,
		.bindings = c->registrations,
		.chunks = c->registrations, /* for one in four with a long contact */
		.per_aor = c->contacts,
		.tsc_hz = c->tsc_hz,
		.now = c->now,
		.seed = c->seed,
		.identity = c->seed ^ 0x9e3779b97f4a7c15u,
		.lender = c->lender };
	static const char *const class_name[SIP_LOCATION_PARTS] = {
		[SIP_LOCATION_HEADS] = "sip.location.heads",
		[SIP_LOCATION_AORS] = "sip.location.users",
		[SIP_LOCATION_BINDINGS] = "sip.location.bindings",
		[SIP_LOCATION_CHUNKS] = "sip.location.texts",
	};
	size_t pages = 0;

	for (int i = 0; i < SIP_LOCATION_PARTS; i++) {
		size_t n = sip_location_pages(&lc, (enum sip_location_part)i);

		pages += n;
		u->part[i] = nfv_lender_take(c->lender, class_name[i], n);
		if (u->part[i].page == NULL)
			return nfv_fail(err, ENOMEM,
				"sip: no memory for %u registrations, more than %zu MiB",
				c->registrations, pages / 256);
	}
	return sip_location_create(&lc, u->part, &u->location, err);
}

static int
open_registrar(struct sip_users *u, struct nfv_err *err)
{
	const struct sip_users_conf *c = &u->conf;
	const struct sip_journal_conf jc = { .path = c->journal,
		.own = c->own,
		.n_own = c->n_own,
		.durable = c->sync_ms != 0,
		.tsc_hz = c->tsc_hz,
		.now = c->now,
		.wall_ms = wall_ms(),
		.succeeds = c->succeeds,
		.lender = c->lender };
	struct sip_registrar_conf rc = { .min_expires = c->min_expires,
		.max_expires = c->max_expires,
		.default_expires = c->default_expires,
		.retry_after = 10,
		.tsc_hz = c->tsc_hz };
	int err_no = open_location(u, err);

	if (err_no == 0 && c->journal[0] != '\0' && c->replica && !c->succeeds)
		err_no = sip_journal_read(&jc, u->location, &u->replica.replay, err);
	else if (err_no == 0 && c->journal[0] != '\0' && !c->replica)
		err_no = sip_journal_create(&jc, u->location, &u->journal, err);
	if (err_no < 0)
		return err_no;
	rc.location = u->location;
	rc.journal = u->journal;
	rc.tell = c->replica ? NULL : c->tell;
	return sip_registrar_init(&u->registrar, &rc, err);
}

/* Of nonces. */
static void
make_key(uint64_t word, uint8_t key[NFV_DIGEST_KEY])
{
	for (size_t i = 0; i < NFV_DIGEST_KEY; i += sizeof(word)) {
		word = nfv_hash_mix(word ^ 0xd6e8feb86659fd93u, 0x9e3779b97f4a7c15u + i);
		memcpy(key + i, &word, sizeof(word));
	}
}

int
sip_users_create(const struct sip_users_conf *conf, struct sip_users **out, struct nfv_err *err)
{
	struct sip_users *u = nfv_lender_alloc(conf->lender, sizeof(*u));
	struct sip_auth_conf ac = { .lifetime_ms = 300000, .lender = conf->lender };
	int rc = 0;

	if (u == NULL)
		return nfv_fail(err, ENOMEM, "sip: out of memory");
	u->conf = *conf;
	if (conf->registrations > 0)
		rc = open_registrar(u, err);
	make_key(conf->seed, ac.key);
	if (rc == 0 && conf->credentials[0] != '\0')
		rc = sip_auth_create(conf->credentials, &ac, &u->auth, err);
	if (rc < 0) {
		sip_users_destroy(u);
		return rc;
	}
	*out = u;
	return 0;
}

void
sip_users_destroy(struct sip_users *u)
{
	if (u == NULL)
		return;
	sip_auth_destroy(u->auth);
	sip_journal_destroy(u->journal);
	sip_location_destroy(u->location);
	for (int i = 0; i < SIP_LOCATION_PARTS; i++)
		nfv_lender_give(u->conf.lender, &u->part[i]);
	nfv_lender_free(u->conf.lender, u);
}

bool
sip_users_register(const struct sip_users *u)
{
	return u->location != NULL;
}

unsigned int
sip_users_may(struct sip_users *u, const struct sip_work *work, uint64_t now,
	struct nfv_sip_writer *lines, const char **text)
{
	bool registers = work->msg.method == NFV_SIP_REGISTER;
	struct nfv_sip_uri from;

	u->now = now;
	if (u->auth == NULL || (!registers && u->conf.authenticate != SIP_AUTH_CALLS))
		return 0;
	/* Who calls in the name of another's domain is not for us to know. */
	if (!registers &&
		(work->core.to.tag.n > 0 || nfv_sip_uri(work->core.from.uri, &from) < 0 ||
			!sip_uri_is_self(work->px, &from, true)))
		return 0;
	return sip_auth(u->auth, work, !registers, now / (u->conf.tsc_hz / 1000), lines, text);
}

unsigned int
sip_users_take(struct sip_users *u, const struct sip_work *work, uint64_t now,
	struct nfv_sip_writer *lines, const char **text)
{
	if (u->conf.replica) /* it should have gone to the registrar */
		return 503;
	return sip_register(&u->registrar, work, now, lines, text);
}

void
sip_users_told(struct sip_users *u, const void *message, size_t n, uint64_t now)
{
	if (u->location == NULL || !u->conf.replica)
		return;
	u->replica.told++;
	if (sip_replica_apply(u->location, message, n, now, u->replica.text))
		return;
	/* What has expired may be in the way. */
	sip_location_expire(u->location, now, EXPIRED);
	u->replica.refused += !sip_replica_apply(u->location, message, n, now, u->replica.text);
}

unsigned int
sip_users_locate(
	void *ctx, struct nfv_sv user, struct nfv_sv domain, struct sip_hop *hop, unsigned int max)
{
	struct sip_users *u = ctx;
	struct sip_target target[SIP_HOPS_MAX];
	unsigned int n = sip_location_find(
		u->location, user, domain, u->now, target, max < SIP_HOPS_MAX ? max : SIP_HOPS_MAX);

	for (unsigned int i = 0; i < n; i++)
		hop[i] = (struct sip_hop){ .to = target[i].to,
			.uri = target[i].uri,
			.path = target[i].path,
			.q = target[i].q,
			.own = target[i].own,
			.dir = target[i].dir,
			.fixed = target[i].own != SIP_NO_OWN };
	return n;
}

void
sip_users_tick(struct sip_users *u, uint64_t now)
{
	if (u->location == NULL)
		return;
	sip_location_expire(u->location, now, EXPIRED);
	if (u->journal != NULL)
		sip_journal_tick(u->journal, now, COPIED);
}

void
sip_users_upkeep(struct sip_users *u, uint64_t now)
{
	uint64_t ms = u->conf.tsc_hz / 1000;
	struct nfv_err err = { "" };

	if (u->journal == NULL)
		return;
	if (now >= u->clock_at) {
		sip_journal_clock(u->journal, now, wall_ms());
		u->clock_at = now + 10000 * ms;
	}
	if (u->conf.sync_ms == 0 || now < u->sync_at)
		return;
	u->sync_at = now + u->conf.sync_ms * ms;
	sip_journal_sync(u->journal, &err);
	u->disk = err;
}

bool
sip_users_on_disk(const struct sip_users *u)
{
	return u->journal != NULL;
}

const struct sip_location *
sip_users_location(const struct sip_users *u)
{
	return u->location;
}

struct nfv_items *
sip_users_items(struct sip_users *u)
{
	return u->location != NULL ? sip_location_items(u->location) : NULL;
}

size_t
sip_users_export(const struct sip_users *u, uint32_t i, uint8_t *to)
{
	char text[SIP_BINDING_TEXT_MAX];

	return sip_location_export(u->location, i, text, to);
}

int
sip_users_import(struct sip_users *u, uint32_t i, const uint8_t *bytes, size_t n)
{
	return u->location != NULL ?
		sip_location_import(u->location, i, u->conf.n_own, u->registrar.text, bytes, n) :
		-EINVAL;
}

void
sip_users_give(struct sip_users *u, uint64_t now, struct sip_users_carried *out)
{
	*out = (struct sip_users_carried){ .seed = u->conf.seed };
	if (u->location != NULL) {
		struct nfv_hash_key identity = sip_location_get_identity(u->location);
		struct sip_location_stats s = sip_location_stats(u->location);

		memcpy(out->identity, identity.k, sizeof(out->identity));
		memcpy(out->bindings,
			(const uint64_t[4]){ s.added, s.updated, s.removed, s.expired },
			sizeof(out->bindings));
		memcpy(out->registers, u->registrar.count, sizeof(out->registers));
	}
	if (u->journal != NULL) {
		out->place = sip_journal_give(u->journal, now);
		out->has_place = 1;
	}
}

int
sip_users_take_over(struct sip_users *u, const struct sip_users_carried *in)
{
	struct nfv_hash_key identity;
	uint8_t key[NFV_DIGEST_KEY];

	u->conf.seed = in->seed;
	make_key(in->seed, key);
	if (u->auth != NULL)
		sip_auth_rekey(u->auth, key);
	if (u->location == NULL)
		return 0;
	memcpy(identity.k, in->identity, sizeof(identity.k));
	if (u->journal == NULL)
		sip_location_set_identity(u->location, &identity);
	sip_location_counted(u->location, in->bindings);
	memcpy(u->registrar.count, in->registers, sizeof(in->registers));
	if (u->journal == NULL || !in->has_place)
		return 0;
	return sip_journal_take(u->journal, &in->place);
}

static void
show_registrar(const struct sip_users *u, FILE *to)
{
	struct sip_location_stats s = sip_location_stats(u->location);

	fprintf(to, "users %u\nbindings %u of %u\n", s.aors, s.bindings, s.max_bindings);
	for (int i = 0; i < SIP_REGISTER_OUTCOMES; i++)
		if (u->registrar.count[i] > 0)
			fprintf(to, "register %s %lu\n",
				sip_register_name((enum sip_register_outcome)i),
				u->registrar.count[i]);
	fprintf(to, "bindings expired %lu\n", s.expired);
}

void
sip_users_show(const struct sip_users *u, FILE *to)
{
	if (u->location != NULL)
		show_registrar(u, to);
	if (u->conf.replica)
		fprintf(to, "told %lu refused %lu\n", u->replica.told, u->replica.refused);
	if (u->journal != NULL) {
		struct sip_journal_stats s = sip_journal_stats(u->journal);

		fprintf(to, "journal noted %lu unsynced %lu replayed %lu torn %lu bad %lu\n",
			s.noted, s.unsynced, s.replay.bindings, s.replay.torn, s.replay.bad);
		if (u->disk.text[0] != '\0')
			fprintf(to, "journal not synced: %s\n", u->disk.text);
	}
	for (int i = 0; u->auth != NULL && i < SIP_AUTH_OUTCOMES; i++)
		fprintf(to, "authentication %s %lu\n", sip_auth_name[i],
			sip_auth_count(u->auth, (enum sip_auth_outcome)i));
}
