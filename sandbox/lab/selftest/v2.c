// SPDX-License-Identifier: GPL-2.0
/* The third interface as small functions. Structures and numbers are those of linux/vfio.h of Linux 6.2. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "selftest.h"

#define DEVICE_FEATURE		_IO(';', 100 + 17)
#define MIG_GET_PRECOPY_INFO	_IO(';', 100 + 21)
enum { GET = 1 << 16, SET = 1 << 17, PROBE = 1 << 18 };
enum { MIGRATION = 1, DEVICE_STATE = 2, LOGGING_START = 6, LOGGING_STOP = 7, LOGGING_REPORT = 8, DATA_SIZE = 9 };

/* With every feature a structure of its own behind this. */
struct head {
	uint32_t argsz;
	uint32_t flags;
};

struct state {
	struct head head;
	uint32_t state;
	int32_t data;
};

struct number {
	struct head head;
	uint64_t number;
};

struct logging {
	struct head head;
	uint64_t page_size;
	uint32_t count;
	uint32_t reserved;
	uint64_t ranges;
};

struct report {
	struct head head;
	uint64_t iova;
	uint64_t length;
	uint64_t page_size;
	uint64_t bitmap;
};

struct precopy {
	uint32_t argsz;
	uint32_t flags;
	uint64_t initial;
	uint64_t dirty;
};

static int feature(struct device *device, void *argument)
{
	return ioctl(device->file, DEVICE_FEATURE, argument) ? -errno : 0;
}

/* "data": the data file, -1 where the change brought none. Without it one that comes is an error of the test. */
int v2_set(struct device *device, uint32_t state, int *data)
{
	struct state set = { { sizeof(set), DEVICE_STATE | SET }, state, -7 };
	int result = feature(device, &set);

	if (data)
		*data = result ? -1 : set.data;
	else
		need(result || set.data == -1, "state %u brought a data file that was not expected", state);
	return result;
}

int v2_state(struct device *device)
{
	struct state get = { { sizeof(get), DEVICE_STATE | GET }, 99, -7 };
	int result = feature(device, &get);

	return result ?: get.data != -1 ? -EPROTO : (int)get.state;
}

uint64_t v2_flags(struct device *device)
{
	struct number get = { { sizeof(get), MIGRATION | GET }, 0 };

	need(!feature(device, &get), "VFIO_DEVICE_FEATURE_MIGRATION");
	return get.number;
}

int v2_data_size(struct device *device, uint64_t *bytes)
{
	struct number get = { { sizeof(get), DATA_SIZE | GET }, 0 };
	int result = feature(device, &get);

	*bytes = get.number;
	return result;
}

int v2_precopy_info(int data, uint64_t *initial, uint64_t *dirty)
{
	struct precopy info = { .argsz = sizeof(info) };

	if (ioctl(data, MIG_GET_PRECOPY_INFO, &info))
		return -errno;
	*initial = info.initial;
	*dirty = info.dirty;
	return 0;
}

/* What one read gives: bytes, 0 at the end, or a negative errno. */
long v2_read(int data, struct bytes *to)
{
	static uint8_t buffer[1 << 20];
	ssize_t got = read(data, buffer, sizeof(buffer));

	if (got > 0)
		append(to, buffer, (size_t)got);
	return got < 0 ? -errno : got;
}

/* Writes everything in pieces of that size (0: in one), whatever the sizes were in which it was read. */
int v2_load(int data, const struct bytes *from, size_t piece)
{
	for (size_t at = 0; at < from->length;) {
		size_t left = from->length - at;
		ssize_t done = write(data, from->at + at, piece && piece < left ? piece : left);

		if (done < 0)
			return -errno;
		at += (size_t)done;
	}
	return 0;
}

int v2_log_offered(struct device *device)
{
	struct logging probe = { .head = { sizeof(probe), LOGGING_START | SET | PROBE } };

	return feature(device, &probe);
}

int v2_log_start(struct device *device, const struct range *ranges, uint32_t count, uint64_t *page_size)
{
	struct logging start = { { sizeof(start), LOGGING_START | SET }, *page_size, count, 0, (uintptr_t)ranges };
	int result = feature(device, &start);

	*page_size = start.page_size;
	return result;
}

int v2_log_stop(struct device *device)
{
	struct head stop = { sizeof(stop), LOGGING_STOP | SET };

	return feature(device, &stop);
}

int v2_log_report(struct device *device, uint64_t iova, uint64_t length, uint64_t page_size, uint64_t *bitmap)
{
	struct report report = { { sizeof(report), LOGGING_REPORT | GET }, iova, length, page_size, (uintptr_t)bitmap };

	return feature(device, &report);
}
