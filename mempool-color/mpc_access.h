/**
 * @file
 * What a trace is made of: one access to one cache line, by whom. A *class* is what has its own pages
 * and could have its own colours: the packets of a flow, the table of a stage. A line belongs to one
 * class, whoever touches it. Threads: plain data.
 */
#ifndef MPC_ACCESS_H
#define MPC_ACCESS_H

#include <stdint.h>

#define MPC_CLASSES    64
#define MPC_CLASS_NAME 48                 /* bytes, the NUL included */
#define MPC_LINE_MAX   ((1ull << 60) - 1) /* of line numbers: addresses divided by the line's size */

struct mpc_access {
	uint64_t line;
	uint64_t time; /* of the time stamp counter, 0: not known; never goes back */
	uint32_t class;
};

#endif
