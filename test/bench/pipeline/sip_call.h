/**
 * @file
 * A call through the SIP stage: INVITE with SDP, 200, ACK, BYE, 200, as a caller inside and a callee
 * outside send them to the proxy between them. Each party's message is made of what it was sent.
 */
#ifndef SIP_CALL_H
#define SIP_CALL_H

#include "rig.h"

#define SIP_TEXT 1200

enum sip_message { CALL_INVITE, CALL_OK, CALL_ACK, CALL_BYE, CALL_BYE_OK, CALL_MESSAGES };
extern const char *const sip_message_name[CALL_MESSAGES];

struct sip_text {
	char text[SIP_TEXT];
	uint16_t n;
};

struct sip_call {
	struct sip_text message[CALL_MESSAGES];
};

/** Make call number `id`, each message by way of the chain, which is one with the stage `sip`. */
void sip_call_make(struct rig *rig, struct rig_chain *chain, struct sip_call *call, uint32_t id);

/** Queue one of its messages. */
void sip_call_send(struct rig *rig, const struct sip_call *call, enum sip_message which);

#endif
