// SPDX-License-Identifier: GPL-2.0
/* Just enough JSON to read one line of the protocol of handover.sock. A path is names and indices: "windows/0/iova". */
#include <stdlib.h>
#include <string.h>
#include "workload.h"

static const char *blank(const char *at)
{
	while (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n')
		at++;
	return at;
}

/* Past the text that starts at a quote, or NULL. */
static const char *past_text(const char *at)
{
	for (at++; *at && *at != '"'; at++)
		if (*at == '\\' && *++at == '\0')
			return NULL;
	return *at ? at + 1 : NULL;
}

static const char *past_value(const char *at)
{
	int depth = 0;

	do {
		at = blank(at);
		if (*at == '"') {
			at = past_text(at);
			if (!at)
				return NULL;
		} else if (*at == '{' || *at == '[') {
			depth++;
			at++;
		} else if (*at == '}' || *at == ']') {
			depth--;
			at++;
		} else if (*at == '\0') {
			return NULL;
		} else if (depth && (*at == ',' || *at == ':')) {
			at++;
		} else {
			size_t length = strcspn(at, ",:]} \t\r\n");

			if (!length)
				return NULL;
			at += length;
		}
	} while (depth > 0);
	return depth ? NULL : at;
}

/* The start of the value at the path, or NULL. */
const char *json_find(const char *json, const char *path)
{
	const char *at = blank(json);

	while (*path) {
		size_t length = strcspn(path, "/");
		unsigned long index = strtoul(path, NULL, 10), position = 0;
		char open = *at, close = open == '{' ? '}' : ']';
		bool found = false;

		if (open != '{' && open != '[')
			return NULL;
		for (at = blank(at + 1); *at != close && !found; position++) {
			const char *name = at;

			if (open == '{') {
				if (*at != '"' || !(at = past_text(at)))
					return NULL;
				found = (size_t)(at - name) == length + 2 && !strncmp(name + 1, path, length);
				at = blank(at);
				if (*at != ':')
					return NULL;
				at = blank(at + 1);
			} else {
				found = position == index;
			}
			if (found)
				break;
			at = past_value(at);
			if (!at)
				return NULL;
			at = blank(at);
			if (*at == ',')
				at = blank(at + 1);
			else if (*at != close)
				return NULL;
		}
		if (!found)
			return NULL;
		path += length;
		if (*path == '/')
			path++;
	}
	return past_value(at) ? at : NULL;
}

bool json_text(const char *json, const char *path, char *to, size_t size)
{
	const char *at = json_find(json, path);
	size_t length = 0;

	if (!at || *at != '"')
		return false;
	for (at++; *at != '"'; at++) {
		if (*at == '\\')
			at++;
		if (length + 1 >= size)
			return false;
		to[length++] = *at;
	}
	to[length] = '\0';
	return true;
}

bool json_number(const char *json, const char *path, uint64_t *to)
{
	const char *at = json_find(json, path);
	char *end;

	if (!at || *at < '0' || *at > '9')
		return false;
	*to = strtoull(at, &end, 10);
	return end != at;
}

bool json_true(const char *json, const char *path)
{
	const char *at = json_find(json, path);

	return at && !strncmp(at, "true", 4);
}
