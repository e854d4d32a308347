// SPDX-License-Identifier: GPL-2.0
/* The states of the third interface: every way from one to another, whole migrations, failures that are asked for. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include "selftest.h"

static bool kernel_has_precopy(void)
{
	int major = 0, minor = 0;
	struct utsname name;

	need(!uname(&name) && sscanf(name.release, "%d.%d", &major, &minor) == 2, "the kernel's version");
	return major > 6 || (major == 6 && minor >= 2);
}

/* --- every way */

static bool saving(int state)
{
	return state == PRE_COPY || state == PRE_COPY_P2P || state == STOP_COPY;
}

static bool offered(int state, uint64_t flags)
{
	uint64_t needs = state == PRE_COPY ? HAS_PRE_COPY : state == RUNNING_P2P ? HAS_P2P :
			 state == PRE_COPY_P2P ? HAS_PRE_COPY | HAS_P2P : 0;

	return (flags & needs) == needs;
}

/* What the text says of going from one to the other with nothing read or written in between. */
static void expect(int from, int to, uint64_t flags, int *result, int *state, bool *file)
{
	*result = 0;
	*state = to;
	*file = false;
	if (to == ERROR || to >= STATES || !offered(to, flags) || (from == STOP_COPY && (to == PRE_COPY || to == PRE_COPY_P2P))) {
		*result = -EINVAL;
		*state = from;
	} else if (from == RESUMING && to != RESUMING) {
		/* nothing was loaded: not a state to run with */
		*result = -EIO;
		*state = ERROR;
	} else if (from != to) {
		*file = to == RESUMING || (saving(to) && !saving(from));
	}
}

static void all_ways(bool precopy, bool p2p)
{
	uint64_t wanted = HAS_STOP_COPY | (precopy && kernel_has_precopy() ? HAS_PRE_COPY : 0) | (p2p ? HAS_P2P : 0), flags;
	struct device device;
	int ways = 0, wrong = 0;

	set_parameter("v2_precopy", precopy ? "Y" : "N");
	set_parameter("v2_p2p", p2p ? "Y" : "N");
	make_device(&device, TYPE_V2);
	set_parameter("v2_precopy", "Y");
	set_parameter("v2_p2p", "Y");
	open_device(&device);
	flags = v2_flags(&device);
	check(flags == wanted && v2_state(&device) == RUNNING, "v2: flags %llu, at first RUNNING", (unsigned long long)flags);
	for (int from = STOP; from < STATES; from++)
		for (int to = ERROR; to <= STATES; to++) {
			int result, state, got, first = -1, second = -1, is;
			bool file, works;

			if (!offered(from, flags))
				continue;
			need(!reset_device(&device) && !v2_set(&device, (uint32_t)from, &first), "state %d", from);
			expect(from, to, flags, &result, &state, &file);
			got = v2_set(&device, (uint32_t)to, &second);
			is = v2_state(&device);
			works = !do_step(&device);
			ways++;
			if (got != result || is != state || (second >= 0) != file || works != (state == RUNNING || state == PRE_COPY)) {
				wrong++;
				printf("       from %d to %d: %d, state %d, file %d, works %d\n", from, to, got, is, second, works);
			}
			if (first >= 0)
				close(first);
			if (second >= 0)
				close(second);
		}
	check(ways > 30 && !wrong, "v2: %d ways with flags %llu lead where the text says", ways, (unsigned long long)flags);
	close_device(&device);
	remove_device(&device);
}

void test_v2_arcs(void)
{
	if (!kernel_has_precopy())
		skipped("v2: PRE_COPY: it came with Linux 6.2");
	all_ways(true, true);
	all_ways(true, false);
	all_ways(false, true);
	all_ways(false, false);
}

/* --- whole migrations */

static bool readable(int data)
{
	struct pollfd poller = { .fd = data, .events = POLLIN };

	return poll(&poller, 1, 0) == 1 && (poller.revents & POLLIN);
}

/* Reads in PRE_COPY until there is nothing for now; the counts must say the same all the way. */
static void drain(struct device *device, struct bytes *to)
{
	uint64_t initial, dirty, before = UINT64_MAX;
	long got;

	do {
		need(!v2_precopy_info(device->data, &initial, &dirty), "PRECOPY_INFO");
		need(initial <= before, "initial_bytes grew from %llu to %llu", (unsigned long long)before, (unsigned long long)initial);
		need(readable(device->data) == (initial || dirty), "poll and PRECOPY_INFO disagree");
		before = initial;
		got = v2_read(device->data, to);
		need((got > 0) == (initial || dirty), "%llu + %llu bytes announced, read gives %ld", (unsigned long long)initial,
		     (unsigned long long)dirty, got);
	} while (got > 0);
	need(got == -ENOMSG, "read in PRE_COPY: %ld", got);
}

