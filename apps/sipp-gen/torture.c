#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <rte_cycles.h>
#include <rte_lcore.h>

#include "net.h"
#include "nfv_sip.h"
#include "torture.h"

#define REACH_MS  5000
#define PROBE_MS  500 /* between probes */
#define PROBES    4
#define FILE_MAX  65536u
#define TEXT_ROOM 128

enum answer { NONE, GARBAGE, PROVISIONAL, FINAL };

struct torture {
	const struct options *o;
	const struct options_role *role;
	bool (*interrupted)(void);
	struct net *net;
	uint64_t ms, tick;
	struct nfv_sip_msg msg;
	/* What is waited for. */
	char call_id[256];
	enum answer answer;
	char status[TEXT_ROOM]; /* line, made printable */
	unsigned int code;
	uint64_t answered; /* TSC */
	uint32_t probes;
};

struct file {
	const char *name;
	char bytes[FILE_MAX];
	size_t n;
};

static void
set_call_id(struct torture *t, const struct nfv_sip_msg *m)
{
	const struct nfv_sip_hdr *h = m ? nfv_sip_first_hdr(m, NFV_SIP_H_CALL_ID) : NULL;
	struct nfv_sv id = h != NULL ? nfv_sip_value(m, h) : nfv_sv(NULL, 0);

	if (id.n >= sizeof(t->call_id))
		id.n = 0;
	if (id.n > 0)
		memcpy(t->call_id, id.p, id.n);
	t->call_id[id.n] = '\0';
}

/* The first line, as text that a terminal can bear. */
static void
set_status(struct torture *t, struct nfv_sv payload)
{
	size_t n = 0;

	while (n < payload.n && n < sizeof(t->status) - 1 && payload.p[n] != '\r' &&
		payload.p[n] != '\n') {
		t->status[n] = payload.p[n] >= ' ' && payload.p[n] <= '~' ? payload.p[n] : '?';
		n++;
	}
	t->status[n] = '\0';
}

static void
deliver(void *ctx, const struct net_datagram *d)
{
	struct torture *t = ctx;
	const struct nfv_sip_hdr *h;
	enum nfv_sip_kind kind;
	enum answer answer;

	if (!nfv_addr_eq(&d->from.addr, &t->role->remote.addr) || t->answer == FINAL)
		return;
	kind = nfv_sip_parse(&t->msg, d->payload.p, d->payload.n);
	if (kind == NFV_SIP_KEEPALIVE || (kind == NFV_SIP_MESSAGE_OK && !t->msg.response))
		return;
	if (kind == NFV_SIP_MESSAGE_OK && t->msg.status != 0) {
		h = nfv_sip_first_hdr(&t->msg, NFV_SIP_H_CALL_ID);
		if (h != NULL && t->call_id[0] != '\0' &&
			!nfv_sv_eq(nfv_sip_value(&t->msg, h), nfv_sv_str(t->call_id)))
			return;
		answer = t->msg.status < 200 ? PROVISIONAL : FINAL;
	} else {
		answer = GARBAGE;
	}
	if (answer <= t->answer)
		return;
	t->answer = answer;
	t->code = answer == GARBAGE ? 0 : t->msg.status;
	t->answered = rte_rdtsc();
	set_status(t, d->payload);
}

/* Poll for so long, or until the answer is final. */
static void
listen_for(struct torture *t, uint64_t ms)
{
	uint64_t now = rte_rdtsc(), end = now + ms * t->ms;

	for (; now < end && t->answer != FINAL && !t->interrupted(); now = rte_rdtsc()) {
		net_poll(t->net, now, deliver, t);
		if (now >= t->tick) {
			net_tick(t->net, now);
			t->tick = now + t->ms;
		}
	}
}

static bool
send_bytes(struct torture *t, const char *bytes, size_t n)
{
	char *room = net_begin(t->net, t->role->remote.addr.family, n);

	if (room == NULL)
		return false;
	memcpy(room, bytes, n);
	net_commit(t->net, n, t->role->port, &t->role->remote);
	net_flush(t->net, rte_rdtsc());
	return true;
}

/* An OPTIONS request has an answer, whatever it says. */
static bool
is_alive(struct torture *t)
{
	char host[NFV_ADDR_TEXT], own[NFV_ADDR_TEXT], m[1024];
	struct nfv_endpoint from = { *net_source(t->net, &t->role->remote.addr), t->role->port };

	nfv_endpoint_text(&t->role->remote, host);
	nfv_endpoint_text(&from, own);
	t->probes++;
	snprintf(t->call_id, sizeof(t->call_id), "probe-%llx-%u", (unsigned long long)t->o->seed,
		t->probes);
	t->answer = NONE;
	for (int i = 0; i < PROBES && t->answer < PROVISIONAL && !t->interrupted(); i++) {
		int n = snprintf(m, sizeof(m),
			"OPTIONS sip:%s SIP/2.0\r\n"
			"Via: SIP/2.0/UDP %s;rport;branch=z9hG4bK-%llx-%u\r\n"
			"Max-Forwards: 70\r\n"
			"From: <sip:probe@%s>;tag=%u\r\n"
			"To: <sip:%s>\r\n"
			"Call-ID: %s\r\n"
			"CSeq: 1 OPTIONS\r\n"
			"Contact: <sip:probe@%s>\r\n"
			"Accept: application/sdp\r\n"
			"Content-Length: 0\r\n\r\n",
			host, own, (unsigned long long)t->o->seed, t->probes, own, t->probes, host,
			t->call_id, own);

		send_bytes(t, m, (size_t)n);
		listen_for(t, PROBE_MS);
		t->answer = t->answer == GARBAGE ? NONE : t->answer;
	}
	return t->answer >= PROVISIONAL;
}

