#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

enum key {
	SN,
	SF,
	DEVICE,
	ADDRESS,
	GATEWAY,
	PORT,
	MTU,
	SERVICE,
	RATE,
	PERIOD,
	RATE_INCREASE,
	RATE_INTERVAL,
	RATE_MAX,
	POISSON,
	BURST,
	RAMP,
	CALLS,
	OPEN,
	DURATION,
	RECV_TIMEOUT,
	NO_RETRANS,
	MAX_RETRANS,
	MAX_INVITE,
	MAX_OTHER,
	BASE_CSEQ,
	USER,
	PASSWORD,
	KEY,
	INF,
	AUTO_ANSWER,
	MEDIA_IP,
	MEDIA_PORT,
	LOSS_OUT,
	LOSS_IN,
	DELAY,
	DUPLICATE,
	REORDER,
	INFINDEX,
	BUFFERS,
	LCORE,
	PLAIN,
	FLOWS,
	DST_MAC,
	AND,
	SEARCH,
	LOSS_TOLERANCE,
	RESOLUTION,
	TRIAL_TIME,
	CHECK,
	PRINT,
	JSON,
	HTML,
	TRACE_STAT,
	STAT_FILE,
	INTERVAL,
	TIMEOUT,
	TIMEOUT_ERROR,
	SEED,
	NOSTDIN,
	TRANSPORT,
	TORTURE,
	WAIT,
	NO_PROBE,
	OVERLOAD,
	SOAK,
	DRIFT,
	VERSION,
	HELP,
	KEYS
};

#define FIRST 256 /* getopt's number of the first: past all letters */