/* The pre-copy part; returns the number of steps done meanwhile. */
static int precopy(struct device *source, struct bytes *stream, bool p2p)
{
	uint64_t initial = 0, dirty = 1, before;
	bool counts;

	need(!v2_set(source, PRE_COPY, &source->data) && source->data >= 0, "PRE_COPY");
	counts = !v2_precopy_info(source->data, &initial, &dirty) && initial && !dirty;
	check(counts, "v2: PRE_COPY begins with %llu initial bytes and none dirty",
	      (unsigned long long)initial);
	need(v2_read(source->data, stream) > 0 && !do_step(source), "a chunk and a step");
	before = initial;
	counts = !v2_precopy_info(source->data, &initial, &dirty) && initial == before - stream->length;
	check(counts, "v2: initial bytes go down by what was read");
	drain(source, stream);
	before = stream->length;
	check(v2_read(source->data, stream) == -ENOMSG && !readable(source->data), "v2: ENOMSG, and again");
	for (int i = 0; i < 3; i++)
		need(!do_step(source), "a step");
	counts = !v2_precopy_info(source->data, &initial, &dirty) && !initial && dirty && readable(source->data);
	check(counts, "v2: %llu dirty bytes after three steps", (unsigned long long)dirty);
	drain(source, stream);
	check(stream->length == before + dirty, "v2: they were read, and nothing else");
	need(!do_step(source), "a step");
	if (p2p)
		check(!v2_set(source, PRE_COPY_P2P, NULL) && do_step(source) == -EIO && !v2_precopy_info(source->data, &initial, &dirty) &&
		      !v2_set(source, PRE_COPY, NULL) && !do_step(source) && !v2_set(source, PRE_COPY_P2P, NULL),
		      "v2: PRE_COPY_P2P and back goes on with the same file");
	return p2p ? 6 : 5;
}

