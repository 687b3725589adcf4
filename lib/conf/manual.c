#include <stdint.h>
#include <string.h>

#include "nfv_conf.h"

static const char *const type_name[] = {
	[NFV_CONF_STRING] = "text",
	[NFV_CONF_PATH] = "file",
	[NFV_CONF_BOOL] = "true|false",
	[NFV_CONF_UINT] = "number",
	[NFV_CONF_CHOICE] = "",
	[NFV_CONF_ADDR] = "address",
	[NFV_CONF_PREFIX] = "address/length",
	[NFV_CONF_ENDPOINT] = "address:port",
	[NFV_CONF_RANGE] = "A-B",
	[NFV_CONF_SECTION] = "",
};

static void
print_fields(FILE *to, const struct nfv_conf_schema *schema, int indent)
{
	for (const struct nfv_conf_field *f = schema->fields; f->name != NULL; f++) {
		fprintf(to, "%*s%s:", indent, "", f->name);
		fprintf(to, " %s%s%s", f->list ? "list" : "",
			f->list && type_name[f->type][0] != '\0' ? " of " : "", type_name[f->type]);
		for (size_t i = 0; f->type == NFV_CONF_CHOICE && f->choices[i] != NULL; i++)
			fprintf(to, "%s%s", i > 0 ? "|" : "", f->choices[i]);
		if ((f->type == NFV_CONF_UINT || f->type == NFV_CONF_RANGE) && f->max > 0)
			fprintf(to, " %u..%u", f->min, f->max);
		if (f->def == NULL)
			fprintf(to, ", required");
		else if (f->def[0] != '\0')
			fprintf(to, ", default %s", f->def);
		fprintf(to, "\n%*s# %s\n", indent + 4, "", f->help);
		if (f->type == NFV_CONF_SECTION)
			print_fields(to, f->section, indent + 4);
	}
}

void
nfv_conf_manual(FILE *to, const char *section, const struct nfv_conf_schema *schema)
{
	if (section != NULL)
		fprintf(to, "%s:\n    # %s\n", section, schema->help);
	print_fields(to, schema, section != NULL ? 4 : 0);
}
