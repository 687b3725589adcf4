/**
 * @file
 * A scenario's variables: values of one call, one user or one lcore, with a bounded room for their
 * texts, in memory that its owner takes once. A variable is named by an id, which says in whose
 * store it lies and at which place there.
 *
 * Threads: whoever owns the store.
 */
#ifndef VARS_H
#define VARS_H

#include <stdbool.h>
#include <stdint.h>

#include "nfv_sv.h"

/** Where a variable lives. Strings, numbers and booleans are told apart by what was put there last. */
enum var_scope { VAR_CALL, VAR_USER, VAR_GLOBAL, VAR_SCOPES };

/** An id: the scope's and the place in it. NO_VAR (-1) is none. */
#define VAR_ID(scope, place) ((int16_t)((scope) << 12 | (place)))
#define VAR_SCOPE(id)        ((unsigned int)(id) >> 12)
#define VAR_PLACE(id)        ((unsigned int)(id)&0xfff)

enum value_kind { VALUE_UNSET, VALUE_TEXT, VALUE_NUMBER, VALUE_BOOL };

/** A value of a scenario's variable. */
struct value {
	uint8_t kind; /* enum value_kind */
	uint16_t n;
	union {
		double number;
		bool truth;
		const char *text; /* n bytes, owned by the store */
	};
};

struct vars {
	uint32_t n, used, room; /* values; bytes of text */
	struct value value[];   /* and the texts behind them */
};

/** Bytes that a store of `n` values and `room` bytes of text takes. */
static inline size_t
vars_size(uint32_t n, uint32_t room)
{
	return sizeof(struct vars) + n * sizeof(struct value) + ((room + 7u) & ~7u);
}

/** Make a store, all unset, in vars_size() bytes aligned to 8. */
struct vars *vars_init(void *mem, uint32_t n, uint32_t room);
/** All unset again. */
void vars_reset(struct vars *v);

/** Keep a copy of a text, which must not lie in this store. False: it did not fit, and the variable
 * is unset. */
bool vars_set_text(struct vars *v, uint32_t place, struct nfv_sv text);

/** SIPp's meaning of "set": something was put there, and it is not false. */
static inline bool
value_is_set(const struct value *v)
{
	return v->kind == VALUE_BOOL ? v->truth : v->kind != VALUE_UNSET;
}

#endif
