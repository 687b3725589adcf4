/**
 * @file
 * A NAT's state on its way to another version of the NAT, and whether a NAT works at all.
 *
 * Version 1. Of a flow that is translated: struct nat_carried, and nothing of one that is not. Beside flows:
 * how often mappings were refused, uint64_t [NAT_REFUSALS][NAT_PROTOS]. Mappings go over with the flows
 * that hold them; static ones stand in the configuration. Threads: the NAT's owner.
 */
#ifndef NAT_CARRY_H
#define NAT_CARRY_H

#include "nat.h"
#include "nfv_stage.h"

#define NAT_CARRY_VERSION 1u

/** Addresses and ports in network order. */
struct nat_carried {
	uint32_t be_in_addr, be_ext_addr;
	uint16_t be_in_port, be_ext_port;
	uint8_t proto; /* enum nat_proto */
	uint8_t is_static;
	uint16_t zero;
};

size_t nat_export_flow(const void *nat, const void *slot, void *to, size_t room);
int nat_import_flow(void *nat, uint32_t version, const void *bytes, size_t n, void *slot);
int nat_export(void *nat, const struct nfv_put *to);
int nat_import(void *nat, uint32_t version, const void *bytes, size_t n);
/** A packet out and its answer in; the mapping it takes is given back. */
int nat_selftest(void *nat, struct nfv_err *err);

#endif
