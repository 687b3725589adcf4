#define _GNU_SOURCE /* seals */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "nfv_object_map.h"

#define SEALED (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static bool
has_end(const char *text, size_t size)
{
	return memchr(text, 0, size) != NULL;
}

/* Operations are pointers into it, so they are not looked at before all else fits. */
static int
check(const struct nfv_stage_object *o, const char *name, struct nfv_err *err)
{
	static const struct nfv_object_sizes ours = NFV_OBJECT_SIZES;

	if (o->magic != NFV_OBJECT_MAGIC)
		return nfv_fail(err, ENOEXEC,
			"what it exports as nfv_stage_object is none; build it with "
			"NFV_STAGE_OBJECT");
	if (o->abi != NFV_OBJECT_ABI || o->size != sizeof(*o) ||
		memcmp(&o->sizes, &ours, sizeof(ours)) != 0)
		return nfv_fail(err, ENOEXEC,
			"it was built for another version of the programs (its interface %u, "
			"ours %u, or structs of other sizes); build it from the same sources",
			o->abi, NFV_OBJECT_ABI);
	if (!has_end(o->version, sizeof(o->version)) || o->ops == NULL || o->ops->name == NULL ||
		o->ops->process == NULL)
		return nfv_fail(err, ENOEXEC,
			"it has no version, no operations or no name; build it with "
			"NFV_STAGE_OBJECT");
	if (name != NULL && strcmp(o->ops->name, name) != 0)
		return nfv_fail(err, ENOEXEC, "it is the stage %s, not %s; name another object",
			o->ops->name, name);
	return 0;
}

int
nfv_object_map(int fd, const char *name, struct nfv_object_map *out, struct nfv_err *err)
{
	struct nfv_object_map m = { .fd = fd };
	int seals = fcntl(fd, F_GET_SEALS), rc;
	char path[64];

	if (seals < 0 || (seals & SEALED) != SEALED) {
		rc = nfv_fail(err, EPERM,
			"an object is refused: it lies in a file that is not sealed; open it with "
			"nfv_object_open");
		goto fail;
	}
	/* The loader knows objects by their names, so as long as it is mapped its descriptor stays open and no
	 * other object has the same name. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	m.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (m.handle == NULL) {
		rc = nfv_fail(err, ENOEXEC, "the object cannot be mapped: %s", dlerror());
		goto fail;
	}
	m.object = dlsym(m.handle, "nfv_stage_object");
	if (m.object == NULL)
		rc = nfv_fail(err, ENOEXEC,
			"the object exports no nfv_stage_object; build it with NFV_STAGE_OBJECT");
	else
		rc = check(m.object, name, err);
	if (rc < 0)
		goto fail;
	*out = m;
	return 0;
fail:
	if (m.handle != NULL)
		dlclose(m.handle);
	close(fd);
	return rc;
}

void
nfv_object_unmap(struct nfv_object_map *m)
{
	if (m->handle == NULL)
		return;
	dlclose(m->handle);
	close(m->fd);
	memset(m, 0, sizeof(*m));
}
