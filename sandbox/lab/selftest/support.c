// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "selftest.h"

static int write_file(const char *path, const char *text)
{
	int file = open(path, O_WRONLY | O_CLOEXEC), error = 0;

	if (file < 0)
		return -errno;
	if (write(file, text, strlen(text)) < 0)
		error = -errno;
	close(file);
	return error;
}

void make_device(struct device *device, enum type type)
{
	static const char *const folders[] = { "vmig/mdev_supported_types/vmig-2018", "vmig/mdev_supported_types/vmig-v1",
					       "vmig/mdev_supported_types/vmig-v2",
					       "mtty/mdev_supported_types/mtty-1" };
	char path[256];
	int file = open("/proc/sys/kernel/random/uuid", O_RDONLY | O_CLOEXEC);

	memset(device, 0, sizeof(*device));
	device->type = type;
	device->file = device->data = device->group = device->container = device->iommu = -1;
	need(file >= 0 && read(file, device->id, 36) == 36, "a fresh UUID");
	close(file);
	snprintf(path, sizeof(path), "/sys/class/mdev_bus/%s/create", folders[type]);
	need(!write_file(path, device->id), "%s", path);
}

void remove_device(struct device *device)
{
	char path[256];

	close_device(device);
	snprintf(path, sizeof(path), "/sys/bus/mdev/devices/%s/remove", device->id);
	need(!write_file(path, "1"), "%s", path);
}

void set_parameter(const char *name, const char *format, ...)
{
	char path[256], text[64];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	snprintf(path, sizeof(path), "/sys/module/vmig/parameters/%s", name);
	need(!write_file(path, text), "%s = %s", path, text);
}

/* Finds the migration region by its type, as a client must. */
void inspect_device(struct device *device)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	uint32_t want = device->type == TYPE_2018 ? 1U << 30 : 3;

	device->migration = device->mapped_bytes = 0;
	if (device->type >= TYPE_V2)
		return;
	need(!ioctl(device->file, VFIO_DEVICE_GET_INFO, &info), "VFIO_DEVICE_GET_INFO");
	for (uint32_t i = VFIO_PCI_NUM_REGIONS; i < info.num_regions; i++) {
		uint8_t buffer[1024] = { 0 };
		struct vfio_region_info *region = (struct vfio_region_info *)buffer;
		uint64_t mapped_at = 0, mapped_bytes = 0;
		bool ours = false;

		region->argsz = sizeof(*region);
		region->index = i;
		need(!ioctl(device->file, VFIO_DEVICE_GET_REGION_INFO, region), "region %u", i);
		check(region->argsz > sizeof(*region) && !region->cap_offset, "region %u says how much room its capabilities need (%u)", i,
		      region->argsz);
		need(region->argsz <= sizeof(buffer), "room for capabilities");
		need(!ioctl(device->file, VFIO_DEVICE_GET_REGION_INFO, region), "region %u", i);
		for (uint32_t at = region->cap_offset; at;) {
			struct vfio_info_cap_header *header = (struct vfio_info_cap_header *)(buffer + at);

			if (header->id == VFIO_REGION_INFO_CAP_TYPE) {
				struct vfio_region_info_cap_type *type = (struct vfio_region_info_cap_type *)header;

				ours = type->type == want && type->subtype == 1;
			} else if (header->id == VFIO_REGION_INFO_CAP_SPARSE_MMAP) {
				struct vfio_region_info_cap_sparse_mmap *sparse = (struct vfio_region_info_cap_sparse_mmap *)header;

				mapped_at = sparse->areas[0].offset;
				mapped_bytes = sparse->areas[0].size;
			}
			at = header->next;
		}
		if (ours) {
			device->migration = region->offset;
			device->migration_bytes = region->size;
			device->mapped_at = mapped_at;
			device->mapped_bytes = mapped_bytes;
		}
	}
}

/* linux/vfio.h of 6.6 and linux/iommufd.h of 6.2. */
static void open_cdev(struct device *device)
{
	struct { uint32_t argsz, flags; int32_t iommufd; uint32_t id; } bind = { sizeof(bind), 0, -1, 0 };
	struct { uint32_t size, flags, id; } alloc = { sizeof(alloc), 0, 0 };
	struct { uint32_t argsz, flags, id; } attach = { sizeof(attach), 0, 0 };
	char folder[256], path[300] = "";
	struct dirent *entry;
	DIR *list;

	snprintf(folder, sizeof(folder), "/sys/bus/mdev/devices/%s/vfio-dev", device->id);
	list = opendir(folder);
	need(list != NULL, "%s", folder);
	while ((entry = readdir(list)))
		if (!strncmp(entry->d_name, "vfio", 4))
			snprintf(path, sizeof(path), "/dev/vfio/devices/%.32s", entry->d_name);
	closedir(list);
	device->file = open(path, O_RDWR | O_CLOEXEC);
	device->iommu = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	need(device->file >= 0 && device->iommu >= 0, "%s and /dev/iommu", path);
	bind.iommufd = device->iommu;
	need(!ioctl(device->file, _IO(';', 118), &bind), "BIND_IOMMUFD");
	need(!ioctl(device->iommu, _IO(';', 0x81), &alloc), "IOAS_ALLOC");
	device->address_space = attach.id = alloc.id;
	need(!ioctl(device->file, _IO(';', 119), &attach), "ATTACH_IOMMUFD_PT");
}

