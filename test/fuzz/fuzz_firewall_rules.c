/**
 * @file
 * The firewall's rule language: no text may crash the parser, and what it takes must print to
 * something that it takes again, and that prints the same.
 */
#include <stdlib.h>

#include "rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *
print(const struct fw_rules *rules, size_t *len)
{
	char *text = NULL;
	FILE *to = open_memstream(&text, len);

	if (to == NULL)
		abort();
	for (uint32_t i = 0; i < rules->n; i++) {
		fw_rule_print(&rules->rule[i], to);
		fputc('\n', to);
	}
	fclose(to);
	return text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fw_rules *rules, *again;
	size_t len, len_again;
	char *text, *text_again;
	struct nfv_err err;

	if (fw_rules_parse("fuzz", (const char *)data, size, FW_DROP, &rules, &err) < 0)
		return 0;
	text = print(rules, &len);
	if (fw_rules_parse("printed", text, len, FW_DROP, &again, &err) < 0)
		abort();
	text_again = print(again, &len_again);
	if (again->n != rules->n || len_again != len || memcmp(text, text_again, len) != 0)
		abort();
	free(text);
	free(text_again);
	fw_rules_destroy(rules);
	fw_rules_destroy(again);
	return 0;
}
