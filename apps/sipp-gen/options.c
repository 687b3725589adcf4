#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "options_table.h"

#define FIRST 256 /* getopt's number of the first: past all letters */

static int
bad(const char *option, const char *value, const char *want, struct nfv_err *err)
{
	return nfv_fail(err, EINVAL, "-%s %s: %s", option, value, want);
}

static int
number(enum key k, const char *text, double min, double max, double *out, struct nfv_err *err)
{
	char *end, want[64];
	double v = strtod(text, &end);

	if (*text == '\0' || *end != '\0' || !(v >= min) || !(v <= max) || !isfinite(v)) {
		snprintf(want, sizeof(want), "give a number from %.12g to %.12g", min, max);
		return bad(option_row[k].name, text, want, err);
	}
	*out = v;
	return 0;
}

/* "A:B" into two numbers. */
static int
two_numbers(enum key k, const char *text, double *a, double *b, struct nfv_err *err)
{
	char first[32];
	const char *colon = strchr(text, ':');

	if (colon == NULL || (size_t)(colon - text) >= sizeof(first))
		return bad(option_row[k].name, text, "give two numbers with a colon between them",
			err);
	memcpy(first, text, (size_t)(colon - text));
	first[colon - text] = '\0';
	if (number(k, first, 0, 1e9, a, err) < 0)
		return -EINVAL;
	return number(k, colon + 1, 0.001, 1e6, b, err);
}

static int
set_address(struct options_role *r, const char *text, struct nfv_err *err)
{
	struct nfv_prefix p;

	if (r->n_addr == NET_ADDRS || nfv_prefix_parse(nfv_sv_str(text), &p) < 0)
		return bad("i", text, "give an address such as 10.0.0.1/24", err);
	if (strchr(text, '/') == NULL)
		p.len = p.addr.family == NFV_IPV4 ? 24 : 64;
	r->addr[r->n_addr++] = p;
	return 0;
}

static int
set_remote(struct options_role *r, const char *text, struct nfv_err *err)
{
	struct nfv_sv s = nfv_sv_str(text);

	if (r->remote.addr.family != NFV_NO_ADDR)
		return nfv_fail(err, EINVAL, "%s is one word too many", text);
	if (nfv_endpoint_parse(s, &r->remote) == 0)
		return 0;
	r->remote.port = 5060;
	if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
		s = nfv_sv(s.p + 1, s.n - 2);
	if (nfv_addr_parse(s, &r->remote.addr) == 0)
		return 0;
	return nfv_fail(err, EINVAL,
		"%s is no address; give it as 10.0.0.2:5060 (names are not looked up)", text);
}

static int
set_addr(enum key k, const char *text, struct nfv_addr *out, struct nfv_err *err)
{
	return nfv_addr_parse(nfv_sv_str(text), out) == 0 ?
		0 :
		bad(option_row[k].name, text, "give an address", err);
}

static int
set_mac(struct options_role *r, const char *text, struct nfv_err *err)
{
	unsigned int b[6];
	int n = 0;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
		    &n) != 6 ||
		text[n] != '\0')
		return bad("-dst-mac", text, "give a MAC address such as 02:00:00:00:00:01", err);
	for (int i = 0; i < 6; i++)
		r->mac[i] = (uint8_t)b[i];
	r->mac_given = true;
	return 0;
}

static void
store_number(void *to, enum option_type type, double v)
{
	switch (type) {
	case OPTION_U16:
		*(uint16_t *)to = (uint16_t)v;
		break;
	case OPTION_U32:
		*(uint32_t *)to = (uint32_t)v;
		break;
	case OPTION_U64:
		*(uint64_t *)to = (uint64_t)v;
		break;
	case OPTION_INT:
		*(int *)to = (int)v;
		break;
	case OPTION_PERCENT:
		*(double *)to = v / 100;
		break;
	default:
		*(double *)to = v;
	}
}

/* What an option says beyond the value that it gives. */
static int
imply(struct options *o, struct options_role *r, enum key k, const char *value, struct nfv_err *err)
{
	switch (k) {
	case RATE:
		o->rate_given = r->paced = true;
		return 0;
	case RATE_INCREASE:
		r->pace.shape = PACE_STEPS;
		r->paced = true;
		return 0;
	case MAX_RETRANS:
		r->retrans_other = r->retrans_invite;
		return 0;
	case SEARCH:
		return strcmp(value, "ser") == 0 || strcmp(value, "ndr") == 0 ||
				strcmp(value, "pdr") == 0 ?
			0 :
			bad("-search", value, "give ser, ndr or pdr", err);
	default:
		return 0;
	}
}

/* Those that the table leaves to us. */
static int
set_special(struct options *o, struct options_role *r, enum key k, const char *value,
	struct nfv_err *err)
{
	double v = 0, w = 0;

