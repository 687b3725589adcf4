/** @file  What the data path itself touches of packets, for who is watching; cold, and a burst at a time. */
#ifndef WATCH_H
#define WATCH_H

#include "chain.h"
#include "nfv_watch.h"

/* Whether this core copies what this port receives and sends, as it does where the kernel or another
 * process is on the other side; a device of its own does that by itself. */
bool watch_copies(uint16_t port);

/* Come in by an end of the chain, as they are before l3 looks at them. */
void watch_received(const struct nfv_chain *c, const struct nfv_burst *b, unsigned int port);
/* About to be looked at by a stage: headers, and its slots. */
void watch_stage(const struct stage *s, const struct nfv_burst *b);
/* About to be queued for sending. */
void watch_sent(const struct nfv_chain *c, const struct nfv_burst *b);
/* Written here. */
void watch_written(const struct nfv_pkt *p);

#endif
