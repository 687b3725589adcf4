/**
 * @file
 * What any page must be: well-formed, with nothing in it that runs or is fetched.
 */
#ifndef PAGE_H
#define PAGE_H

#include <string.h>

#include <expat.h>

/* Ends a test at elements and attributes that would run something or fetch it. */
static void XMLCALL
no_foreign_element(void *ctx, const XML_Char *name, const XML_Char **attribute)
{
	static const char *const unwanted[] = { "script", "link", "img", "iframe", "object",
		"image" };

	(void)ctx;
	for (unsigned int i = 0; i < sizeof(unwanted) / sizeof(unwanted[0]); i++)
		assert_string_not_equal(name, unwanted[i]);
	for (; *attribute != NULL; attribute += 2) {
		assert_string_not_equal(attribute[0], "src");
		assert_string_not_equal(attribute[0], "href");
		assert_memory_not_equal(attribute[0], "on", 2);
	}
}

static void
is_sound(const char *text)
{
	XML_Parser p = XML_ParserCreate("UTF-8");

	assert_non_null(p);
	XML_SetStartElementHandler(p, no_foreign_element);
	if (XML_Parse(p, text, (int)strlen(text), 1) != XML_STATUS_OK)
		fail_msg("line %lu: %s", (unsigned long)XML_GetCurrentLineNumber(p),
			XML_ErrorString(XML_GetErrorCode(p)));
	XML_ParserFree(p);
	assert_null(strstr(text, "nan"));
	assert_null(strstr(text, "inf"));
}

#endif
