/* Any bytes: as a scenario, whose messages are then put together and whose actions are run, in
 * buffers that are large, small, and too small. */
#include <stdlib.h>

#include "actions.h"

#define LAST                                                                                       \
	"INVITE sip:b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKa\r\nv: SIP/2.0/UDP b\r\n"       \
	"From: <sip:a>;tag=1\r\nTo: b\r\nCall-ID: abc\r\nCSeq: 7 INVITE\r\nContent-Length: 1\r\n"  \
	"\r\nv"

static struct nfv_sip_msg last;
static char scratch[4096];

static struct nfv_sv
field(void *ctx, struct nfv_sv file, int64_t line, unsigned int which)
{
	(void)ctx, (void)line;
	if (which == 7)
		return nfv_sv(NULL, 0);
	return which == 8 ? NFV_SV("[authentication username=a password=b]") : file;
}

static void
authenticate(void *ctx, struct nfv_sv user, struct nfv_sv password, struct nfv_sv body,
	struct nfv_sip_writer *w)
{
	(void)ctx;
	nfv_sip_put_header(w, "Authorization", user);
	nfv_sip_put(w, password);
	nfv_sip_put(w, body);
}

static void
say(void *ctx, enum action_kind kind, uint32_t line, struct nfv_sv text)
{
	(void)ctx, (void)kind, (void)line, (void)text;
}

/* What is matched without the engine is matched as the engine would. */
static void
plain(const struct action *a, struct nfv_sv in)
{
	regmatch_t plain[EREG_GROUPS], engine[EREG_GROUPS];
	struct action with = *a;
	bool matched = ereg_match(a, in, plain);

	with.plain = PLAIN_NO;
	if (ereg_match(&with, in, engine) != matched ||
		(matched && memcmp(plain, engine, sizeof(plain)) != 0))
		abort();
}

static void
run(const struct scenario *s)
{
	struct actions_env env = { .say = say, .scratch = scratch, .scratch_n = sizeof(scratch) };
	struct facts f = { .call_id = NFV_SV("id"),
		.branch = NFV_SV("z9"),
		.peer_tag = NFV_SV("t"),
		.call_number = 7,
		.last = &last,
		.field = field,
		.authenticate = authenticate };
	void *mem[VAR_SCOPES];
	char *out;

	for (int i = 0; i < VAR_SCOPES; i++) {
		mem[i] = malloc(vars_size(s->n_scope[i], 64));
		if (mem[i] == NULL)
			abort();
		f.vars[i] = vars_init(mem[i], s->n_scope[i], 64);
	}
	for (uint32_t i = 0; i < s->n_actions; i++) {
		if (s->action[i].kind != ACT_EREG)
			continue;
		plain(&s->action[i], nfv_sv(last.p, last.n));
		plain(&s->action[i], s->name);
	}
	for (uint32_t i = 0; i < s->n_steps; i++) {
		static const size_t rooms[] = { 0, 1, 60, 300, 2000, 65535 };

		actions_run(s, &s->step[i], &f, &env);
		for (size_t k = 0; k < sizeof(rooms) / sizeof(rooms[0]); k++) {
			struct nfv_sip_writer w;

			out = malloc(rooms[k]);
			w = nfv_sip_writer(out, rooms[k]);
			template_render(&s->step[i].message, &f, &w);
			if (w.n > rooms[k])
				abort();
			free(out);
		}
	}
	for (int i = 0; i < VAR_SCOPES; i++)
		free(mem[i]);
}

/* Repetitions of repetitions can make regcomp itself take all memory; that is its matter. */
static bool
repeats(const uint8_t *data, size_t n)
{
	unsigned int signs = 0;

	for (size_t i = 0; i < n; i++) {
		if (data[i] == '{' && i + 1 < n && data[i + 1] != '1')
			return true;
		signs += data[i] == '+' || data[i] == '{';
	}
	return signs > 12;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct scenario *s = NULL;
	struct nfv_err err;

	if (nfv_sip_parse(&last, LAST, sizeof(LAST) - 1) != NFV_SIP_MESSAGE_OK)
		abort();
	if (repeats(data, n))
		return 0;
	if (scenario_load_text(nfv_sv((const char *)data, n), "fuzz", NULL, NULL, &s, &err) == 0) {
		run(s);
		scenario_destroy(s);
	}
	return 0;
}
