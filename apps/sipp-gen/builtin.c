#include <stdio.h>

#include "scenario.h"

/* Parts that several of them have in common. Dialogs are those of SIPp's scenarios of the same
 * names, so that either program can be the peer of the other. */
#define XML(name)                                                                                  \
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"                                             \
	"<!DOCTYPE scenario SYSTEM \"sipp.dtd\">\n"                                                \
	"<scenario name=\"" name "\">\n"
#define TIMES                                                                                      \
	"  <ResponseTimeRepartition value=\"1, 2, 5, 10, 20, 50, 100, 200, 500, 1000\"/>\n"        \
	"  <CallLengthRepartition value=\"10, 50, 100, 500, 1000, 5000, 10000\"/>\n"               \
	"</scenario>\n"
#define PROVISIONAL                                                                                \
	"  <recv response=\"100\" optional=\"true\"/>\n"                                           \
	"  <recv response=\"180\" optional=\"true\"/>\n"                                           \
	"  <recv response=\"183\" optional=\"true\"/>\n"
#define URI     "sip:[service]@[remote_ip]:[remote_port]"
#define VIA     "    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n"
#define FROM    "    From: <sip:gen@[local_ip]:[local_port]>;tag=[pid]g[call_number]\n"
#define TO      "    To: <" URI ">"
#define CALL_ID "    Call-ID: [call_id]\n"
#define CONTACT "    Contact: <sip:gen@[local_ip]:[local_port];transport=[transport]>\n"
#define HOPS    "    Max-Forwards: 70\n"
#define EMPTY   "    Content-Length: 0\n\n  ]]></send>\n"
#define AUDIO                                                                                      \
	"    Content-Type: application/sdp\n"                                                      \
	"    Content-Length: [len]\n\n"                                                            \
	"    v=0\n"                                                                                \
	"    o=gen [pid] [call_number] IN IP[local_ip_type] [local_ip]\n"                          \
	"    s=call\n"                                                                             \
	"    c=IN IP[media_ip_type] [media_ip]\n"                                                  \
	"    t=0 0\n"                                                                              \
	"    m=audio [media_port] RTP/AVP 0\n"                                                     \
	"    a=rtpmap:0 PCMU/8000\n  ]]></send>\n"
#define REQUEST(attrs, method, uri, to, number)                                                    \
	"  <send" attrs "><![CDATA[\n"                                                             \
	"    " method " " uri " SIP/2.0\n" VIA FROM to "\n" CALL_ID "    CSeq: " number " " method \
	"\n" CONTACT HOPS
#define INVITE      REQUEST(" retrans=\"500\"", "INVITE", URI, TO, "1") AUDIO
#define ACK(attrs)  REQUEST(attrs, "ACK", URI, TO "[peer_tag_param]", "1") EMPTY
#define BYE         REQUEST(" retrans=\"500\"", "BYE", URI, TO "[peer_tag_param]", "2") EMPTY
#define BYE_AND_200 BYE "  <recv response=\"200\" crlf=\"true\"/>\n"

#define ANSWER(attrs, line, tag)                                                                   \
	"  <send" attrs "><![CDATA[\n"                                                             \
	"    SIP/2.0 " line "\n"                                                                   \
	"    [last_Via:]\n"                                                                        \
	"    [last_Record-Route:]\n"                                                               \
	"    [last_From:]\n"                                                                       \
	"    [last_To:]" tag "\n"                                                                  \
	"    [last_Call-ID:]\n"                                                                    \
	"    [last_CSeq:]\n"
#define TAG       ";tag=[pid]a[call_number]"
#define ACK_MAYBE "  <recv request=\"ACK\" optional=\"true\" rtd=\"true\" crlf=\"true\"/>\n"
#define BYE_ANSWERED                                                                               \
	"  <recv request=\"BYE\"/>\n" ANSWER("", "200 OK", "") CONTACT EMPTY                       \
		"  <timewait milliseconds=\"32000\"/>\n"
#define REGISTER(number)                                                                           \
	"  <send retrans=\"500\"><![CDATA[\n"                                                      \
	"    REGISTER sip:[remote_ip]:[remote_port] SIP/2.0\n" VIA "    From: <" URI               \
	">;tag=[pid]r[call_number]\n"                                                              \
	"    To: <" URI ">\n" CALL_ID "    CSeq: " number " REGISTER\n"                            \
	"    Contact: <sip:[service]@[local_ip]:[local_port];transport=[transport]>\n"             \
	"    Expires: 3600\n" HOPS

/* clang-format off: one element of a scenario to a line */
static const char uac[] = XML("A caller") INVITE PROVISIONAL
	"  <recv response=\"200\" rtd=\"true\"/>\n" ACK("") "  <pause/>\n" BYE_AND_200 TIMES;

static const char uas[] = XML("A callee") "  <recv request=\"INVITE\" crlf=\"true\"/>\n" ANSWER(
	"", "180 Ringing", TAG) CONTACT EMPTY ANSWER(" retrans=\"500\"", "200 OK", TAG)
CONTACT AUDIO ACK_MAYBE BYE_ANSWERED TIMES;

