/* What options are called, and where their values go. */
#include <stddef.h>
#include <string.h>

#include "options_table.h"

#define ROLE(t, field)                                                                             \
	.type = OPTION_##t, .of_role = true, .at = offsetof(struct options_role, field)
#define RUN(t, field)   .type = OPTION_##t, .at = offsetof(struct options, field)
#define SPECIAL         .type = OPTION_SPECIAL
#define FROM(low, high) .min = (low), .max = (high)

const struct option_row option_row[KEYS] = {
	[SN] = { "sn", "NAME",
		"a built-in scenario: uac, uas, regexp, branchc, branchs, register, registrar",
		ROLE(TEXT, builtin) },
	[SF] = { "sf", "FILE", "a scenario as SIPp's XML", ROLE(TEXT, file) },
	[DEVICE] = { "device", "DEV",
		"port: a PCI address, net_af_packet0,iface=…, net_memif0,…, pair:NAME:a",
		ROLE(TEXT, device) },
	[ADDRESS] = { "i", "ADDR[/LEN]", "own address; may be given once for each family",
		SPECIAL },
	[GATEWAY] = { "gateway", "ADDR", "next hop for what is not on the own network", SPECIAL },
	[PORT] = { "p", "PORT", "own port (default 5060)", ROLE(U16, port), FROM(1, 65535) },
	[MTU] = { "mtu", "BYTES", "of IP packets (default 1500)", ROLE(U16, mtu), FROM(576, 9000) },
	[SERVICE] = { "s", "NAME", "user part of the called URI (default service)",
		ROLE(TEXT, service) },
	[RATE] = { "r", "RATE", "calls a period (default 10)", ROLE(DOUBLE, pace.rate),
		FROM(0, 3.2e8) },
	[PERIOD] = { "rp", "MS", "the period (default 1000)", ROLE(DOUBLE, period_ms),
		FROM(1, 1e7) },
	[RATE_INCREASE] = { "rate_increase", "N", "add so many calls/s each interval",
		ROLE(DOUBLE, pace.step), FROM(-1e7, 1e7) },
	[RATE_INTERVAL] = { "rate_interval", "S", "that interval (default 60)",
		ROLE(DOUBLE, pace.seconds), FROM(0.1, 1e6) },
	[RATE_MAX] = { "rate_max", "N", "up to this rate", ROLE(DOUBLE, pace.rate_to),
		FROM(0, 1e7) },
	[USERS] = { "users", "N",
		"N calls all the time, not by a rate: a new one begins as one ends",
		ROLE(U32, users), FROM(1, 16e6) },
	[POISSON] = { "poisson", NULL, "calls come at random, -r of them a second in the mean",
		SPECIAL },
	[BURST] = { "burst", "N:S", "N calls at once every S seconds", SPECIAL },
	[RAMP] = { "ramp", "RATE:S", "from -r steadily to RATE within S seconds", SPECIAL },
	[CALLS] = { "m", "N", "stop after so many calls", ROLE(U64, calls), FROM(1, 1e15) },
	[OPEN] = { "l", "N",
		"calls at once, at most (default three seconds' worth, or twice the -users;\n"
		"                             answering 100000)",
		ROLE(U32, open), FROM(1, 16e6) },
	[DURATION] = { "d", "MS", "of a call: a pause without a duration (default 0)",
		ROLE(U32, duration_ms), FROM(0, 1e9) },
	[RECV_TIMEOUT] = { "recv_timeout", "MS", "a call fails that waits longer for a message",
		ROLE(U32, recv_timeout_ms), FROM(1, 1e9) },
	[NO_RETRANS] = { "nr", NULL, "send nothing again", ROLE(FALSE, retransmit) },
	[MAX_RETRANS] = { "max_retrans", "N", "send a message again at most so often",
		ROLE(U32, retrans_invite), FROM(0, 255) },
	[MAX_INVITE] = { "max_invite_retrans", "N", "the same of INVITE (default 5)",
		ROLE(U32, retrans_invite), FROM(0, 255) },
	[MAX_OTHER] = { "max_non_invite_retrans", "N", "the same of others (default 10)",
		ROLE(U32, retrans_other), FROM(0, 255) },
	[BASE_CSEQ] = { "base_cseq", "N", "where [cseq] begins (default 1)", ROLE(U32, base_cseq),
		FROM(0, 2147483647) },
	[USER] = { "au", "NAME", "user name for authentication (default: -s)", ROLE(TEXT, user) },
	[PASSWORD] = { "ap", "PASSWORD", "password for authentication (default password)",
		ROLE(TEXT, password) },
	[KEY] = { "key", "NAME VALUE", "what [NAME] stands for in messages", SPECIAL },
	[INF] = { "inf", "FILE",
		"values for [fieldN]; of a USER file each of the -users has its line", SPECIAL },
	[AUTO_ANSWER] = { "aa", NULL, "answer INFO, UPDATE, NOTIFY and OPTIONS with 200",
		ROLE(TRUE, auto_answer) },
	[MEDIA_IP] = { "mi", "ADDR", "for [media_ip] (default: the own address)", SPECIAL },
	[MEDIA_PORT] = { "mp", "PORT", "for [media_port] (default 6000)", ROLE(U16, media_port),
		FROM(1, 65535) },
	[LOSS_OUT] = { "loss-out", "PERCENT", "lose so many of the messages sent, on purpose",
		ROLE(PERCENT, fault[FAULT_LOSS]), FROM(0, 100) },
	[DELAY] = { "delay", "PERCENT:MS", "hold so many back, up to so long", SPECIAL },
	[DUPLICATE] = { "dup", "PERCENT", "send so many twice",
		ROLE(PERCENT, fault[FAULT_DUPLICATE]), FROM(0, 100) },
	[REORDER] = { "reorder", "PERCENT", "send so many behind the next one",
		ROLE(PERCENT, fault[FAULT_SWAP]), FROM(0, 100) },
	[INFINDEX] = { "infindex", "FILE FIELD",
		"make lines of a file findable by a field, for <lookup>", SPECIAL },
	[LOSS_IN] = { "loss-in", "PERCENT", "and of those received", ROLE(PERCENT, loss_in),
		FROM(0, 100) },
	[BUFFERS] = { "buffers", "N", "packet buffers (default 8191)", ROLE(U32, buffers),
		FROM(512, 16e6) },
	[LCORE] = { "lcore", "N", "the lcore that runs this role (default the next free one)",
		ROLE(INT, lcore), FROM(0, 1023) },
	[PLAIN] = { "plain", "SIZE",
		"no SIP: UDP packets in frames of SIZE bytes (header and check sum included),\n"
		"                             -r a second (0: as fast as can be), -m of them; `imix`: 64, 594\n"
		"                             and 1518 bytes as 7:4:1; FILE.pcap: the frames of a capture;\n"
		"                             `sink`: count those that come",
		ROLE(TEXT, plain) },
	[FLOWS] = { "flows", "N", "source ports from -p on, then addresses from -i on (default 1)",
		ROLE(U32, flows), FROM(1, 65536) },
	[DST_MAC] = { "dst-mac", "MAC", "where plain packets go, without asking for a neighbour",
		SPECIAL },
	[AND] = { "and", NULL, "what follows is another role", SPECIAL },
	[SEARCH] = { "search", "ser|ndr|pdr",
		"the highest rate of calls at which none fails (RFC 7502), begun at -r; or of\n"
		"                             plain packets up to -r without loss, or with little",
		RUN(TEXT, search) },
	[LOSS_TOLERANCE] = { "loss-tolerance", "PERCENT", "how little, for pdr (default 0.5)",
		RUN(DOUBLE, loss_tolerance), FROM(0, 100) },
	[RESOLUTION] = { "resolution", "PERCENT",
		"the search is as fine (default 2 of calls; of packets 1, of -r)",
		RUN(DOUBLE, resolution), FROM(0.001, 50) },
	[TRIAL_TIME] = { "trial-time", "S",
		"of each trial (default 10 with calls; 1 with packets, RFC 2544 asks for 60)",
		RUN(DOUBLE, trial_s), FROM(0.01, 1e6) },
	[CHECK] = { "check", "FILE", "say what of a scenario is not supported, with its line",
		RUN(TEXT, check) },
	[PRINT] = { "sd", "NAME", "print a built-in scenario", RUN(TEXT, print) },
	[JSON] = { "json", NULL, "a summary as one JSON object on standard output",
		RUN(TRUE, json) },
	[HTML] = { "html", "FILE", "a report as a page, with plots; also of trials",
		RUN(TEXT, html) },
	[TRACE_STAT] = { "trace_stat", NULL, "statistics of each interval, or trial, as CSV",
		RUN(TRUE, trace_stat) },
	[STAT_FILE] = { "stf", "FILE", "their file (default NAME_PID_.csv)", RUN(TEXT, stat_file) },
	[INTERVAL] = { "fd", "S", "the interval (default 1; SIPp's is 60)", RUN(DOUBLE, interval_s),
		FROM(0.1, 1e6) },
	[TIMEOUT] = { "timeout", "S", "stop after so many seconds", RUN(DOUBLE, timeout_s),
		FROM(0.1, 1e9) },
	[TIMEOUT_ERROR] = { "timeout_error", NULL, "and fail if the calls asked for are not made",
		RUN(TRUE, timeout_error) },
	[SEED] = { "seed", "N", "of everything random (default: by the clock)", RUN(U64, seed),
		FROM(0, 9007199254740992.0) },
	[NOSTDIN] = { "nostdin", NULL, "nothing; there are no keys here", SPECIAL },
	[TRANSPORT] = { "t", "u1", "the transport: UDP by one port", SPECIAL },
	[TORTURE] = { "torture", "DIR", "send each DIR/*.dat as a datagram; does the peer survive?",
		RUN(TEXT, torture) },
	[WAIT] = { "wait", "MS", "for the answer to each (default 500)", RUN(U32, wait_ms),
		FROM(1, 1e6) },
	[NO_PROBE] = { "no-probe", NULL, "ask only at the end whether it is alive",
		RUN(FALSE, probe) },
	[OVERLOAD] = { "overload", NULL, "goodput at 0.5 to 3 times -r, or what --search finds",
		RUN(TRUE, overload) },
	[SOAK] = { "soak", "S", "run so long; fail if delays or memory grow", RUN(DOUBLE, soak_s),
		FROM(1, 1e9) },
	[DRIFT] = { "drift", "FACTOR", "by more than this, last tenth to first (default 1.5)",
		RUN(DOUBLE, drift), FROM(1, 1e6) },
	[VERSION] = { "v", NULL, "the version", RUN(TRUE, version) },
	[HELP] = { "help", NULL, "this text", RUN(TRUE, help) },
};

void
options_help(FILE *to)
{
	fputs("usage: sipp-gen [EAL options] -- [options] [REMOTE[:PORT]] [--and options …]\n\n"
	      "Makes and answers SIP calls by SIPp's scenarios, from polling lcores over DPDK ports.\n\n",
		to);
	for (int i = 0; i < KEYS; i++) {
		char left[48];

		snprintf(left, sizeof(left), "-%s%s %s", strlen(option_row[i].name) > 2 ? "-" : "",
			option_row[i].name,
			option_row[i].argument != NULL ? option_row[i].argument : "");
		fprintf(to, "  %-27s%s\n", left, option_row[i].help);
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
