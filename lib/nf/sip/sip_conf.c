#include "sip_conf.h"

#define FIELD(name_, member, type_, def_, help_, ...)                                              \
	{                                                                                          \
		.name = name_, .help = help_, .def = def_, .type = type_,                          \
		.offset = offsetof(struct sip_conf, member), __VA_ARGS__                           \
	}

static const char *const modes[] = { "stateless", "stateful", NULL };

static const char *const media[] = { "none", "pinholes", "relay", NULL };
static const char *const authenticate[] = { "register", "calls", NULL };

static const struct nfv_conf_field trunk_fields[] = {
	{ .name = "to",
		.help = "address and port",
		.type = NFV_CONF_ENDPOINT,
		.offset = offsetof(struct sip_conf_trunk, to) },
	{ .name = "weight",
		.help = "its share of what those of its priority get",
		.def = "1",
		.type = NFV_CONF_UINT,
		.min = 1,
		.max = 1000,
		.offset = offsetof(struct sip_conf_trunk, weight) },
	{ .name = "priority",
		.help = "higher numbers are for when lower ones are not there",
		.def = "0",
		.type = NFV_CONF_UINT,
		.max = 1000,
		.offset = offsetof(struct sip_conf_trunk, priority) },
	{ 0 },
};

static const struct nfv_conf_schema trunk_schema = {
	.size = sizeof(struct sip_conf_trunk),
	.help = "servers that share the trunk's work",
	.fields = trunk_fields,
};

static const struct nfv_conf_field fields[] = {
	FIELD("port", port, NFV_CONF_UINT, "5060", "UDP port of the proxy", .min = 1, .max = 65535),
	FIELD("mode", mode, NFV_CONF_CHOICE, "stateful",
		"stateful: absorbs and repeats, forks, answers for who does not; stateless: keeps "
		"nothing",
		.choices = modes),
	FIELD("transactions", transactions, NFV_CONF_UINT, "65536",
		"at once; a call of a minute has two for its whole life and four more for half a "
		"minute at either end",
		.min = 64, .max = 1 << 26),
	FIELD("ring-time", ring_time, NFV_CONF_UINT, "181",
		"seconds that a call may ring (timer C)", .min = 180, .max = 3600),
	FIELD("domains", domains, NFV_CONF_STRING, "", "host names that are the proxy's own",
		.list = true, .min = 1, .max = 253),
	FIELD("registrations", registrations, NFV_CONF_UINT, "0",
		"contacts that users of the domains may have registered in all; 0: no registrar",
		.max = 1 << 25),
	FIELD("contacts", contacts, NFV_CONF_UINT, "8", "contacts of one user at most", .min = 1,
		.max = 32),
	FIELD("min-expires", min_expires, NFV_CONF_UINT, "60",
		"seconds; who wants less is answered 423", .min = 1, .max = 3600),
	FIELD("default-expires", default_expires, NFV_CONF_UINT, "3600",
		"seconds, for who does not say", .min = 1, .max = 2592000),
	FIELD("max-expires", max_expires, NFV_CONF_UINT, "7200", "seconds; more is cut to that",
		.min = 1, .max = 2592000),
	FIELD("journal", journal, NFV_CONF_PATH, "",
		"file by which registrations outlive the process; none if left out"),
	FIELD("journal-sync", journal_sync, NFV_CONF_UINT, "1000",
		"milliseconds of registrations that a power cut may take; 0: the kernel's to decide",
		.max = 3600000),
	FIELD("credentials", credentials, NFV_CONF_PATH, "",
		"file of users, `user:realm:MD5[:SHA-256]` of H(user:realm:password); nobody is "
		"asked if left out"),
	FIELD("authenticate", authenticate, NFV_CONF_CHOICE, "register",
		"who has to prove himself: who registers, or also who calls from an own domain",
		.choices = authenticate),
	FIELD("media", media, NFV_CONF_CHOICE, "none",
		"pinholes: the chain's firewall lets through what SDP announces, for the call's life; "
		"relay: RTP goes by way of own addresses, as parties behind NATs need it",
		.choices = media),
	FIELD("media-calls", media_calls, NFV_CONF_UINT, "4096", "calls with media at once",
		.min = 16, .max = 1 << 22),
	FIELD("media-setup", media_setup, NFV_CONF_UINT, "300",
		"seconds from an offer to its answer, at most", .min = 1, .max = 3600),
	FIELD("media-idle", media_idle, NFV_CONF_UINT, "60",
		"seconds of silence after which media are over", .min = 5, .max = 3600),
	FIELD("media-any-source", media_any, NFV_CONF_BOOL, "false",
		"media may come from addresses that nobody has announced"),
	FIELD("rtp-ports", rtp_ports, NFV_CONF_RANGE, "20000-29999", "UDP ports of the relay",
		.min = 1024, .max = 65535),
	FIELD("trunk", trunk, NFV_CONF_ENDPOINT, "",
		"where requests go whose target has no address"),
	FIELD("trunks", trunks, NFV_CONF_SECTION, "", "the same, several, by weight and priority",
		.list = true, .section = &trunk_schema),
	FIELD("probe-interval", probe_interval, NFV_CONF_UINT, "10",
		"seconds between OPTIONS that ask whether a trunk is there; 0: never asked",
		.max = 3600),
	FIELD("failover-time", failover_time, NFV_CONF_UINT, "2000",
		"milliseconds that a trunk may take to answer before the next one is tried",
		.min = 100, .max = 32000),
	FIELD("record-route", record_route, NFV_CONF_BOOL, "true", "stay in the path of dialogs"),
	FIELD("relay", relay, NFV_CONF_BOOL, "false", "forward requests from outside to outside"),
	FIELD("call-rate", call_rate, NFV_CONF_UINT, "0",
		"new requests let in a second; 0: as many as can be done", .max = 10000000),
	FIELD("call-burst", call_burst, NFV_CONF_UINT, "100",
		"of them at once, in milliseconds of that rate", .min = 1, .max = 10000),
	FIELD("error-rate", error_rate, NFV_CONF_UINT, "100000",
		"refusals of its own a second at most", .min = 1, .max = 1000000),
	FIELD("key", key, NFV_CONF_STRING, "",
		"secret of branches, shared by all that may see a response; random if left out",
		.min = 8, .max = 128),
	{ 0 },
};

const struct nfv_conf_schema sip_conf_schema = {
	.size = sizeof(struct sip_conf),
	.help = "SIP proxy",
	.fields = fields,
};
