/**
 * @file
 * Messages that make the points of RFC 4475 and 5118 one by one, in words of our own, and what each
 * deserves: 0, or the status that it is answered with (a response: dropped for).
 */
#ifndef SIP_POINTS_H
#define SIP_POINTS_H

/* A whole request but for its start line; each row below breaks one thing. */
#define VIA          "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKa1\r\n"
#define V6(received) "Via: SIP/2.0/UDP [2001:db8::9:1];received=" received ";branch=z9hG4bKas3\r\n"
#define FROM         "From: <sip:ann@example.org>;tag=1\r\n"
#define TO           "To: <sip:bob@example.org>\r\n"
#define ID           "Call-ID: a@192.0.2.9\r\n"
#define CSEQ         "CSeq: 1 OPTIONS\r\n"
#define MF           "Max-Forwards: 70\r\n"
#define END          "Content-Length: 0\r\n\r\n"
#define REST         FROM TO ID CSEQ MF END
#define START        "OPTIONS sip:bob@example.org SIP/2.0\r\n"
#define WITH(h)      START VIA FROM TO ID CSEQ MF h END

enum { NOT_SIP = -1, KEEPALIVE = -2, STUN = -3 };

static const struct {
	const char *text;
	int status;
	const char *reason; /* part of it; NULL: whatever */
} sip_point[] = {
	/* valid, however odd */
	{ START VIA REST, 0, NULL },
	{ "\r\n\r\n" START VIA REST, 0, NULL },
	{ "OPTIONS sip:bob@example.org sip/2.0\r\n" VIA REST, 0, NULL },
	{ START "v  :\r\n SIP / 2.0\r\n\t/UDP  h.example.org : 5070 ; branch =\r\n z9hG4bKx "
		",SIP/2.0/TCP b\r\n"
		"f:\"a \\\"quoted\\\" name\"<sip:ann@example.org> ;\r\n tag = x\r\nt "
		":sip:bob@example.org\r\n"
		"i:x\r\ncseq: 0007\r\n  OPTIONS\r\nmAx-fOrWaRdS: 0068\r\nl: 0\r\ns :\r\nNew: "
		"folded\r\n on\r\n\r\n",
		0, NULL },
	{ "!odd%Method'~ sip:a;b=c%40d@h.example.org;p;q=%41 SIP/2.0\r\n" VIA FROM TO
	  "Call-ID: w%-!.*_+'@`~)(><:\\/\"][?}{\r\nCSeq: 2147483647 !odd%Method'~\r\n" MF END,
		0, NULL },
	{ "OPTIONS sip:a:pa$s,+=&@example.org?/ SIP/2.0\r\n" VIA REST, 400, "Request-URI" },
	{ "OPTIONS sip:[2001:db8::1]:5070;maddr=[2001:db8::2] SIP/2.0\r\n" VIA REST, 0, NULL },
	/* RFC 5118 §4.1 to 4.5, 4.9, and 4.10 as RFC 5954 has settled it */
	{ "OPTIONS sip:[2001:db8::10] SIP/2.0\r\n" V6("[2001:db8::9:255]") REST, 0, NULL },
	{ "OPTIONS sip:2001:db8::10 SIP/2.0\r\n" V6("[2001:db8::9:255]") REST, 400, "Request-URI" },
	{ "OPTIONS sip:[2001:db8::10:5070] SIP/2.0\r\n" V6("[2001:db8::9:255]") REST, 0, NULL },
	{ "OPTIONS sip:[2001:db8::10]:5070 SIP/2.0\r\n" V6("[2001:db8::9:255]") REST, 0, NULL },
	{ START V6("2001:db8::9:255") REST, 0, NULL },
	{ "OPTIONS sip:u@[::ffff:192.0.2.10] SIP/2.0\r\n" V6("::ffff:192.0.2.2") REST, 0, NULL },
	{ "OPTIONS sip:[2001:db8:::192.0.2.1] SIP/2.0\r\n" VIA REST, 400, "Request-URI" },
	{ "OPTIONS sip:%00%00@example.org SIP/2.0\r\n" VIA REST, 0, NULL },
	{ "OPTIONS tel:+13035551111 SIP/2.0\r\n" VIA REST, 0, NULL },
	{ "OPTI%4FNS sip:a@example.org SIP/2.0\r\n" VIA FROM TO ID "CSeq: 1 OPTI%4FNS\r\n" END, 0,
		NULL },
	{ START "Via: SIP/2.0/SCTP a;branch=z9hG4bK1, SIP/2.0/NOVEL b;branch=z9hG4bK2\r\n" REST, 0,
		NULL },
	{ START VIA "From: ann<sip:ann@example.org>;tag=1\r\n" TO ID CSEQ MF END, 0, NULL },
	{ START VIA
		"From: \"nul \\\x01 del \\\x7f\" <sip:ann@example.org>;x=\"\xd1\x80\";tag=1\r\n" TO
			ID CSEQ MF END,
		0, NULL },
	{ START VIA "From: isbn:2983792873;tag=1\r\nTo: <http://www.example.org/a?b>\r\n" ID CSEQ MF
			END,
		0, NULL },
	{ START VIA FROM TO ID CSEQ MF "Content-Length: 2\r\n\r\nhi and something that is not ours",
		0, NULL },
	{ START VIA FROM TO ID CSEQ MF "\r\na body as long as the datagram", 0, NULL },
	{ START "Via: SIP/2.0/UDP old.example.org\r\nFrom: sip:ann@example.org\r\n" TO ID CSEQ
		"\r\n",
		0, NULL },
	{ WITH("Contact: *\r\n"), 0, NULL },
	{ WITH("m: <sip:a@b;x>;q=0.1, \"A, B\" <sip:c@d?Route=%3Csip:e%3E>\r\n"), 0, NULL },
	{ WITH("m: sip:+1972@gw.example.org;unknown\r\n"), 0, NULL },
	{ WITH("Date: Fri, 01 Jan 2010 16:00:00 EST\r\n"), 0, NULL },
	{ WITH("Unknown: ;;,,;;,;\r\n"), 0, NULL },
	{ WITH("Require: whatever\r\n"), 0, NULL },
	{ START "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK\r\n" REST, 0, NULL },
	{ "SIP/2.0 200 \xd0\xbe\xd0\xba = 2**3\r\n" VIA REST, 0, NULL },
	{ "SIP/2.0 100 \r\n" VIA REST, 0, NULL },
	{ "SIP/2.0 100\r\n" VIA REST, 0, NULL },

	/* Via */
	{ START REST, 400, "Missing Via" },
	{ START "Via: SIP/2.0/UDP 192.0.2.15;;,;,,\r\n" REST, 400, "Via" },
	{ START "Via: SIP/2.0/UDP a,\r\n" REST, 400, "Via" },
	{ START "Via:\r\n" REST, 400, "Via" },
	{ START "Via: SIP/2.0/UDP\r\n" REST, 400, "Via" },
	{ START "Via: SIP/2.0/UDP a:0\r\n" REST, 400, "Via" },
	{ START "Via: SIP/2.0/UDP a:65536\r\n" REST, 400, "Via" },
	{ START "Via: SIP/2.0/UDP [::g]\r\n" REST, 400, "Via" },
	{ START "Via: SIP/2.0/UDP [::1\r\n" REST, 400, "Via" },
	{ START "Via: SIP/2.0/UDP a;rport=0\r\n" REST, 400, "Via" },
	{ START "Via: SIP/2.0/UDP a;branch\r\n" REST, 400, "Via" },
	{ START "Via: SIP/2.0/UDP a;ttl=256\r\n" REST, 400, "Via" },
	{ START "Via: SIP/2.0/UDP a;branch=1;branch=2\r\n" REST, 400, "Via" },
	{ START "Via: SIP/2.0/UDP a;received=1.1.1.1;received=2.2.2.2\r\n" REST, 400, "Via" },
	{ START "Via: SIP/3.0/UDP a;branch=z9hG4bK1\r\n" REST, 400, "Version" },

	/* the fields that must be there, and once */
	{ START VIA TO ID CSEQ MF END, 400, "Missing From" },
	{ START VIA FROM ID CSEQ MF END, 400, "Missing To" },
	{ START VIA FROM TO CSEQ MF END, 400, "Missing Call-ID" },
	{ START VIA FROM TO ID MF END, 400, "Missing CSeq" },
	{ WITH(TO), 400, "More Than One To" },
	{ WITH(FROM), 400, "More Than One From" },
	{ WITH(ID), 400, "More Than One Call-ID" },
	{ WITH("CSeq: 2 OPTIONS\r\n"), 400, "More Than One CSeq" },
	{ WITH("Max-Forwards: 5\r\n"), 400, "More Than One Max-Forwards" },
	{ WITH("l: 0\r\n"), 400, "Content-Length" },
	{ START VIA "From: \"open <sip:a@b>\r\n" TO ID CSEQ MF END, 400, "From" },
	{ START VIA "From: \"ends with\\\r\n" TO ID CSEQ MF END, 400, "From" },
	{ START VIA "From: Bell, Alexander <sip:a@b>;tag=1\r\n" TO ID CSEQ MF END, 400, "From" },
	{ START VIA FROM "To: \"W, T\" < sip:a@b >\r\n" ID CSEQ MF END, 400, "To" },
	{ START VIA FROM "To: <sip:a@b\r\n" ID CSEQ MF END, 400, "To" },
	{ START VIA FROM "To: <>\r\n" ID CSEQ MF END, 400, "To" },
	{ START VIA FROM "To:\r\n" ID CSEQ MF END, 400, "To" },
	{ START VIA FROM "To: <sip:a@b>;tag=\r\n" ID CSEQ MF END, 400, "To" },
	{ START VIA FROM "To: <sip:a@b>;tag=1;tag=2\r\n" ID CSEQ MF END, 400, "To" },
	{ START VIA FROM "To: <sip:a%4@b>\r\n" ID CSEQ MF END, 400, "To" },
	{ START VIA FROM TO "Call-ID: a b\r\n" CSEQ MF END, 400, "Call-ID" },
	{ START VIA FROM TO "Call-ID: a@\r\n" CSEQ MF END, 400, "Call-ID" },
	{ START VIA FROM TO ID "CSeq: 2147483648 OPTIONS\r\n" MF END, 400, "CSeq" },
	{ START VIA FROM TO ID "CSeq: 36893488147419103232 OPTIONS\r\n" MF END, 400, "CSeq" },
	{ START VIA FROM TO ID "CSeq: -1 OPTIONS\r\n" MF END, 400, "CSeq" },
	{ START VIA FROM TO ID "CSeq: 1OPTIONS\r\n" MF END, 400, "CSeq" },
	{ START VIA FROM TO ID "CSeq: 1 INVITE\r\n" MF END, 400, "Method" },
	{ START VIA FROM TO ID CSEQ "Max-Forwards: 256\r\n" END, 400, "Max-Forwards" },
	{ START VIA FROM TO ID CSEQ "Max-Forwards: -1\r\n" END, 400, "Max-Forwards" },
	{ WITH("Contact: \"Joe\" <sip:joe@example.org>;;;;\r\n"), 400, "Contact" },
	{ WITH("Contact: sip:a@example.org?Route=%3Csip:b%3E\r\n"), 400, "Contact" },
	{ WITH("Contact: *\r\nContact: <sip:a@b>\r\n"), 400, "Contact" },
	{ WITH("Route: <sip:a;lr>,,<sip:b>\r\n"), 400, "Route" },

	/* the start line */
	{ "OPTIONS  sip:a@b  SIP/2.0\r\n" VIA REST, 400, "Start Line" },
	{ "OPTIONS sip:a@b SIP/2.0 \r\n" VIA REST, 400, "Start Line" },
	{ "OPTIONS sip:a@b; lr SIP/2.0\r\n" VIA REST, 400, "Request-URI" },
	{ "OPTIONS <sip:a@b> SIP/2.0\r\n" VIA REST, 400, "Request-URI" },
	{ "OPTIONS sip:a@b?Route=%3Csip:c%3E SIP/2.0\r\n" VIA REST, 400, "Request-URI" },
	{ "OPTIONS sip:a@b:70000 SIP/2.0\r\n" VIA REST, 400, "Request-URI" },
	{ "OPTIONS sip:a@b;; SIP/2.0\r\n" VIA REST, 400, "Request-URI" },
	{ "OPTIONS sip: SIP/2.0\r\n" VIA REST, 400, "Request-URI" },
	{ "OPTIONS sip:a@b SIP/7.0\r\n" VIA REST, 505, "Version Not Supported" },
	{ "OPTIONS sip:a@b SIP/7.0\r\nVia: SIP/7.0/UDP c\r\n" REST, 505, NULL },
	{ "OPTIONS sip:a@b SIP/2\r\n" VIA REST, 400, "Version" },
	{ "SIP/2.0 4294967301 over\r\n" VIA REST, 400, NULL },
	{ "SIP/2.0 099 under\r\n" VIA REST, 400, NULL },
	{ "SIP/2.0 700 over\r\n" VIA REST, 400, NULL },
	{ "GET / HTTP/1.1\r\nHost: a\r\n\r\n", NOT_SIP, NULL },
	{ "OPTIONS\r\n\r\n", NOT_SIP, NULL },
	{ "OPTIONS sip:a@b\r\n\r\n", NOT_SIP, NULL },
	{ " OPTIONS sip:a@b SIP/2.0\r\n\r\n", NOT_SIP, NULL },
	{ "x", NOT_SIP, NULL },
	{ "", KEEPALIVE, NULL },
	{ "\r\n\r\n", KEEPALIVE, NULL },

	/* lines and lengths */
	{ START VIA FROM TO ID CSEQ MF, 400, "CRLF" },
	{ START VIA FROM TO ID CSEQ "Max-Forwards: 70", 400, "CRLF" },
	{ WITH("X: a\nVia: SIP/2.0/UDP b\r\n"), 400, "CRLF" },
	{ WITH("X: a\rVia: SIP/2.0/UDP b\r\n"), 400, "CRLF" },
	{ WITH("no colon here\r\n"), 400, "Header" },
	{ WITH(": no name\r\n"), 400, "Header" },
	{ START " folded start\r\n" VIA REST, 400, "Header" },
	{ START VIA FROM TO ID CSEQ MF "Content-Length: 9999\r\n\r\nshort", 400, "Shorter" },
	{ START VIA FROM TO ID CSEQ MF "Content-Length: 99999999999999999999\r\n\r\n", 400,
		"Shorter" },
	{ START VIA FROM TO ID CSEQ MF "Content-Length: -999\r\n\r\n", 400, "Content-Length" },
	{ START VIA FROM TO ID CSEQ MF "Content-Length:\r\n\r\n", 400, "Content-Length" },

	/* what a proxy adds */
	{ "OPTIONS nobody:knows SIP/2.0\r\n" VIA REST, 416, "Unsupported URI Scheme" },
	{ "OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0\r\n" VIA REST, 416, NULL },
	{ START VIA FROM TO ID CSEQ "Max-Forwards: 0\r\n" END, 483, "Too Many Hops" },
	{ WITH("Proxy-Require: a, b\r\n"), 420, "Bad Extension" },
	{ "ACK sip:a@b SIP/2.0\r\n" VIA FROM TO ID "CSeq: 1 ACK\r\nProxy-Require: a\r\n" MF END, 0,
		NULL },
};

#define SIP_POINTS (sizeof(sip_point) / sizeof(sip_point[0]))

#endif
