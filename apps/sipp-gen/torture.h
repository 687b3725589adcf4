/**
 * @file
 * Torture: messages from files, each sent as it is as one datagram, and what the peer says to it.
 * Between them an OPTIONS request shows that the peer is alive. One lcore, no calls.
 *
 * An answer is a response that does not belong to another Call-ID than the message's; of several the
 * first final one counts. JSON: an array of {file, bytes, status (null: no answer), ms, alive (null:
 * not asked)} and, where the answer was no SIP response, "garbage": true.
 * Threads: the main thread, which is an lcore.
 */
#ifndef TORTURE_H
#define TORTURE_H

#include "options.h"

/** `interrupted`: whether a signal asks to end. Returns 0: the peer was alive to the end, 1: it died or
 * never answered. Errors: with a sentence. */
int torture_go(const struct options *o, bool (*interrupted)(void), struct nfv_err *err);

#endif
