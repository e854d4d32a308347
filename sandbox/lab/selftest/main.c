// SPDX-License-Identifier: GPL-2.0
#include <string.h>
#include <unistd.h>
#include "selftest.h"

int main(int count, char **arguments)
{
	bool mtty = count > 2 && !strcmp(arguments[2], "mtty");

	need(count > 1, "usage: selftest WORKLOAD-PROGRAM [mtty]");
	/* a wait that never ends is a failure, too */
	alarm(240);
	for (enum type type = TYPE_2018; type <= TYPE_V1; type++) {
		test_regions(type);
		test_faults(type);
		test_hostile(type);
		test_transfer(type, arguments[1]);
	}
	test_v2_arcs();
	test_v2_moves();
	test_v2_faults();
	test_v2_files();
	test_v2_log();
	test_v2_hostile();
	test_transfer(TYPE_V2, arguments[1]);
	if (mtty)
		test_transfer(TYPE_MTTY, arguments[1]);
	return verdict();
}
