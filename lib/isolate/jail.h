/** @file  Giving up everything that a poll loop does not need; for good. */
#ifndef JAIL_H
#define JAIL_H

#include "nfv_err.h"

/* Privileges for good: no new ones by exec, no capability, if root another user, no core files, no
 * files but `sock`, which must be 3. */
int jail_privileges(int sock, struct nfv_err *err);

/* The last step: from here on any system call but the poll loop's own ends the process (SIGSYS). */
int jail_calls(int sock, struct nfv_err *err);

#endif
