#include "nfv_sip.h"
#include "scan.h"

#define NAME(text, first, last, field)                                                             \
	[SCAN_SLOT(sizeof(text) - 1, first, last)] = { text, sizeof(text) - 1, field }

/* Two names in one slot are a compiler's error (an initialiser overridden). */
const struct scan_name scan_names[64] = {
	NAME("via", 'v', 'a', NFV_SIP_H_VIA),
	NAME("v", 'v', 'v', NFV_SIP_H_VIA),
	NAME("from", 'f', 'm', NFV_SIP_H_FROM),
	NAME("f", 'f', 'f', NFV_SIP_H_FROM),
	NAME("to", 't', 'o', NFV_SIP_H_TO),
	NAME("t", 't', 't', NFV_SIP_H_TO),
	NAME("call-id", 'c', 'd', NFV_SIP_H_CALL_ID),
	NAME("i", 'i', 'i', NFV_SIP_H_CALL_ID),
	NAME("cseq", 'c', 'q', NFV_SIP_H_CSEQ),
	NAME("contact", 'c', 't', NFV_SIP_H_CONTACT),
	NAME("m", 'm', 'm', NFV_SIP_H_CONTACT),
	NAME("max-forwards", 'm', 's', NFV_SIP_H_MAX_FORWARDS),
	NAME("content-length", 'c', 'h', NFV_SIP_H_CONTENT_LENGTH),
	NAME("l", 'l', 'l', NFV_SIP_H_CONTENT_LENGTH),
	NAME("content-type", 'c', 'e', NFV_SIP_H_CONTENT_TYPE),
	NAME("c", 'c', 'c', NFV_SIP_H_CONTENT_TYPE),
	NAME("route", 'r', 'e', NFV_SIP_H_ROUTE),
	NAME("record-route", 'r', 'e', NFV_SIP_H_RECORD_ROUTE),
	NAME("require", 'r', 'e', NFV_SIP_H_REQUIRE),
	NAME("proxy-require", 'p', 'e', NFV_SIP_H_PROXY_REQUIRE),
	NAME("supported", 's', 'd', NFV_SIP_H_SUPPORTED),
	NAME("k", 'k', 'k', NFV_SIP_H_SUPPORTED),
	NAME("expires", 'e', 's', NFV_SIP_H_EXPIRES),
	NAME("min-expires", 'm', 's', NFV_SIP_H_MIN_EXPIRES),
	NAME("path", 'p', 'h', NFV_SIP_H_PATH),
	NAME("event", 'e', 't', NFV_SIP_H_EVENT),
	NAME("o", 'o', 'o', NFV_SIP_H_EVENT),
	NAME("retry-after", 'r', 'r', NFV_SIP_H_RETRY_AFTER),
	NAME("authorization", 'a', 'n', NFV_SIP_H_AUTHORIZATION),
	NAME("proxy-authorization", 'p', 'n', NFV_SIP_H_PROXY_AUTHORIZATION),
	NAME("www-authenticate", 'w', 'e', NFV_SIP_H_WWW_AUTHENTICATE),
	NAME("proxy-authenticate", 'p', 'e', NFV_SIP_H_PROXY_AUTHENTICATE),
};

enum nfv_sip_field
nfv_sip_field(struct nfv_sv s)
{
	struct nfv_sv rest = s, name = scan_span(&rest, CH_TOKEN);

	return name.n > 0 && rest.n == 0 ? scan_field(name, s.p + s.n) : NFV_SIP_H_OTHER;
}

const char *const nfv_sip_method_name[NFV_SIP_METHODS] = {
	[NFV_SIP_OTHER] = "other",
	[NFV_SIP_INVITE] = "INVITE",
	[NFV_SIP_ACK] = "ACK",
	[NFV_SIP_BYE] = "BYE",
	[NFV_SIP_CANCEL] = "CANCEL",
	[NFV_SIP_OPTIONS] = "OPTIONS",
	[NFV_SIP_REGISTER] = "REGISTER",
	[NFV_SIP_PRACK] = "PRACK",
	[NFV_SIP_SUBSCRIBE] = "SUBSCRIBE",
	[NFV_SIP_NOTIFY] = "NOTIFY",
	[NFV_SIP_PUBLISH] = "PUBLISH",
	[NFV_SIP_INFO] = "INFO",
	[NFV_SIP_REFER] = "REFER",
	[NFV_SIP_MESSAGE] = "MESSAGE",
	[NFV_SIP_UPDATE] = "UPDATE",
};

