// SPDX-License-Identifier: GPL-2.0
/*
 * The third interface's files in every order in which they should not be closed, its log of written memory, and four threads
 * that do anything at any time.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "selftest.h"

/* --- files */

struct reading {
	int data;
	long result;
};

static void *read_stalled(void *argument)
{
	struct reading *reading = argument;
	uint8_t byte;

	reading->result = read(reading->data, &byte, 1) < 0 ? -errno : 0;
	return NULL;
}

/* Somebody waits in read() while the transfer goes away under it. */
static void read_while_reset(void)
{
	struct reading reading = { .result = 1 };
	struct timespec soon = { 0, 100000000 };
	struct device device;
	uint8_t *memory;
	pthread_t thread;

	make_device(&device, TYPE_V2);
	memory = start_work(&device, 2);
	need(!v2_set(&device, STOP_COPY, &reading.data), "STOP_COPY");
	set_parameter("stall_after", "0");
	need(!pthread_create(&thread, NULL, read_stalled, &reading), "a thread");
	/* so that it waits already; should it not yet, it finds the same */
	nanosleep(&soon, NULL);
	need(!reset_device(&device), "reset");
	pthread_join(thread, NULL);
	set_parameter("stall_after", "-1");
	check(reading.result == -ENODEV, "v2: a reset ends a read that waits (%ld)", reading.result);
	close(reading.data);
	stop_work(&device, memory);
	remove_device(&device);
}

static bool gives_enodev(int data)
{
	uint8_t byte;

	return read(data, &byte, 1) < 0 && errno == ENODEV;
}

void test_v2_files(void)
{
	struct device device;
	struct bytes stream = { 0 };
	uint64_t initial, dirty;
	uint8_t *memory, byte;
	int first, second;

	make_device(&device, TYPE_V2);
	memory = start_work(&device, 2);
	need(!v2_set(&device, STOP_COPY, &first) && v2_read(first, &stream) > 0 && !v2_set(&device, STOP, NULL) &&
	     !v2_set(&device, STOP_COPY, &second), "two files");
	clear(&stream);
	check(gives_enodev(first) && v2_precopy_info(first, &initial, &dirty) != 0 && v2_read(second, &stream) > 0 && stream.at[4] == 1,
	      "v2: a second save has a file of its own, from the beginning; that of the first is over");
	close(first);
	check(v2_read(second, &stream) > 0, "v2: closing the first does not touch the second");
	check(lseek(second, 0, SEEK_SET) < 0 && errno == ESPIPE && pread(second, &byte, 1, 0) < 0 && errno == ESPIPE &&
	      write(second, "x", 1) < 0 && errno == EBADF && ioctl(second, _IO(';', 120)) && errno == ENOTTY,
	      "v2: it is a stream that is read and nothing else");
	close(second);
	check(v2_state(&device) == STOP_COPY && !v2_set(&device, RUNNING, NULL) && !do_step(&device), "v2: a save whose file was closed ends like any");
	if (v2_flags(&device) & HAS_PRE_COPY) {
		need(!v2_set(&device, PRE_COPY, &first), "PRE_COPY");
		close(first);
		check(!do_step(&device) && !v2_set(&device, STOP_COPY, NULL) && !v2_set(&device, RUNNING, NULL) && !do_step(&device),
		      "v2: also one whose file was closed in PRE_COPY: no other comes with STOP_COPY");
	}
	need(!v2_set(&device, RESUMING, &first), "RESUMING");
	check(read(first, &byte, 1) < 0 && errno == EBADF, "v2: what is loaded cannot be read");
	close(first);
	check(v2_set(&device, STOP, NULL) == -EIO && !reset_device(&device), "v2: a load whose file was closed was none");

	need(!v2_set(&device, STOP_COPY, &first), "STOP_COPY");
	stop_work(&device, memory);
	check(gives_enodev(first), "v2: the device is closed, its data file open: ENODEV");
	memory = start_work(&device, 2);
	check(v2_state(&device) == RUNNING && gives_enodev(first), "v2: and so it stays when the device is opened again");
	need(!v2_set(&device, RESUMING, &second), "RESUMING");
	stop_work(&device, memory);
	remove_device(&device);
	check(gives_enodev(first) && write(second, "x", 1) < 0 && errno == ENODEV, "v2: the device is removed, its data files open: ENODEV");
	close(first);
	close(second);
	read_while_reset();
	free(stream.at);
}

/* --- the log */

static int count_bits(const uint64_t *bitmap, int words)
{
	int count = 0;

	for (int i = 0; i < words; i++)
		count += __builtin_popcountll(bitmap[i]);
	return count;
}