static const struct {
	const char *name, *argument, *help;
} row[KEYS] = {
	[SN] = { "sn", "NAME",
		"a built-in scenario: uac, uas, regexp, branchc, branchs, register, registrar" },
	[SF] = { "sf", "FILE", "a scenario as SIPp's XML" },
	[DEVICE] = { "device", "DEV",
		"port: a PCI address, net_af_packet0,iface=…, net_memif0,…, pair:NAME:a" },
	[ADDRESS] = { "i", "ADDR[/LEN]", "own address; may be given once for each family" },
	[GATEWAY] = { "gateway", "ADDR", "next hop for what is not on the own network" },
	[PORT] = { "p", "PORT", "own port (default 5060)" },
	[MTU] = { "mtu", "BYTES", "of IP packets (default 1500)" },
	[SERVICE] = { "s", "NAME", "user part of the called URI (default service)" },
	[RATE] = { "r", "RATE", "calls a period (default 10)" },
	[PERIOD] = { "rp", "MS", "the period (default 1000)" },
	[RATE_INCREASE] = { "rate_increase", "N", "add so many calls/s each interval" },
	[RATE_INTERVAL] = { "rate_interval", "S", "that interval (default 60)" },
	[RATE_MAX] = { "rate_max", "N", "up to this rate" },
	[POISSON] = { "poisson", NULL, "calls come at random, -r of them a second in the mean" },
	[BURST] = { "burst", "N:S", "N calls at once every S seconds" },
	[RAMP] = { "ramp", "RATE:S", "from -r steadily to RATE within S seconds" },
	[CALLS] = { "m", "N", "stop after so many calls" },
	[OPEN] = { "l", "N",
		"calls at once, at most (default three seconds' worth; answering 100000)" },
	[DURATION] = { "d", "MS", "of a call: a pause without a duration (default 0)" },
	[RECV_TIMEOUT] = { "recv_timeout", "MS", "a call fails that waits longer for a message" },
	[NO_RETRANS] = { "nr", NULL, "send nothing again" },
	[MAX_RETRANS] = { "max_retrans", "N", "send a message again at most so often" },
	[MAX_INVITE] = { "max_invite_retrans", "N", "the same of INVITE (default 5)" },
	[MAX_OTHER] = { "max_non_invite_retrans", "N", "the same of others (default 10)" },
	[BASE_CSEQ] = { "base_cseq", "N", "where [cseq] begins (default 1)" },
	[USER] = { "au", "NAME", "user name for authentication (default: -s)" },
	[PASSWORD] = { "ap", "PASSWORD", "password for authentication (default password)" },
	[KEY] = { "key", "NAME VALUE", "what [NAME] stands for in messages" },
	[INF] = { "inf", "FILE", "values for [fieldN]" },
	[AUTO_ANSWER] = { "aa", NULL, "answer INFO, UPDATE, NOTIFY and OPTIONS with 200" },
	[MEDIA_IP] = { "mi", "ADDR", "for [media_ip] (default: the own address)" },
	[MEDIA_PORT] = { "mp", "PORT", "for [media_port] (default 6000)" },
	[LOSS_OUT] = { "loss-out", "PERCENT", "lose so many of the messages sent, on purpose" },
	[DELAY] = { "delay", "PERCENT:MS", "hold so many back, up to so long" },
	[DUPLICATE] = { "dup", "PERCENT", "send so many twice" },
	[REORDER] = { "reorder", "PERCENT", "send so many behind the next one" },
	[INFINDEX] = { "infindex", "FILE FIELD",
		"make lines of a file findable by a field, for <lookup>" },
	[LOSS_IN] = { "loss-in", "PERCENT", "and of those received" },
	[BUFFERS] = { "buffers", "N", "packet buffers (default 8191)" },
	[LCORE] = { "lcore", "N", "the lcore that runs this role (default the next free one)" },
	[PLAIN] = { "plain", "SIZE",
		"no SIP: UDP packets in frames of SIZE bytes (header and check sum included),\n"
		"                             -r a second (0: as fast as can be), -m of them; `imix`: 64, 594\n"
		"                             and 1518 bytes as 7:4:1; FILE.pcap: the frames of a capture;\n"
		"                             `sink`: count those that come" },
	[FLOWS] = { "flows", "N",
		"source ports from -p on, then addresses from -i on (default 1)" },
	[DST_MAC] = { "dst-mac", "MAC", "where plain packets go, without asking for a neighbour" },
	[AND] = { "and", NULL, "what follows is another role" },
	[SEARCH] = { "search", "ser|ndr|pdr",
		"the highest rate of calls at which none fails (RFC 7502), begun at -r; or of\n"
		"                             plain packets up to -r without loss, or with little" },
	[LOSS_TOLERANCE] = { "loss-tolerance", "PERCENT", "how little, for pdr (default 0.5)" },
	[RESOLUTION] = { "resolution", "PERCENT",
		"the search is as fine (default 2 of calls; of packets 1, of -r)" },
	[TRIAL_TIME] = { "trial-time", "S",
		"of each trial (default 10 with calls; 1 with packets, RFC 2544 asks for 60)" },
	[CHECK] = { "check", "FILE", "say what of a scenario is not supported, with its line" },
	[PRINT] = { "sd", "NAME", "print a built-in scenario" },
	[JSON] = { "json", NULL, "a summary as one JSON object on standard output" },
	[HTML] = { "html", "FILE", "a report as a page, with plots" },
	[TRACE_STAT] = { "trace_stat", NULL, "statistics of each interval as CSV" },
	[STAT_FILE] = { "stf", "FILE", "their file (default NAME_PID_.csv)" },
	[INTERVAL] = { "fd", "S", "the interval (default 1; SIPp's is 60)" },
	[TIMEOUT] = { "timeout", "S", "stop after so many seconds" },
	[TIMEOUT_ERROR] = { "timeout_error", NULL, "and fail if the calls asked for are not made" },
	[SEED] = { "seed", "N", "of everything random (default: by the clock)" },
	[NOSTDIN] = { "nostdin", NULL, "nothing; there are no keys here" },
	[TRANSPORT] = { "t", "u1", "the transport: UDP by one port" },
	[TORTURE] = { "torture", "DIR",
		"send each DIR/*.dat as a datagram; does the peer survive?" },
	[WAIT] = { "wait", "MS", "for the answer to each (default 500)" },
	[NO_PROBE] = { "no-probe", NULL, "ask only at the end whether it is alive" },
	[OVERLOAD] = { "overload", NULL, "goodput at 0.5 to 3 times -r, or what --search finds" },
	[SOAK] = { "soak", "S", "run so long; fail if delays or memory grow" },
	[DRIFT] = { "drift", "FACTOR", "by more than this, last tenth to first (default 1.5)" },
	[VERSION] = { "v", NULL, "the version" },
	[HELP] = { "help", NULL, "this text" },
};

