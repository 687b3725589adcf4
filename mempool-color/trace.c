#include <stdlib.h>
#include <string.h>

#include "trace_format.h"

int
mpc_recorder_create(uint32_t blocks, uint32_t line, struct mpc_recorder **out, struct nfv_err *err)
{
	struct mpc_recorder *r;

	if (blocks < 2 || !trace_line_good(line))
		return nfv_fail(err, EINVAL,
			"a recorder of %u blocks for lines of %u bytes: give "
			"two blocks at least, and a power of two from 16 to %u",
			blocks, line, MPC_PAGE);
	r = aligned_alloc(64, sizeof(*r));
	if (r == NULL)
		return nfv_fail(err, ENOMEM, "no memory for a recorder");
	*r = (struct mpc_recorder){ .blocks = blocks, .shift = (uint32_t)__builtin_ctz(line) };
	r->block = calloc(blocks, sizeof(*r->block));
	if (r->block == NULL) {
		mpc_recorder_destroy(r);
		return nfv_fail(err, ENOMEM, "no memory for %u blocks of a trace", blocks);
	}
	/* Touched now, so that no page fault comes in the way of what is watched. */
	for (uint32_t i = 0; i < blocks; i++)
		memset(r->block[i].data, 0, sizeof(r->block[i].data));
	*out = r;
	return 0;
}

void
mpc_recorder_destroy(struct mpc_recorder *r)
{
	if (r == NULL)
		return;
	free(r->block);
	free(r);
}

void
mpc_recorder_stop(struct mpc_recorder *r)
{
	struct mpc_trace_block *b = &r->block[r->turn % r->blocks];

	if (r->accesses == 0)
		return;
	b->bytes = (uint32_t)(r->at - b->data);
	b->accesses = r->accesses;
	r->accesses = 0;
	r->at = r->limit = NULL;
	r->turn++;
	__atomic_store_n(&r->filled, r->turn, __ATOMIC_RELEASE);
}

bool
mpc_recorder_turn(struct mpc_recorder *r, uint64_t time)
{
	struct mpc_trace_block *b;

	mpc_recorder_stop(r);
	if (r->turn - __atomic_load_n(&r->emptied, __ATOMIC_ACQUIRE) >= r->blocks) {
		r->lost++;
		return false;
	}
	b = &r->block[r->turn % r->blocks];
	b->time = time > r->time ? time : r->time;
	b->lost = r->lost;
	r->lost = 0;
	r->time = b->time;
	r->class = 0;
	memset(r->line, 0, sizeof(r->line));
	r->at = b->data;
	r->limit = b->data + MPC_TRACE_BLOCK - MPC_TRACE_RECORD;
	return true;
}

struct mpc_trace_writer {
	FILE *to;
	char *file;
	struct mpc_recorder *recorder;
	struct mpc_trace_info info;
	uint64_t bytes, bytes_max, blocks;
	uint64_t pending; /* lost since the last block that was written */
	int error;        /* of the first write that failed */
};

static void
put(struct mpc_trace_writer *w, const void *p, size_t n)
{
	if (w->error == 0 && fwrite(p, 1, n, w->to) != n)
		w->error = errno != 0 ? errno : EIO;
	w->bytes += n;
}

static void
destroy(struct mpc_trace_writer *w)
{
	if (w == NULL)
		return;
	if (w->to != NULL)
		fclose(w->to);
	free(w->file);
	free(w);
}

int
mpc_trace_create(const char *file, const struct mpc_trace_info *info, struct mpc_recorder *r,
	uint64_t bytes, struct mpc_trace_writer **out, struct nfv_err *err)
{
	struct mpc_trace_writer *w;
	uint8_t header[TRACE_HEADER_MAX];
	int rc;

	if (info->line != 1u << r->shift)
		return nfv_fail(err, EINVAL, "%s: lines of %u bytes, but the recorder's have %u",
			file, info->line, 1u << r->shift);
	if (info->classes > MPC_CLASSES || info->caches.n > MPC_CACHES)
		return nfv_fail(err, EINVAL, "%s: a trace has %d classes and %d caches at most",
			file, MPC_CLASSES, MPC_CACHES);
	for (unsigned int i = 0; i < info->classes; i++)
		if (!trace_name_good(nfv_sv(
			    info->class[i].name, strnlen(info->class[i].name, MPC_CLASS_NAME))))
			return nfv_fail(err, EINVAL,
				"%s: class %u wants a name of 1 to %d printing letters without spaces",
				file, i, MPC_CLASS_NAME - 1);
	w = calloc(1, sizeof(*w));
	if (w == NULL || (w->file = strdup(file)) == NULL) {
		rc = nfv_fail(err, ENOMEM, "%s: no memory for a trace's writer", file);
		goto fail;
	}
	w->to = fopen(file, "we");
	if (w->to == NULL) {
		rc = nfv_fail(err, EIO, "%s: %s", file, strerror(errno));
		goto fail;
	}
	w->recorder = r;
	w->info = *info;
	w->info.accesses = w->info.lost = 0;
	w->bytes_max = bytes;
	put(w, header, trace_put_header(header, info));
	*out = w;
	return 0;
fail:
	destroy(w);
	return rc;
}

static void
take(struct mpc_trace_writer *w, const struct mpc_trace_block *b)
{
	struct trace_mark m = { TRACE_BLOCK, b->bytes, b->accesses, b->time, 0 };
	uint8_t mark[TRACE_MARK];

	w->pending += b->lost;
	if (w->error != 0 || w->bytes + b->bytes + 2 * (size_t)TRACE_MARK > w->bytes_max) {
		w->pending += b->accesses;
		w->bytes_max = 0; /* nor smaller ones: a trace ends once */
		return;
	}
	m.lost = w->pending;
	trace_put_mark(mark, &m, b->data);
	put(w, mark, sizeof(mark));
	put(w, b->data, b->bytes);
	w->info.accesses += b->accesses;
	w->info.lost += w->pending;
	w->pending = 0;
	w->blocks++;
}

void
mpc_trace_drain(struct mpc_trace_writer *w)
{
	struct mpc_recorder *r = w->recorder;
	uint64_t filled = __atomic_load_n(&r->filled, __ATOMIC_ACQUIRE);

	for (uint64_t i = r->emptied; i != filled; i++) {
		take(w, &r->block[i % r->blocks]);
		__atomic_store_n(&r->emptied, i + 1, __ATOMIC_RELEASE);
	}
}

int
mpc_trace_finish(struct mpc_trace_writer *w, struct mpc_trace_info *info, struct nfv_err *err)
{
	struct trace_mark m = { .what = TRACE_END };
	uint8_t mark[TRACE_MARK];
	int rc = 0;

	mpc_trace_drain(w);
	w->info.lost += w->pending + w->recorder->lost;
	w->recorder->lost = 0;
	m.accesses = w->info.accesses;
	m.time = w->blocks;
	m.lost = w->info.lost;
	trace_put_mark(mark, &m, mark);
	put(w, mark, sizeof(mark));
	if (fclose(w->to) != 0 && w->error == 0)
		w->error = errno;
	w->to = NULL;
	if (w->error != 0)
		rc = nfv_fail(
			err, EIO, "%s: it could not be written: %s", w->file, strerror(w->error));
	else if (info != NULL)
		*info = w->info;
	destroy(w);
	return rc;
}
