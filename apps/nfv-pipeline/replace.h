/**
 * @file
 * Stages replaced by other versions of them while packets pass: `replace STAGE FILE` at the prompt. FILE is a
 * shared object that `objects:` in the configuration allows; or a program, of a stage that uses DPDK.
 *
 * Where the stage is isolated, the new version starts in a process beside the old one, takes its flows over,
 * and is on probation; where it runs in a worker's loop it is mapped into this program and takes over between two
 * bursts. In both cases it first tests itself, and no packet is lost.
 *
 * Threads: control.
 */
#ifndef REPLACE_H
#define REPLACE_H

#include "app.h"

/** In all chains that have it. `file` NULL: the next program that connects, of a stage in a container; else the
 * program it has, started anew, which may have been installed meanwhile. How it
 * goes is told on standard output; 0, or -errno with a sentence and the old version goes on. */
int replace_stage(struct app *app, const char *stage, const char *file, struct nfv_err *err);
/** Unmap what was mapped; behind the chains' end. */
void replace_close(struct app *app);

#endif