void
options_help(FILE *to)
{
	fputs("usage: sipp-gen [EAL options] -- [options] [REMOTE[:PORT]] [--and options …]\n\n"
	      "Makes and answers SIP calls by SIPp's scenarios, from polling lcores over DPDK ports.\n\n",
		to);
	for (int i = 0; i < KEYS; i++) {
		char left[48];

		snprintf(left, sizeof(left), "-%s%s %s", strlen(row[i].name) > 2 ? "-" : "",
			row[i].name, row[i].argument != NULL ? row[i].argument : "");
		fprintf(to, "  %-27s%s\n", left, row[i].help);
	}
	fputs("\nOptions of a single word may be written with one dash, as SIPp's are.\n"
	      "Exit status: 0 all calls were good, 1 a call failed, 97 an error of this program,\n"
	      "99 no call was made, 255 wrong usage.\n"
	      "\nexamples:\n"
	      "  sipp-gen -l 0 --no-huge --no-pci -m 512 -- -sn uac -r 100 -m 1000\n"
	      "      --device net_af_packet0,iface=veth0 -i 10.0.0.1/24 10.0.0.2:5060\n"
	      "  sipp-gen -l 0-1 --no-huge --no-pci -m 1024 -- -sn uac -r 100000 -m 1000000\n"
	      "      --device pair:x:a -i 10.0.0.1/24 10.0.0.2 --and -sn uas --device pair:x:b\n"
	      "      -i 10.0.0.2/24\n"
	      "  sipp-gen -l 0-1 --no-huge --no-pci -m 1024 -- --plain imix -r 1000000 -timeout 10\n"
	      "      --device pair:x:a -i 10.0.0.1/24 10.0.0.2 --and --plain sink --device pair:x:b\n"
	      "      -i 10.0.0.2/24\n"
	      "  sipp-gen --check scenario.xml\n",
		to);
}

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
		return bad(row[k].name, text, want, err);
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
		return bad(row[k].name, text, "give two numbers with a colon between them", err);
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
		bad(row[k].name, text, "give an address", err);
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

/* What takes a number within limits. */
static const struct limit {
	double min, max;
} limit[KEYS] = {
	[PORT] = { 1, 65535 },
	[MTU] = { 576, 9000 },
	[RATE] = { 0, 3.2e8 },
	[PERIOD] = { 1, 1e7 },
	[RATE_INCREASE] = { -1e7, 1e7 },
	[RATE_INTERVAL] = { 0.1, 1e6 },
	[RATE_MAX] = { 0, 1e7 },
	[CALLS] = { 1, 1e15 },
	[OPEN] = { 1, 16e6 },
	[DURATION] = { 0, 1e9 },
	[RECV_TIMEOUT] = { 1, 1e9 },
	[MAX_RETRANS] = { 0, 255 },
	[MAX_INVITE] = { 0, 255 },
	[MAX_OTHER] = { 0, 255 },
	[BASE_CSEQ] = { 0, 2147483647 },
	[MEDIA_PORT] = { 1, 65535 },
	[LOSS_OUT] = { 0, 100 },
	[LOSS_IN] = { 0, 100 },
	[DUPLICATE] = { 0, 100 },
	[REORDER] = { 0, 100 },
	[BUFFERS] = { 512, 16e6 },
	[LCORE] = { 0, 1023 },
	[FLOWS] = { 1, 65536 },
	[LOSS_TOLERANCE] = { 0, 100 },
	[RESOLUTION] = { 0.001, 50 },
	[TRIAL_TIME] = { 0.01, 1e6 },
	[INTERVAL] = { 0.1, 1e6 },
	[TIMEOUT] = { 0.1, 1e9 },
	[WAIT] = { 1, 1e6 },
	[SOAK] = { 1, 1e9 },
	[DRIFT] = { 1, 1e6 },
	[SEED] = { 0, 9007199254740992.0 },
};

