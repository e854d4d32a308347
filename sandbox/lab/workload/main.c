// SPDX-License-Identifier: GPL-2.0
/* workload owner|waiting: see README.md. */
#define _GNU_SOURCE
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "workload.h"

static void add_window(struct workload *workload, const char *text)
{
	struct window *window = &workload->windows[workload->window_count];
	char logged[16] = "";
	long long iova, bytes;

	if (workload->window_count == MAX_WINDOWS)
		fail("at most %d windows", MAX_WINDOWS);
	if (sscanf(text, "%63[^:]:%lli:%lli:%15s", window->name, &iova, &bytes, logged) < 3 || iova < 0 || bytes < (long long)(2 * PAGE) ||
	    iova % PAGE || bytes % PAGE || (logged[0] && strcmp(logged, "logged")))
		fail("--window NAME:IOVA:BYTES[:logged], whole pages of 4096, at least two: %s", text);
	window->iova = (uint64_t)iova;
	window->bytes = (uint64_t)bytes;
	window->logged = logged[0];
	window->file = -1;
	workload->window_count++;
}

static void parse(struct workload *workload, int count, char **arguments)
{
	static const struct option options[] = {
		{ "name", required_argument, NULL, 'n' }, { "device", required_argument, NULL, 'd' },
		{ "directory", required_argument, NULL, 'D' }, { "window", required_argument, NULL, 'w' },
		{ "interval", required_argument, NULL, 'i' }, { "steps", required_argument, NULL, 's' },
		{ "cdev", no_argument, NULL, 'c' }, { "timeout", required_argument, NULL, 't' },
		{ "also", required_argument, NULL, 'a' }, { 0 },
	};
	int option;

	while ((option = getopt_long(count, arguments, "", options, NULL)) != -1) {
		switch (option) {
		case 'n': workload->name = optarg; break;
		case 'd': workload->device = optarg; break;
		case 'D': workload->directory = optarg; break;
		case 'w': add_window(workload, optarg); break;
		case 'i': workload->interval_ms = (unsigned int)atoi(optarg); break;
		case 's': workload->steps = strtoull(optarg, NULL, 10); break;
		case 'c': workload->cdev = true; break;
		case 't': workload->timeout_s = (unsigned int)atoi(optarg); break;
		case 'a': workload->also = optarg; break;
		default: exit(2);
		}
	}
	if (!workload->device)
		fail("--device is missing");
}

/* Held and not used, to the end: a process with two devices. */
static void hold_another(struct workload *workload)
{
	struct workload other = {
		.device = workload->also, .device_file = -1, .group_file = -1, .container_file = -1, .iommu_file = -1,
	};

	open_device(&other);
}

static void own(struct workload *workload)
{
	open_device(workload);
	if (workload->also)
		hold_another(workload);
	recognise_device(workload);
	for (int i = 0; i < workload->window_count; i++) {
		make_window(&workload->windows[i]);
		if (map_window(workload, &workload->windows[i]))
			fail("mapping window %s at 0x%llx for the device: %m", workload->windows[i].name,
			    (unsigned long long)workload->windows[i].iova);
	}
	start_device(workload);
	write_manifest(workload);
	report("OPENED interface=%s access=%s device-fd=%d", workload->interface, workload->cdev ? "cdev" : "group", workload->device_file);
}

int main(int count, char **arguments)
{
	struct workload workload = {
		.name = "workload", .directory = "/run/vfio-migration/devices", .interval_ms = 200, .timeout_s = 600,
		.device_file = -1, .group_file = -1, .container_file = -1, .iommu_file = -1,
	};
	uint64_t step = 0;
	bool waiting = count > 1 && !strcmp(arguments[1], "waiting");

	if (count < 2 || (!waiting && strcmp(arguments[1], "owner"))) {
		fprintf(stderr, "usage: workload owner|waiting --device UUID [...]: see the README beside the source\n");
		return 2;
	}
	end_on_signals();
	parse(&workload, count - 1, arguments + 1);
	report("PID %d", getpid());
	if (waiting) {
		wait_for_device(&workload);
		if (ending) {
			report("ENDED step=0");
			return 0;
		}
		step = check_continuity(&workload);
		report("TAKEN first-step %llu migration=%s", (unsigned long long)step + 1, workload.holds);
	} else {
		own(&workload);
	}
	for (uint64_t done = 0; !ending && (!workload.steps || done < workload.steps); done++) {
		step = do_step(&workload);
		report("STEP %llu", (unsigned long long)step);
		pause_ms(workload.interval_ms);
	}
	report("ENDED step=%llu", (unsigned long long)step);
	return 0;
}