void open_device(struct device *device)
{
	char link[256], target[256], path[300];
	ssize_t length;

	if (device->cdev) {
		open_cdev(device);
		inspect_device(device);
		return;
	}
	snprintf(link, sizeof(link), "/sys/bus/mdev/devices/%s/iommu_group", device->id);
	length = readlink(link, target, sizeof(target) - 1);
	need(length > 0, "%s", link);
	target[length] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(target, '/') + 1);
	device->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	device->group = open(path, O_RDWR | O_CLOEXEC);
	need(device->container >= 0 && device->group >= 0, "%s", path);
	need(!ioctl(device->group, VFIO_GROUP_SET_CONTAINER, &device->container), "SET_CONTAINER");
	need(!ioctl(device->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU), "SET_IOMMU");
	device->file = ioctl(device->group, VFIO_GROUP_GET_DEVICE_FD, device->id);
	need(device->file >= 0, "GET_DEVICE_FD %s", device->id);
	inspect_device(device);
}

void close_device(struct device *device)
{
	int *files[] = { &device->data, &device->file, &device->group, &device->container, &device->iommu };

	for (int i = 0; i < 5; i++) {
		if (*files[i] >= 0)
			close(*files[i]);
		*files[i] = -1;
	}
}

/* 0 or a negative errno; -EPIPE for a short access. */
int get_at(struct device *device, uint64_t at, void *to, size_t bytes)
{
	ssize_t done = pread(device->file, to, bytes, (off_t)(device->migration + at));

	return done == (ssize_t)bytes ? 0 : done < 0 ? -errno : -EPIPE;
}

int put_at(struct device *device, uint64_t at, const void *from, size_t bytes)
{
	ssize_t done = pwrite(device->file, from, bytes, (off_t)(device->migration + at));

	return done == (ssize_t)bytes ? 0 : done < 0 ? -errno : -EPIPE;
}

uint32_t get32(struct device *device, uint64_t at)
{
	uint32_t value = 0;

	need(!get_at(device, at, &value, 4), "reading 4 bytes at %llu", (unsigned long long)at);
	return value;
}

uint64_t get64(struct device *device, uint64_t at)
{
	uint64_t value = 0;

	need(!get_at(device, at, &value, 8), "reading 8 bytes at %llu", (unsigned long long)at);
	return value;
}

int put32(struct device *device, uint64_t at, uint32_t value)
{
	return put_at(device, at, &value, 4);
}

int put64(struct device *device, uint64_t at, uint64_t value)
{
	return put_at(device, at, &value, 8);
}

uint64_t reg64(struct device *device, uint64_t at)
{
	uint64_t value = 0;

	need(pread(device->file, &value, 8, (off_t)at) == 8, "register 0x%llx", (unsigned long long)at);
	return value;
}

int do_step(struct device *device)
{
	uint32_t command = 1;

	return pwrite(device->file, &command, 4, 0x0c) == 4 ? 0 : -errno;
}

int map_memory(struct device *device, uint64_t iova, void *memory, uint64_t bytes)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)memory,
		.iova = iova,
		.size = bytes,
	};

	return ioctl(device->container, VFIO_IOMMU_MAP_DMA, &map);
}

int reset_device(struct device *device)
{
	return ioctl(device->file, VFIO_DEVICE_RESET) ? -errno : 0;
}

void append(struct bytes *bytes, const void *from, size_t length)
{
	if (bytes->length + length > bytes->room) {
		bytes->room = (bytes->length + length) * 2;
		bytes->at = realloc(bytes->at, bytes->room);
		need(bytes->at != NULL, "memory");
	}
	memcpy(bytes->at + bytes->length, from, length);
	bytes->length += length;
	need(bytes->chunk_count < sizeof(bytes->chunks) / sizeof(*bytes->chunks), "too many chunks");
	bytes->chunks[bytes->chunk_count++] = length;
}

void clear(struct bytes *bytes)
{
	bytes->length = bytes->chunk_count = 0;
}
