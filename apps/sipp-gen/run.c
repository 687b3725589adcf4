#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_pause.h>

#include "floor.h"
#include "run_inside.h"

static int
load_scenario(const struct options_role *r, struct scenario **out, struct nfv_err *err)
{
	const struct scenario_keys keys = { r->key, r->n_keys };

	return r->file != NULL ? scenario_load(r->file, &keys, NULL, out, err) :
				 scenario_builtin(r->builtin, out, err);
}

static struct nfv_addr
own_address(const struct options_role *r, const struct nfv_addr *like)
{
	for (uint32_t i = 0; i < r->n_addr; i++)
		if (like->family == NFV_NO_ADDR || r->addr[i].addr.family == like->family)
			return r->addr[i].addr;
	return r->addr[0].addr;
}

/* What may run out is said before it does. */
static int
check_names(struct run *r, const struct worker *w, struct nfv_err *err)
{
	uint32_t before = r->names.n;
	int rc = names_check(&r->names, w->crew.role, r->o->timeout_s, w->scenario, err);

	for (uint32_t i = before; i < r->names.n; i++)
		fprintf(stderr, "sipp-gen: warning: %s\n", r->names.said[i].text);
	return rc;
}

static int
set_up(struct run *r, uint32_t i, struct nfv_err *err)
{
	struct worker *w = &r->worker[i];
	const struct options_role *o = w->crew.role;
	int socket = (int)rte_lcore_to_socket_id(w->crew.lcore);
	struct net_conf nc = { .device = o->device,
		.n_addr = o->n_addr,
		.gateway = o->gateway,
		.mtu = o->mtu,
		.descriptors = 1024,
		.buffers = o->buffers,
		.socket = socket,
		.tsc_hz = rte_get_tsc_hz(),
		.seed = r->o->seed + i };
	struct agent_conf ac = { .remote = o->remote,
		.local = { own_address(o, &o->remote.addr), o->port },
		.service = nfv_sv_str(o->service),
		.auth_user = nfv_sv_str(o->user),
		.auth_password = nfv_sv_str(o->password),
		.pace = o->pace,
		.calls = o->calls,
		.crowd = o->users,
		.open = o->open,
		.duration_ms = o->duration_ms,
		.recv_timeout_ms = o->recv_timeout_ms,
		.retrans_invite = o->retrans_invite,
		.retrans_other = o->retrans_other,
		.base_cseq = o->base_cseq,
		.retransmit = o->retransmit,
		.auto_answer = o->auto_answer,
		.fault = { .delay_min = o->delay_min,
			.delay_max = o->delay_max,
			.seed = r->o->seed,
			.stream = i },
		.users = w->users,
		.n_users = o->n_inf,
		.loss_in = o->loss_in,
		.tsc_hz = nc.tsc_hz,
		.seed = nc.seed,
		.socket = socket,
		.worker = i };
	int rc = load_scenario(o, &w->scenario, err);

	memcpy(ac.fault.chance, o->fault, sizeof(ac.fault.chance));
	for (uint32_t k = 0; k < o->n_inf && rc == 0; k++) {
		rc = users_load(o->inf[k], &w->users[k], err);
		if (rc == 0 && o->index[k] >= 0)
			rc = users_index(w->users[k], (unsigned int)o->index[k], err);
	}
	if (rc == 0 && w->scenario->uses_fields && o->n_inf == 0)
		rc = nfv_fail(err, EINVAL,
			"role %u: the scenario has fields; give their file with -inf", i + 1);

	if (rc < 0)
		return rc;
	if (w->scenario->caller && o->remote.addr.family == NFV_NO_ADDR)
		return nfv_fail(err, EINVAL,
			"role %u makes calls: give the address that they go to", i + 1);
	rc = check_names(r, w, err);
	if (rc < 0)
		return rc;
	if (!w->scenario->caller && o->users > 0)
		return nfv_fail(
			err, EINVAL, "role %u answers calls: -users is for who makes them", i + 1);
	if (o->remote.addr.family != NFV_NO_ADDR && ac.local.addr.family != o->remote.addr.family)
		return nfv_fail(
			err, EINVAL, "role %u has no address of its peer's family (-i)", i + 1);
	ac.media = (struct nfv_endpoint){ o->media.family != NFV_NO_ADDR ? o->media : ac.local.addr,
		o->media_port };
	memcpy(nc.addr, o->addr, sizeof(nc.addr));
	if (options_has_trials(r->o))
		/* Trials set the rate; until then there is none. */
		ac.pace = (struct pace_conf){
			.shape = o->pace.shape == PACE_POISSON ? PACE_POISSON : PACE_FIXED,
		};
	rc = net_create(&nc, &w->crew.net, err);
	if (rc < 0)
		return rc;
	ac.scenario = w->scenario;
	ac.net = w->crew.net;
	ac.pace.seed = nc.seed;
	ac.pace.workers = 1;
	return agent_create(&ac, &w->agent, err);
}

