/**
 * @file
 * A stage as a shared object: what it exports, so that it can be mapped, and replaced, at run time.
 *
 * An object carries all it needs of this repository and of other libraries, linked in and hidden; from
 * outside it takes libc alone. It exports one symbol, `nfv_stage_object`. What stands in front of the
 * operations is laid out the same for ever, so that anybody's object can be looked at: whether it is
 * one, and whether it was built with structs like ours. The sizes stand for all of those that cross the
 * border; NFV_OBJECT_ABI counts changes of meaning that no size shows, those of struct nfv_conf too.
 *
 * An object has its own copies of the libraries' variables: registrations and watches (nfv_watch.h) in
 * it are not the program's. What it allocates it frees.
 *
 * To build one: a `shared_module` of the file that has NFV_STAGE_OBJECT, compiled with -DNFV_OBJECT,
 * linked as lib/nf/nat/meson.build does. nfv_object_file.h says which may be opened, nfv_object_map.h
 * maps them. Threads: constant data.
 */
#ifndef NFV_OBJECT_H
#define NFV_OBJECT_H

#include "nfv_stage.h"

#define NFV_OBJECT_MAGIC 0x6567617473766e01ull
#define NFV_OBJECT_ABI   1u
#define NFV_OBJECT_TEXT  32 /* bytes of a version's name, its NUL included */

/** Sizes of what goes over the border between a program and an object. */
struct nfv_object_sizes {
	uint32_t pkt, burst, out, ctx, ops;
	uint32_t conf_field, conf_schema, err;
};

#define NFV_OBJECT_SIZES                                                                           \
	{                                                                                          \
		sizeof(struct nfv_pkt), sizeof(struct nfv_burst), sizeof(struct nfv_out),          \
			sizeof(struct nfv_stage_ctx), sizeof(struct nfv_stage_ops),                \
			sizeof(struct nfv_conf_field), sizeof(struct nfv_conf_schema),             \
			sizeof(struct nfv_err)                                                     \
	}

struct nfv_stage_object {
	uint64_t magic;
	uint32_t abi, size; /* of this struct */
	struct nfv_object_sizes sizes;
	uint32_t number;               /* of the version: a later one has a higher */
	char version[NFV_OBJECT_TEXT]; /* the same for people: "1.2" */
	const struct nfv_stage_ops *ops;
};

/** Beside NFV_STAGE_REGISTER; nothing where the stage is not built as an object. */
#ifdef NFV_OBJECT
#define NFV_STAGE_OBJECT(stage_ops, version_number, version_text)                                  \
	extern const struct nfv_stage_object nfv_stage_object;                                     \
	__attribute__((visibility("default"))) const struct nfv_stage_object nfv_stage_object = {  \
		.magic = NFV_OBJECT_MAGIC,                                                         \
		.abi = NFV_OBJECT_ABI,                                                             \
		.size = sizeof(struct nfv_stage_object),                                           \
		.sizes = NFV_OBJECT_SIZES,                                                         \
		.number = (version_number),                                                        \
		.version = version_text,                                                           \
		.ops = &(stage_ops),                                                               \
	};
#else
#define NFV_STAGE_OBJECT(stage_ops, version_number, version_text)
#endif

#endif
