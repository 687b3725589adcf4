/**
 * @file
 * The location service of one shard in all others: after each change of an AOR its registrar tells all
 * there is of it, as one message, and each of the others has the same bindings from then on. Expiry needs
 * no message: the clock is the same.
 *
 * A message is a struct replica_head, `n` struct replica_item, the key, and of each item URI, parameters
 * and path; it never leaves the process, but for another version of
 * the stage, which checks it.
 *
 * Threads: one for each location.
 */
#ifndef REPLICA_H
#define REPLICA_H

#include "location.h"

#define SIP_REPLICA_MAX      61440u /* bytes of a message, which a large packet buffer takes */
#define SIP_REPLICA_NONE_MAX (SIP_AOR_TEXT_MAX + 16u) /* of one that says that there is nothing */

/** Bytes of a binding in a message; and of what is there besides. */
size_t sip_replica_binding(const struct sip_binding *b);
size_t sip_replica_head(struct nfv_sv key);

/** Write what is true of an AOR; `aor` is SIP_NONE if it has no bindings. Returns its bytes. `room` must
 * be as much as the functions above say. `text` is scratch. */
size_t sip_replica_write(const struct sip_location *l, struct nfv_sv key, uint32_t aor,
	char text[SIP_BINDING_TEXT_MAX], char *buf, size_t room);
/** Whether a message is one of an AOR with bindings, whoever wrote it; its key. */
bool sip_replica_check(const void *message, size_t n, uint32_t n_own, struct nfv_sv *key);
/** Make that true of `l`. False: there is no room for it, or it is no message; then the AOR may be as it
 * was. `text` is scratch. */
bool sip_replica_apply(struct sip_location *l, const void *message, size_t n, uint64_t now,
	char text[SIP_BINDING_TEXT_MAX]);

#endif