static void whole_move(const char *what, bool live, bool p2p, size_t piece)
{
	struct device source, destination;
	struct bytes stream = { 0 };
	uint64_t size = 0, left = 0, before, initial, dirty;
	uint8_t *memory, *other;
	int steps = 10, data;

	set_parameter("v2_p2p", p2p ? "Y" : "N");
	make_device(&source, TYPE_V2);
	make_device(&destination, TYPE_V2);
	set_parameter("v2_p2p", "Y");
	memory = start_work(&source, steps);
	if (live)
		steps += precopy(&source, &stream, p2p);
	before = stream.length;
	need(!v2_set(&source, STOP_COPY, live ? NULL : &source.data), "STOP_COPY");
	if (kernel_has_precopy())
		need(!v2_data_size(&source, &size) && v2_precopy_info(source.data, &initial, &dirty) == -EINVAL, "MIG_DATA_SIZE");
	check(do_step(&source) == -EIO && readable(source.data), "v2: a stopped device does no step, its file can be read");
	need(v2_read(source.data, &stream) > 0, "a chunk of STOP_COPY");
	if (kernel_has_precopy())
		need(!v2_data_size(&source, &left), "MIG_DATA_SIZE");
	stop_and_save(&source, &stream);
	if (kernel_has_precopy())
		check(size == stream.length - before && left < size, "v2: MIG_DATA_SIZE said %llu, %zu bytes came", (unsigned long long)size,
		      stream.length - (size_t)before);
	open_device(&destination);
	need(!v2_set(&destination, RESUMING, &data), "RESUMING");
	check(!v2_load(data, &stream, piece) && !v2_set(&destination, STOP, NULL), "v2: %s: %zu bytes loaded", what, stream.length);
	check(write(data, "x", 1) < 0 && errno == ENODEV, "v2: the file of a load that is over gives ENODEV");
	close(data);
	check(same_state(&source, &destination) && reg64(&destination, 0x20) == (uint64_t)steps, "v2: both hold the same: step %llu",
	      (unsigned long long)reg64(&destination, 0x20));
	other = mmap(NULL, WINDOW_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	need(other != MAP_FAILED && !map_memory(&destination, WINDOW_IOVA, other, WINDOW_PAGES * PAGE), "a window");
	check(do_step(&destination) == -EIO && !v2_set(&destination, RUNNING, NULL) && !do_step(&destination), "v2: the destination runs on");
	check(!v2_set(&source, STOP, NULL) && do_step(&source) == -EIO && !v2_set(&source, RUNNING, NULL) && !do_step(&source),
	      "v2: the source stands, and can be let run");
	stop_work(&source, memory);
	stop_work(&destination, other);
	remove_device(&source);
	remove_device(&destination);
	free(stream.at);
}

void test_v2_moves(void)
{
	bool live = kernel_has_precopy();

	whole_move("live", live, true, 0);
	whole_move("live, without P2P, in pieces", live, false, 4099);
	set_parameter("data_bytes", "32768");
	whole_move("cold, small chunks", false, true, 100000);
	set_parameter("data_bytes", "1048576");
	set_parameter("state_bytes", "0");
	whole_move("no state but the registers, byte by byte", false, true, 1);
	set_parameter("state_bytes", "%d", 64 << 20);
	whole_move("64 MiB", live, true, 0);
	set_parameter("state_bytes", "1048576");
}

/* --- failures that are asked for */

static void failing_load(const char *parameter, const char *value, int expected)
{
	struct device source, destination;
	struct bytes stream = { 0 };
	int data, loaded, again;
	uint8_t *memory;

	make_device(&source, TYPE_V2);
	make_device(&destination, TYPE_V2);
	set_parameter(parameter, "%s", value);
	memory = start_work(&source, 2);
	stop_and_save(&source, &stream);
	open_device(&destination);
	need(!v2_set(&destination, RESUMING, &data), "RESUMING");
	loaded = v2_load(data, &stream, 0);
	again = v2_load(data, &stream, 0);
	set_parameter(parameter, "-1");
	check(loaded == expected && again == -EIO && v2_state(&destination) == RESUMING, "v2: %s=%s: writing says %d, then EIO; still RESUMING",
	      parameter, value, loaded);
	check(v2_set(&destination, RUNNING, NULL) == -EIO && v2_state(&destination) == ERROR && do_step(&destination) == -EIO &&
	      v2_set(&destination, STOP, NULL) == -EINVAL && write(data, "x", 1) < 0 && errno == ENODEV,
	      "v2: a device with half a state goes to ERROR, and nowhere from there");
	check(!reset_device(&destination) && v2_state(&destination) == RUNNING, "v2: a reset helps");
	close(data);
	/* the part before the byte that was spoilt */
	stream.length = 400000;
	need(!v2_set(&destination, RESUMING, &data) && !v2_load(data, &stream, 0), "loading a part of it once more");
	check(!reset_device(&destination) && v2_state(&destination) == RUNNING && reg64(&destination, 0x20) == 0 && write(data, "x", 1) < 0 &&
	      errno == ENODEV, "v2: a reset ends a load, and nothing of it is left");
	close(data);
	need(!v2_set(&destination, RESUMING, &data), "RESUMING");
	check(!v2_load(data, &stream, 0) && v2_set(&destination, STOP, NULL) == -EIO && v2_state(&destination) == ERROR,
	      "v2: a part of a stream is noticed at its end");
	close(data);
	check(!v2_set(&source, RUNNING, NULL) && !do_step(&source), "v2: the source runs on");
	stop_work(&source, memory);
	remove_device(&source);
	remove_device(&destination);
	free(stream.at);
}

static void other_streams(void)
{
	static const uint8_t noise[4096] = { 0x5a };
	struct device old, device;
	struct bytes stream = { 0 };
	uint8_t *memory;
	int data;

	make_device(&old, TYPE_V1);
	make_device(&device, TYPE_V2);
	memory = start_work(&old, 2);
	stop_and_save(&old, &stream);
	open_device(&device);
	need(!v2_set(&device, RESUMING, &data), "RESUMING");
	check(v2_load(data, &stream, 0) == -EINVAL, "v2: the stream of a v1 device is refused");
	close(data);
	need(!reset_device(&device) && !v2_set(&device, RESUMING, &data), "RESUMING");
	check(write(data, noise, sizeof(noise)) < 0 && errno == EINVAL, "v2: noise is refused");
	close(data);
	stop_work(&old, memory);
	close_device(&device);
	remove_device(&old);
	remove_device(&device);
	free(stream.at);
}

static void failing_states(void)
{
	struct device device;
	struct bytes stream = { 0 };
	uint8_t *memory;
	int before, data;
	long got;

	make_device(&device, TYPE_V2);
	memory = start_work(&device, 2);
	if (v2_flags(&device) & HAS_PRE_COPY) {
		need(!v2_set(&device, PRE_COPY, &device.data), "PRE_COPY");
		drain(&device, &stream);
	}
	before = v2_flags(&device) & HAS_PRE_COPY ? PRE_COPY_P2P : STOP;
	set_parameter("fail_errno", "%d", EBUSY);
	set_parameter("fail_times", "1");
	set_parameter("fail_v2", "%d", STOP_COPY);
	check(v2_set(&device, STOP_COPY, &data) == -EBUSY && data == -1 && v2_state(&device) == before,
	      "v2: an arc that is to fail fails with the errno asked for, and the way ends before it");
	check(!v2_set(&device, STOP_COPY, before == STOP ? &device.data : NULL), "v2: as often as asked for");
	set_parameter("fail_times", "-1");
	set_parameter("fail_errno", "%d", EIO);
	set_parameter("fail_v2", "%d", RUNNING);
	check(v2_set(&device, RUNNING, NULL) == -EIO && v2_state(&device) == RUNNING_P2P, "v2: also on the way to another state");
	set_parameter("fail_v2", "-1");
	check(v2_read(device.data, &stream) == -ENODEV, "v2: the save was over by then");
	close(device.data);
	device.data = -1;
	need(!v2_set(&device, STOP_COPY, &device.data), "STOP_COPY");
	set_parameter("fail_stage_after", "0");
	got = v2_read(device.data, &stream);
	set_parameter("fail_stage_after", "-1");
	check(got == -EIO, "v2: reading fails when it is to");
	set_parameter("fail_device", "00000000-0000-0000-0000-000000000000");
	set_parameter("fail_stage_after", "0");
	got = v2_read(device.data, &stream);
	set_parameter("fail_stage_after", "-1");
	set_parameter("fail_device", "\n");
	check(got > 0, "v2: failures keep to the device they are for");
	need(!v2_set(&device, RUNNING, NULL), "RUNNING");
	set_parameter("fail_into_error", "Y");
	set_parameter("fail_v2", "%d", STOP);
	check(v2_set(&device, STOP_COPY, NULL) == -EIO && v2_state(&device) == ERROR && do_step(&device) == -EIO,
	      "v2: into ERROR when it is to");
	set_parameter("fail_v2", "-1");
	set_parameter("fail_into_error", "N");
	check(v2_set(&device, RUNNING, NULL) == -EINVAL && v2_set(&device, ERROR, NULL) == -EINVAL && !reset_device(&device) &&
	      v2_state(&device) == RUNNING && !do_step(&device), "v2: which only a reset leaves");
	stop_work(&device, memory);
	remove_device(&device);
	free(stream.at);
}

static long milliseconds(const struct timespec *from)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - from->tv_sec) * 1000 + (now.tv_nsec - from->tv_nsec) / 1000000;
}

