/**
 * @file
 * Transactions on their way to another version of the stage: each slot is a record by its number, which
 * stays, since it travels in branches. Texts follow the record in the order of their lengths in it.
 *
 * A client names its server by number, and a CANCEL's the one it cancels and the other way round; whichever
 * comes first waits for the other. A record is a stranger's: what cannot be of a transaction is refused. Times
 * are TSC cycles, of this machine.
 *
 * Into a table from which nothing has been taken yet. When all have come sip_txns_settle ends what
 * does not hold together. Threads: the table's.
 */
#ifndef TXN_CARRY_H
#define TXN_CARRY_H

#include "server.h"

struct sip_txn_record {
	uint64_t key[2], end, again;
	uint8_t addr[16];
	uint16_t port, status;
	uint8_t family, machine, state, method, flags, own, dir, zero;
	uint32_t generation, server, cancel, interval;
	uint32_t n_request, n_response, n_targets;
};

/** Write what is in slot `i`, at most NFV_ITEM_MAX bytes; 0: nothing. */
size_t sip_txn_export(const struct sip_txns *t, uint32_t i, uint8_t *to);
/** Have this in slot `i`, and nothing else; n 0: nothing. -EINVAL: it is none; -ENOSPC: no room for its texts;
 * then there is nothing in the slot. */
int sip_txn_import(struct sip_txns *t, uint32_t i, const uint8_t *bytes, size_t n);
/** The same of a proxy, which also reads what messages say. */
int sip_server_import(struct sip_server *s, uint32_t i, const uint8_t *bytes, size_t n);
/** How many had to go. */
uint32_t sip_txns_settle(struct sip_txns *t);

#endif
