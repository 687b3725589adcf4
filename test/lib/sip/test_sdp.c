#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "guard.h"
#include "nfv_sdp.h"

#define HEAD "v=0\r\no=a 1 2 IN IP4 10.1.0.5\r\ns=-\r\n"
#define TAIL "t=0 0\r\n"

static struct nfv_sdp sdp;

static int
parse(const char *text)
{
	return nfv_sdp_parse(nfv_sv_str(text), &sdp);
}

static void
is(const struct nfv_endpoint *e, const char *text)
{
	char buf[NFV_ADDR_TEXT];

	assert_string_equal(nfv_endpoint_text(e, buf), text);
}

static void
view(struct nfv_sv s, const char *text)
{
	assert_int_equal(s.n, strlen(text));
	assert_memory_equal(s.p, text, s.n);
}

static const char many[] =
	HEAD "c=IN IP4 10.1.0.5\r\n" TAIL "a=sendonly\r\na=ice-ufrag:x\r\n"
	     "m=audio 49170 RTP/AVP 96 0\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:96 opus/48000/2\r\n"
	     "a=candidate:1 1 UDP 1 192.0.2.1 1000 typ host\r\na=rtcp:53020\r\n"
	     "m=video 51372/2 RTP/SAVPF 31\r\ni=the view\r\nc=IN IP6 2001:db8::7\r\na=recvonly\r\n"
	     "a=rtcp-mux\r\na=rtcp:53021 IN IP6 2001:db8::8\r\n"
	     "m=image 0 udptl t38\r\n"
	     "m=application 50000 TCP/MSRP *\r\nc=IN IP4 pbx.example.org\r\na=inactive\r\n";

static void
streams(void **state)
{
	struct nfv_endpoint e;

	(void)state;
	assert_int_equal(parse(many), 0);
	assert_int_equal(sdp.n_media, 4);
	view(sdp.conn.text, "IP4 10.1.0.5");
	assert_int_equal(sdp.dir, NFV_SDP_SENDONLY);

	view(sdp.media[0].type, "audio");
	view(sdp.media[0].proto, "RTP/AVP");
	view(sdp.media[0].formats, "96 0");
	view(sdp.media[0].port_text, "49170");
	view(sdp.media[0].rtcp, "53020");
	assert_null(sdp.media[0].conn.text.p);
	assert_memory_equal(sdp.media[0].conn_at.p, "a=rtpmap:0", 10);
	assert_int_equal(sdp.media[0].clock, 48000);
	assert_int_equal(sdp.media[0].dir, NFV_SDP_SENDONLY);
	assert_true(nfv_sdp_rtp(&sdp, 0, &e));
	is(&e, "10.1.0.5:49170");
	assert_true(nfv_sdp_rtcp(&sdp, 0, &e));
	is(&e, "10.1.0.5:53020");

	view(sdp.media[1].port_text, "51372");
	view(sdp.media[1].conn.text, "IP6 2001:db8::7");
	assert_memory_equal(sdp.media[1].conn_at.p, "c=IN", 4);
	assert_int_equal(sdp.media[1].ports, 2);
	assert_true(sdp.media[1].rtcp_mux);
	assert_int_equal(sdp.media[1].clock, 90000);
	assert_int_equal(sdp.media[1].dir, NFV_SDP_RECVONLY);
	assert_true(nfv_sdp_rtp(&sdp, 1, &e));
	is(&e, "[2001:db8::7]:51372");
	assert_true(nfv_sdp_rtcp(&sdp, 1, &e));
	is(&e, "[2001:db8::8]:53021");

	assert_true(sdp.media[2].udp);
	assert_false(nfv_sdp_rtp(&sdp, 2, &e)); /* refused */
	assert_int_equal(sdp.media[2].clock, 0);
	assert_false(sdp.media[3].udp);
	assert_false(nfv_sdp_rtp(&sdp, 3, &e)); /* a name is no address */
	assert_int_equal(sdp.media[3].dir, NFV_SDP_INACTIVE);
}

