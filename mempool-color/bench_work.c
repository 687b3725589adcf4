#define _GNU_SOURCE /* CPU affinity of threads */

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <x86intrin.h>

#include "bench_work.h"

#define RING 128 /* packets the helper may be ahead: a short receive ring */
#define LEAD 64  /* packets it must be ahead, so that how fast it is just now changes little */

#define LINES_A_PAGE (MPC_PAGE / WORK_LINE)

/* Counters of packets written and packets done with, each on a line of its own. */
struct ring {
	_Alignas(WORK_LINE) _Atomic uint64_t written;
	_Alignas(WORK_LINE) _Atomic uint64_t done;
	_Alignas(WORK_LINE) const struct work *w;
};

static inline uint64_t
load(const uint8_t *at)
{
	return *(const volatile uint64_t *)at;
}

static inline uint64_t
mix(uint64_t x)
{
	x *= 0x9e3779b97f4a7c15u;
	return x ^ x >> 29;
}

static inline uint8_t *
table_line(const struct work *w, uint32_t line)
{
	return w->table[line / LINES_A_PAGE] + (size_t)(line % LINES_A_PAGE) * WORK_LINE;
}

void
work_fill(const struct work *w)
{
	for (uint32_t i = 0; i < w->table_lines; i++)
		*(uint64_t *)table_line(w, i) = mix(i + 1);
}

/* What a look-up finds decides where the next one goes. */
static inline uint64_t
look_up(const struct work *w, uint64_t x)
{
	for (uint32_t i = 0; i < w->lookups; i++) {
		uint32_t line = (uint32_t)((x >> 32) * w->table_lines >> 32);

		x = x * 0xd1342543de82ef95u + load(table_line(w, line));
	}
	return x;
}

static inline void
write_lines(uint8_t *to, uint32_t lines, uint64_t value)
{
	__m128i v = _mm_set1_epi64x((long long)value), *at = (__m128i *)to;

	for (uint32_t i = 0; i < lines * (WORK_LINE / 16); i++)
		_mm_store_si128(at + i, v);
	/* None of it may be left out because nobody reads it. */
	__asm__ volatile("" ::: "memory");
}

static inline void
copy_lines(uint8_t *to, const uint8_t *from, uint32_t lines, bool streaming)
{
	const __m128i *f = (const __m128i *)from;
	__m128i *t = (__m128i *)to;

	if (streaming)
		for (uint32_t i = 0; i < lines * (WORK_LINE / 16); i++)
			_mm_stream_si128(t + i, _mm_load_si128(f + i));
	else
		for (uint32_t i = 0; i < lines * (WORK_LINE / 16); i++)
			_mm_store_si128(t + i, _mm_load_si128(f + i));
	__asm__ volatile("" ::: "memory");
}

/* Packet number i, whose turn it is for buffer `to`; `x` is what the one before it came to. */
static inline uint64_t
packet(const struct work *w, uint64_t i, uint8_t *to, uint64_t x)
{
	const uint8_t *from = to;

	switch (w->which) {
	case BENCH_SAME_CORE:
		write_lines(to, w->lines, mix(i));
		break;
	case BENCH_OTHER_CORE:
		for (uint32_t l = 1; l < w->lines; l++)
			x += load(to + (size_t)l * WORK_LINE);
		x += load(to);
		*(volatile uint64_t *)to = i; /* a header is rewritten */
		break;
	default:
		from = w->receive[i % WORK_RECEIVE];
		*(volatile uint64_t *)from = mix(i);
		copy_lines(to, from, w->lines, w->streaming);
	}
	return look_up(w, mix(x + load(from)));
}

static void *
write_buffers(void *arg)
{
	struct ring *r = arg;
	const struct work *w = r->w;
	uint64_t all = (uint64_t)w->warm_up + w->packets;
	uint32_t at = 0;

	for (uint64_t i = 0; i < all; i += WORK_BURST) {
		while (i + WORK_BURST > atomic_load_explicit(&r->done, memory_order_acquire) + RING)
			_mm_pause();
		for (unsigned int k = 0; k < WORK_BURST; k++) {
			write_lines(w->buffer[at], w->lines, mix(i + k));
			at = at + 1 < w->depth ? at + 1 : 0;
		}
		atomic_store_explicit(&r->written, i + WORK_BURST, memory_order_release);
	}
	return NULL;
}

static int
start_helper(struct ring *r, pthread_t *t, struct nfv_err *err)
{
	pthread_attr_t attr;
	cpu_set_t set;
	int rc;

	CPU_ZERO(&set);
	CPU_SET(r->w->helper, &set);
	pthread_attr_init(&attr);
	rc = pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	if (rc == 0)
		rc = pthread_create(t, &attr, write_buffers, r);
	pthread_attr_destroy(&attr);
	if (rc != 0)
		return nfv_fail(err, EAGAIN, "no thread can be started on CPU %d", r->w->helper);
	return 0;
}

int
work_run(const struct work *w, struct work_done *out, struct nfv_err *err)
{
	uint64_t all = (uint64_t)w->warm_up + w->packets, x = 0;
	uint32_t timed = 0;
	bool helped = w->which == BENCH_OTHER_CORE;
	struct ring r = { .w = w };
	pthread_t helper = 0;
	uint32_t at = 0;

	if (helped && start_helper(&r, &helper, err) < 0)
		return -EAGAIN;
	for (uint64_t i = 0; i < all; i += WORK_BURST) {
		uint64_t ahead = i + LEAD < all ? i + LEAD : all, t0;

		while (helped && atomic_load_explicit(&r.written, memory_order_acquire) < ahead)
			_mm_pause();
		t0 = __rdtsc();
		for (unsigned int k = 0; k < WORK_BURST; k++) {
			x = packet(w, i + k, w->buffer[at], x);
			at = at + 1 < w->depth ? at + 1 : 0;
		}
		if (w->streaming)
			_mm_sfence();
		if (i >= w->warm_up)
			w->burst[timed++] = (double)(__rdtsc() - t0);
		atomic_store_explicit(&r.done, i + WORK_BURST, memory_order_release);
	}
	if (helped)
		pthread_join(helper, NULL);
	out->cycles = bench_spread(w->burst, timed).median / WORK_BURST;
	out->sum = x;
	return 0;
}
