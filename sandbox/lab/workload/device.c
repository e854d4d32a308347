// SPDX-License-Identifier: GPL-2.0
/* Opening a VFIO device, and the work done with it: steps of a vmig device, registers and FIFO of the kernel's mtty. */
#define _GNU_SOURCE
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/serial_reg.h>
#include <linux/types.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "workload.h"

/* Newer than the headers a machine may have: linux/vfio.h of 6.6, linux/iommufd.h of 6.2. */
struct bind_iommufd { __u32 argsz, flags; __s32 iommufd; __u32 out_devid; };
struct attach_pt { __u32 argsz, flags, pt_id; };
struct ioas_alloc { __u32 size, flags, out_ioas_id; };
struct ioas_unmap { __u32 size, ioas_id; __u64 iova, length; };
struct ioas_map { __u32 size, flags, ioas_id, reserved; __u64 user_va, length, iova; };
#define BIND_IOMMUFD	_IO(';', 100 + 18)
#define ATTACH_PT	_IO(';', 100 + 19)
#define IOAS_ALLOC	_IO(';', 0x81)
#define IOAS_MAP	_IO(';', 0x85)
#define IOAS_UNMAP	_IO(';', 0x86)
enum { MAP_FIXED_IOVA = 1, MAP_WRITEABLE = 2, MAP_READABLE = 4 };

/* BAR 0 of a vmig device. */
enum { REG_MAGIC = 0x00, REG_INTERFACE = 0x04, REG_COMMAND = 0x0c, REG_STEP = 0x20, REG_CHAIN = 0x28, REG_SEED = 0x30, REG_IOVA = 0x38, REG_BYTES = 0x40 };
#define VMIG_MAGIC	0x47494d56
#define VMIG_VENDOR	0x5646

/* PCI ids of the kernel's mtty. */
#define MTTY_VENDOR	0x4348
#define MTTY_DEVICE	0x3253
#define MTTY_QUEUED	4	/* bytes that always wait in its FIFO */

static const char *bus_of(const char *device)
{
	return strchr(device, ':') ? "pci" : "mdev";
}

