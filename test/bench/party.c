#include <stdio.h>
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_lcore.h>

#include "party.h"

#define MEET_S 5ull /* seconds a neighbour has to answer */

void
party_fail(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	exit(1);
}

static struct nfv_prefix
prefix(const char *text)
{
	struct nfv_prefix p = { 0 };

	party_need(nfv_prefix_parse(nfv_sv_str(text), &p) == 0, text);
	return p;
}

void
party_create(struct party *p, const struct party_conf *conf)
{
	static const char *const own[2] = { "10.1.0.2/24", "10.2.0.2/24" };
	static const char *const between[2] = { "10.1.0.1/24", "10.2.0.1/24" };
	struct nfv_prefix addr = prefix(own[conf->callee]);
	struct net_conf nc = { .device = conf->device,
		.n_addr = 1,
		.gateway = prefix(between[conf->callee]).addr,
		.mtu = 1500,
		.descriptors = 1024,
		.buffers = 32767,
		.socket = (int)rte_socket_id(),
		.tsc_hz = rte_get_tsc_hz(),
		.seed = 1 + conf->callee };
	struct agent_conf ac = { .local = { addr.addr, 5060 },
		.media = { addr.addr, 6000 },
		.service = nfv_sv_str("service"),
		.auth_user = nfv_sv_str("service"),
		.auth_password = nfv_sv_str("secret"),
		.pace = { .shape = PACE_FIXED, .rate = conf->rate, .workers = 1 },
		.calls = conf->calls,
		.open = conf->open,
		.retrans_invite = 5,
		.retrans_other = 10,
		.base_cseq = 1,
		.retransmit = true,
		.tsc_hz = nc.tsc_hz,
		.seed = nc.seed,
		.socket = nc.socket,
		.worker = conf->callee };
	struct nfv_err err = { "" };
	int rc;

	*p = (struct party){ .next = nc.gateway };
	if (conf->joined) {
		addr.len = 8;
		nc.gateway = (struct nfv_addr){ 0 };
		p->next = prefix(own[!conf->callee]).addr;
	}
	nc.addr[0] = addr;
	if (!conf->callee)
		ac.remote = (struct nfv_endpoint){ conf->to_callee ? prefix(own[1]).addr : p->next,
			5060 };
	rc = conf->scenario != NULL ?
		scenario_load(conf->scenario, NULL, NULL, &p->scenario, &err) :
		scenario_builtin(conf->callee ? "uas" : "uac", &p->scenario, &err);
	if (rc == 0)
		rc = net_create(&nc, &p->net, &err);
	party_need(rc == 0, err.text);
	ac.scenario = p->scenario;
	ac.net = p->net;
	party_need(agent_create(&ac, &p->agent, &err) == 0, err.text);
}

void
party_destroy(struct party *p)
{
	agent_destroy(p->agent);
	net_destroy(p->net);
	scenario_destroy(p->scenario);
}

static void
nobody(void *ctx, const struct net_datagram *d)
{
	(void)ctx;
	(void)d;
}

void
party_meet(struct party *a, struct party *b)
{
	struct party *both[2] = { a, b };
	uint64_t ms = rte_get_tsc_hz() / 1000, now = rte_rdtsc(), end = now + MEET_S * 1000 * ms;
	uint64_t tick = now;
	int waits = 1;

	while (waits > 0) {
		now = rte_rdtsc();
		party_need(now < end, "nobody answers at the other end of a port");
		waits = 0;
		for (int i = 0; i < 2; i++) {
			if (both[i] == NULL)
				continue;
			waits += net_reach(both[i]->net, &both[i]->next, now) != 0;
			net_poll(both[i]->net, now, nobody, NULL);
			if (now >= tick)
				net_tick(both[i]->net, now);
		}
		if (now >= tick)
			tick = now + ms;
	}
}
