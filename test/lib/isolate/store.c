#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* nftw */
#endif
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <nettle/sha2.h>

#include "store.h"

bool
store_open(struct store *s)
{
	/* Anybody may write to /tmp, so objects cannot lie below it. */
	static const char *const where[] = { "/run/nfv-test-XXXXXX", "/root/nfv-test-XXXXXX" };

	if (geteuid() != 0)
		return false;
	for (int i = 0; i < 2; i++) {
		strcpy(s->dir, where[i]);
		if (mkdtemp(s->dir) == NULL)
			continue;
		chmod(s->dir, 0755);
		snprintf(s->list, sizeof(s->list), "%s/allowed", s->dir);
		s->policy = (struct nfv_object_policy){
			.dir = { s->dir }, .n_dirs = 1, .allowed = s->list
		};
		store_write(s, "allowed", "# objects\n\n", 11);
		return true;
	}
	return false;
}

static int
drop(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

void
store_close(struct store *s)
{
	nftw(s->dir, drop, 8, FTW_DEPTH | FTW_PHYS);
}

const char *
store_path(const struct store *s, const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", s->dir, name);
	return path;
}

char *
store_read(const char *path, size_t *n)
{
	FILE *f = fopen(path, "re");
	char *bytes = malloc(32 << 20);

	if (f == NULL || bytes == NULL)
		fail_msg("%s cannot be read", path);
	*n = fread(bytes, 1, 32 << 20, f);
	fclose(f);
	return bytes;
}

void
store_write(const struct store *s, const char *name, const void *bytes, size_t n)
{
	const char *path = store_path(s, name);
	FILE *f = fopen(path, "we");

	if (f == NULL || fwrite(bytes, 1, n, f) != n)
		fail_msg("%s cannot be written", path);
	fclose(f);
	chmod(path, 0644);
}

void
store_add(struct store *s, const char *file, const char *name, bool listed)
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx ctx;
	size_t n;
	char *bytes = store_read(file, &n);
	FILE *list;

	store_write(s, name, bytes, n);
	sha256_init(&ctx);
	sha256_update(&ctx, n, (const uint8_t *)bytes);
	sha256_digest(&ctx, sizeof(digest), digest);
	free(bytes);
	if (!listed)
		return;
	list = fopen(s->list, "ae");
	for (size_t i = 0; i < sizeof(digest); i++)
		fprintf(list, "%02x", digest[i]);
	fprintf(list, "  %s\n", name);
	fclose(list);
}

struct nfv_object_file
store_object(const struct store *s, const char *name)
{
	struct nfv_object_file f;
	struct nfv_err err = { "" };

	if (s->policy.n_dirs == 0)
		skip();
	if (nfv_object_open(&s->policy, name, &f, &err) < 0)
		fail_msg("%s", err.text);
	return f;
}