static void
set_number(struct options *o, struct options_role *r, enum key k, double v)
{
	switch (k) {
	case PORT:
		r->port = (uint16_t)v;
		break;
	case MTU:
		r->mtu = (uint16_t)v;
		break;
	case RATE:
		r->pace.rate = v;
		o->rate_given = true;
		break;
	case PERIOD:
		r->period_ms = v;
		break;
	case RATE_INCREASE:
		r->pace.shape = PACE_STEPS;
		r->pace.step = v;
		break;
	case RATE_INTERVAL:
		r->pace.seconds = v;
		break;
	case RATE_MAX:
		r->pace.rate_to = v;
		break;
	case CALLS:
		r->calls = (uint64_t)v;
		break;
	case OPEN:
		r->open = (uint32_t)v;
		break;
	case DURATION:
		r->duration_ms = (uint32_t)v;
		break;
	case RECV_TIMEOUT:
		r->recv_timeout_ms = (uint32_t)v;
		break;
	case MAX_RETRANS:
		r->retrans_invite = r->retrans_other = (uint32_t)v;
		break;
	case MAX_INVITE:
		r->retrans_invite = (uint32_t)v;
		break;
	case MAX_OTHER:
		r->retrans_other = (uint32_t)v;
		break;
	case BASE_CSEQ:
		r->base_cseq = (uint32_t)v;
		break;
	case MEDIA_PORT:
		r->media_port = (uint16_t)v;
		break;
	case LOSS_OUT:
		r->fault[FAULT_LOSS] = v / 100;
		break;
	case DUPLICATE:
		r->fault[FAULT_DUPLICATE] = v / 100;
		break;
	case REORDER:
		r->fault[FAULT_SWAP] = v / 100;
		break;
	case LOSS_IN:
		r->loss_in = v / 100;
		break;
	case BUFFERS:
		r->buffers = (uint32_t)v;
		break;
	case LCORE:
		r->lcore = (int)v;
		break;
	case FLOWS:
		r->flows = (uint32_t)v;
		break;
	case LOSS_TOLERANCE:
		o->loss_tolerance = v;
		break;
	case RESOLUTION:
		o->resolution = v;
		break;
	case TRIAL_TIME:
		o->trial_s = v;
		break;
	case INTERVAL:
		o->interval_s = v;
		break;
	case TIMEOUT:
		o->timeout_s = v;
		break;
	case WAIT:
		o->wait_ms = (uint32_t)v;
		break;
	case SOAK:
		o->soak_s = v;
		break;
	case DRIFT:
		o->drift = v;
		break;
	default: /* SEED */
		o->seed = (uint64_t)v;
	}
}