	(void)o;
	switch (k) {
	case DST_MAC:
		return set_mac(r, value, err);
	case ADDRESS:
		return set_address(r, value, err);
	case GATEWAY:
		return set_addr(k, value, &r->gateway, err);
	case MEDIA_IP:
		return set_addr(k, value, &r->media, err);
	case POISSON:
		r->pace.shape = PACE_POISSON;
		r->paced = true;
		return 0;
	case BURST:
		if (two_numbers(k, value, &v, &w, err) < 0)
			return -EINVAL;
		r->pace.shape = PACE_BURST;
		r->paced = true;
		r->pace.burst = (uint32_t)v;
		r->pace.seconds = w;
		return 0;
	case RAMP:
		r->pace.shape = PACE_RAMP;
		r->paced = true;
		return two_numbers(k, value, &r->pace.rate_to, &r->pace.seconds, err);
	case DELAY:
		if (two_numbers(k, value, &v, &w, err) < 0)
			return -EINVAL;
		if (v > 100 || w > 60000)
			return bad("delay", value, "give at most 100 percent and 60000 ms", err);
		r->fault[FAULT_DELAY] = v / 100;
		r->delay_min = 1;
		r->delay_max = (uint32_t)w;
		return 0;
	case INF:
		if (r->n_inf == OPTIONS_FILES)
			return bad("inf", value, "too many files", err);
		r->index[r->n_inf] = -1;
		r->inf[r->n_inf++] = value;
		return 0;
	case TRANSPORT:
		return strcmp(value, "u1") == 0 ?
			0 :
			bad("t", value, "only u1 is supported: UDP by one port", err);
	default: /* NOSTDIN */
		return 0;
	}
}

static int
set(struct options *o, struct options_role *r, enum key k, const char *value, struct nfv_err *err)
{
	const struct option_row *row = &option_row[k];
	char *to = (row->of_role ? (char *)r : (char *)o) + row->at;
	double v = 0;

	if (row->type >= OPTION_NUMBERS) {
		if (number(k, value, row->min, row->max, &v, err) < 0)
			return -EINVAL;
		store_number(to, row->type, v);
	} else if (row->type == OPTION_TEXT) {
		*(const char **)(void *)to = value;
	} else if (row->type == OPTION_SPECIAL) {
		return set_special(o, r, k, value, err);
	} else {
		*(bool *)to = row->type == OPTION_TRUE;
	}
	return imply(o, r, k, value, err);
}

static void
role_defaults(struct options_role *r)
{
	*r = (struct options_role){ .port = 5060,
		.media_port = 6000,
		.mtu = 1500,
		.service = "service",
		.password = "password",
		.pace = { .shape = PACE_FIXED, .rate = 10, .seconds = 60 },
		.period_ms = 1000,
		.base_cseq = 1,
		.retrans_invite = 5,
		.retrans_other = 10,
		.buffers = 8191,
		.retransmit = true,
		.flows = 1,
		.lcore = -1 };
}

/* What follows from what was given, where nothing else was. */
static void
derive(struct options_role *r)
{
	r->pace.rate = r->pace.rate * 1000 / r->period_ms;
	if (r->user == NULL)
		r->user = r->service;
	/* Those that are over but wait for strays want room, too. */
	if (r->open == 0 && r->users > 0)
		r->open = r->users < 500 ? 1000 : r->users < 8000000 ? 2 * r->users : r->users;
	if (r->open == 0) {
		double calls = fmax(r->pace.rate_to, r->pace.rate) * (3 + r->duration_ms / 1000.0);

		/* Who answers does not know what is to come. */
		r->open = r->remote.addr.family == NFV_NO_ADDR ? 100000 :
			calls < 1000                           ? 1000 :
			calls > 1e6                            ? 1000000 :
								 (uint32_t)calls;
	}
}

static int
finish_role(struct options_role *r, uint32_t i, struct nfv_err *err)
{
	if ((r->builtin != NULL) + (r->file != NULL) + (r->plain != NULL) != 1)
		return nfv_fail(err, EINVAL,
			"role %u: give one scenario: -sn NAME or -sf FILE; or plain packets: --plain",
			i + 1);
	if (r->device == NULL || r->n_addr == 0)
		return nfv_fail(err, EINVAL,
			"role %u: give its port (--device) and its address (-i)", i + 1);
	if (r->users > 0 && (r->paced || r->plain != NULL))
		return nfv_fail(err, EINVAL,
			"role %u: -users keeps calls up by itself; leave out %s", i + 1,
			r->plain != NULL ? "--plain" : "-r and what else shapes a rate");
	if (r->users > 0 && r->open != 0 && r->open < r->users)
		return nfv_fail(err, EINVAL,
			"role %u: -l %u leaves no room for %u users' calls; give no -l, or a higher one",
			i + 1, r->open, r->users);
	return 0;
}

static int
set_index(struct options_role *r, const char *file, const char *field, struct nfv_err *err)
{
	double v = 0;

	if (number(INFINDEX, field, 0, 999, &v, err) < 0)
		return -EINVAL;
	for (uint32_t i = 0; i < r->n_inf; i++) {
		if (strcmp(r->inf[i], file) == 0) {
			r->index[i] = (int)v;
			return 0;
		}
	}
	return bad("infindex", file, "give the file before, by -inf", err);
}

