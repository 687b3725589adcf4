/**
 * @file
 * Whether two URIs are the same (RFC 3261 §19.1.4). What may be escaped and need not be is the same
 * either way; user and password are compared with their case, all else without; parameters and header
 * fields in any order. user, ttl, method, maddr and transport stand in both or in none; any other
 * parameter that stands in one alone is ignored, so that sameness is not transitive.
 *
 * URIs of other schemes, and those with more than SIP_URI_PARTS_MAX parameters or header fields, are the
 * same only byte for byte: what a comparison costs has a bound. Threads: pure functions.
 */
#ifndef URI_MATCH_H
#define URI_MATCH_H

#include "nfv_sip.h"

#define SIP_URI_PARTS_MAX 16u

bool sip_uri_eq(const struct nfv_sip_uri *a, const struct nfv_sip_uri *b);

#endif
