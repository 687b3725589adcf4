#include "proxy.h"

void
sip_proxy(const struct sip_proxy *px, const struct sip_in *in, struct sip_work *work, char *buf,
	size_t room, struct sip_result *r)
{
	*r = (struct sip_result){ 0 };
	sip_work_begin(work, px, in);
	switch (nfv_sip_parse(&work->msg, in->text.p, in->text.n)) {
	case NFV_SIP_MESSAGE_OK:
		break;
	case NFV_SIP_KEEPALIVE:
		r->action = SIP_KEEPALIVE;
		return;
	case NFV_SIP_STUN:
		r->action = SIP_STUN;
		return;
	case NFV_SIP_NOT_SIP:
		sip_drop(r, SIP_DROP_NOT_SIP);
		return;
	}
	if (work->msg.response)
		sip_response(work, buf, room, r);
	else
		sip_request(work, buf, room, r);
}