/* What a log that can be read must say. */
static void read_log(struct device *device)
{
	uint64_t bitmap[4] = { 0 }, bytes = WINDOW_PAGES * PAGE;
	bool good;

	/* step 3 after two; the window has 64 pages, and step n writes into page n modulo 64 */
	need(!do_step(device), "a step");
	good = !v2_log_report(device, WINDOW_IOVA, bytes, PAGE, bitmap) && bitmap[0] == 1 << 3;
	check(good, "v2: one step writes one page, the right one (%llx)", (unsigned long long)bitmap[0]);
	good = !v2_log_report(device, WINDOW_IOVA, bytes, PAGE, bitmap) && bitmap[0] == 1 << 3;
	memset(bitmap, 0, sizeof(bitmap));
	good = good && !v2_log_report(device, WINDOW_IOVA, bytes, PAGE, bitmap) && !bitmap[0];
	check(good, "v2: a page is reported once; bits are set and never cleared");
	for (int i = 0; i < 10; i++)
		need(!do_step(device), "a step");
	need(!v2_log_report(device, WINDOW_IOVA + 4 * PAGE, 5 * PAGE, PAGE, bitmap), "report");
	check(bitmap[0] == 0x1f, "v2: a part of the range (%llx)", (unsigned long long)bitmap[0]);
	bitmap[0] = 0;
	need(!v2_log_report(device, WINDOW_IOVA, bytes, 4 * PAGE, bitmap), "report");
	check(bitmap[0] == 0xc, "v2: the rest of it in pages of 16 KiB (%llx)", (unsigned long long)bitmap[0]);
	for (int i = 0; i < 70; i++)
		need(!do_step(device), "a step");
	if (v2_flags(device) & HAS_PRE_COPY)
		need(!v2_set(device, PRE_COPY, &device->data), "PRE_COPY");
	need(!v2_set(device, STOP_COPY, device->data < 0 ? &device->data : NULL), "STOP_COPY");
	memset(bitmap, 0, sizeof(bitmap));
	check(!v2_log_report(device, WINDOW_IOVA, bytes, PAGE, bitmap) && count_bits(bitmap, 4) == 64,
	      "v2: beginning to save does not touch the log: 70 steps wrote all 64 pages");
	check(v2_log_report(device, WINDOW_IOVA - PAGE, bytes, PAGE, bitmap) == -EINVAL &&
	      v2_log_report(device, WINDOW_IOVA, bytes + PAGE, PAGE, bitmap) == -EINVAL, "v2: of memory that is not logged nothing is said");
	need(!v2_set(device, RUNNING, NULL) && !do_step(device), "a step");
	memset(bitmap, 0, sizeof(bitmap));
	check(!v2_log_report(device, WINDOW_IOVA, bytes, PAGE, bitmap) && count_bits(bitmap, 4) == 1, "v2: nor does going back to RUNNING");
	set_parameter("log_report_fails", "%d", EIO);
	check(v2_log_report(device, WINDOW_IOVA, bytes, PAGE, bitmap) == -EIO, "v2: reading it fails when it is to");
	set_parameter("log_report_fails", "0");
	set_parameter("lose_dirty", "Y");
	need(!do_step(device), "a step");
	memset(bitmap, 0, sizeof(bitmap));
	check(!v2_log_report(device, WINDOW_IOVA, bytes, PAGE, bitmap) && !bitmap[0], "v2: it loses pages when it is to");
	set_parameter("lose_dirty", "N");
	check(!v2_log_stop(device) && v2_log_report(device, WINDOW_IOVA, bytes, PAGE, bitmap) == -EINVAL, "v2: a log that was stopped cannot be read");
}

