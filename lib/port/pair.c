#include <stdio.h>
#include <string.h>

#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ring.h>

#include "pair.h"

#define SLOTS  16384 /* frames on the way, each way and queue */
#define QUEUES 16    /* that the driver has */

static struct rte_ring *
ring(const char *name, char from, uint16_t queue)
{
	char text[RTE_RING_NAMESIZE];
	struct rte_ring *r;

	snprintf(text, sizeof(text), "%s_%c%u", name, from, queue);
	r = rte_ring_lookup(text);
	return r != NULL ?
		r :
		rte_ring_create(text, SLOTS, (int)rte_socket_id(), RING_F_SP_ENQ | RING_F_SC_DEQ);
}

bool
pair_is(const char *device)
{
	return strncmp(device, "pair:", 5) == 0;
}

/* "pair:NAME:a" into NAME and its side. */
static int
parse(const char *device, char name[16], char *side, struct nfv_err *err)
{
	const char *at = device + 5, *colon = strchr(at, ':');
	size_t n = colon != NULL ? (size_t)(colon - at) : 0;

	if (n == 0 || n >= 16 || strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789-") < n ||
		(colon[1] != 'a' && colon[1] != 'b') || colon[2] != '\0')
		return nfv_fail(err, EINVAL,
			"\"%s\" is no end of a pair: pair:NAME:a is one, pair:NAME:b the other",
			device);
	memcpy(name, at, n);
	name[n] = '\0';
	*side = colon[1];
	return 0;
}

int
pair_check(const char *device, struct nfv_err *err)
{
	char name[16], side;

	return parse(device, name, &side, err);
}

/* Queues of the other end, 0: it is not open. */
static uint16_t
queues_of(const char *name, char side)
{
	char text[RTE_ETH_NAME_MAX_LEN];
	struct rte_eth_dev_info info;
	uint16_t id;

	snprintf(text, sizeof(text), "net_ring_%s-%c", name, side);
	if (rte_eth_dev_get_port_by_name(text, &id) != 0 || rte_eth_dev_info_get(id, &info) != 0)
		return 0;
	return info.max_rx_queues;
}

int
pair_open(const char *device, uint16_t queues, uint16_t *id, uint8_t mac[6], struct nfv_err *err)
{
	char name[16], side = 'a', other, text[RTE_ETH_NAME_MAX_LEN];
	struct rte_ring *out[QUEUES], *in[QUEUES];
	int rc = parse(device, name, &side, err);

	if (rc < 0)
		return rc;
	other = side == 'a' ? 'b' : 'a';
	if (queues > QUEUES)
		return nfv_fail(
			err, EINVAL, "a pair has at most %d queues, not %u", QUEUES, queues);
	if (queues_of(name, other) != 0 && queues_of(name, other) != queues)
		return nfv_fail(err, EINVAL, "the other end of the pair has %u queues, not %u",
			queues_of(name, other), queues);
	for (uint16_t q = 0; q < queues; q++) {
		out[q] = ring(name, side, q);
		in[q] = ring(name, other, q);
		if (out[q] == NULL || in[q] == NULL)
			return nfv_fail(err, ENOMEM, "no memory for the rings of the pair");
	}
	snprintf(text, sizeof(text), "%s-%c", name, side);
	rc = rte_eth_from_rings(text, in, queues, out, queues, rte_socket_id());
	if (rc < 0)
		return nfv_fail(err, EEXIST, "this end of the pair is already in use");
	*id = (uint16_t)rc;
	/* Locally administered, of the name and the side; a ring has none of its own. */
	memset(mac, 0, 6);
	mac[0] = 2;
	for (size_t i = 0; name[i] != '\0'; i++)
		mac[1 + i % 4] = (uint8_t)(mac[1 + i % 4] * 31 + name[i]);
	mac[5] = (uint8_t)side;
	return 0;
}
