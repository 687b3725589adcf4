/* libc is all there is. */
#include "environment.h"

int
environment_start(const char *name, struct nfv_err *err)
{
	(void)name;
	(void)err;
	return 0;
}
