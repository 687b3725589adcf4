/**
 * @file
 * A stage's shared object mapped into this process, and unmapped again.
 *
 * What is mapped is a sealed memfd (nfv_object_file.h makes it): one that could still be written, or cut,
 * is refused, so what was checked is what runs. All symbols are bound at once (RTLD_NOW) and none of them is
 * seen by others (RTLD_LOCAL). Before anything of an object is used its exported struct is compared with
 * ours; but what it has of constructors has run by then.
 *
 * Ownership: a mapping keeps its descriptor, and its code lives until nfv_object_unmap; by then nothing
 * may use its operations, or anything they point to. Threads: control, or a process that has one.
 */
#ifndef NFV_OBJECT_MAP_H
#define NFV_OBJECT_MAP_H

#include "nfv_object.h"

struct nfv_object_map {
	const struct nfv_stage_object *object;
	void *handle;
	int fd;
};

/**
 * Map the object behind `fd`, which is taken, and which is to be the stage `name` (NULL: any). -EPERM: not
 * sealed; -ENOEXEC: no object, or of another build; with a sentence.
 */
int nfv_object_map(int fd, const char *name, struct nfv_object_map *out, struct nfv_err *err);
/** Harmless on one that is all zero. */
void nfv_object_unmap(struct nfv_object_map *m);

#endif