static int
set(struct options *o, struct options_role *r, enum key k, const char *value, struct nfv_err *err)
{
	double v = 0, w = 0;

	if (limit[k].max > 0) {
		if (number(k, value, limit[k].min, limit[k].max, &v, err) < 0)
			return -EINVAL;
		set_number(o, r, k, v);
		return 0;
	}
	switch (k) {
	case SN:
		r->builtin = value;
		return 0;
	case SF:
		r->file = value;
		return 0;
	case PLAIN:
		r->plain = value;
		return 0;
	case DST_MAC:
		return set_mac(r, value, err);
	case SEARCH:
		o->search = value;
		return strcmp(value, "ser") == 0 || strcmp(value, "ndr") == 0 ||
				strcmp(value, "pdr") == 0 ?
			0 :
			bad("-search", value, "give ser, ndr or pdr", err);
	case DEVICE:
		r->device = value;
		return 0;
	case ADDRESS:
		return set_address(r, value, err);
	case GATEWAY:
		return set_addr(k, value, &r->gateway, err);
	case MEDIA_IP:
		return set_addr(k, value, &r->media, err);
	case SERVICE:
		r->service = value;
		return 0;
	case POISSON:
		r->pace.shape = PACE_POISSON;
		return 0;
	case BURST:
		if (two_numbers(k, value, &v, &w, err) < 0)
			return -EINVAL;
		r->pace.shape = PACE_BURST;
		r->pace.burst = (uint64_t)v;
		r->pace.seconds = w;
		return 0;
	case RAMP:
		r->pace.shape = PACE_RAMP;
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
	case NO_RETRANS:
		r->retransmit = false;
		return 0;
	case USER:
		r->user = value;
		return 0;
	case PASSWORD:
		r->password = value;
		return 0;
	case INF:
		if (r->n_inf == OPTIONS_FILES)
			return bad("inf", value, "too many files", err);
		r->index[r->n_inf] = -1;
		r->inf[r->n_inf++] = value;
		return 0;
	case AUTO_ANSWER:
		r->auto_answer = true;
		return 0;
	case CHECK:
		o->check = value;
		return 0;
	case PRINT:
		o->print = value;
		return 0;
	case JSON:
		o->json = true;
		return 0;
	case HTML:
		o->html = value;
		return 0;
	case TRACE_STAT:
		o->trace_stat = true;
		return 0;
	case STAT_FILE:
		o->stat_file = value;
		return 0;
	case TIMEOUT_ERROR:
		o->timeout_error = true;
		return 0;
	case TRANSPORT:
		return strcmp(value, "u1") == 0 ?
			0 :
			bad("t", value, "only u1 is supported: UDP by one port", err);
	case TORTURE:
		o->torture = value;
		return 0;
	case NO_PROBE:
		o->probe = false;
		return 0;
	case OVERLOAD:
		o->overload = true;
		return 0;
	case VERSION:
		o->version = true;
		return 0;
	case NOSTDIN:
		return 0;
	default:
		o->help = true;
		return 0;
	}
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

static int
finish_role(struct options_role *r, uint32_t i, struct nfv_err *err)
{
	double per_second = r->pace.rate * 1000 / r->period_ms;
	double most = r->pace.rate_to > per_second ? r->pace.rate_to : per_second;

	if ((r->builtin != NULL) + (r->file != NULL) + (r->plain != NULL) != 1)
		return nfv_fail(err, EINVAL,
			"role %u: give one scenario: -sn NAME or -sf FILE; or plain packets: --plain",
			i + 1);
	if (r->device == NULL || r->n_addr == 0)
		return nfv_fail(err, EINVAL,
			"role %u: give its port (--device) and its address (-i)", i + 1);
	r->pace.rate = per_second;
	if (r->user == NULL)
		r->user = r->service;
	if (r->open == 0) {
		double calls = most * (3 + r->duration_ms / 1000.0);

		/* Who answers does not know what is to come. */
		r->open = r->remote.addr.family == NFV_NO_ADDR ? 100000 :
			calls < 1000                           ? 1000 :
			calls > 1e6                            ? 1000000 :
								 (uint32_t)calls;
	}
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
	for (uint32_t i = 1; i < o->roles; i++)
		if ((o->role[i].plain != NULL) != (first->plain != NULL))
			return nfv_fail(err, EINVAL,
				"calls and plain packets are not made in one process; start two");
	for (uint32_t i = 0; i < o->roles && (trials || o->soak_s > 0); i++) {
		if (o->role[i].plain != NULL)
			return nfv_fail(err, EINVAL,
				"--search ser, --overload and --soak are for calls, not for --plain");
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
		longs[i] = (struct option){ row[i].name, row[i].argument != NULL, NULL, FIRST + i };
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
	*out = o;
	return 0;
}
