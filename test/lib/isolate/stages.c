#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "nfv_csum.h"
#include "stages.h"

struct conf {
	uint32_t limit;
};

static const struct nfv_conf_field fields[] = {
	{ .name = "limit",
		.help = "a number",
		.def = "7",
		.type = NFV_CONF_UINT,
		.min = 1,
		.max = 100,
		.offset = offsetof(struct conf, limit) },
	{ .name = NULL },
};
static const struct nfv_conf_schema schema = {
	.size = sizeof(struct conf), .help = "for tests", .fields = fields
};
static const char *const drops[] = { "asked", NULL };

struct state {
	uint32_t limit;
	uint64_t packets;
};

static int
init(void *state, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	struct state *s = state;

	s->limit = ((const struct conf *)ctx->conf)->limit;
	if (s->limit == 99)
		return nfv_fail(err, EINVAL, "99 is not to my liking");
	for (void *p = NULL; s->limit == 96;) {
		p = malloc(1 << 20);
		if (p == NULL)
			return nfv_fail(err, ENOMEM, "no memory for 96");
		memset(p, 1, 1 << 20);
	}
	return 0;
}

/* As long as what it answers. */
static void
answer(const struct nfv_pkt *k, enum nfv_dir dir, struct nfv_out *out)
{
	const struct nfv_ip4 *ip = nfv_pkt_ip4(k);
	const struct nfv_udp *u = nfv_pkt_l4(k);
	uint16_t bytes = be16toh(u->be_len);
	struct nfv_pkt *a = nfv_out_take_for(out, nfv_dir_back(dir), sizeof(*ip) + bytes);
	struct nfv_udp *v;

	if (a == NULL)
		return;
	nfv_pkt_ip_header(a, 4, &ip->be_dst, &ip->be_src, NFV_PROTO_UDP, bytes);
	v = nfv_pkt_l4(a);
	*v = (struct nfv_udp){ u->be_dport, u->be_sport, u->be_len, 0 };
	memcpy(v + 1, u + 1, bytes - sizeof(*u));
	memcpy(v + 1, "answer", 6);
	nfv_csum_l4_set(a);
}

static void
misbehave(enum ask ask, uint8_t *data)
{
	const struct timespec hour = { .tv_sec = 3600 };
	volatile uint8_t *nowhere = NULL;
	void *page = data - (uintptr_t)data % 4096;

	switch (ask) {
	case ASK_SPIN:
		for (;;)
			__asm__ volatile("" ::: "memory");
	case ASK_SLEEP:
		nanosleep(&hour, NULL);
		break;
	case ASK_FORK:
		if (fork() == 0)
			_exit(0);
		break;
	case ASK_ALLOCATE:
		for (;;)
			mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	case ASK_HEAP:
		for (;;)
			*(volatile char *)malloc(1 << 20) = 1;
	case ASK_CONNECT:
		socket(AF_INET, SOCK_DGRAM, 0);
		break;
	case ASK_EXEC:
		execl("/bin/true", "true", (char *)NULL);
		break;
	case ASK_GAIN:
		syscall(SYS_setuid, 0);
		break;
	case ASK_KILL:
		syscall(SYS_kill, 1, SIGTERM);
		break;
	case ASK_CUT:
		ftruncate(3, 0);
		break;
	case ASK_PUNCH:
		madvise(page, 4096, MADV_REMOVE);
		break;
	case ASK_UNLOCK:
		mprotect(page, 4096, PROT_READ | PROT_WRITE);
		break;
	case ASK_OPEN:
		open("/etc/passwd", O_RDONLY | O_CLOEXEC);
		break;
	case ASK_CRASH:
		*nowhere = 1;
		break;
	case ASK_WRITE:
		*(volatile uint8_t *)data = 1;
		break;
	case ASK_EXIT:
		_exit(7);
	default:
		break;
	}
}

static void
process(void *state, struct nfv_burst *b, struct nfv_out *out)
{
	struct state *s = state;

	for (uint16_t i = 0; i < b->n; i++) {
		struct nfv_pkt *p = &b->pkt[i];
		uint8_t *data = (uint8_t *)nfv_pkt_l4(p) + NFV_UDP_LEN;

		s->packets++;
		switch (data[0]) {
		case ASK_KEEP:
			break;
		case ASK_DROP:
			p->verdict = NFV_DROP(0);
			break;
		case ASK_ANSWER:
			p->verdict = NFV_CONSUMED;
			/* fall through */
		case ASK_ECHO:
			answer(p, b->dir, out);
			break;
		case ASK_SPOIL:
			p->data[p->l3] = 0xff;
			break;
		default:
			misbehave((enum ask)data[0], data);
		}
	}
}

