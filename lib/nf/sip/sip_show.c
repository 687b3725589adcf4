/* Counters of the SIP stage for a person. */
#include "sip_stage.h"

static void
show_server(const struct sip_state *s, FILE *to)
{
	static const char *const names[] = { "invite-server", "server", "invite-client", "client" };
	const struct sip_server_count *c = &s->server.count;
	const struct sip_txns *t = &s->server.txns;

	for (int i = 0; i < SIP_MACHINES; i++)
		fprintf(to, "transactions %s %u\n", names[i], t->live[i]);
	fprintf(to, "transactions free %u of %u\nmessages free %u of %u\n", t->n_free, t->max,
		t->texts.n_free, t->texts.blocks);
	fprintf(to, "absorbed %lu\nresent %lu\ntimeouts %lu\nacks %lu\ncancels %lu\n", c->absorbed,
		c->resent, c->timeouts, c->acks, c->cancels);
	if (s->server.users != NULL)
		sip_users_show(s->server.users, to);
	if (s->server.media != NULL)
		sip_media_show(s->server.media, to);
	if (s->relay != NULL)
		sip_relay_show(s->relay, to, 16);
	if (s->lost > 0)
		fprintf(to, "handed over in vain %lu\n", s->lost);
	fprintf(to, "shed %lu\nadmitted %u%%\n", c->shed,
		100 - sip_overload_loss(&s->server.overload));
	for (uint32_t i = 0; i < s->server.px.trunks.n; i++) {
		const struct sip_trunk *k = &s->server.px.trunks.trunk[i];
		char text[NFV_ADDR_TEXT];

		nfv_endpoint_text(&k->to, text);
		fprintf(to, "trunk %s %s absences %lu\n", text, k->dead ? "gone" : "there",
			k->absences);
	}
	fprintf(to, "refused-full %lu\nloops %lu\nforks %lu\nfailovers %lu\nunsent %lu\n", c->full,
		c->loops, c->forks, c->failovers, c->unsent);
}

void
sip_show(const void *state, FILE *to)
{
	const struct sip_state *s = state;

	for (int i = 0; i < NFV_SIP_METHODS; i++)
		if (s->count.requests[i] > 0)
			fprintf(to, "request %s %lu\n", nfv_sip_method_name[i],
				s->count.requests[i]);
	for (int i = 0; i < 7; i++)
		if (s->count.responses[i] > 0)
			fprintf(to, "response %dxx %lu\n", i, s->count.responses[i]);
	fprintf(to, "forwarded %lu\n", s->count.forwarded);
	for (unsigned int i = 0; i < sizeof(s->count.answers) / sizeof(s->count.answers[0]); i++)
		if (s->count.answers[i] > 0)
			fprintf(to, "answered %u %s %lu\n", i, nfv_sip_reason(i),
				s->count.answers[i]);
	fprintf(to, "keepalives %lu\nstun %lu\n", s->count.keepalives, s->count.stun);
	if (s->stateful)
		show_server(s, to);
}