static void
where_rtcp_goes(void **state)
{
	struct nfv_endpoint e;

	(void)state;
	assert_int_equal(parse(HEAD "c=IN IP4 10.0.0.1\n" TAIL "m=audio 4000 RTP/AVP 8\n"), 0);
	assert_true(nfv_sdp_rtcp(&sdp, 0, &e));
	is(&e, "10.0.0.1:4001");
	assert_int_equal(sdp.media[0].clock, 8000);
	/* Behind the last port there is none. */
	assert_int_equal(parse(HEAD "c=IN IP4 10.0.0.1\r\nm=audio 65535 RTP/AVP 8\r\n"), 0);
	assert_true(nfv_sdp_rtp(&sdp, 0, &e));
	assert_false(nfv_sdp_rtcp(&sdp, 0, &e));
	/* No address at all. */
	assert_int_equal(parse(HEAD "m=audio 4000 RTP/AVP 8\r\n"), 0);
	assert_false(nfv_sdp_rtp(&sdp, 0, &e));
	/* No line end, no place for a line behind it. */
	assert_int_equal(parse("v=0\r\nm=audio 4000 RTP/AVP 8"), 0);
	assert_null(sdp.media[0].conn_at.p);
	assert_int_equal(parse("v=0\r\nm=audio 4000 RTP/AVP 8\r\n\r\n"), 0);
	assert_non_null(sdp.media[0].conn_at.p);
	/* Multicast: the address without what follows it. */
	assert_int_equal(parse(HEAD "c=IN IP4 224.2.36.42/127/3\r\nm=audio 4000 RTP/AVP 8\r\n"), 0);
	view(sdp.conn.text, "IP4 224.2.36.42/127/3");
	assert_true(nfv_sdp_rtp(&sdp, 0, &e));
	is(&e, "224.2.36.42:4000");
}

static void
refused(void **state)
{
	static const char *const t[] = {
		"",
		"v=1\r\n",
		"o=x\r\nv=0\r\n",
		"v=0\r\nv=0\r\n",
		"v=0\r\n\r\nm=audio 1 RTP/AVP 0\r\n",
		"v=0\r\nx=1\r\n",
		"v=0\r\nA=1\r\n",
		"v=0\r\nc\r\n",
		"v=0\r\nc= \r\n",
		"v=0\r\ns=a\rc=b\r\n",
		"v=0\r\nc=IN IP4\r\n",
		"v=0\r\nc=IN IP4 10.0.0.1 x\r\n",
		"v=0\r\nc=IN IP5 10.0.0.1\r\n",
		"v=0\r\nc=IN IP4 2001:db8::1\r\n",
		"v=0\r\nc=IN IP6 10.0.0.1\r\n",
		"v=0\r\nc=IN IP4 10.0.0.1:5\r\n",
		"v=0\r\nc=XX IP4 10.0.0.1\r\n",
		"v=0\r\nc=IN IP4 10.0.0.1\r\nc=IN IP4 10.0.0.2\r\n",
		"v=0\r\nm=audio 1 RTP/AVP\r\n",
		"v=0\r\nm=audio 65536 RTP/AVP 0\r\n",
		"v=0\r\nm=audio -1 RTP/AVP 0\r\n",
		"v=0\r\nm=audio 1/0 RTP/AVP 0\r\n",
		"v=0\r\nm=audio 1/ RTP/AVP 0\r\n",
		"v=0\r\nm=audio 1/x RTP/AVP 0\r\n",
		"v=0\r\nm=audio 65000/300 RTP/AVP 0\r\n",
		"v=0\r\nm=audio 1 RTP/AVP 0\r\na=rtcp\r\n",
		"v=0\r\nm=audio 1 RTP/AVP 0\r\na=rtcp:0\r\n",
		"v=0\r\nm=audio 1 RTP/AVP 0\r\na=rtcp:1 IN\r\n",
		"v=0\r\nm=audio 1 RTP/AVP 0\r\na=rtcp:1\r\na=rtcp:2\r\n",
		"v=0\r\nm=audio 1 RTP/AVP 0\r\nc=IN IP4 10.0.0.1\r\nc=IN IP4 10.0.0.1\r\n",
	};
	static const char nul[] = "v=0\r\nc=IN IP4 10.0.0.1\0\r\n";
	char text[1024] = "v=0\r\n";

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		if (parse(t[i]) != -EINVAL)
			fail_msg("taken: %s", t[i]);
	assert_int_equal(nfv_sdp_parse(nfv_sv(nul, sizeof(nul) - 1), &sdp), -EINVAL);
	for (unsigned int i = 0; i < NFV_SDP_MEDIA_MAX; i++)
		strcat(text, "m=audio 2 RTP/AVP 0\r\n");
	assert_int_equal(parse(text), 0);
	assert_int_equal(sdp.n_media, NFV_SDP_MEDIA_MAX);
	assert_int_equal(parse(strcat(text, "m=audio 2 RTP/AVP 0\r\n")), -EINVAL);
}

