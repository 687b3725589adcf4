/**
 * @file
 * Which shared objects may be mapped, and an object opened under that rule.
 *
 * An object is a regular file below one of the rule's folders, reached without any symbolic link
 * (openat2, RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, RESOLVE_NO_MAGICLINKS); it, every folder on the way from
 * the root on, and the list belong to root, and neither group nor others may write to them. Its SHA-256 stands on the list, as
 * sha256sum prints it; lines that begin with # are comments. It is an ELF object for this machine that
 * asks neither for writable code, nor for an executable stack, nor for libraries but libc.
 *
 * A program for a stage's process (nfv-stage-dpdk, say) is opened under the same rule. It may take libraries, from
 * where the system has them; none from folders that it names itself.
 *
 * The bytes that are checked are those that are mapped: the file is copied into a memfd, which is sealed
 * against any change before its sum is taken (F_SEAL_WRITE, SHRINK, GROW, SEAL). What becomes of the
 * file afterwards is of no matter.
 *
 * Each refusal has its own sentence, with the file and what helps. Threads: control.
 */
#ifndef NFV_OBJECT_FILE_H
#define NFV_OBJECT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nfv_err.h"

#define NFV_OBJECT_DIRS 8

struct nfv_object_policy {
	const char *dir[NFV_OBJECT_DIRS]; /* absolute; where objects may lie, at any depth */
	uint32_t n_dirs;
	const char *allowed; /* absolute; the list of sums */
	size_t size_max;     /* of an object, in bytes; 0: 16 MiB */
	bool program;        /* what is wanted is a program to be run, not an object to be mapped */
};

/** An object that may be mapped; closed by nfv_object_close. */
struct nfv_object_file {
	int fd; /* a sealed memfd */
	size_t size;
	char sum[65];   /* its SHA-256, in hexadecimal */
	char name[128]; /* of the file, for people */
};

/**
 * `path`: absolute, or as seen from the folders, which are tried in order. Errors: -EACCES, -EPERM (not
 * allowed), -ENOENT, -ENOEXEC (no object), -EFBIG and those of the system, each with its sentence.
 */
int nfv_object_open(const struct nfv_object_policy *policy, const char *path,
	struct nfv_object_file *out, struct nfv_err *err);
/** Harmless on one whose fd is -1. */
void nfv_object_close(struct nfv_object_file *f);

/** Whether `n` bytes are an ELF object that may be mapped here, or a program that may be run; -ENOEXEC with a sentence. */
int nfv_object_elf(const uint8_t *bytes, size_t n, bool program, struct nfv_err *err);

#endif
