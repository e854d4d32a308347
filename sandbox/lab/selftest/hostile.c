// SPDX-License-Identifier: GPL-2.0
/* What no client should do, alone and with several threads at once: an errno each time, and a device that lives on. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "selftest.h"

struct attack {
	struct device *device;
	unsigned int seed;
	time_t end;
	unsigned long done;
};

static uint64_t choose(unsigned int *seed, uint64_t limit)
{
	return ((uint64_t)rand_r(seed) << 20 ^ (uint64_t)rand_r(seed)) % limit;
}

static void *attack(void *argument)
{
	static const uint64_t numbers[] = { 0, 1, 4096, 32768, 1 << 20, UINT64_MAX, UINT64_MAX - 4095, 1ULL << 63, 76, 4095 };
	struct attack *attack = argument;
	struct device *device = attack->device;
	uint8_t buffer[65536] = { 0 };

	while (time(NULL) < attack->end) {
		uint64_t at = choose(&attack->seed, 100), value = numbers[choose(&attack->seed, 10)];
		size_t size = choose(&attack->seed, 2) ? 4 : 8;

		switch (choose(&attack->seed, 8)) {
		case 0:
			set_state(device, (uint32_t)choose(&attack->seed, 12));
			break;
		case 1:
			put_at(device, at, &value, size);
			break;
		case 2:
			get_at(device, choose(&attack->seed, device->migration_bytes), buffer, choose(&attack->seed, sizeof(buffer)));
			break;
		case 3:
			put_at(device, 4096 + choose(&attack->seed, device->migration_bytes), buffer, choose(&attack->seed, sizeof(buffer)));
			break;
		case 4:
			do_step(device);
			break;
		case 5:
			pwrite(device->file, &value, 8, (off_t)(0x20 + 8 * choose(&attack->seed, 16)));
			break;
		case 6:
			get_at(device, at, &value, size);
			break;
		default:
			if (choose(&attack->seed, 64) == 0)
				reset_device(device);
			put_at(device, device->type == TYPE_2018 ? 44 : 24, &value, 8);
		}
		attack->done++;
	}
	return NULL;
}

void test_hostile(enum type type)
{
	const char *name = type == TYPE_2018 ? "2018" : "v1";
	struct vfio_region_info region = { .argsz = 8, .index = 9 };
	struct vfio_device_info info = { .argsz = 4 };
	struct attack attacks[4];
	pthread_t threads[4];
	struct device device;
	uint8_t buffer[128];
	uint64_t value = 0;
	unsigned long done = 0;

	make_device(&device, type);
	open_device(&device);
	check(get_at(&device, 0, buffer, type == TYPE_2018 ? 76 : 32) == -EINVAL, "%s: the structure is not read in one go", name);
	check(get_at(&device, 2, buffer, 4) == -EINVAL && get_at(&device, 0, buffer, 8) == -EINVAL && get_at(&device, 0, buffer, 1) == -EINVAL,
	      "%s: fields are not read across their bounds", name);
	check(get_at(&device, device.migration_bytes, buffer, 1) == -EINVAL && get_at(&device, device.migration_bytes - 4, buffer, 8) == -EINVAL,
	      "%s: nothing behind the region's end", name);
	check(get_at(&device, device.mapped_at + device.mapped_bytes - 4, buffer, 8) == -EINVAL || type != TYPE_2018,
	      "%s: no access from one area into the next", name);
	check(put_at(&device, 4096, buffer, 8) == -EINVAL, "%s: data is written only while resuming", name);
	check(pread(device.file, buffer, 4, -4096) < 0 && pread(device.file, buffer, 4, (off_t)(200ULL << 40)) < 0, "%s: no such region", name);
	check(set_state(&device, type == TYPE_2018 ? 10 : 5) == -EINVAL && set_state(&device, 7) == -EINVAL, "%s: no such state", name);
	if (type == TYPE_2018) {
		check(set_state(&device, 4) == -EINVAL && set_state(&device, 5) == -EINVAL && set_state(&device, 9) == -EINVAL,
		      "2018: NONE leads neither to STOPNCOPY nor SAVE_COMPLETED nor CANCELLED");
		check(get_at(&device, 68, &value, 8) == -EINVAL, "2018: no dirty pages without SETUP");
		check(put64(&device, 4, 1) == -EINVAL && put64(&device, 44, 1) == -EINVAL, "2018: what the driver writes is not written to");
		need(!set_state(&device, 6), "RESUME");
		check(!put64(&device, 36, UINT64_MAX - 8) && put64(&device, 44, 4096) == -EINVAL && !put64(&device, 36, 76) &&
		      put64(&device, 44, 16) == -EINVAL && !put64(&device, 36, 4096) && put64(&device, 44, UINT64_MAX) == -EINVAL,
		      "2018: data outside of the data area is refused");
	} else {
		check(set_state(&device, 6) == -EINVAL && get32(&device, 0) == 1, "v1: a user does not write the error state");
		need(!set_state(&device, 4), "resuming");
		check(set_state(&device, 2) == -EINVAL, "v1: resuming does not lead to saving");
		check(put64(&device, 24, UINT64_MAX) == -EINVAL, "v1: more data than the area holds is refused");
	}
	memset(buffer, 0x5a, sizeof(buffer));
	check(load_bytes(&device, buffer, sizeof(buffer), false) == -EINVAL && load_bytes(&device, buffer, sizeof(buffer), false) == -EIO,
	      "%s: noise is refused, and then everything until a reset", name);
	check(mmap(NULL, device.mapped_bytes + PAGE, PROT_READ, MAP_SHARED, device.file, (off_t)(device.migration + 4096)) == MAP_FAILED &&
	      mmap(NULL, PAGE, PROT_READ, MAP_SHARED, device.file, (off_t)device.migration) == MAP_FAILED &&
	      mmap(NULL, PAGE, PROT_READ, MAP_SHARED, device.file, 0) == MAP_FAILED &&
	      mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, device.file, (off_t)(device.migration + 4096)) == MAP_FAILED,
	      "%s: only the data area is mapped, and only shared", name);
	check(ioctl(device.file, VFIO_DEVICE_GET_REGION_INFO, &region) && errno == EINVAL && ioctl(device.file, VFIO_DEVICE_GET_INFO, &info) &&
	      errno == EINVAL && ioctl(device.file, _IO(';', 199)) && errno == ENOTTY, "%s: short and unknown ioctls", name);
	check(!reset_device(&device), "%s: reset", name);
	for (int i = 0; i < 4; i++) {
		attacks[i] = (struct attack){ &device, (unsigned int)(i + 1), time(NULL) + 3, 0 };
		need(!pthread_create(&threads[i], NULL, attack, &attacks[i]), "a thread");
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		done += attacks[i].done;
	}
	check(!reset_device(&device) && done > 100, "%s: %lu random accesses of four threads later it still answers", name, done);
	close_device(&device);
	remove_device(&device);
}
