// SPDX-License-Identifier: GPL-2.0
/* A whole migration through each region, in every way of touching it; then with failures. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "selftest.h"

static const char *name_of(enum type type)
{
	return type == TYPE_2018 ? "2018" : type == TYPE_V1 ? "v1" : "mtty";
}

static int put_reg(struct device *device, uint64_t at, uint64_t value)
{
	return pwrite(device->file, &value, 8, (off_t)at) == 8 ? 0 : -errno;
}

/* A device that runs, with a window it writes into, and some steps behind it. */
uint8_t *start_work(struct device *device, int steps)
{
	uint8_t *memory = mmap(NULL, WINDOW_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	open_device(device);
	need(memory != MAP_FAILED && !map_memory(device, WINDOW_IOVA, memory, WINDOW_PAGES * PAGE), "a window");
	if (device->type == TYPE_2018)
		need(!set_state(device, 1), "RUNNING");
	need(!put_reg(device, 0x38, WINDOW_IOVA) && !put_reg(device, 0x40, WINDOW_PAGES * PAGE) && !put_reg(device, 0x30, 77), "registers");
	while (steps-- > 0)
		need(!do_step(device), "a step");
	return memory;
}

void stop_work(struct device *device, uint8_t *memory)
{
	close_device(device);
	munmap(memory, WINDOW_PAGES * PAGE);
}

bool same_state(struct device *a, struct device *b)
{
	static const uint64_t registers[] = { 0x10, 0x18, 0x20, 0x28, 0x30, 0x38, 0x40, 0x48 };

	for (size_t i = 0; i < sizeof(registers) / sizeof(*registers); i++)
		if (reg64(a, registers[i]) != reg64(b, registers[i]))
			return false;
	return true;
}

static void whole_migration(enum type type, bool precopy, bool split, unsigned long source_area, unsigned long destination_area)
{
	struct device source, destination;
	struct bytes stream = { 0 };
	uint8_t *memory, *other;
	int steps = 0;

	make_device(&source, type);
	make_device(&destination, type);
	set_parameter("data_bytes", "%lu", source_area);
	memory = start_work(&source, 10);
	set_parameter("data_bytes", "%lu", destination_area);
	if (type == TYPE_2018)
		need(!set_state(&source, 2), "SETUP");
	if (precopy) {
		need(!set_state(&source, 3), "PRECOPY");
		for (int i = 0; i < 8; i++) {
			pending(&source);
			read_chunk(&source, &stream, split);
			need(!do_step(&source), "a step while saving");
			steps++;
			need(!set_state(&source, 3), "PRECOPY again");
		}
		check(pending(&source) > 0, "%s: a device that works has bytes pending in pre-copy", name_of(type));
	}
	need(!set_state(&source, type == TYPE_2018 ? 4 : 2), "stop and copy");
	check(do_step(&source) == -EIO, "%s: a stopped device does no step", name_of(type));
	/* asking for the offset twice must not lose a chunk */
	get64(&source, type == TYPE_2018 ? 36 : 16);
	save_rest(&source, &stream, split);
	check(pending(&source) == 0, "%s: nothing is pending at the end", name_of(type));
	open_device(&destination);
	need(!set_state(&destination, type == TYPE_2018 ? 6 : 4), "resume");
	check(!load_all(&destination, &stream, split), "%s: %zu bytes in %zu chunks go from an area of %lu to one of %lu%s%s", name_of(type),
	      stream.length, stream.chunk_count, source_area, destination_area, precopy ? ", live" : "", split ? ", split accesses" : "");
	if (type == TYPE_2018)
		check(!set_state(&destination, 7) && get32(&destination, 0) == 7, "2018: RESUME_COMPLETED");
	else
		check(!set_state(&destination, 0) && get32(&destination, 0) == 0, "v1: stopped after resuming");
	check(same_state(&source, &destination), "%s: both devices hold the same: step %llu", name_of(type),
	      (unsigned long long)reg64(&destination, 0x20));
	check(reg64(&destination, 0x20) == (uint64_t)(10 + steps), "%s: the steps are those that were done", name_of(type));
	other = mmap(NULL, WINDOW_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	need(other != MAP_FAILED && !map_memory(&destination, WINDOW_IOVA, other, WINDOW_PAGES * PAGE), "a window");
	check(!set_state(&destination, 1) && !do_step(&destination), "%s: the destination runs on", name_of(type));
	if (type == TYPE_2018)
		check(!set_state(&source, 5) && set_state(&source, 1) == -EINVAL, "2018: no way back after SAVE_COMPLETED");
	else
		check(!set_state(&source, 0), "v1: the source stops");
	check(do_step(&source) == -EIO, "%s: the source stands still", name_of(type));
	stop_work(&source, memory);
	stop_work(&destination, other);
	remove_device(&source);
	remove_device(&destination);
	free(stream.at);
}

static void dirty_memory(void)
{
	struct device device;
	uint8_t bitmap[WINDOW_PAGES / 8], *memory;

	make_device(&device, TYPE_2018);
	/* 16 pages a turn: the range takes several turns */
	set_parameter("bitmap_bytes", "8");
	memory = start_work(&device, 5);
	need(!set_state(&device, 2) && !set_state(&device, 3), "PRECOPY");
	check(dirty_pages(&device, WINDOW_IOVA, WINDOW_PAGES, bitmap) == 0, "2018: nothing is dirty right after SETUP");
	for (int i = 0; i < 70; i++)
		need(!do_step(&device), "a step");
	check(dirty_pages(&device, WINDOW_IOVA, WINDOW_PAGES, bitmap) == WINDOW_PAGES, "2018: 70 steps dirty all 64 pages");
	check(dirty_pages(&device, WINDOW_IOVA, WINDOW_PAGES, bitmap) == 0, "2018: a page is reported once");
	need(!do_step(&device), "step 76");
	check(dirty_pages(&device, WINDOW_IOVA, WINDOW_PAGES, bitmap) == 1 && bitmap[76 % 64 / 8] == 1 << 76 % 64 % 8,
	      "2018: one step dirties one page, the right one");
	need(!do_step(&device), "step 77");
	need(!set_state(&device, 4), "STOPNCOPY");
	check(dirty_pages(&device, WINDOW_IOVA + 13 * PAGE, 1, bitmap) == 1 && bitmap[0] == 1, "2018: the range's start counts");
	set_parameter("bitmap_bytes", "4096");
	stop_work(&device, memory);
	remove_device(&device);
}

static void rollback(enum type type)
{
	struct device device;
	struct bytes stream = { 0 };
	uint8_t *memory;

	make_device(&device, type);
	memory = start_work(&device, 3);
	if (type == TYPE_2018) {
		need(!set_state(&device, 2) && !set_state(&device, 4), "STOPNCOPY");
		read_chunk(&device, &stream, false);
		check(!set_state(&device, 8) && do_step(&device) == -EIO && !set_state(&device, 1) && !do_step(&device),
		      "2018: STOPNCOPY, FAILED, RUNNING: it works on");
		need(!set_state(&device, 2) && !set_state(&device, 3), "PRECOPY");
		check(!set_state(&device, 9) && !set_state(&device, 1) && !do_step(&device), "2018: PRECOPY, CANCELLED, RUNNING");
	} else {
		need(!set_state(&device, 3) && !set_state(&device, 2), "stop and copy");
		pending(&device);
		read_chunk(&device, &stream, false);
		check(!set_state(&device, 1) && !do_step(&device), "v1: 010 back to 001: it works on");
	}
	clear(&stream);
	if (type == TYPE_2018)
		need(!set_state(&device, 2), "SETUP");
	need(!set_state(&device, type == TYPE_2018 ? 4 : 2), "stop and copy");
	save_rest(&device, &stream, false);
	check(stream.length > 1 << 20, "%s: after a rollback a save starts from the beginning (%zu bytes)", name_of(type), stream.length);
	stop_work(&device, memory);
	remove_device(&device);
	free(stream.at);
}

void test_regions(enum type type)
{
	whole_migration(type, true, false, 1 << 20, 1 << 20);
	whole_migration(type, false, false, 1 << 20, 32768);
	whole_migration(type, true, true, 65536, 1 << 20);
	set_parameter("offer_mmap", "N");
	whole_migration(type, false, false, 32768, 32768);
	set_parameter("offer_mmap", "Y");
	set_parameter("state_bytes", "0");
	whole_migration(type, false, false, 1 << 20, 1 << 20);
	set_parameter("state_bytes", "1048576");
	set_parameter("data_bytes", "1048576");
	if (type == TYPE_2018)
		dirty_memory();
	rollback(type);
}

/* --- failures that are asked for */

static void failing_load(enum type type, const char *parameter, const char *value, int expected)
{
	struct device source, destination;
	struct bytes stream = { 0 };
	uint8_t *memory;
	int loaded, completed;
	bool ended;

	make_device(&source, type);
	make_device(&destination, type);
	set_parameter(parameter, "%s", value);
	memory = start_work(&source, 2);
	if (type == TYPE_2018)
		need(!set_state(&source, 2), "SETUP");
	stop_and_save(&source, &stream);
	open_device(&destination);
	need(!set_state(&destination, type == TYPE_2018 ? 6 : 4), "resume");
	loaded = load_all(&destination, &stream, false);
	completed = set_state(&destination, type == TYPE_2018 ? 7 : 0);
	check(loaded == expected && completed == -EIO, "%s: %s=%s: loading says %d, completing %d", name_of(type), parameter, value, loaded,
	      completed);
	if (type == TYPE_2018)
		ended = !set_state(&destination, 8) && set_state(&destination, 1) == -EINVAL;
	else
		ended = (get32(&destination, 0) & 7) == 6 && set_state(&destination, 1) == -EIO;
	check(ended && do_step(&destination) == -EIO, "%s: a device with half a state does not run", name_of(type));
	check(!reset_device(&destination) && (get32(&destination, 0) & 7) == (type == TYPE_2018 ? 0 : 1), "%s: a reset helps", name_of(type));
	set_parameter(parameter, "-1");
	check(!(type == TYPE_2018 ? set_state(&source, 8) ?: set_state(&source, 1) : set_state(&source, 1)) && !do_step(&source),
	      "%s: the source runs on", name_of(type));
	stop_work(&source, memory);
	remove_device(&source);
	remove_device(&destination);
	free(stream.at);
}

/* The error state of v1, and its reserved bits. */
static void test_v1_error_state(struct device *device)
{
	need(!set_state(device, 1), "back to running");
	set_parameter("fail_into_error", "Y");
	set_parameter("fail_v1", "3");
	check(set_state(device, 3) == -EIO && get32(device, 0) == 6 && set_state(device, 0) == -EIO,
	      "v1: into the error state, which no write leaves");
	set_parameter("fail_v1", "-1");
	set_parameter("fail_into_error", "N");
	set_parameter("v1_reserved", "%d", 0xabc8);
	check(!reset_device(device) && get32(device, 0) == 0xabc9, "v1: reserved bits after the reset");
	check(set_state(device, 3) == -EINVAL && !set_state(device, 0xabc8 | 3), "v1: reserved bits must be preserved");
	set_parameter("v1_reserved", "0");
}

void test_faults(enum type type)
{
	bool first = type == TYPE_2018;
	struct bytes stream = { 0 };
	struct device device;
	struct timespec from, to;
	uint64_t value;
	uint8_t *memory;

	failing_load(type, "corrupt_at", "600000", -EINVAL);
	failing_load(type, "fail_load_after", "500000", -EIO);

	make_device(&device, type);
	memory = start_work(&device, 2);
	set_parameter(first ? "fail_2018" : "fail_v1", first ? "4" : "2");
	set_parameter("fail_times", "1");
	set_parameter("fail_errno", "%d", EBUSY);
	if (first)
		need(!set_state(&device, 2) && !set_state(&device, 3), "PRECOPY");
	else
		need(!set_state(&device, 3), "pre-copy");
	check(set_state(&device, first ? 4 : 2) == -EBUSY && get32(&device, 0) == 3 && !do_step(&device),
	      "%s: a transition that is to fail fails with the errno asked for, and leaves the state", name_of(type));
	check(!set_state(&device, first ? 4 : 2), "%s: as often as asked for", name_of(type));
	set_parameter("fail_times", "-1");
	set_parameter(first ? "fail_2018" : "fail_v1", "-1");
	set_parameter("fail_errno", "%d", EIO);
	set_parameter("fail_stage_after", "0");
	check(get_at(&device, first ? 36 : 16, &value, 8) == -EIO, "%s: staging fails when it is to", name_of(type));
	set_parameter("fail_stage_after", "-1");
	set_parameter("stall_after", "0");
	check(pending(&device) > 0 && read_chunk(&device, &stream, false) == 0, "%s: a stall: bytes are pending, none come", name_of(type));
	set_parameter("stall_after", "-1");
	set_parameter("stage_delay_ms", "300");
	clock_gettime(CLOCK_MONOTONIC, &from);
	pending(&device);
	check(read_chunk(&device, &stream, false) > 0, "%s: after the stall it goes on", name_of(type));
	clock_gettime(CLOCK_MONOTONIC, &to);
	set_parameter("stage_delay_ms", "0");
	check((to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000 >= 290, "%s: slow staging is slow", name_of(type));
	set_parameter("fail_device", "00000000-0000-0000-0000-000000000000");
	set_parameter("fail_stage_after", "0");
	pending(&device);
	check(!get_at(&device, first ? 36 : 16, &value, 8), "%s: failures keep to the device they are for", name_of(type));
	set_parameter("fail_stage_after", "-1");
	set_parameter("fail_device", "\n");
	if (!first) {
		test_v1_error_state(&device);
	} else {
		set_parameter("state_unreadable", "Y");
		check(get_at(&device, 0, &value, 4) == -EINVAL, "2018: the state cannot be read when it is to be so");
		set_parameter("state_unreadable", "N");
	}
	stop_work(&device, memory);
	remove_device(&device);
	free(stream.at);
}
