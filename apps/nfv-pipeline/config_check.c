/*
 * What a configuration must hold beyond each value's own shape: names that exist and stand once,
 * ports with one chain, next hops that can be reached.
 */
#include <string.h>

#include "config.h"
#include "nfv_port.h"
#include "nfv_tap.h"

static int
check_names(const struct config *c, const struct nfv_conf_list *l, size_t size, uint32_t max,
	const char *what, struct nfv_err *err)
{
	if (l->n == 0 || l->n > max)
		return nfv_conf_fail(
			c->doc, l, err, "%ss: between 1 and %u must be given", what, max);
	for (uint32_t i = 0; i < l->n; i++) {
		const char *const *item = (const void *)((const uint8_t *)l->item + i * size);

		if (config_find(l, size, *item) != (int)i)
			return nfv_conf_fail(c->doc, item, err,
				"there is already a %s named \"%s\"; give each its own name", what,
				*item);
	}
	return 0;
}

/* The same device, whatever arguments stand behind its name or domain 0 before it. */
static bool
same_device(const char *a, const char *b)
{
	size_t n;

	a += strncmp(a, "0000:", 5) == 0 ? 5 : 0;
	b += strncmp(b, "0000:", 5) == 0 ? 5 : 0;
	n = strcspn(a, ",");
	return n == strcspn(b, ",") && strncmp(a, b, n) == 0;
}

static int
check_port(const struct config *c, const struct conf_port *p, struct nfv_err *err)
{
	const struct nfv_prefix *addr = p->addresses.item;
	struct nfv_err why;

	if (nfv_port_check(p->device, &why) < 0)
		return nfv_conf_fail(c->doc, &p->device, err, "device: %s", why.text);
	if (p->addresses.n == 0)
		return nfv_conf_fail(
			c->doc, &p->addresses, err, "addresses: at least one is needed");
	for (const struct conf_port *q = c->ports.item; q < p; q++)
		if (same_device(q->device, p->device))
			return nfv_conf_fail(c->doc, &p->device, err,
				"device %s already belongs to port \"%s\"", p->device, q->name);
	for (uint32_t i = 0; i < p->addresses.n; i++) {
		char text[NFV_ADDR_TEXT];

		if (addr[i].addr.family == NFV_IPV6 && p->mtu < 1280)
			return nfv_conf_fail(c->doc, &p->mtu, err,
				"mtu is %u, but a port with an IPv6 address needs 1280 at least (RFC 8200)",
				p->mtu);
		for (const struct conf_port *q = c->ports.item; q <= p; q++) {
			const struct nfv_prefix *other = q->addresses.item;

			for (uint32_t j = 0; j < (q == p ? i : q->addresses.n); j++)
				if (nfv_addr_eq(&addr[i].addr, &other[j].addr))
					return nfv_conf_fail(c->doc, &addr[i], err,
						"address %s already belongs to port \"%s\"",
						nfv_addr_text(&addr[i].addr, text), q->name);
		}
	}
	return 0;
}

static int
check_route(const struct config *c, const struct conf_route *r, struct nfv_err *err)
{
	int port = config_port(c, r->port);
	const struct conf_port *p;
	const struct nfv_prefix *addr;
	char text[NFV_ADDR_TEXT];

	if (port < 0)
		return nfv_conf_fail(
			c->doc, &r->port, err, "there is no port named \"%s\"", r->port);
	if (r->via.family == NFV_NO_ADDR)
		return 0;
	if (r->via.family != r->to.addr.family)
		return nfv_conf_fail(
			c->doc, &r->via, err, "via and to must be of one address family");
	p = (const struct conf_port *)c->ports.item + port;
	addr = p->addresses.item;
	for (uint32_t i = 0; i < p->addresses.n; i++)
		if (nfv_prefix_has(&addr[i], &r->via))
			return 0;
	return nfv_conf_fail(c->doc, &r->via, err,
		"next hop %s lies in none of the prefixes of port \"%s\"",
		nfv_addr_text(&r->via, text), r->port);
}