static void open_group(struct workload *workload)
{
	char link[PATH_MAX], target[PATH_MAX], path[PATH_MAX];
	struct vfio_group_status status = { .argsz = sizeof(status) };
	ssize_t length;

	snprintf(link, sizeof(link), "/sys/bus/%s/devices/%s/iommu_group", bus_of(workload->device), workload->device);
	length = readlink(link, target, sizeof(target) - 1);
	if (length < 0)
		fail("%s: %s", link, strerror(errno));
	target[length] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(target, '/') + 1);
	workload->container_file = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (workload->container_file < 0)
		fail("/dev/vfio/vfio: %s", strerror(errno));
	workload->group_file = open(path, O_RDWR | O_CLOEXEC);
	if (workload->group_file < 0)
		fail("%s: %s", path, strerror(errno));
	if (ioctl(workload->group_file, VFIO_GROUP_GET_STATUS, &status) || !(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		fail("%s: the group is not viable", path);
	if (ioctl(workload->group_file, VFIO_GROUP_SET_CONTAINER, &workload->container_file))
		fail("%s: VFIO_GROUP_SET_CONTAINER: %s", path, strerror(errno));
	if (ioctl(workload->container_file, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		fail("VFIO_SET_IOMMU: %s", strerror(errno));
	workload->device_file = ioctl(workload->group_file, VFIO_GROUP_GET_DEVICE_FD, workload->device);
	if (workload->device_file < 0)
		fail("VFIO_GROUP_GET_DEVICE_FD %s: %s", workload->device, strerror(errno));
}

static void open_cdev(struct workload *workload)
{
	char folder[PATH_MAX], path[PATH_MAX] = "";
	struct ioas_alloc alloc = { .size = sizeof(alloc) };
	struct bind_iommufd bind = { .argsz = sizeof(bind) };
	struct attach_pt attach = { .argsz = sizeof(attach) };
	struct dirent *entry;
	DIR *list;

	snprintf(folder, sizeof(folder), "/sys/bus/%s/devices/%s/vfio-dev", bus_of(workload->device), workload->device);
	list = opendir(folder);
	if (!list)
		fail("%s: %s", folder, strerror(errno));
	while ((entry = readdir(list)))
		if (!strncmp(entry->d_name, "vfio", 4))
			snprintf(path, sizeof(path), "/dev/vfio/devices/%s", entry->d_name);
	closedir(list);
	workload->device_file = open(path, O_RDWR | O_CLOEXEC);
	if (workload->device_file < 0)
		fail("%s: %s", path, strerror(errno));
	workload->iommu_file = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (workload->iommu_file < 0)
		fail("/dev/iommu: %s", strerror(errno));
	bind.iommufd = workload->iommu_file;
	if (ioctl(workload->device_file, BIND_IOMMUFD, &bind))
		fail("%s: VFIO_DEVICE_BIND_IOMMUFD: %s", path, strerror(errno));
	if (ioctl(workload->iommu_file, IOAS_ALLOC, &alloc))
		fail("IOMMU_IOAS_ALLOC: %s", strerror(errno));
	workload->address_space = attach.pt_id = alloc.out_ioas_id;
	if (ioctl(workload->device_file, ATTACH_PT, &attach))
		fail("%s: VFIO_DEVICE_ATTACH_IOMMUFD_PT: %s", path, strerror(errno));
}

void open_device(struct workload *workload)
{
	if (workload->cdev)
		open_cdev(workload);
	else
		open_group(workload);
}

void close_device(struct workload *workload)
{
	int *files[] = { &workload->device_file, &workload->group_file, &workload->container_file, &workload->iommu_file };

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		if (*files[i] >= 0)
			close(*files[i]);
		*files[i] = -1;
	}
}

/* --- access */

static void get(struct workload *workload, int region, uint64_t at, void *to, size_t bytes)
{
	ssize_t done = pread(workload->device_file, to, bytes, (off_t)(workload->region_offset[region] + at));

	if (done != (ssize_t)bytes)
		fail("reading %zu bytes of region %d at 0x%llx: %s", bytes, region, (unsigned long long)at, done < 0 ? strerror(errno) : "short");
}

static void put(struct workload *workload, int region, uint64_t at, const void *from, size_t bytes)
{
	ssize_t done = pwrite(workload->device_file, from, bytes, (off_t)(workload->region_offset[region] + at));

	if (done != (ssize_t)bytes)
		fail("writing %zu bytes of region %d at 0x%llx: %s", bytes, region, (unsigned long long)at, done < 0 ? strerror(errno) : "short");
}

static uint64_t get64(struct workload *workload, uint64_t at)
{
	uint64_t value;

	get(workload, 0, at, &value, sizeof(value));
	return le64toh(value);
}

static void put64(struct workload *workload, uint64_t at, uint64_t value)
{
	value = htole64(value);
	put(workload, 0, at, &value, sizeof(value));
}

static uint8_t get8(struct workload *workload, uint64_t at)
{
	uint8_t value;

	get(workload, 0, at, &value, 1);
	return value;
}

static void put8(struct workload *workload, uint64_t at, unsigned int value)
{
	uint8_t byte = value;

	put(workload, 0, at, &byte, 1);
}

/* Type and subtype of a region, from its capabilities; false without that capability. */
static bool region_type(struct workload *workload, uint32_t index, uint32_t *type, uint32_t *subtype, uint64_t *offset)
{
	uint8_t buffer[4096] = { 0 };
	struct vfio_region_info *info = (struct vfio_region_info *)buffer;
	uint32_t at;

	info->argsz = sizeof(buffer);
	info->index = index;
	if (ioctl(workload->device_file, VFIO_DEVICE_GET_REGION_INFO, info) || !(info->flags & VFIO_REGION_INFO_FLAG_CAPS))
		return false;
	*offset = info->offset;
	for (at = info->cap_offset; at && at + sizeof(struct vfio_region_info_cap_type) <= sizeof(buffer);) {
		struct vfio_region_info_cap_type *cap = (struct vfio_region_info_cap_type *)(buffer + at);

		if (cap->header.id == VFIO_REGION_INFO_CAP_TYPE) {
			*type = cap->type;
			*subtype = cap->subtype;
			return true;
		}
		at = cap->header.next;
	}
	return false;
}

/* A vmig device without a migration region says in BAR 0 what it has instead. */
static bool has_v2(struct workload *workload)
{
	uint32_t magic, number;

	get(workload, 0, REG_MAGIC, &magic, sizeof(magic));
	get(workload, 0, REG_INTERFACE, &number, sizeof(number));
	return le32toh(magic) == VMIG_MAGIC && le32toh(number) == 2;
}

void recognise_device(struct workload *workload)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	uint16_t ids[2];
	uint32_t i, type, subtype;

	if (ioctl(workload->device_file, VFIO_DEVICE_GET_INFO, &info))
		fail("VFIO_DEVICE_GET_INFO: %s", strerror(errno));
	for (i = 0; i < VFIO_PCI_NUM_REGIONS; i++) {
		struct vfio_region_info region = { .argsz = sizeof(region), .index = i };

		if (!ioctl(workload->device_file, VFIO_DEVICE_GET_REGION_INFO, &region))
			workload->region_offset[i] = region.offset;
	}
	get(workload, VFIO_PCI_CONFIG_REGION_INDEX, 0, ids, sizeof(ids));
	workload->migration_offset = 0;
	if (ids[0] == htole16(MTTY_VENDOR) && ids[1] == htole16(MTTY_DEVICE)) {
		workload->kind = MTTY;
		workload->interface = "mtty";
		return;
	}
	for (i = VFIO_PCI_NUM_REGIONS; i < info.num_regions; i++) {
		uint64_t offset;

		if (!region_type(workload, i, &type, &subtype, &offset) || subtype != 1)
			continue;
		if (type == 1U << 30 || type == 3) {
			workload->kind = VMIG;
			workload->interface = type == 3 ? "v1" : "2018";
			workload->migration_offset = offset;
			return;
		}
	}
	if (ids[0] == htole16(VMIG_VENDOR) && has_v2(workload)) {
		workload->kind = VMIG;
		workload->interface = "v2";
		return;
	}
	fail("the device %04x:%04x is neither vmig nor mtty", le16toh(ids[0]), le16toh(ids[1]));
}

int map_window(struct workload *workload, struct window *window)
{
	struct ioas_map ioas = {
		.size = sizeof(ioas),
		.flags = MAP_FIXED_IOVA | MAP_WRITEABLE | MAP_READABLE,
		.ioas_id = workload->address_space,
		.user_va = (uintptr_t)window->memory,
		.length = window->bytes,
		.iova = window->iova,
	};
	struct vfio_iommu_type1_dma_map dma = {
		.argsz = sizeof(dma),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)window->memory,
		.iova = window->iova,
		.size = window->bytes,
	};

	return workload->iommu_file >= 0 ? ioctl(workload->iommu_file, IOAS_MAP, &ioas) :
					   ioctl(workload->container_file, VFIO_IOMMU_MAP_DMA, &dma);
}