static const char regexp[] = XML("A caller that takes an answer apart") INVITE PROVISIONAL
	"  <recv response=\"200\" start_rtd=\"true\"><action>\n"
	"    <ereg regexp=\"([0-9]{1,3}\\.){3}[0-9]{1,3}:[0-9]{1,5}\" search_in=\"msg\""
	" check_it=\"true\" assign_to=\"address\"/>\n"
	"    <ereg regexp=\".*\" search_in=\"hdr\" header=\"Contact:\" check_it=\"true\""
	" assign_to=\"contact\"/>\n"
	"    <ereg regexp=\"o=([^ ]+) ([^ ]+) ([^ ]+)\" search_in=\"body\" check_it=\"true\""
	" assign_to=\"origin,user,session,version\"/>\n"
	"  </action></recv>\n" REQUEST("", "ACK", URI, TO "[peer_tag_param]",
		"1") "    X-Address: [$address]\n"
		     "    X-Contact:[$contact]\n"
		     "    X-Origin: [$origin]\n"
		     "    X-Origin-Parts: [$user], [$session], [$version]\n" EMPTY
		     "  <pause milliseconds=\"1000\"/>\n" BYE
		     "  <recv response=\"200\" crlf=\"true\" rtd=\"true\"/>\n" TIMES;

static const char branchc[] = XML("A caller that registers first, and branches") REGISTER("1") EMPTY
	"  <recv response=\"200\" rtd=\"true\" next=\"call\"/>\n"
	"  <recv response=\"200\"/>\n"
	"  <label id=\"call\"/>\n"
	"  <send retrans=\"500\"><![CDATA[\n"
	"    INVITE " URI " SIP/2.0\n" VIA
	"    From: ua[call_number] <sip:gen@[local_ip]:[local_port]>;tag=[pid]g[call_number]\n" TO
	"\n" CALL_ID "    CSeq: 1 INVITE\n" CONTACT HOPS AUDIO PROVISIONAL
	"  <recv response=\"403\" optional=\"true\" next=\"end\"/>\n"
	"  <recv response=\"200\"><action>\n"
	"    <ereg regexp=\"ua25\" search_in=\"hdr\" header=\"From: \" assign_to=\"short\"/>\n"
	"  </action></recv>\n" ACK(
		" next=\"end\" test=\"short\"") "  <pause milliseconds=\"5000\"/>\n"
						"  <label id=\"end\"/>\n" BYE_AND_200
						"  <pause milliseconds=\"4000\"/>\n" TIMES;

static const char branchs[] =
	XML("A registrar and callee that branches") "  <recv request=\"REGISTER\"/>\n" ANSWER(
		"", "200 OK", TAG) CONTACT
	"    Expires: 300\n" EMPTY "  <recv request=\"INVITE\" crlf=\"true\"><action>\n"
	"    <ereg regexp=\"ua2\" search_in=\"hdr\" header=\"From: \" assign_to=\"known\"/>\n"
	"  </action></recv>\n" ANSWER(" next=\"accept\" test=\"known\"", "180 Ringing", TAG)
		CONTACT EMPTY ANSWER(" next=\"end\"", "403 Forbidden", TAG)
CONTACT EMPTY "  <label id=\"accept\"/>\n" ANSWER("", "100 Trying", TAG) CONTACT EMPTY
	ANSWER(" retrans=\"500\"", "200 OK", TAG)
CONTACT AUDIO ACK_MAYBE "  <label id=\"end\"/>\n" BYE_ANSWERED TIMES;

static const char registers[] =
	XML("A registration, with credentials if they are asked for") REGISTER("1") EMPTY
	"  <recv response=\"100\" optional=\"true\"/>\n"
	"  <recv response=\"200\" optional=\"true\" rtd=\"true\" next=\"done\"/>\n"
	"  <recv response=\"407\" optional=\"true\" auth=\"true\" next=\"again\"/>\n"
	"  <recv response=\"401\" auth=\"true\"/>\n"
	"  <label id=\"again\"/>\n" REGISTER("2") "    [authentication]\n" EMPTY
						  "  <recv response=\"100\" optional=\"true\"/>\n"
						  "  <recv response=\"200\" rtd=\"true\"/>\n"
						  "  <label id=\"done\"/>\n" TIMES;

/* Whoever asks is registered; who it is, the callee's side of a call does not need to know. */
static const char registrar[] =
	XML("A registrar that lets everybody in") "  <recv request=\"REGISTER\"/>\n" ANSWER(
		"", "200 OK", TAG) "    [last_Contact:]\n"
				   "    Expires: 3600\n" EMPTY TIMES;
/* clang-format on */

static const struct {
	const char *name, *xml;
} builtin[] = {
	{ "uac", uac },
	{ "uas", uas },
	{ "regexp", regexp },
	{ "branchc", branchc },
	{ "branchs", branchs },
	{ "register", registers },
	{ "registrar", registrar },
};

#define BUILTINS (sizeof(builtin) / sizeof(builtin[0]))

const char *
scenario_builtin_xml(const char *name)
{
	for (size_t i = 0; i < BUILTINS; i++)
		if (strcmp(builtin[i].name, name) == 0)
			return builtin[i].xml;
	return NULL;
}

int
scenario_builtin(const char *name, struct scenario **out, struct nfv_err *err)
{
	const char *xml = scenario_builtin_xml(name);
	char names[128];
	size_t n = 0;

	if (xml != NULL)
		return scenario_load_text(nfv_sv_str(xml), name, NULL, NULL, out, err);
	for (size_t i = 0; i < BUILTINS; i++)
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s",
			i == 0                    ? "" :
				i + 1 == BUILTINS ? " and " :
						    ", ",
			builtin[i].name);
	return nfv_fail(err, ENOENT, "there is no scenario \"%.40s\"; there are %s", name, names);
}