static void slow_and_stalled(void)
{
	struct device device;
	struct bytes stream = { 0 };
	struct timespec from;
	uint8_t *memory;

	make_device(&device, TYPE_V2);
	memory = start_work(&device, 2);
	need(!v2_set(&device, STOP_COPY, &device.data), "STOP_COPY");
	set_parameter("stall_after", "0");
	need(!fcntl(device.data, F_SETFL, O_NONBLOCK), "O_NONBLOCK");
	check(!readable(device.data) && v2_read(device.data, &stream) == -EAGAIN, "v2: a stalled device has nothing, and that is not the end");
	need(!fcntl(device.data, F_SETFL, 0), "blocking");
	set_parameter("stall_after", "-1");
	set_parameter("stage_delay_ms", "300");
	clock_gettime(CLOCK_MONOTONIC, &from);
	check(v2_read(device.data, &stream) > 0 && milliseconds(&from) >= 290, "v2: after the stall it goes on, slow when it is to be");
	set_parameter("stage_delay_ms", "0");
	set_parameter("transition_delay_ms", "300");
	clock_gettime(CLOCK_MONOTONIC, &from);
	check(!v2_set(&device, STOP, NULL) && milliseconds(&from) >= 290, "v2: so do states");
	set_parameter("transition_delay_ms", "0");
	stop_work(&device, memory);
	remove_device(&device);
	free(stream.at);
}

void test_v2_faults(void)
{
	failing_load("corrupt_at", "600000", -EINVAL);
	failing_load("fail_load_after", "500000", -EIO);
	other_streams();
	failing_states();
	slow_and_stalled();
}
