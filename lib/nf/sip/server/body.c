/* What bodies say of media: of every message that goes on, once, and as it was where it goes again. */
#include "server.h"

static bool
edit(void *ctx, struct sip_work *work, const struct nfv_endpoint *to, const struct nfv_addr *own,
	enum nfv_dir dir)
{
	struct sip_server *s = ctx;
	const struct sip_media_in in = { .msg = &work->msg,
		.core = &work->core,
		.from = { work->in->src.addr, work->in->dst.addr, nfv_dir_back(work->in->dir) },
		.to = { to->addr, *own, dir },
		.tsc = s->now };
	int rc = (s->again ? sip_media_again : sip_media)(s->media, &in, &work->edits, &work->ins);

	/* What cannot be read is the other end's to refuse: it is counted, and nothing is opened. */
	if (rc != -ENOSPC)
		return true;
	s->refusal = 503;
	return false;
}

void
sip_body_init(struct sip_server *s, struct sip_media *media)
{
	s->media = media;
	s->px.body = edit;
	s->px.body_ctx = s;
}