static bool
same_network(const struct nfv_prefix *a, const struct nfv_prefix *b)
{
	return a->len == b->len && nfv_prefix_has(a, &b->addr);
}

static const struct conf_port *
port_named(const struct config *c, const char *name)
{
	return (const struct conf_port *)c->ports.item + config_port(c, name);
}

/* Whether the port has the address itself, or, with `network`, lies in that very network. */
static bool
port_has(const struct conf_port *p, const struct nfv_addr *addr, const struct nfv_prefix *network)
{
	const struct nfv_prefix *own = p->addresses.item;

	for (uint32_t i = 0; i < p->addresses.n; i++)
		if ((addr != NULL && nfv_addr_eq(&own[i].addr, addr)) ||
			(network != NULL && same_network(&own[i], network)))
			return true;
	return false;
}

/* Within a chain a network lies behind one port and has one way to it. */
static int
check_networks(const struct config *c, const struct conf_chain *ch, struct nfv_err *err)
{
	const struct conf_port *in = port_named(c, ch->inside), *out = port_named(c, ch->outside);
	const struct nfv_prefix *own = out->addresses.item;
	const struct conf_route *r = c->routes.item;
	char text[NFV_ADDR_TEXT];

	for (uint32_t i = 0; i < out->addresses.n; i++)
		if (port_has(in, NULL, &own[i]))
			return nfv_conf_fail(c->doc, &own[i], err,
				"the network of %s lies at port \"%s\" already; give each port a network of its own",
				nfv_prefix_text(&own[i], text), ch->inside);
	for (uint32_t i = 0; i < c->routes.n; i++) {
		const struct conf_port *p = port_named(c, r[i].port);
		bool twice = port_has(in, NULL, &r[i].to) || port_has(out, NULL, &r[i].to);

		if (p != in && p != out)
			continue;
		for (uint32_t j = 0; j < i; j++)
			twice |= same_network(&r[j].to, &r[i].to) &&
				(port_named(c, r[j].port) == in || port_named(c, r[j].port) == out);
		if (twice)
			return nfv_conf_fail(c->doc, &r[i].to, err,
				"there is already a route to %s", nfv_prefix_text(&r[i].to, text));
		if (port_has(in, &r[i].via, NULL) || port_has(out, &r[i].via, NULL))
			return nfv_conf_fail(c->doc, &r[i].via, err,
				"next hop %s is an address of the pipeline itself",
				nfv_addr_text(&r[i].via, text));
	}
	return 0;
}

static int
check_stages(const struct config *c, const struct conf_chain *ch, struct nfv_err *err)
{
	const char *const *stage = ch->stages.item;
	char known[256] = "";

	for (const struct nfv_stage_ops *o = nfv_stage_next(NULL); o != NULL; o = nfv_stage_next(o))
		snprintf(known + strlen(known), sizeof(known) - strlen(known), " %s", o->name);
	if (ch->stages.n > NFV_STAGES_MAX)
		return nfv_conf_fail(
			c->doc, &ch->stages, err, "at most %d stages make a chain", NFV_STAGES_MAX);
	for (uint32_t i = 0; i < ch->stages.n; i++)
		if (nfv_stage_find(stage[i]) == NULL)
			return nfv_conf_fail(c->doc, &stage[i], err,
				"there is no stage \"%s\"; known:%s", stage[i], known);
	return 0;
}

static int
check_workers(const struct config *c, const struct conf_chain *ch, struct nfv_err *err)
{
	bool one = ch->worker != NULL && ch->worker[0] != '\0';

	if (one && ch->workers.n > 0)
		return nfv_conf_fail(
			c->doc, &ch->workers, err, "either worker or workers is given, not both");
	if (!one && ch->workers.n == 0)
		return nfv_conf_fail(c->doc, &ch->name, err,
			"chain \"%s\" has no worker; name one (worker: NAME) or several (workers: "
			"[NAME, NAME])",
			ch->name);
	for (uint32_t i = 0; i < config_shards(ch); i++) {
		const char *const *name = config_shard(ch, i);

		if (config_worker(c, *name) < 0)
			return nfv_conf_fail(
				c->doc, name, err, "there is no worker named \"%s\"", *name);
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(*config_shard(ch, j), *name) == 0)
				return nfv_conf_fail(c->doc, name, err,
					"worker \"%s\" stands twice; give the chain each worker once",
					*name);
	}
	return 0;
}