static void
mirror(void *state, struct nfv_burst *b, struct nfv_out *out)
{
	for (uint16_t i = 0; i < b->n; i++) {
		struct nfv_pkt *p = &b->pkt[i];
		struct counts_slot *slot = p->flow;
		struct nfv_udp *u = nfv_pkt_l4(p);
		uint16_t port = u->be_sport;

		u->be_sport = u->be_dport;
		u->be_dport = port;
		if (slot != NULL)
			((uint8_t *)(u + 1))[1] = (uint8_t)++slot->packets;
	}
	process(state, b, out);
}

/* Its slots are numbers, of which none can be wrong. Or, as configured, it cannot, or dies over it. */
static int
mend(void *state, const struct nfv_mend *m)
{
	const struct state *s = state;

	(void)m;
	if (s->limit == 97)
		misbehave(ASK_CRASH, NULL);
	return s->limit == 98 ? -EIO : 0;
}

static void
show(const void *state, FILE *to)
{
	const struct state *s = state;

	fprintf(to, "limit %u, packets %lu\n", s->limit, (unsigned long)s->packets);
}

static void
nothing(void *state, struct nfv_burst *b, struct nfv_out *out)
{
	(void)state;
	(void)b;
	(void)out;
}

/* --- pinholes ------------------------------------------------------------------------------------ */

#define OWNERS 4096u

struct opener {
	struct state state;
	struct nfv_pinholes *holes;
	uint64_t owner[OWNERS];
	uint32_t head, tail;
};

static int
opener_init(void *state, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	struct opener *s = state;

	s->holes = ctx->pinholes;
	return init(&s->state, ctx, err);
}

static void
open_one(struct opener *s, uint32_t seq, uint64_t now)
{
	struct nfv_pinhole hole = { .port = (uint16_t)(OPENER_PORT + seq), .proto = NFV_PROTO_UDP };
	uint64_t owner = nfv_pinhole_owner(s->holes, OPENER_IDLE, now);

	nfv_addr_parse(nfv_sv_str(OPENER_TO), &hole.to);
	nfv_pinhole_open(s->holes, owner, &hole);
	s->owner[s->head++ % OWNERS] = owner;
}

static void
opener(void *state, struct nfv_burst *b, struct nfv_out *out)
{
	struct opener *s = state;

	for (uint16_t i = 0; i < b->n; i++) {
		struct nfv_pkt *p = &b->pkt[i];
		const uint8_t *data = (const uint8_t *)nfv_pkt_l4(p) + NFV_UDP_LEN;
		uint64_t oldest = s->owner[s->tail % OWNERS];
		uint32_t seq;

		memcpy(&seq, data + 2, sizeof(seq));
		if (data[0] == ASK_HOLE)
			open_one(s, seq, b->tsc);
		else if (data[0] == ASK_CLOSE && s->tail != s->head)
			nfv_pinhole_close(s->holes, s->owner[s->tail++ % OWNERS]);
		else if ((data[0] == ASK_REFRESH &&
				 !nfv_pinhole_refresh(s->holes, oldest, b->tsc)) ||
			(data[0] == ASK_LIVES && !nfv_pinhole_lives(s->holes, oldest)))
			p->verdict = NFV_DROP(0);
		else if (data[0] == ASK_CRASH)
			process(&s->state, b, out);
	}
}

struct nfv_stage_ops stage_opener = {
	.name = "opener",
	.access = NFV_WRITES,
	.pinholes = true,
	.state_size = sizeof(struct opener),
	.conf = &schema,
	.drops = drops,
	.init = opener_init,
	.process = opener,
};
static int
porter_init(void *state, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	const struct nfv_pinhole_set **set = state;

	*set = ctx->pinhole_set;
	return *set != NULL ? 0 : nfv_fail(err, EINVAL, "there are no pinholes to find");
}

static void
porter(void *state, struct nfv_burst *b, struct nfv_out *out)
{
	const struct nfv_pinhole_set *set = *(const struct nfv_pinhole_set **)state;

	(void)out;
	for (uint16_t i = 0; i < b->n; i++) {
		struct nfv_pkt *p = &b->pkt[i];
		const uint8_t *data = (const uint8_t *)nfv_pkt_l4(p) + NFV_UDP_LEN;
		struct nfv_addr from = nfv_addr4(nfv_pkt_ip4(p)->be_src);
		struct nfv_addr to = nfv_addr4(nfv_pkt_ip4(p)->be_dst);
		uint64_t owner;
		uint32_t seq;

		memcpy(&seq, data + 2, sizeof(seq));
		owner = nfv_pinholes_find(
			set, NFV_PROTO_UDP, &from, &to, (uint16_t)(OPENER_PORT + seq));
		if (data[0] == ASK_WRITE)
			misbehave(ASK_WRITE, set->table[0]->base_page[0]);
		if (owner == 0 || !nfv_pinholes_hold(set, owner))
			p->verdict = NFV_DROP(0);
	}
}

