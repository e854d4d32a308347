// SPDX-License-Identifier: GPL-2.0
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "selftest.h"

const char *workload_program;
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

int main(int count, char **arguments)
{
	bool mtty = count > 2 && !strcmp(arguments[2], "mtty");

	need(count > 1, "usage: selftest WORKLOAD-PROGRAM [mtty]");
	workload_program = arguments[1];
	/* a wait that never ends is a failure, too */
	alarm(240);
	for (enum type type = TYPE_2018; type <= TYPE_V1; type++) {
		test_regions(type);
		test_faults(type);
		test_hostile(type);
		test_handover(type);
	}
	test_v2_arcs();
	test_v2_moves();
	test_v2_faults();
	test_v2_files();
	test_v2_log();
	test_v2_hostile();
	test_handover(TYPE_V2);
	if (mtty)
		test_handover(TYPE_MTTY);
	printf("%d good, %d bad\n%s\n", good_count, bad_count, bad_count ? "SELFTEST-FAILED" : "SELFTEST-PASSED");
	return bad_count ? 1 : 0;
}
