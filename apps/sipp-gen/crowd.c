#include <rte_malloc.h>

#include "crowd.h"

#define VARS_TEXT 256u /* bytes for the texts of a user's variables */

int
crowd_init(struct crowd *c, uint32_t n, uint32_t vars, int socket, struct nfv_err *err)
{
	*c = (struct crowd){ .n = n, .to = n, .stride = vars_size(vars, VARS_TEXT) };
	if (n == 0)
		return 0;
	c->idle = rte_malloc_socket("users", n * sizeof(*c->idle), 64, socket);
	if (vars > 0)
		c->vars = rte_malloc_socket("users", n * c->stride, 64, socket);
	if (c->idle == NULL || (vars > 0 && c->vars == NULL)) {
		crowd_fini(c);
		return nfv_fail(err, ENOMEM,
			"no memory for %u users and their variables; give EAL more (-m) or fewer -users",
			n);
	}
	for (uint32_t i = 0; i < n; i++) {
		c->idle[i] = i + 1;
		if (vars > 0)
			vars_init(c->vars + i * c->stride, vars, VARS_TEXT);
	}
	return 0;
}

void
crowd_fini(struct crowd *c)
{
	rte_free(c->idle);
	rte_free(c->vars);
	*c = (struct crowd){ 0 };
}
