/**
 * @file
 * SIP messages for tests: whole, valid, and between them of every shape the grammar allows.
 */
#ifndef MKSIP_H
#define MKSIP_H

#include <stddef.h>

static const char *const mksip[] = {
	"INVITE sip:bob:pw@[2001:db8::2]:5070;transport=udp;lr?a=b SIP/2.0\r\n"
	"Via: SIP/2.0/UDP "
	"192.0.2.1:5062;rport;branch=z9hG4bKabc;received=192.0.2.9;ttl=3;maddr=h.x, "
	"SIP / 2.0 / UDP\r\n [2001:db8::1]:5060 ; received=[2001:db8::9];rport=77\r\n"
	"Max-Forwards: 70\r\n"
	"Route: <sip:[2001:db8::1]:5060;lr>, \"r \\\"q\\\"\" <sip:b.example.org;lr>;x=\"y\"\r\n"
	"Record-Route: <sip:192.0.2.7;lr>\r\n"
	"From: \"Ann \\\" Lee\" <sip:ann@example.org;user=phone>;tag=a1;x=\"q,;\"\r\n"
	"To: sip:bob@example.org ; x = y\r\n"
	"Call-ID: 1@192.0.2.1\r\n"
	"CSeq: 1 INVITE\r\n"
	"Contact: <sip:ann@192.0.2.1:5062?a=%41&b=c>;expires=60;q=0.5\r\n"
	"Require: 100rel,\r\n timer\r\n"
	"Proxy-Require: foo\r\n"
	"Subject:\r\n"
	"Content-Type: application/sdp\r\n"
	"Content-Length: 5\r\n"
	"\r\n"
	"v=0\r\n",
	"SIP/2.0 183 Session Progress\r\n"
	"v: SIP/2.0/UDP a.example.org;branch=z9hG4bK1\r\nv:SIP/2.0/UDP b.example.org\r\n"
	"f:ann lee <sip:ann@example.org>;tag=1\r\nt: <tel:+1-201-555-0123>;tag=2\r\n"
	"i:x\r\nCSeq: 2 INVITE\r\nm:*\r\nl:0\r\n\r\n",
	"\r\nREGISTER sip:example.org SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK2\r\n"
	"From: sip:a@example.org;tag=3\r\nTo: sip:a@example.org\r\nCall-ID: y@z\r\n"
	"CSeq: 3 REGISTER\r\nContact: sip:a@192.0.2.3, <sip:b@192.0.2.4>\r\nExpires: "
	"60\r\n\r\nbody",
};

#define MKSIP_N (sizeof(mksip) / sizeof(mksip[0]))

#endif
