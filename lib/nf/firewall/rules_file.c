#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rules.h"

static int
read_all(int fd, char *to, size_t size, size_t *len)
{
	size_t n = 0;

	while (n < size) {
		ssize_t got = read(fd, to + n, size - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	*len = n;
	return 0;
}

int
fw_rules_load(
	const char *path, enum fw_action otherwise, struct fw_rules **out, struct nfv_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc; /* a FIFO would block */
	char *text = NULL;
	struct stat st;
	size_t len = 0;

	if (fd < 0)
		return nfv_fail(err, errno, "%s: cannot be opened: %s", path, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > FW_FILE_MAX) {
		rc = nfv_fail(err, ENOTSUP, "%s: not a regular file of at most %u MiB", path,
			FW_FILE_MAX >> 20);
		goto out;
	}
	text = malloc((size_t)st.st_size + 1);
	if (text == NULL) {
		rc = nfv_fail(err, ENOMEM, "%s: out of memory", path);
		goto out;
	}
	rc = read_all(fd, text, (size_t)st.st_size, &len);
	if (rc < 0)
		nfv_fail(err, -rc, "%s: cannot be read: %s", path, strerror(-rc));
	else
		rc = fw_rules_parse(path, text, len, otherwise, out, err);
out:
	free(text);
	close(fd);
	return rc;
}

static void
print_proto(int proto, FILE *to)
{
	for (const struct fw_word *w = fw_proto_word; w->name != NULL; w++) {
		if (w->value == proto) {
			fputs(w->name, to);
			return;
		}
	}
	fprintf(to, "%d", proto);
}

static void
print_end(const char *word, const struct nfv_prefix *addr, const struct fw_range *port, bool ports,
	FILE *to)
{
	char buf[NFV_ADDR_TEXT];

	fprintf(to, " %s %s", word,
		addr->addr.family == NFV_NO_ADDR ? "any" : nfv_prefix_text(addr, buf));
	if (!ports || (port->lo == 0 && port->hi == UINT16_MAX))
		return;
	fprintf(to, " port %u", port->lo);
	if (port->hi != port->lo)
		fprintf(to, "-%u", port->hi);
}

static void
print_flags(const struct fw_rule *r, FILE *to)
{
	const char *sep = " flags ";

	for (const struct fw_word *w = fw_flag_word; w->name != NULL; w++) {
		if (r->flags_mask & w->value) {
			fprintf(to, "%s%s%s", sep, r->flags & w->value ? "" : "!", w->name);
			sep = ",";
		}
	}
}

void
fw_rule_print(const struct fw_rule *r, FILE *to)
{
	bool ports = fw_proto_has_ports(r->proto);

	fprintf(to, "%s %s", fw_action_name[r->action],
		r->dirs == FW_OUT        ? "out " :
			r->dirs == FW_IN ? "in " :
					   "");
	print_proto(r->proto, to);
	print_end("from", &r->from, &r->sport, ports, to);
	print_end("to", &r->to, &r->dport, ports, to);
	print_flags(r, to);
	if (fw_proto_is_icmp(r->proto) && r->sport.lo == r->sport.hi)
		fprintf(to, " type %u", r->sport.lo);
	if (fw_proto_is_icmp(r->proto) && r->dport.lo == r->dport.hi)
		fprintf(to, " code %u", r->dport.lo);
	if (r->stateless)
		fputs(" stateless", to);
	if (r->name[0] != '\0')
		fprintf(to, " name \"%s\"", r->name);
}
