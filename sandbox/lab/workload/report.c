// SPDX-License-Identifier: GPL-2.0
/* What the workload reports: one line each, written at once, so that a reader sees what happened before a kill. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "workload.h"

void report(const char *format, ...)
{
	char text[2048];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text, sizeof(text) - 1, format, arguments);
	va_end(arguments);
	if (length < 0)
		return;
	if ((size_t)length > sizeof(text) - 2)
		length = sizeof(text) - 2;
	text[length] = '\n';
	/* one write per line: two writers of one file do not mix */
	if (write(STDOUT_FILENO, text, (size_t)length + 1) < 0)
		exit(2);
}

void fail(const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	report("ERROR %s", text);
	exit(1);
}