static int
read_file(const char *dir, struct file *f, struct nfv_err *err)
{
	char path[4096] = "";
	FILE *in;
	int rc = 0;

	snprintf(path, sizeof(path), "%s/%s", dir, f->name);
	in = fopen(path, "re");
	if (in == NULL)
		return nfv_fail(err, errno, "%s: %s", path, strerror(errno));
	f->n = fread(f->bytes, 1, sizeof(f->bytes), in);
	if (ferror(in) != 0)
		rc = nfv_fail(err, EIO, "%s: cannot be read", path);
	else if (f->n > NET_PAYLOAD_MAX)
		rc = nfv_fail(err, EMSGSIZE, "%s is longer than the %u bytes of a datagram", path,
			NET_PAYLOAD_MAX);
	fclose(in);
	return rc;
}

/* Send one, wait, say what came. */
static void
one_message(struct torture *t, const struct file *f, json_t *all, bool *alive)
{
	uint64_t sent;
	double ms;
	bool asked;
	json_t *j;

	set_call_id(
		t, nfv_sip_parse(&t->msg, f->bytes, f->n) == NFV_SIP_MESSAGE_OK ? &t->msg : NULL);
	t->answer = NONE;
	sent = rte_rdtsc();
	send_bytes(t, f->bytes, f->n);
	listen_for(t, t->o->wait_ms);
	ms = (double)(t->answer != NONE ? t->answered - sent : rte_rdtsc() - sent) / (double)t->ms;
	if (!t->o->json)
		printf("%-24s %5zu bytes  %8.3f ms  %s\n", f->name, f->n, ms,
			t->answer == NONE            ? "no answer" :
				t->answer == GARBAGE ? "garbage" :
						       t->status);
	j = json_pack("{s:s*, s:I, s:o, s:f}", "file", f->name, "bytes", (json_int_t)f->n, "status",
		t->answer >= PROVISIONAL ? json_integer(t->code) : json_null(), "ms", ms);
	if (t->answer == GARBAGE)
		json_object_set_new(j, "garbage", json_true());
	asked = t->o->probe && !t->interrupted();
	if (asked)
		*alive = is_alive(t);
	json_object_set_new(j, "alive", asked ? json_boolean(*alive) : json_null());
	json_array_append_new(all, j);
	fflush(stdout);
}

static int
is_message(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 4 && strcmp(d->d_name + n - 4, ".dat") == 0;
}

static int
reach(struct torture *t, struct nfv_err *err)
{
	uint64_t end = rte_rdtsc() + REACH_MS * t->ms;
	char text[NFV_ADDR_TEXT];
	int rc;

	do {
		rc = net_reach(t->net, &t->role->remote.addr, rte_rdtsc());
		if (rc == 0)
			return 0;
		listen_for(t, 1);
	} while (rc == -EINPROGRESS && rte_rdtsc() < end && !t->interrupted());
	return nfv_fail(err, EHOSTUNREACH, "%s is not there: nobody answers for it, or no route",
		nfv_addr_text(&t->role->remote.addr, text));
}

static int
all_messages(struct torture *t, struct nfv_err *err)
{
	struct dirent **name;
	struct file *f = calloc(1, sizeof(*f));
	json_t *all = json_array();
	int n = scandir(t->o->torture, &name, is_message, alphasort), sent = 0, rc = 0;
	bool alive;

	if (f == NULL || n <= 0) {
		rc = n < 0 ? nfv_fail(err, errno, "%s: %s", t->o->torture, strerror(errno)) :
			     nfv_fail(err, ENOENT, "%s holds no message (*.dat)", t->o->torture);
		if (n == 0)
			free(name);
		n = 0;
	}
	alive = rc == 0 && (!t->o->probe || is_alive(t));
	for (int i = 0; i < n && rc == 0 && alive && !t->interrupted(); i++) {
		f->name = name[i]->d_name;
		rc = read_file(t->o->torture, f, err);
		if (rc == 0) {
			one_message(t, f, all, &alive);
			sent++;
		}
	}
	/* Without probes between them one behind them all still tells. */
	if (rc == 0 && !t->o->probe && !t->interrupted())
		alive = is_alive(t);
	if (rc == 0 && t->o->json) {
		json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
		putchar('\n');
	} else if (rc == 0) {
		printf("%d of %d messages sent: peer %s\n", sent, n, alive ? "alive" : "dead");
	}
	if (rc == 0 && !alive)
		fputs("sipp-gen: peer dead\n", stderr);
	for (int i = 0; i < n; i++)
		free(name[i]);
	if (n > 0)
		free(name);
	json_decref(all);
	free(f);
	return rc < 0 ? rc : !alive;
}

int
torture_go(const struct options *o, bool (*interrupted)(void), struct nfv_err *err)
{
	const struct options_role *r = &o->role[0];
	struct torture t = {
		.o = o, .role = r, .interrupted = interrupted, .ms = rte_get_tsc_hz() / 1000
	};
	struct net_conf nc = { .device = r->device,
		.n_addr = r->n_addr,
		.gateway = r->gateway,
		.mtu = r->mtu,
		.descriptors = 1024,
		.buffers = r->buffers,
		.socket = (int)rte_socket_id(),
		.tsc_hz = rte_get_tsc_hz(),
		.seed = o->seed };
	int rc;

	memcpy(nc.addr, r->addr, sizeof(nc.addr));
	rc = net_create(&nc, &t.net, err);
	if (rc < 0)
		return rc;
	if (net_source(t.net, &r->remote.addr) == NULL)
		rc = nfv_fail(
			err, EINVAL, "there is no own address of the peer's family; give one (-i)");
	if (rc == 0)
		rc = reach(&t, err);
	if (rc == 0)
		rc = all_messages(&t, err);
	net_destroy(t.net);
	return rc;
}
