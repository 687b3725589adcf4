/** @file  Giving up everything that a poll loop does not need; for good. */
#ifndef JAIL_H
#define JAIL_H

#include <stdbool.h>

#include "nfv_err.h"

/* Privileges for good: no new ones by exec, no capability, if root another user, no core files, no
 * files but `sock`, which must be 3; or 2, and none at all. */
int jail_privileges(int sock, struct nfv_err *err);

/* The last step: from here on any system call but the poll loop's own ends the process (SIGSYS); with `upkeep`,
 * and without a socket, it may also sync its memory. */
int jail_calls(int sock, bool upkeep, struct nfv_err *err);

/* Before foreign code is mapped: from here on no memory is both writable and executable, and none that was
 * the one becomes the other (PR_SET_MDWE, Linux 6.3; older kernels go without). */
void jail_code(void);

#endif
