/**
 * @file
 * A firewall's state on its way to another version of it, and whether a firewall works at all.
 *
 * Version 1. Of a flow that was let in: struct fw_carried, and nothing of one that was not. Beside flows: struct
 * fw_counts. Where the reader has the same rules as the writer the flow is as known there as it was; where it has
 * others, it is one that an earlier rule set let in: judged by the new rules, as its first packet would be, when its
 * next packet comes. Rules are the same if they read the same, in the same order, so a flow carries their digest
 * with it. A pinhole's token names its owner wherever the chain's pinholes are found; where they are not, or the token
 * is none of theirs, the flow is refused.
 *
 * Threads: the firewall's owner.
 */
#ifndef CARRY_H
#define CARRY_H

#include "judge.h"
#include "nfv_stage.h"

#define FW_CARRY_VERSION 1u

struct fw_carried {
	uint64_t digest;  /* of the rules that let it in; 0: of earlier ones */
	uint64_t pinhole; /* as in struct fw_flow */
	uint32_t rule;    /* the same */
	uint32_t zero;
};

struct fw_counts {
	uint64_t established, related, answered, unanswered, by_pinhole;
};

size_t fw_export_flow(const void *fw, const void *slot, void *to, size_t room);
int fw_import_flow(void *fw, uint32_t version, const void *bytes, size_t n, void *slot);
int fw_export(void *fw, const struct nfv_put *to);
int fw_import(void *fw, uint32_t version, const void *bytes, size_t n);

/** A packet for every rule, or for some of many, is matched by it or one before it; a reset is as it must be. */
int fw_selftest(void *fw, struct nfv_err *err);

#endif