bool
options_has_trials(const struct options *o)
{
	return o->overload || (o->search != NULL && strcmp(o->search, "ser") == 0);
}

/* What is measured in trials, or without calls, is not to be mixed with other ways to run. */
static int
finish_modes(struct options *o, struct nfv_err *err)
{
	struct options_role *first = &o->role[0];
	bool trials = options_has_trials(o);

	if (o->resolution == 0)
		o->resolution = trials ? 2 : 1;
	if (o->trial_s == 0)
		o->trial_s = trials ? 10 : 1;

	if ((o->torture != NULL) + trials + (o->soak_s > 0) > 1)
		return nfv_fail(err, EINVAL,
			"--torture, --soak and --search ser or --overload: one of them at a time");
	if (o->torture != NULL) {
		if (o->roles > 1 || first->remote.addr.family == NFV_NO_ADDR)
			return nfv_fail(err, EINVAL,
				"--torture has one role, with the address of who is tortured");
		if (first->builtin == NULL && first->file == NULL && first->plain == NULL)
			first->builtin = "uac"; /* not played */
	}
	if ((o->html != NULL || o->stat_file != NULL || o->trace_stat) &&
		(o->torture != NULL || (first->plain != NULL && o->search == NULL)))
		return nfv_fail(err, EINVAL,
			"--html, -trace_stat and -stf tell of calls and of searches, not of %s",
			o->torture != NULL ? "--torture" : "a load of plain packets");
	for (uint32_t i = 1; i < o->roles; i++)
		if ((o->role[i].plain != NULL) != (first->plain != NULL))
			return nfv_fail(err, EINVAL,
				"calls and plain packets are not made in one process; start two");
	for (uint32_t i = 0; i < o->roles && (trials || o->soak_s > 0); i++) {
		if (o->role[i].plain != NULL)
			return nfv_fail(err, EINVAL,
				"--search ser, --overload and --soak are for calls, not for --plain");
		if (trials && o->role[i].users > 0)
			return nfv_fail(err, EINVAL,
				"-users has no rate that --search or --overload could set");
		if (o->role[i].calls != 0)
			return nfv_fail(err, EINVAL, "-m: here time ends the run, not calls");
		/* Nobody knows yet how far up it goes. */
		if (trials && o->role[i].open == 0)
			o->role[i].open = 100000;
	}
	if (o->soak_s > 0) {
		o->timeout_s = o->soak_s;
		o->interval_s = fmin(o->interval_s, o->soak_s / 10);
	}
	return 0;
}

int
options_parse(int argc, char **argv, struct options *out, struct nfv_err *err)
{
	struct option longs[KEYS + 1] = { { NULL, 0, NULL, 0 } };
	struct options o = { .roles = 1,
		.interval_s = 1,
		.loss_tolerance = 0.5,
		.wait_ms = 500,
		.probe = true,
		.drift = 1.5 };
	struct options_role *r = &o.role[0];
	int c, rc;

	role_defaults(r);
	for (int i = 0; i < KEYS; i++)
		longs[i] = (struct option){ option_row[i].name, option_row[i].argument != NULL,
			NULL, FIRST + i };
	opterr = 0;
	optind = 0;
	/* In order: what is no option is the remote address of the role it stands in. */
	while ((c = getopt_long_only(argc, argv, "-:h", longs, NULL)) != -1) {
		if (c == ':')
			return nfv_fail(err, EINVAL, "%s wants a value", argv[optind - 1]);
		if (c == '?')
			return nfv_fail(
				err, EINVAL, "%s is no option; see --help", argv[optind - 1]);
		if (c == 1) {
			rc = set_remote(r, optarg, err);
		} else if (c == FIRST + AND) {
			if (o.roles == OPTIONS_ROLES)
				return nfv_fail(err, EINVAL, "at most %d roles", OPTIONS_ROLES);
			r = &o.role[o.roles++];
			role_defaults(r);
			rc = 0;
		} else if (c == FIRST + KEY) {
			if (optind >= argc || r->n_keys == OPTIONS_KEYS)
				return nfv_fail(err, EINVAL,
					"-key wants a name and a value, %d times at most",
					OPTIONS_KEYS);
			r->key[r->n_keys++] = (struct scenario_key){ optarg, argv[optind++] };
			rc = 0;
		} else if (c == FIRST + INFINDEX) {
			rc = optind < argc ?
				set_index(r, optarg, argv[optind++], err) :
				nfv_fail(err, EINVAL, "-infindex wants a file and a field");
		} else {
			rc = set(&o, r, c == 'h' ? HELP : (enum key)(c - FIRST), optarg, err);
		}
		if (rc < 0)
			return rc;
	}
	if (finish_modes(&o, err) < 0)
		return -EINVAL;
	if (!o.help && !o.version && o.check == NULL && o.print == NULL)
		for (uint32_t i = 0; i < o.roles; i++)
			if ((rc = finish_role(&o.role[i], i, err)) < 0)
				return rc;
	for (uint32_t i = 0; i < o.roles; i++)
		derive(&o.role[i]);
	*out = o;
	return 0;
}
