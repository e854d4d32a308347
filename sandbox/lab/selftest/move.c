// SPDX-License-Identifier: GPL-2.0
/* The actions of the two texts about regions as small functions, and a whole save and load through any interface. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "selftest.h"

int set_state(struct device *device, uint32_t state)
{
	return put32(device, 0, state);
}

uint64_t pending(struct device *device)
{
	if (device->type == TYPE_V1)
		return get64(device, 8);
	need(!put64(device, 28, 0), "threshold_size");
	return get64(device, 4) + get64(device, 12) + get64(device, 20);
}

static uint64_t field(struct device *device, uint64_t at, bool split)
{
	return split ? get32(device, at) | (uint64_t)get32(device, at + 4) << 32 : get64(device, at);
}

/* One chunk into "to": its size, 0 when there was none. With "split" by two accesses of 4 bytes each, and without mmap. */
long read_chunk(struct device *device, struct bytes *to, bool split)
{
	uint64_t offset = field(device, device->type == TYPE_V1 ? 16 : 36, split);
	uint64_t size = field(device, device->type == TYPE_V1 ? 24 : 44, split);
	uint8_t *copy;

	if (!size)
		return 0;
	need(offset >= 32 && offset + size <= device->migration_bytes, "chunk at %llu of %llu bytes", (unsigned long long)offset,
	     (unsigned long long)size);
	if (!split && device->mapped_bytes && offset >= device->mapped_at && offset + size <= device->mapped_at + device->mapped_bytes) {
		copy = mmap(NULL, device->mapped_bytes, PROT_READ, MAP_SHARED, device->file, (off_t)(device->migration + device->mapped_at));
		need(copy != MAP_FAILED, "mmap of the data area");
		append(to, copy + (offset - device->mapped_at), size);
		munmap(copy, device->mapped_bytes);
		return (long)size;
	}
	copy = malloc(size);
	need(copy && !get_at(device, offset, copy, size), "reading a chunk");
	append(to, copy, size);
	free(copy);
	return (long)size;
}

void save_rest(struct device *device, struct bytes *to, bool split)
{
	for (int round = 0; pending(device); round++) {
		long size = read_chunk(device, to, split);

		need(size > 0 || round < 1000, "bytes are pending but no chunk comes");
	}
}

/* Loads bytes in pieces of what the destination's region can take. */
int load_bytes(struct device *device, const uint8_t *from, size_t length, bool split)
{
	while (length) {
		uint64_t offset = field(device, device->type == TYPE_V1 ? 16 : 36, split);
		uint64_t room = device->mapped_bytes ? device->mapped_bytes : 32768, size = length < room ? length : room;
		uint64_t size_field = device->type == TYPE_V1 ? 24 : 44;
		int result = put_at(device, offset, from, size);

		if (!result && device->type == TYPE_2018)
			result = put64(device, 36, offset);
		if (!result && split)
			result = put32(device, size_field, (uint32_t)size) ?: put32(device, size_field + 4, (uint32_t)(size >> 32));
		else if (!result)
			result = put64(device, size_field, size);
		if (result)
			return result;
		from += size;
		length -= size;
	}
	return 0;
}

int load_all(struct device *device, const struct bytes *from, bool split)
{
	const uint8_t *at = from->at;

	for (size_t i = 0; i < from->chunk_count; i++) {
		int result = load_bytes(device, at, from->chunks[i], split);

		if (result)
			return result;
		at += from->chunks[i];
	}
	return 0;
}

/* The dirty pages of a range, into a bitmap of a bit per page; how many there are. */
uint64_t dirty_pages(struct device *device, uint64_t iova, uint64_t pages, uint8_t *bitmap)
{
	uint64_t first = 0, count = 0;

	memset(bitmap, 0, (pages + 7) / 8);
	while (first < pages) {
		uint64_t copied, offset;
		uint8_t part[65536];

		need(!put64(device, 52, iova + first * PAGE) && !put64(device, 60, pages - first), "start_addr and total");
		copied = get64(device, 68);
		if (!copied)
			break;
		offset = get64(device, 36);
		need(copied <= pages - first && (copied + 7) / 8 <= sizeof(part) && offset >= 76 &&
		     offset + (copied + 7) / 8 <= device->migration_bytes, "bitmap of %llu pages", (unsigned long long)copied);
		need(!get_at(device, offset, part, (copied + 7) / 8), "reading the bitmap");
		for (uint64_t i = 0; i < copied; i++)
			if (part[i / 8] & 1 << i % 8) {
				bitmap[(first + i) / 8] |= 1 << (first + i) % 8;
				count++;
			}
		first += copied;
	}
	return count;
}

/* The last part of a save: the device stands afterwards, and everything is in "to". */
void stop_and_save(struct device *device, struct bytes *to)
{
	long got;

	if (device->type < TYPE_V2) {
		need(!set_state(device, device->type == TYPE_2018 ? 4 : 2), "stop and copy");
		save_rest(device, to, false);
		return;
	}
	/* the data file of pre-copy goes on */
	need(!v2_set(device, STOP_COPY, device->data < 0 ? &device->data : NULL) && device->data >= 0, "STOP_COPY");
	while ((got = v2_read(device->data, to)) > 0)
		;
	need(!got, "reading the stream: %ld", got);
	close(device->data);
	device->data = -1;
}

/* Loads what was saved into a fresh device; with "run" it runs afterwards. */
int load_and_run(struct device *device, const struct bytes *from, bool run)
{
	int data, result;

	if (device->type >= TYPE_V2) {
		result = v2_set(device, RESUMING, &data);
		if (result)
			return result;
		result = v2_load(data, from, 0);
		close(data);
		return result ?: v2_set(device, run ? RUNNING : STOP, NULL);
	}
	if (device->type == TYPE_2018 && get32(device, 0) == 7)
		return set_state(device, 1);
	if (device->type == TYPE_V1 && get32(device, 0) == 0)
		return set_state(device, 1);
	result = set_state(device, device->type == TYPE_2018 ? 6 : 4) ?: load_all(device, from, false);
	if (!result)
		result = set_state(device, device->type == TYPE_2018 ? 7 : 0);
	return result || !run ? result : set_state(device, 1);
}