/* As above, of length and first letter. */
#define METHOD_SLOT(n, first) (((n)*11 + (first)) & 31)
#define METHOD(text, first, method)                                                                \
	[METHOD_SLOT(sizeof(text) - 1, first)] = { { text, sizeof(text) - 1 }, method }

enum nfv_sip_method
nfv_sip_method(struct nfv_sv name)
{
	static const struct {
		struct nfv_sv text;
		enum nfv_sip_method method;
	} slots[32] = {
		METHOD("INVITE", 'I', NFV_SIP_INVITE),
		METHOD("ACK", 'A', NFV_SIP_ACK),
		METHOD("BYE", 'B', NFV_SIP_BYE),
		METHOD("CANCEL", 'C', NFV_SIP_CANCEL),
		METHOD("OPTIONS", 'O', NFV_SIP_OPTIONS),
		METHOD("REGISTER", 'R', NFV_SIP_REGISTER),
		METHOD("PRACK", 'P', NFV_SIP_PRACK),
		METHOD("SUBSCRIBE", 'S', NFV_SIP_SUBSCRIBE),
		METHOD("NOTIFY", 'N', NFV_SIP_NOTIFY),
		METHOD("PUBLISH", 'P', NFV_SIP_PUBLISH),
		METHOD("INFO", 'I', NFV_SIP_INFO),
		METHOD("REFER", 'R', NFV_SIP_REFER),
		METHOD("MESSAGE", 'M', NFV_SIP_MESSAGE),
		METHOD("UPDATE", 'U', NFV_SIP_UPDATE),
	};
	size_t slot = name.n > 0 ? METHOD_SLOT(name.n, (unsigned char)name.p[0]) : 0;

	return nfv_sv_eq(name, slots[slot].text) ? slots[slot].method : NFV_SIP_OTHER;
}

const char *
nfv_sip_reason(unsigned int status)
{
	static const char *const t[] = {
		[100] = "Trying",
		[180] = "Ringing",
		[181] = "Call Is Being Forwarded",
		[182] = "Queued",
		[183] = "Session Progress",
		[200] = "OK",
		[202] = "Accepted",
		[300] = "Multiple Choices",
		[301] = "Moved Permanently",
		[302] = "Moved Temporarily",
		[305] = "Use Proxy",
		[380] = "Alternative Service",
		[400] = "Bad Request",
		[401] = "Unauthorized",
		[403] = "Forbidden",
		[404] = "Not Found",
		[405] = "Method Not Allowed",
		[406] = "Not Acceptable",
		[407] = "Proxy Authentication Required",
		[408] = "Request Timeout",
		[410] = "Gone",
		[413] = "Request Entity Too Large",
		[414] = "Request-URI Too Long",
		[415] = "Unsupported Media Type",
		[416] = "Unsupported URI Scheme",
		[420] = "Bad Extension",
		[421] = "Extension Required",
		[423] = "Interval Too Brief",
		[480] = "Temporarily Unavailable",
		[481] = "Call/Transaction Does Not Exist",
		[482] = "Loop Detected",
		[483] = "Too Many Hops",
		[484] = "Address Incomplete",
		[485] = "Ambiguous",
		[486] = "Busy Here",
		[487] = "Request Terminated",
		[488] = "Not Acceptable Here",
		[491] = "Request Pending",
		[493] = "Undecipherable",
		[500] = "Server Internal Error",
		[501] = "Not Implemented",
		[502] = "Bad Gateway",
		[503] = "Service Unavailable",
		[504] = "Server Time-out",
		[505] = "Version Not Supported",
		[513] = "Message Too Large",
		[600] = "Busy Everywhere",
		[603] = "Decline",
		[604] = "Does Not Exist Anywhere",
		[606] = "Not Acceptable",
	};

	return status < sizeof(t) / sizeof(t[0]) && t[status] != NULL ? t[status] : "Unknown";
}