struct nfv_stage_ops stage_porter = {
	.name = "porter",
	.access = NFV_READS,
	.finds = true,
	.state_size = sizeof(void *),
	.drops = drops,
	.init = porter_init,
	.process = porter,
};

/* --- upkeep -------------------------------------------------------------------------------------- */

struct scribe_conf {
	const char *file;
	uint32_t wrong;
};

static const struct nfv_conf_field scribe_fields[] = {
	{ .name = "file",
		.help = "where it counts",
		.type = NFV_CONF_PATH,
		.offset = offsetof(struct scribe_conf, file) },
	{ .name = "wrong",
		.help = "what is wrong with its upkeep",
		.def = "0",
		.type = NFV_CONF_UINT,
		.max = 2,
		.offset = offsetof(struct scribe_conf, wrong) },
	{ .name = NULL },
};
static const struct nfv_conf_schema scribe_schema = {
	.size = sizeof(struct scribe_conf), .help = "for tests", .fields = scribe_fields
};

struct scribe {
	struct state state;
	uint64_t *file; /* a page of it: packets counted */
	uint64_t found, synced;
	uint32_t wrong;
	bool asked;
};

static int
scribe_init(void *state, const struct nfv_stage_ctx *ctx, struct nfv_err *err)
{
	const struct scribe_conf *conf = ctx->conf;
	struct scribe *s = state;
	int fd = open(conf->file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, 4096) < 0)
		return nfv_fail(err, errno, "%s: %s", conf->file, strerror(errno));
	s->file = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (s->file == MAP_FAILED)
		return nfv_fail(err, errno, "%s: %s", conf->file, strerror(errno));
	s->found = *s->file;
	s->wrong = conf->wrong;
	return 0;
}

static void
scribe(void *state, struct nfv_burst *b, struct nfv_out *out)
{
	struct scribe *s = state;

	for (uint16_t i = 0; i < b->n; i++) {
		const struct nfv_pkt *p = &b->pkt[i];

		++*s->file;
		s->asked |= *((const uint8_t *)nfv_pkt_l4(p) + NFV_UDP_LEN) == ASK_CLOSE;
	}
	if (!s->asked)
		process(&s->state, b, out);
}

static void
scribe_upkeep(void *state, uint64_t tsc)
{
	struct scribe *s = state;
	uint64_t count = *s->file;

	(void)tsc;
	if (s->asked && s->wrong > 0)
		misbehave(s->wrong == 1 ? ASK_OPEN : ASK_CRASH, NULL);
	if (msync(s->file, 4096, MS_SYNC) == 0)
		s->synced = count;
}

static bool
scribe_on_disk(const void *state)
{
	return state != NULL;
}

static void
scribe_show(const void *state, FILE *to)
{
	const struct scribe *s = state;

	fprintf(to, "found %lu synced %lu\n", (unsigned long)s->found, (unsigned long)s->synced);
}

struct nfv_stage_ops stage_scribe = {
	.name = "scribe",
	.access = NFV_WRITES,
	.state_size = sizeof(struct scribe),
	.conf = &scribe_schema,
	.drops = drops,
	.init = scribe_init,
	.process = scribe,
	.upkeep = scribe_upkeep,
	.on_disk = scribe_on_disk,
	.show = scribe_show,
};
struct nfv_stage_ops stage_mirror = {
	.name = "mirror",
	.access = NFV_WRITES,
	.state_size = sizeof(struct state),
	.flow_size = sizeof(struct counts_slot),
	.conf = &schema,
	.drops = drops,
	.init = init,
	.process = mirror,
	.mend = mend,
	.show = show,
};
struct nfv_stage_ops stage_look = {
	.name = "look",
	.access = NFV_READS,
	.state_size = sizeof(struct state),
	.conf = &schema,
	.drops = drops,
	.init = init,
	.process = process,
	.show = show,
};
struct nfv_stage_ops stage_noop = { .name = "noop", .access = NFV_WRITES, .process = nothing };
struct nfv_stage_ops stage_noop_reader = {
	.name = "noop-reader", .access = NFV_READS, .process = nothing
};
NFV_STAGE_REGISTER(stage_mirror)
NFV_STAGE_REGISTER(stage_look)
NFV_STAGE_REGISTER(stage_noop)
NFV_STAGE_REGISTER(stage_porter)
NFV_STAGE_REGISTER(stage_scribe)
NFV_STAGE_REGISTER(stage_opener)
NFV_STAGE_REGISTER(stage_noop_reader)