/* The container may live on in the agent, and a mapping with it. That there is none is fine. */
void unmap_window(struct workload *workload, struct window *window)
{
	struct ioas_unmap ioas = { sizeof(ioas), workload->address_space, window->iova, window->bytes };
	struct vfio_iommu_type1_dma_unmap dma = { .argsz = sizeof(dma), .iova = window->iova, .size = window->bytes };

	if (workload->iommu_file >= 0)
		ioctl(workload->iommu_file, IOAS_UNMAP, &ioas);
	else if (workload->container_file >= 0)
		ioctl(workload->container_file, VFIO_IOMMU_UNMAP_DMA, &dma);
}

/* --- work */

static unsigned int scratch_of(uint64_t step)
{
	return (step * 37 + 11) & 0xff;
}

static unsigned int modem_of(uint64_t step)
{
	return step & (UART_MCR_DTR | UART_MCR_RTS);
}

static void fill_queue(struct workload *workload, uint64_t step)
{
	put8(workload, UART_LCR, UART_LCR_WLEN8);
	put8(workload, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR | UART_FCR_CLEAR_XMIT);
	for (unsigned int back = MTTY_QUEUED; back-- > 0;)
		put8(workload, UART_TX, (unsigned int)(step - back));
}

/*
 * Makes the registers say "step"; may be repeated after having been cut short anywhere. The divisor is left selected: setting
 * DLAB is what clears mtty's divisor, so that it could not be looked at otherwise.
 */
static void set_registers(struct workload *workload, uint64_t step)
{
	put8(workload, UART_MCR, modem_of(step));
	put8(workload, UART_SCR, scratch_of(step));
	put8(workload, UART_LCR, UART_LCR_DLAB | UART_LCR_WLEN8);
	put8(workload, UART_DLL, step & 0xff);
	put8(workload, UART_DLM, step >> 8 & 0xff);
}

/* A fresh device, from reset on: seed, window, running. */
void start_device(struct workload *workload)
{
	uint64_t seed;
	uint32_t running = 1;

	if (ioctl(workload->device_file, VFIO_DEVICE_RESET))
		fail("VFIO_DEVICE_RESET: %s", strerror(errno));
	workload->sequence = 0;
	if (workload->kind == MTTY) {
		fill_queue(workload, 0);
		set_registers(workload, 0);
		return;
	}
	/* a user that knows the region of 2018 says when it starts to use the device; the others run from the start */
	if (!strcmp(workload->interface, "2018") &&
	    pwrite(workload->device_file, &running, 4, (off_t)workload->migration_offset) != 4)
		fail("writing RUNNING: %s", strerror(errno));
	if (getentropy(&seed, sizeof(seed)))
		fail("getentropy: %s", strerror(errno));
	if (workload->window_count) {
		put64(workload, REG_IOVA, workload->windows[0].iova);
		put64(workload, REG_BYTES, workload->windows[0].bytes);
	}
	put64(workload, REG_SEED, seed);
}

