/** @file  Inside of the table of transactions: what txn_carry.c needs of txn.c. */
#ifndef TXN_SLOTS_H
#define TXN_SLOTS_H

#include "txn.h"

void txn_link_bucket(struct sip_txns *t, uint32_t i, struct sip_txn *x);
void txn_unlink_bucket(struct sip_txns *t, uint32_t i, const struct sip_txn *x);
void txn_unlink_server(struct sip_txns *t, uint32_t i, const struct sip_txn *x);
void txn_arm(struct sip_txns *t, uint32_t i, const struct sip_txn *x);
/** Whether there is such a state of such a machine; and whether something is sent again in it. */
bool txn_is_state(unsigned int machine, unsigned int state);
bool txn_repeats(unsigned int machine, unsigned int state);

#endif
