#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "mpc_plan_file.h"

const char *const mpc_plan_arm_name[MPC_PLAN_ARMS] = {
	[MPC_PLAN_OFF] = "off",
	[MPC_PLAN_STATIC] = "static",
	[MPC_PLAN_MCMF] = "mcmf",
};

static json_t *
class_json(const struct mpc_plan_file_class *c, uint32_t colours)
{
	json_t *pages = json_array();

	for (uint32_t i = 0; i < colours; i++)
		json_array_append_new(pages, json_integer(c->pages[i]));
	return json_pack("{s:s,s:o}", "name", c->name, "pages", pages);
}

json_t *
mpc_plan_file_json(const struct mpc_plan_file *p)
{
	json_t *classes = json_array();

	for (uint32_t i = 0; i < p->classes; i++) {
		if (json_array_append_new(classes, class_json(&p->class[i], p -> colours)) < 0) {
			json_decref(classes);
			return NULL;
		}
	}
	return json_pack("{s:i,s:I,s:I,s:s,s:s,s:o}", "version", MPC_PLAN_FILE_VERSION, "level",
		(json_int_t)p->level, "colours", (json_int_t)p->colours, "machine", p->machine,
		"arm", mpc_plan_arm_name[p->arm], "classes", classes);
}

/* A number within limits, of an object. */
static int
get_number(const json_t *o, const char *key, uint32_t least, uint32_t most, const char *name,
	uint32_t *out, struct nfv_err *err)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_integer(v) || json_integer_value(v) < least || json_integer_value(v) > most)
		return nfv_fail(err, EINVAL,
			"%s is no plan: \"%s\" must be a whole number from %u to %u", name, key,
			least, most);
	*out = (uint32_t)json_integer_value(v);
	return 0;
}

/* Names are printed and typed: no control characters, no blanks. */
static bool
good_name(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] <= ' ' || s[i] == 127)
			return false;
	return n > 0 && n < MPC_PLAN_FILE_NAME_MAX;
}

static int
get_class(const json_t *o, uint32_t nth, uint32_t colours, const char *file,
	struct mpc_plan_file_class *out, struct nfv_err *err)
{
	const char *name = json_string_value(json_object_get(o, "name"));
	const json_t *pages = json_object_get(o, "pages"), *v;
	uint64_t sum = 0;
	size_t i;

	if (name == NULL || !good_name(name))
		return nfv_fail(err, EINVAL,
			"%s is no plan: class %u has no \"name\" of 1 to %d characters without blanks",
			file, nth, MPC_PLAN_FILE_NAME_MAX - 1);
	snprintf(out->name, sizeof(out->name), "%s", name);
	if (json_array_size(pages) != colours)
		return nfv_fail(err, EINVAL,
			"%s is no plan: class \"%s\" has pages of %zu colours, and there are %u",
			file, name, json_array_size(pages), colours);
	json_array_foreach(pages, i, v)
	{
		if (!json_is_integer(v) || json_integer_value(v) < 0 ||
			json_integer_value(v) > INT32_MAX)
			return nfv_fail(err, EINVAL,
				"%s is no plan: class \"%s\" has no number of pages in colour %zu",
				file, name, i);
		out->pages[i] = (uint32_t)json_integer_value(v);
		sum += out->pages[i];
	}
	if (sum == 0 || sum > INT32_MAX)
		return nfv_fail(err, EINVAL, "%s is no plan: class \"%s\" has %s pages", file, name,
			sum == 0 ? "no" : "too many");
	return 0;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int
check_names(const struct mpc_plan_file *p, const char *file, struct nfv_err *err)
{
	const char **name = calloc(p->classes, sizeof(*name)), *twice = NULL;

	if (name == NULL)
		return nfv_fail(err, ENOMEM, "out of memory");
	for (uint32_t i = 0; i < p->classes; i++)
		name[i] = p->class[i].name;
	qsort(name, p->classes, sizeof(*name), compare_names);
	for (uint32_t i = 1; i < p->classes && twice == NULL; i++)
		if (strcmp(name[i - 1], name[i]) == 0)
			twice = name[i];
	free(name);
	return twice == NULL ?
		0 :
		nfv_fail(err, EINVAL, "%s is no plan: class \"%s\" is in it twice", file, twice);
}

static int
get_classes(const json_t *o, const char *file, struct mpc_plan_file *p, struct nfv_err *err)
{
	const json_t *list = json_object_get(o, "classes"), *v;
	uint32_t *pages;
	size_t i, n = json_array_size(list);
	int rc = 0;

	if (n == 0 || n > MPC_PLAN_CLASSES_MAX || p->colours == 0)
		return nfv_fail(err, EINVAL, "%s is no plan: \"classes\" must be a list of 1 to %d",
			file, MPC_PLAN_CLASSES_MAX);
	p->class = calloc(n, sizeof(*p->class));
	pages = calloc(n, p->colours * sizeof(*pages)); /* of all classes, behind the first one's */
	if (p->class == NULL || pages == NULL) {
		free(pages);
		return nfv_fail(err, ENOMEM, "out of memory");
	}
	p->classes = (uint32_t)n;
	for (i = 0; i < n; i++)
		p->class[i].pages = pages + i * p->colours;
	json_array_foreach(list, i, v)
	{
		rc = get_class(v, (uint32_t)i, p->colours, file, &p->class[i], err);
		if (rc < 0)
			return rc;
	}
	return check_names(p, file, err);
}

/* What came with a file is printed: nothing in it may command a terminal. */
static void
make_printable(char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == 127)
			*s = '?';
}

