#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <pcap/pcap.h>

#include "nfv_hdr.h"
#include "plain.h"

static int
no_memory(struct nfv_err *err)
{
	return nfv_fail(err, ENOMEM, "out of memory");
}

/* Room for one frame more, by doubling. */
static int
add(struct plain_replay *p, size_t *room, size_t *slots, const uint8_t *frame, uint16_t len)
{
	size_t end = p->frames > 0 ? p->at[p->frames] : 0;

	if (p->frames + 2 > *slots) {
		size_t want = *slots * 2 + 64;
		uint32_t *at = realloc(p->at, want * sizeof(*at));

		if (at == NULL)
			return -ENOMEM;
		p->at = at;
		p->at[0] = 0;
		*slots = want;
	}
	if (end + len > *room) {
		size_t want = *room * 2 + 65536;
		uint8_t *data = want <= UINT32_MAX ? realloc(p->data, want) : NULL;

		if (data == NULL)
			return -ENOMEM;
		p->data = data;
		*room = want;
	}
	memcpy(p->data + end, frame, len);
	p->at[++p->frames] = (uint32_t)(end + len);
	p->longest = len > p->longest ? len : p->longest;
	return 0;
}

static int
read_frames(
	pcap_t *pcap, const char *file, uint16_t mtu, struct plain_replay *p, struct nfv_err *err)
{
	struct pcap_pkthdr *h;
	const uint8_t *data;
	size_t room = 0, slots = 0;
	int rc;

	while ((rc = pcap_next_ex(pcap, &h, &data)) == 1) {
		if (h->caplen < h->len)
			return nfv_fail(err, EINVAL, "%s: frame %u was not recorded whole", file,
				p->frames + 1);
		if (h->len < NFV_ETH_LEN || h->len > (uint32_t)mtu + NFV_ETH_LEN)
			return nfv_fail(err, EINVAL, "%s: frame %u has %u bytes, not %u to %u",
				file, p->frames + 1, h->len, NFV_ETH_LEN, mtu + NFV_ETH_LEN);
		if (add(p, &room, &slots, data, (uint16_t)h->len) < 0)
			return no_memory(err);
	}
	if (rc == PCAP_ERROR)
		return nfv_fail(err, EINVAL, "%s: %s", file, pcap_geterr(pcap));
	if (p->frames == 0)
		return nfv_fail(err, EINVAL, "%s has no frames", file);
	return 0;
}

int
plain_replay_load(const char *file, uint16_t mtu, struct plain_replay *out, struct nfv_err *err)
{
	struct plain_replay p = { .frames = 0 };
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline(file, why);
	int rc;

	if (pcap == NULL)
		return nfv_fail(err, EINVAL, "%s cannot be read: %s", file, why);
	if (pcap_datalink(pcap) != DLT_EN10MB)
		rc = nfv_fail(err, EINVAL, "%s was not recorded on Ethernet", file);
	else
		rc = read_frames(pcap, file, mtu, &p, err);
	pcap_close(pcap);
	if (rc < 0)
		plain_replay_free(&p);
	else
		*out = p;
	return rc;
}

void
plain_replay_free(struct plain_replay *p)
{
	free(p->data);
	free(p->at);
	*p = (struct plain_replay){ .data = NULL };
}