int
run_create(const struct options *o, struct run **out, struct nfv_err *err)
{
	struct run *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL)
		return nfv_fail(err, ENOMEM, "out of memory");
	r->o = o;
	r->soak.seconds = o->soak_s;
	rc = crew_place(&r->crew, o, &r->worker[0].crew, sizeof(r->worker[0]), err);
	if (rc == 0)
		rc = floor_measure(&r->floor_ns, err);
	for (uint32_t i = 0; i < r->crew.n && rc == 0; i++)
		rc = set_up(r, i, err);
	for (uint32_t i = 0; i < r->crew.n && rc == 0; i++)
		r->callers |= r->worker[i].scenario->caller;
	if (rc == 0 && options_has_trials(o) && !r->callers)
		rc = nfv_fail(err, EINVAL, "--search ser and --overload want a role that calls");
	if (rc < 0) {
		run_destroy(r);
		return rc;
	}
	*out = r;
	return 0;
}

void
run_destroy(struct run *r)
{
	if (r == NULL)
		return;
	for (uint32_t i = 0; i < r->crew.n; i++) {
		agent_destroy(r->worker[i].agent);
		net_destroy(r->worker[i].crew.net);
		scenario_destroy(r->worker[i].scenario);
		for (uint32_t k = 0; k < OPTIONS_FILES; k++)
			users_destroy(r->worker[i].users[k]);
	}
	free(r);
}

static int
work(void *arg)
{
	struct run *r = arg;
	int self = crew_self(&r->crew), rc;
	struct worker *w = &r->worker[self >= 0 ? self : 0];

	if (self < 0)
		return 0;
	/* Who answers must be polling while others look for it. */
	rc = w->scenario->caller ? crew_reach(&w->crew) : 0;
	atomic_store(&w->crew.state, rc < 0 ? rc : CREW_READY);
	if (w->scenario->caller)
		while (!atomic_load_explicit(&r->go, memory_order_acquire))
			rte_pause();
	if (rc == 0)
		agent_begin(w->agent, rte_rdtsc());
	while (rc == 0 && !agent_is_done(w->agent))
		agent_turn(w->agent, rte_rdtsc());
	if (rc == 0)
		atomic_store(&w->crew.state, CREW_DONE);
	return 0;
}

int
run_go(struct run *r, struct nfv_err *err)
{
	const struct worker *w = &r->worker[0];
	static char local[NFV_ADDR_TEXT], remote[NFV_ADDR_TEXT], load[64];
	int rc;

	for (uint32_t i = 1; i < r->crew.n && !w->scenario->caller; i++)
		w = &r->worker[i];
	nfv_addr_text(&w->crew.role->addr[0].addr, local);
	if (w->crew.role->remote.addr.family != NFV_NO_ADDR)
		nfv_endpoint_text(&w->crew.role->remote, remote);
	if (w->crew.role->users > 0)
		snprintf(load, sizeof(load), "closed loop, %u users", w->crew.role->users);
	else
		snprintf(load, sizeof(load), "%.12g calls/s", w->crew.role->pace.rate);
	r->report = (struct report_run){ .version = "0.1.0",
		.scenario = w->scenario,
		.roles = w->scenario->caller ? "caller" : "callee",
		.local = local,
		.remote = remote,
		.load = load,
		.users = w->crew.role->users,
		.target_rate = w->scenario->caller && w->crew.role->users == 0 ?
			w->crew.role->pace.rate :
			0,
		.workers = r->crew.n,
		.loopback_floor = r->floor_ns,
		.warning = r->names.said,
		.n_warnings = r->names.n };
	report_live_init(&r->live, stdout);
	rc = crew_go(work, run_control, r, err);
	if (rc < 0)
		return rc;
	if (r->rc < 0 && err != NULL)
		*err = r->err;
	return r->rc;
}

int
run_status(const struct run *r)
{
	if (r->now.successful + r->now.failed == 0)
		return 99;
	if (options_has_trials(r->o))
		return r->verdict;
	if (r->verdict != 0)
		return 1;
	return r->now.failed > 0 ? 1 : 0;
}