/* Cut off anywhere, with one byte changed: nothing is read outside. */
static void
stays_inside(void **state)
{
	struct guard g = guard_new();
	unsigned int taken = 0;

	(void)state;
	for (size_t n = 0; n < sizeof(many); n++) {
		char *at = (char *)guard_tail(&g, many, n);
		struct nfv_endpoint e;

		for (unsigned int c = 0; c < 256; c += 5) {
			size_t where = n * c / 256;
			char was = n > 0 ? at[where] : '\0';
			int rc;

			if (n > 0)
				at[where] = (char)c;
			rc = nfv_sdp_parse(nfv_sv(at, n), &sdp);
			if (n > 0)
				at[where] = was;
			if (rc < 0)
				continue;
			taken++;
			for (uint32_t i = 0; i < sdp.n_media; i++)
				nfv_sdp_rtcp(&sdp, i, &e);
		}
	}
	assert_true(taken > 0);
	guard_free(&g);
}

static struct nfv_sip_msg msg;

static int
find(const char *type, const char *more, const char *body, struct nfv_sv *out)
{
	static char text[4096];
	int n = snprintf(text, sizeof(text),
		"INVITE sip:b@h SIP/2.0\r\nContent-Type: %s\r\n%s"
		"Content-Length: %zu\r\n\r\n%s",
		type, more, strlen(body), body);

	assert_int_equal(nfv_sip_parse(&msg, text, (size_t)n), NFV_SIP_MESSAGE_OK);
	*out = nfv_sv(NULL, 0);
	return nfv_sdp_find(&msg, out);
}

static void
finds_its_part(void **state)
{
	static const char parts[] =
		"preamble\r\n--b1\r\nContent-Type: text/plain\r\n\r\nv=1\r\n"
		"--b12\r\nno delimiter\r\n"
		"--b1 \r\ncontent-type : Application/SDP;x=y\r\n\r\nv=0\r\ns=-\r\n"
		"--b1--\r\nepilogue";
	struct nfv_sv s;

	(void)state;
	assert_int_equal(find("application/sdp", "", "v=0\r\n", &s), 1);
	view(s, "v=0\r\n");
	assert_int_equal(find("APPLICATION / sdp ; charset=\"utf-8\"", "", "v=0\r\n", &s), 1);
	assert_int_equal(find("text/plain", "", "v=0\r\n", &s), 0);
	assert_int_equal(find("application/sdpx", "", "v=0\r\n", &s), 0);
	assert_int_equal(find("application/sdp", "", "", &s), 0);
	assert_int_equal(find("application/sdp", "e: gzip\r\n", "v=0\r\n", &s), -EINVAL);
	assert_int_equal(find("application/sdp", "Content-Encoding: identity\r\n", "v=0", &s), 1);
	assert_int_equal(find("application/sdp", "c: text/plain\r\n", "v=0\r\n", &s), -EINVAL);
	assert_int_equal(find("multipart/mixed;boundary=b1", "", parts, &s), 1);
	view(s, "v=0\r\ns=-");
	assert_int_equal(nfv_sdp_parse(s, &sdp), 0);
	assert_int_equal(find("multipart/mixed;boundary=\"b1\"", "", parts, &s), 1);
	assert_int_equal(find("multipart/mixed;boundary=b3", "", parts, &s), -EINVAL);
	assert_int_equal(find("multipart/mixed", "", parts, &s), -EINVAL);
	assert_int_equal(
		find("multipart/mixed;boundary=b", "", "--b\r\nx: y\r\n\r\nz\r\n--b--", &s), 0);
	assert_int_equal(
		find("multipart/mixed;boundary=b", "", "--b\r\nx: y\r\n\r\nz\r\n", &s), -EINVAL);
	assert_int_equal(find("multipart/mixed;boundary=b", "",
				 "--b\r\nContent-Type: application/sdp\r\n"
				 "Content-Transfer-Encoding: base64\r\n\r\ndj0w\r\n--b--\r\n",
				 &s),
		-EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams),
		cmocka_unit_test(where_rtcp_goes),
		cmocka_unit_test(refused),
		cmocka_unit_test(stays_inside),
		cmocka_unit_test(finds_its_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
