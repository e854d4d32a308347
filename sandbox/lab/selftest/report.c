// SPDX-License-Identifier: GPL-2.0
/* What the tests found, one line each, and the verdict. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "selftest.h"

static int good_count, bad_count;

void check(bool good, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	printf("%s ", good ? "ok    " : "NOT OK");
	vprintf(format, arguments);
	printf("\n");
	fflush(stdout);
	va_end(arguments);
	if (good)
		good_count++;
	else
		bad_count++;
}

/* What a kernel cannot do is neither good nor bad. */
void skipped(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	printf("skipped ");
	vprintf(format, arguments);
	printf("\n");
	fflush(stdout);
	va_end(arguments);
}

void need(bool good, const char *format, ...)
{
	va_list arguments;

	if (good)
		return;
	va_start(arguments, format);
	printf("NOT OK cannot go on: ");
	vprintf(format, arguments);
	printf(" (%m)\nSELFTEST-FAILED\n");
	va_end(arguments);
	exit(1);
}

/* The last two lines, and the status of the program. */
int verdict(void)
{
	printf("%d good, %d bad\n%s\n", good_count, bad_count, bad_count ? "SELFTEST-FAILED" : "SELFTEST-PASSED");
	return bad_count ? 1 : 0;
}
