/**
 * @file
 * Where messages are kept that may have to be sent again: texts of any length in chains of fixed
 * blocks, which lie in pages of the caller's. These pages stream: a message is written once, mostly
 * never read, and given back; so they are a class of buffers of their own, apart from the transactions
 * that name them.
 *
 * A kept text is named by its first block; SIP_NO_TEXT names none. Ownership: the pages are the
 * caller's and outlive the store. Threads: one; nothing allocates.
 */
#ifndef STORE_H
#define STORE_H

#include "nfv_pages.h"
#include "nfv_sv.h"

#define SIP_NO_TEXT     UINT32_MAX
#define SIP_STORE_BLOCK 512u

struct sip_store {
	uint8_t **page;
	uint32_t free, n_free, blocks;
};

/** How many pages `blocks` blocks take. */
size_t sip_store_pages(uint32_t blocks);
void sip_store_init(struct sip_store *s, const struct nfv_pages *pages);

/** Keep a copy of at most 65535 bytes; SIP_NO_TEXT if there is no room for it. */
uint32_t sip_store_keep(struct sip_store *s, struct nfv_sv text);
/** The text: in place where it is one block, else copied to `buf`, which has room for the longest. Of
 * SIP_NO_TEXT nothing. */
struct nfv_sv sip_store_text(const struct sip_store *s, uint32_t id, char *buf);
/** It will be read or given back. */
void sip_store_prefetch(const struct sip_store *s, uint32_t id);
/** Give it back; of SIP_NO_TEXT nothing. */
void sip_store_drop(struct sip_store *s, uint32_t id);

#endif
