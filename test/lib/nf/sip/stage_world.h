/**
 * @file
 * The SIP stage between two networks (sip_world.h), as a test's: one, brought up from its section of a
 * configuration; what comes out of it as the next hop sees it; and the parties of a call, with what
 * they make of each other's messages. After cmocka.h.
 */
#ifndef STAGE_WORLD_H
#define STAGE_WORLD_H

#include <stdio.h>
#include <stdlib.h>

#include "mkpkt.h"
#include "nfv_stage.h"
#include "sip_world.h"

#define OUTS 32 /* as the pipeline arms */

static const struct nfv_stage_ops *ops;
static void *stage;
static struct nfv_conf *doc;
static uint64_t conf_room[64]; /* for the stage's own struct */
static struct nfv_burst burst;
static struct nfv_out out;
static struct mk in_mk, out_mk[OUTS];

static inline int
start_with(const char *yaml, struct nfv_err *err)
{
	struct nfv_stage_ctx ctx;

	ops = nfv_stage_find("sip");
	assert_non_null(ops);
	assert_true(ops->conf->size <= sizeof(conf_room));
	world_ctx(&ctx);
	assert_int_equal(nfv_conf_parse("test", yaml, strlen(yaml), &doc, err), 0);
	assert_int_equal(nfv_conf_read(doc, "sip", ops->conf, conf_room, err), 0);
	ctx.conf = conf_room;
	ctx.doc = doc;
	stage = calloc(1, ops->state_size);
	return ops->init(stage, &ctx, err);
}

static inline int
stop(void **state)
{
	(void)state;
	ops->fini(stage);
	free(stage);
	nfv_conf_close(doc);
	return 0;
}

/* A packet as the next hop would see it: right in every length and sum. Its addresses as text. */
struct seen {
	char src[64], dst[64];
	uint16_t sport, dport;
	char text[MK_HEADROOM + MK_ROOM];
};

static inline void
see(struct nfv_pkt *p, struct seen *s)
{
	const struct nfv_udp *udp;
	uint16_t len = p->len;
	unsigned int n;

	((struct nfv_eth *)p->data)->be_type = htobe16(p->family == 4 ? NFV_ETH_IP4 : NFV_ETH_IP6);
	assert_int_equal(nfv_pkt_parse(p), NFV_PARSE_OK);
	assert_int_equal(p->len, len);
	assert_true(nfv_csum_l4_ok(p));
	assert_true(p->flags & NFV_PKT_OWN);
	if (p->family == 4) {
		assert_int_equal(nfv_pkt_ip4(p)->ttl, 64);
		inet_ntop(AF_INET, &nfv_pkt_ip4(p)->be_src, s->src, sizeof(s->src));
		inet_ntop(AF_INET, &nfv_pkt_ip4(p)->be_dst, s->dst, sizeof(s->dst));
	} else {
		assert_int_equal(nfv_pkt_ip6(p)->hops, 64);
		inet_ntop(AF_INET6, nfv_pkt_ip6(p)->src, s->src, sizeof(s->src));
		inet_ntop(AF_INET6, nfv_pkt_ip6(p)->dst, s->dst, sizeof(s->dst));
	}
	udp = nfv_pkt_l4(p);
	assert_int_not_equal(udp->be_csum, 0);
	s->sport = be16toh(udp->be_sport);
	s->dport = be16toh(udp->be_dport);
	n = be16toh(udp->be_len) - NFV_UDP_LEN;
	assert_int_equal(n + NFV_UDP_LEN, nfv_pkt_l4_len(p));
	assert_in_range(n, 0, sizeof(s->text) - 1);
	memcpy(s->text, udp + 1, n);
	s->text[n] = '\0';
}

/* One side of a call: what it knows and where it is. */
struct party {
	const char *addr;
	uint16_t port;
	const char *proxy; /* the address it knows the proxy by */
	const char *host;  /* addr as in a URI */
};

/* The response of the one who has received `text`. */
static inline const char *
response(char *buf, size_t room, const char *status, const char *text)
{
	snprintf(buf, room, "SIP/2.0 %s%s", status, strstr(text, "\r\n"));
	return buf;
}

/* The Record-Route values of a message as Route lines, in order for the callee or turned for the
 * caller (RFC 3261 §12.1). */
static inline void
route_set(const char *text, bool turned, char *routes, size_t room)
{
	const char *line[4];
	int n = 0;

	for (const char *at = text; (at = strstr(at, "Record-Route: ")) != NULL && n < 4; at++)
		line[n++] = at + strlen("Record-Route: ");
	routes[0] = '\0';
	for (int i = 0; i < n; i++) {
		const char *l = line[turned ? n - 1 - i : i];
		size_t used = strlen(routes);

		snprintf(routes + used, room - used, "Route: %.*s\r\n", (int)strcspn(l, "\r"), l);
	}
}

#endif
