#include <string.h>

#include <rte_ethdev.h>

#include "watch.h"

#define LINE 64u

bool
watch_copies(uint16_t port)
{
	static const char *const copying[] = { "net_af_packet", "net_tap", "net_pcap", "net_memif",
		"net_virtio_user", "net_vhost" };
	struct rte_eth_dev_info info;

	if (!rte_eth_dev_is_valid_port(port) || rte_eth_dev_info_get(port, &info) != 0 ||
		info.driver_name == NULL)
		return false;
	for (size_t i = 0; i < sizeof(copying) / sizeof(copying[0]); i++)
		if (strcmp(info.driver_name, copying[i]) == 0)
			return true;
	return false;
}

static void
watch_frame(const struct nfv_chain *c, const struct nfv_pkt *p, unsigned int port)
{
	nfv_watch(p->buf, sizeof(struct rte_mbuf));
	nfv_watch(p->data, c->copies[port] || p->len < LINE ? p->len : LINE);
}

void
watch_received(const struct nfv_chain *c, const struct nfv_burst *b, unsigned int port)
{
	for (uint16_t i = 0; i < b->n; i++)
		watch_frame(c, &b->pkt[i], port);
}

void
watch_stage(const struct stage *s, const struct nfv_burst *b)
{
	for (uint16_t i = 0; i < b->n; i++) {
		const struct nfv_pkt *p = &b->pkt[i];
		unsigned int head = p->l4 + NFV_UDP_LEN;

		nfv_watch(p->data, head < p->len ? head : p->len);
		if (p->flow != NULL)
			nfv_watch(p->flow, s->ops->flow_size);
	}
}

void
watch_sent(const struct nfv_chain *c, const struct nfv_burst *b)
{
	for (uint16_t i = 0; i < b->n; i++)
		watch_frame(c, &b->pkt[i], b->pkt[i].port);
}

void
watch_written(const struct nfv_pkt *p)
{
	nfv_watch(p->buf, sizeof(struct rte_mbuf));
	nfv_watch(p->data, p->len);
}