uint64_t do_step(struct workload *workload)
{
	uint32_t command = htole32(1);
	uint8_t oldest;

	note_intended(workload);
	if (workload->kind == VMIG) {
		put(workload, 0, REG_COMMAND, &command, sizeof(command));
		note_done(workload);
		return get64(workload, REG_STEP);
	}
	put8(workload, UART_LCR, UART_LCR_WLEN8);
	oldest = get8(workload, UART_RX);
	if (oldest != (uint8_t)(workload->sequence - MTTY_QUEUED))
		fail("the FIFO gave 0x%02x at step %llu", oldest, (unsigned long long)workload->sequence);
	put8(workload, UART_TX, (unsigned int)workload->sequence);
	set_registers(workload, workload->sequence);
	note_done(workload);
	return workload->sequence;
}

/* --- does the received device continue what its last owner did? */

static uint64_t mtty_continuity(struct workload *workload, char *problem, size_t size)
{
	bool broken_off = mid_step(workload, 0);
	unsigned int line = get8(workload, UART_LCR), scratch = get8(workload, UART_SCR), modem = get8(workload, UART_MCR);
	uint64_t step = get8(workload, UART_DLL) | get8(workload, UART_DLM) << 8;

	if (workload->window_count) {
		if (!check_notes(workload, 0, problem, size))
			return workload->sequence;
		if (!broken_off && (workload->sequence & 0xffff) != step) {
			snprintf(problem, size, "the divisor says step %llu, the memory says %llu", (unsigned long long)step,
				 (unsigned long long)workload->sequence);
			return step;
		}
		step = workload->sequence;
	} else if (scratch == scratch_of(step + 1)) {
		broken_off = true;
	}
	workload->sequence = step;
	if (!broken_off) {
		if (line != (UART_LCR_DLAB | UART_LCR_WLEN8) || scratch != scratch_of(step) || modem != modem_of(step)) {
			snprintf(problem, size, "step %llu, but LCR 0x%02x, SCR 0x%02x (expected 0x%02x), MCR 0x%02x (expected 0x%02x)",
				 (unsigned long long)step, line, scratch, scratch_of(step), modem, modem_of(step));
			return step;
		}
		put8(workload, UART_LCR, UART_LCR_WLEN8);
		for (unsigned int back = MTTY_QUEUED; back-- > 0;) {
			uint8_t byte = get8(workload, UART_RX);

			if (byte != (uint8_t)(step - back)) {
				snprintf(problem, size, "step %llu: the FIFO gave 0x%02x, expected 0x%02x", (unsigned long long)step, byte,
					 (uint8_t)(step - back));
				return step;
			}
		}
	} else if (scratch != scratch_of(step) && scratch != scratch_of(step + 1)) {
		snprintf(problem, size, "in the middle of step %llu, but SCR 0x%02x", (unsigned long long)step + 1, scratch);
		return step;
	}
	/* the interrupted step is done again, whole */
	fill_queue(workload, step);
	set_registers(workload, step);
	return step;
}

static uint64_t vmig_continuity(struct workload *workload, char *problem, size_t size)
{
	uint64_t before = get64(workload, REG_STEP), seed = get64(workload, REG_SEED), bytes = get64(workload, REG_BYTES);
	uint64_t iova = get64(workload, REG_IOVA);

	if (!check_notes(workload, 1, problem, size) || !workload->window_count)
		return before;
	if (iova != workload->windows[0].iova || bytes != workload->windows[0].bytes) {
		snprintf(problem, size, "the device writes to 0x%llx (%llu bytes), the window %s lies at 0x%llx", (unsigned long long)iova,
			 (unsigned long long)bytes, workload->windows[0].name, (unsigned long long)workload->windows[0].iova);
		return before;
	}
	/* a device that steps by itself may have moved on while we looked */
	for (int attempt = 0; attempt < 3; attempt++) {
		problem[0] = '\0';
		if (check_ring(workload, before, get64(workload, REG_STEP) + 1, seed, problem, size))
			break;
	}
	return before;
}

/* Says what was found, and returns the last step that was done. */
uint64_t check_continuity(struct workload *workload)
{
	char problem[512] = "";
	bool broken_off = workload->kind == MTTY && mid_step(workload, 0);
	uint64_t step = workload->kind == MTTY ? mtty_continuity(workload, problem, sizeof(problem)) :
						 vmig_continuity(workload, problem, sizeof(problem));

	if (problem[0])
		report("CONTINUITY broken: %s", problem);
	else if (workload->kind == VMIG)
		report("CONTINUITY ok step=%llu windows=%d chain=%016llx", (unsigned long long)step, workload->window_count,
		     (unsigned long long)get64(workload, REG_CHAIN));
	else
		report("CONTINUITY ok step=%llu windows=%d%s", (unsigned long long)step, workload->window_count, broken_off ? " mid-step" : "");
	return step;
}