static int
check_chain(const struct config *c, const struct conf_chain *ch, struct nfv_err *err)
{
	const char *const *side[2] = { &ch->inside, &ch->outside };

	if (check_workers(c, ch, err) < 0)
		return -EINVAL;
	for (int i = 0; i < 2; i++) {
		if (config_port(c, *side[i]) < 0)
			return nfv_conf_fail(
				c->doc, side[i], err, "there is no port named \"%s\"", *side[i]);
		for (const struct conf_chain *o = c->chains.item; o < ch; o++)
			if (strcmp(o->inside, *side[i]) == 0 || strcmp(o->outside, *side[i]) == 0)
				return nfv_conf_fail(c->doc, side[i], err,
					"port \"%s\" is already an end of chain \"%s\"", *side[i],
					o->name);
	}
	if (strcmp(ch->inside, ch->outside) == 0)
		return nfv_conf_fail(c->doc, &ch->outside, err,
			"a chain cannot begin and end at the same port \"%s\"", ch->outside);
	return check_networks(c, ch, err) < 0 ? -EINVAL : check_stages(c, ch, err);
}

static int
check_worker(const struct config *c, const struct conf_worker *w, struct nfv_err *err)
{
	for (const struct conf_worker *o = c->workers.item; o < w; o++)
		if (o->lcore == w->lcore)
			return nfv_conf_fail(c->doc, &w->lcore, err,
				"lcore %u already runs worker \"%s\"", w->lcore, o->name);
	return 0;
}

static int
check_capture(const struct config *c, const struct conf_capture *cap, struct nfv_err *err)
{
	struct tap_point at, other;
	struct nfv_err why;

	if (config_tap_point(c, cap->at, &at, &why) < 0)
		return nfv_conf_fail(c->doc, &cap->at, err, "%s", why.text);
	for (const struct conf_capture *o = c->captures.item; o < cap; o++)
		if (config_tap_point(c, o->at, &other, NULL) == 0 && config_same_point(&at, &other))
			return nfv_conf_fail(c->doc, &cap->at, err, "%s is already captured, to %s",
				cap->at, o->file);
	if (nfv_tap_check_filter(cap->filter, &why) < 0)
		return nfv_conf_fail(c->doc, &cap->filter, err, "%s", why.text);
	return 0;
}

static bool
is_given(const char *text)
{
	return text != NULL && text[0] != '\0';
}

/* Whether it is meant, and how often the stage is there. */
static uint32_t
uses(const struct config *c, const struct conf_isolation *iso, const struct conf_chain **chain)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->chains.n; i++) {
		const struct conf_chain *ch = (const struct conf_chain *)c->chains.item + i;

		for (uint32_t k = 0; k < ch->stages.n; k++)
			if (config_isolation(c, ch, ((const char *const *)ch->stages.item)[k]) ==
				iso) {
				n += config_shards(ch);
				*chain = ch;
			}
	}
	return n;
}

static int
check_instances(const struct config *c, const struct conf_isolation *iso,
	const struct nfv_stage_ops *ops, struct nfv_err *err)
{
	const char *why;

	if (iso->most > 0 && iso->most < iso->instances)
		return nfv_conf_fail(c->doc, &iso->most, err,
			"instances-most: %u are fewer than the %u instances there are to begin with",
			iso->most, iso->instances);
	if (config_instances(iso) == 1)
		return 0;
	if (iso->run == ISOLATION_CONTAINER)
		return nfv_conf_fail(c->doc, iso->most > 1 ? &iso->most : &iso->instances, err,
			"a stage in a container has one instance: its program is started by "
			"somebody else; have it started here (run: process)");
	if (!nfv_lanes_can(ops, &why))
		return nfv_conf_fail(c->doc, iso->most > 1 ? &iso->most : &iso->instances, err,
			"stage \"%s\" has one instance only: %s", iso->stage, why);
	return 0;
}

