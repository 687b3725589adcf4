/** @file  What a stage's program needs around it before its stage starts. */
#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

#include "nfv_err.h"

/** Have it ready; `name` is the program's. */
int environment_start(const char *name, struct nfv_err *err);

#endif