static int
get_arm(const json_t *o, const char *file, struct mpc_plan_file *p, struct nfv_err *err)
{
	const char *arm = json_string_value(json_object_get(o, "arm"));

	for (int i = 0; i < MPC_PLAN_ARMS; i++) {
		if (arm != NULL && strcmp(arm, mpc_plan_arm_name[i]) == 0) {
			p->arm = (enum mpc_plan_arm)i;
			return 0;
		}
	}
	return nfv_fail(err, EINVAL,
		"%s is no plan: \"arm\" must be \"off\", \"static\" or \"mcmf\"", file);
}

static int
get_all(const json_t *o, const char *name, struct mpc_plan_file *p, struct nfv_err *err)
{
	const char *machine = json_string_value(json_object_get(o, "machine"));
	uint32_t version = 0;
	int rc = get_number(o, "version", 1, INT32_MAX, name, &version, err);

	if (rc == 0 && version != MPC_PLAN_FILE_VERSION)
		return nfv_fail(err, EINVAL, "%s is a plan of version %u; known is %d", name,
			version, MPC_PLAN_FILE_VERSION);
	if (rc == 0)
		rc = get_number(o, "level", 1, 8, name, &p->level, err);
	if (rc == 0)
		rc = get_number(o, "colours", 2, MPC_PLAN_COLOURS_MAX, name, &p->colours, err);
	if (rc == 0)
		rc = get_arm(o, name, p, err);
	if (rc == 0)
		rc = get_classes(o, name, p, err);
	snprintf(p->machine, sizeof(p->machine), "%s", machine != NULL ? machine : "");
	make_printable(p->machine);
	return rc;
}

int
mpc_plan_file_parse(const char *text, size_t n, const char *name, struct mpc_plan_file *out,
	struct nfv_err *err)
{
	struct mpc_plan_file p = { .classes = 0 };
	json_error_t at;
	json_t *o = json_loadb(text, n, JSON_REJECT_DUPLICATES, &at);
	int rc;

	if (o == NULL && json_error_code(&at) == json_error_premature_end_of_input)
		return nfv_fail(err, EINVAL, "%s is cut off in line %d", name, at.line);
	if (o == NULL) {
		make_printable(at.text);
		return nfv_fail(
			err, EINVAL, "%s:%d:%d is no JSON: %s", name, at.line, at.column, at.text);
	}
	rc = get_all(o, name, &p, err);
	json_decref(o);
	if (rc < 0)
		mpc_plan_file_free(&p);
	else
		*out = p;
	return rc;
}

/* Up to `room` bytes; how many, or -errno. A pipe tells no size beforehand. */
static ssize_t
read_all(int fd, char *text, size_t room)
{
	size_t n = 0;

	while (n < room) {
		ssize_t got = read(fd, text + n, room - n);

		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

int
mpc_plan_file_read(const char *path, struct mpc_plan_file *out, struct nfv_err *err)
{
	/* A pipe without a writer would hold up the control thread for good. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;
	char *text = NULL;
	ssize_t n = 0;

	if (fd < 0)
		return nfv_fail(err, errno, "%s cannot be read: %s", path, strerror(errno));
	text = malloc(MPC_PLAN_FILE_SIZE_MAX + 1);
	if (text != NULL)
		n = read_all(fd, text, MPC_PLAN_FILE_SIZE_MAX + 1);
	close(fd);
	if (text == NULL)
		rc = nfv_fail(err, ENOMEM, "out of memory");
	else if (n < 0)
		rc = nfv_fail(err, (int)-n, "%s cannot be read: %s", path, strerror((int)-n));
	else if (n > (ssize_t)MPC_PLAN_FILE_SIZE_MAX)
		rc = nfv_fail(err, EFBIG, "%s is too large for a plan: more than %u MiB", path,
			MPC_PLAN_FILE_SIZE_MAX >> 20);
	else if (n == 0)
		rc = nfv_fail(err, EINVAL, "%s is empty", path);
	else
		rc = mpc_plan_file_parse(text, (size_t)n, path, out, err);
	free(text);
	return rc;
}

void
mpc_plan_file_free(struct mpc_plan_file *p)
{
	if (p->class != NULL)
		free(p->class[0].pages);
	free(p->class);
	*p = (struct mpc_plan_file){ .classes = 0 };
}

const struct mpc_plan_file_class *
mpc_plan_file_find(const struct mpc_plan_file *p, const char *name)
{
	for (uint32_t i = 0; i < p->classes; i++)
		if (strcmp(p->class[i].name, name) == 0)
			return &p->class[i];
	return NULL;
}