/* Behind check_chain. */
static int
check_isolation(const struct config *c, const struct conf_isolation *iso, struct nfv_err *err)
{
	const struct nfv_stage_ops *ops = nfv_stage_find(iso->stage);
	const struct conf_chain *ch = NULL;
	uint32_t n;

	if (is_given(iso->chain) && config_chain(c, iso->chain) < 0)
		return nfv_conf_fail(
			c->doc, &iso->chain, err, "there is no chain named \"%s\"", iso->chain);
	n = uses(c, iso, &ch);
	if (n == 0 || ops == NULL)
		return nfv_conf_fail(c->doc, &iso->stage, err,
			"no chain has a stage \"%s\" that is not isolated already", iso->stage);
	if (config_shards(ch) > 1 && ops->steer != NULL)
		return nfv_conf_fail(c->doc, &iso->stage, err,
			"stage \"%s\" of chain \"%s\" must know what its other workers know, which an "
			"isolated one cannot; give the chain one worker",
			iso->stage, ch->name);
	if ((iso->ring & (iso->ring - 1)) != 0)
		return nfv_conf_fail(
			c->doc, &iso->ring, err, "ring: %u is no power of two", iso->ring);
	if ((iso->run == ISOLATION_CONTAINER) != is_given(iso->socket))
		return nfv_conf_fail(c->doc, &iso->run, err,
			"`socket` is where the program in a container connects: give it with `run: "
			"container`, and only then");
	if (iso->run == ISOLATION_CONTAINER && (n > 1 || is_given(iso->program)))
		return nfv_conf_fail(c->doc, &iso->socket, err,
			n > 1 ? "one socket is for one stage of one chain: name the chain" :
				"`program` is not for a container, which starts its own");
	return check_instances(c, iso, ops, err);
}

/* Behind check_chain: whoever is not an end of a chain is polled by nobody. */
static int
check_use(const struct config *c, const struct conf_port *p, struct nfv_err *err)
{
	const struct conf_chain *ch = c->chains.item;

	for (uint32_t i = 0; i < c->chains.n; i++)
		if (strcmp(ch[i].inside, p->name) == 0 || strcmp(ch[i].outside, p->name) == 0)
			return 0;
	return nfv_conf_fail(c->doc, &p->name, err,
		"port \"%s\" is in no chain; make it an end of one, or remove it", p->name);
}

#define EACH(c, list, type, check)                                                                 \
	do {                                                                                       \
		for (uint32_t i_ = 0; rc == 0 && i_ < (c)->list.n; i_++)                           \
			rc = check((c), (const struct type *)(c)->list.item + i_, err);            \
	} while (0)

int
config_check(const struct config *c, struct nfv_err *err)
{
	int rc = check_names(c, &c->ports, sizeof(struct conf_port), PORTS_MAX, "port", err);

	if (rc == 0)
		rc = check_names(
			c, &c->workers, sizeof(struct conf_worker), WORKERS_MAX, "worker", err);
	if (rc == 0)
		rc = check_names(
			c, &c->chains, sizeof(struct conf_chain), PORTS_MAX / 2, "chain", err);
	EACH(c, ports, conf_port, check_port);
	EACH(c, routes, conf_route, check_route);
	EACH(c, workers, conf_worker, check_worker);
	EACH(c, chains, conf_chain, check_chain);
	EACH(c, ports, conf_port, check_use);
	EACH(c, captures, conf_capture, check_capture);
	EACH(c, isolation, conf_isolation, check_isolation);
	if (rc == 0 && (c->objects.folders.n > 0) != is_given(c->objects.allowed))
		rc = nfv_conf_fail(c->doc, &c->objects.allowed, err,
			"objects: `folders` and `allowed` belong together: give both, or neither");
	if (rc == 0 &&
		(c->colour.mode == COLOUR_MCMF) !=
			(c->colour.plan != NULL && c->colour.plan[0] != '\0'))
		rc = nfv_conf_fail(c->doc, &c->colour.mode, err,
			"`plan` is what `mode: mcmf` lays out by: give both, or neither");
	return rc;
}