void test_v2_log(void)
{
	/* two ranges side by side, and one apart */
	struct range ranges[] = { { WINDOW_IOVA + 32 * PAGE, 32 * PAGE }, { WINDOW_IOVA, 32 * PAGE }, { 1ULL << 40, 1 << 16 } };
	uint64_t bitmap[4] = { 0 }, page_size = PAGE, other = 1 << 16;
	struct device device;
	uint8_t *memory;
	int result;

	make_device(&device, TYPE_V2);
	memory = start_work(&device, 2);
	check(!v2_log_offered(&device), "v2: the log is offered");
	check(!v2_log_stop(&device), "v2: a log that does not run can be stopped");
	set_parameter("log_refused", "%d", ENOSPC);
	check(v2_log_start(&device, ranges, 3, &page_size) == -ENOSPC, "v2: a log is refused when it is to be");
	set_parameter("log_refused", "0");
	check(!v2_log_start(&device, ranges, 3, &other) && other == PAGE, "v2: a log starts, in pages of 4096");
	check(v2_log_start(&device, ranges, 3, &page_size) == -EBUSY, "v2: and only once");
	result = v2_log_report(&device, WINDOW_IOVA, PAGE, PAGE, bitmap);
	if (result == -EOPNOTSUPP)
		skipped("v2: reading the log: this kernel promises a log and refuses to give it: EOPNOTSUPP (it has no iommufd)");
	else
		read_log(&device);
	check(!v2_log_stop(&device) && !v2_log_start(&device, ranges, 1, &page_size), "v2: after a stop another start");
	check(!reset_device(&device) && !v2_log_start(&device, ranges, 1, &page_size), "v2: a reset ends a log");
	stop_work(&device, memory);
	memory = start_work(&device, 2);
	check(!v2_log_start(&device, ranges, 1, &page_size), "v2: so does closing the device");
	stop_work(&device, memory);
	remove_device(&device);
}

/* --- anything at any time */

#define SLOTS	4

struct attack {
	struct device *device;
	unsigned int seed;
	time_t end;
	unsigned long done;
};

static _Atomic int slots[SLOTS];

static uint64_t choose(unsigned int *seed, uint64_t limit)
{
	return (uint64_t)rand_r(seed) % limit;
}

static void *attack(void *argument)
{
	static const uint64_t numbers[] = { 0, 1, PAGE, WINDOW_IOVA, WINDOW_IOVA + PAGE, UINT64_MAX, UINT64_MAX - 4095, 1ULL << 63, 64 * PAGE };
	struct attack *attack = argument;
	struct device *device = attack->device;
	uint8_t buffer[65536] = { 0 };
	uint64_t bitmap[8], initial, dirty;

	while (time(NULL) < attack->end) {
		uint64_t one = numbers[choose(&attack->seed, 9)], other = numbers[choose(&attack->seed, 9)], page_size = PAGE;
		struct range range = { one, other };
		int slot = (int)choose(&attack->seed, SLOTS), data;

		switch (choose(&attack->seed, 10)) {
		case 0:
		case 1:
			/* the file may be another thread's by the time it is closed: then that one has an error */
			if (!v2_set(device, (uint32_t)choose(&attack->seed, STATES + 1), &data) && data >= 0) {
				data = atomic_exchange(&slots[slot], data);
				if (data >= 0)
					close(data);
			}
			break;
		case 2:
			data = atomic_exchange(&slots[slot], -1);
			if (data >= 0)
				close(data);
			break;
		case 3:
		case 4:
			if (slots[slot] >= 0 && read(slots[slot], buffer, choose(&attack->seed, sizeof(buffer))) > 0)
				initial = 0;
			break;
		case 5:
			if (slots[slot] >= 0 && write(slots[slot], buffer, choose(&attack->seed, sizeof(buffer))) > 0)
				initial = 0;
			break;
		case 6:
			if (slots[slot] >= 0)
				v2_precopy_info(slots[slot], &initial, &dirty);
			v2_data_size(device, &initial);
			break;
		case 7:
			do_step(device);
			break;
		case 8:
			v2_log_start(device, &range, 1, &page_size);
			if (other <= 64 * PAGE)
				v2_log_report(device, one, other, PAGE, bitmap);
			if (choose(&attack->seed, 4) == 0)
				v2_log_stop(device);
			break;
		default:
			if (choose(&attack->seed, 32) == 0)
				reset_device(device);
			v2_state(device);
		}
		attack->done++;
	}
	return NULL;
}

void test_v2_hostile(void)
{
	struct attack attacks[4];
	struct device device;
	unsigned long done = 0;
	pthread_t threads[4];
	uint8_t *memory;

	make_device(&device, TYPE_V2);
	memory = start_work(&device, 2);
	for (int i = 0; i < SLOTS; i++)
		slots[i] = -1;
	for (int i = 0; i < 4; i++) {
		attacks[i] = (struct attack){ &device, (unsigned int)(i + 1), time(NULL) + 3, 0 };
		need(!pthread_create(&threads[i], NULL, attack, &attacks[i]), "a thread");
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		done += attacks[i].done;
	}
	stop_work(&device, memory);
	remove_device(&device);
	for (int i = 0; i < SLOTS; i++)
		if (slots[i] >= 0)
			close(slots[i]);
	make_device(&device, TYPE_V2);
	memory = start_work(&device, 2);
	check(done > 100 && v2_state(&device) == RUNNING && !do_step(&device), "v2: %lu random actions of four threads later it still works", done);
	stop_work(&device, memory);
	remove_device(&device);
}
