// SPDX-License-Identifier: GPL-2.0
/* What whoever holds a device's file can do with it: regions and ioctls. */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include "vmig.h"

/* --- regions */

static u64 region_bytes(struct vmig *device, u32 index)
{
	switch (index) {
	case VFIO_PCI_BAR0_REGION_INDEX:
		return VMIG_BAR_BYTES;
	case VFIO_PCI_CONFIG_REGION_INDEX:
		return VMIG_CONFIG_BYTES;
	case VMIG_MIGRATION_REGION:
		return device->interface->region_type ? VMIG_DATA_START + device->data_bytes + device->bitmap_bytes : 0;
	default:
		return 0;
	}
}

/* Bytes of the data or bitmap area, both ways. The migration lock is held. */
static ssize_t access_area(struct vmig *device, u64 at, void __user *to, const void __user *from, size_t count)
{
	u64 in_data = at - VMIG_DATA_START;
	u8 *area = device->data + in_data;
	u64 left = device->data_bytes - in_data;

	if (in_data >= device->data_bytes) {
		area = device->bitmap + (in_data - device->data_bytes);
		left = device->bitmap_bytes - (in_data - device->data_bytes);
		if (from)
			return -EINVAL;
	}
	/* one access does not cross from one area into the next */
	if (count > left)
		return -EINVAL;
	if (from && !device->interface->may_write_data(device))
		return -EINVAL;
	if (from ? copy_from_user(area, from, count) : copy_to_user(to, area, count))
		return -EFAULT;
	return count;
}

static ssize_t copy_value(void __user *to, u64 value, ssize_t count)
{
	__le64 little = cpu_to_le64(value);

	if (count < 0)
		return count;
	return copy_to_user(to, &little, count) ? -EFAULT : count;
}

static ssize_t access_region(struct vmig *device, loff_t position, void __user *to, const void __user *from, size_t count)
{
	u32 index = (u64)position >> VMIG_OFFSET_SHIFT;
	u64 at = position & VMIG_OFFSET_MASK, bytes = region_bytes(device, index), value = 0;
	bool small = index == VFIO_PCI_BAR0_REGION_INDEX || (index == VMIG_MIGRATION_REGION && at < VMIG_DATA_START);
	struct mutex *lock = index == VMIG_MIGRATION_REGION ? &device->migration_lock : &device->registers_lock;
	__le64 little = 0;
	u8 config[VMIG_CONFIG_BYTES];
	ssize_t result;

	if (position < 0 || at >= bytes || count > bytes - at)
		return -EINVAL;
	if (!count)
		return 0;
	if (small) {
		/* the one way in which both interfaces touch their fields: 4 or 8 bytes */
		if (count != 4 && count != 8)
			return -EINVAL;
		if (from && copy_from_user(&little, from, count))
			return -EFAULT;
		value = le64_to_cpu(little);
	} else if (index == VFIO_PCI_CONFIG_REGION_INDEX && from && copy_from_user(config, from, count)) {
		return -EFAULT;
	}
	if (mutex_lock_killable(lock))
		return -EINTR;
	if (index == VFIO_PCI_CONFIG_REGION_INDEX) {
		if (from)
			vmig_write_config(device, at, config, count);
		else
			memcpy(config, device->config + at, count);
		result = count;
	} else if (index == VFIO_PCI_BAR0_REGION_INDEX) {
		result = from ? vmig_bar_write(device, at, count, value) : vmig_bar_read(device, at, count, &value);
	} else if (at >= VMIG_DATA_START) {
		result = access_area(device, at, to, from, count);
	} else {
		result = from ? device->interface->write_field(device, at, count, value) :
				device->interface->read_field(device, at, count, &value);
	}
	mutex_unlock(lock);
	if (from || result < 0)
		return result;
	if (small)
		return copy_value(to, value, result);
	if (index == VFIO_PCI_CONFIG_REGION_INDEX && copy_to_user(to, config, count))
		return -EFAULT;
	return result;
}

ssize_t vmig_read(struct vfio_device *vdev, char __user *to, size_t count, loff_t *position)
{
	ssize_t result = access_region(vmig_of(vdev), *position, to, NULL, count);

	if (result > 0)
		*position += result;
	return result;
}

ssize_t vmig_write(struct vfio_device *vdev, const char __user *from, size_t count, loff_t *position)
{
	ssize_t result = access_region(vmig_of(vdev), *position, NULL, from, count);

	if (result > 0)
		*position += result;
	return result;
}

int vmig_mmap(struct vfio_device *vdev, struct vm_area_struct *vma)
{
	struct vmig *device = vmig_of(vdev);
	u64 index = (u64)vma->vm_pgoff >> (VMIG_OFFSET_SHIFT - PAGE_SHIFT);
	u64 page = vma->vm_pgoff & ((1ULL << (VMIG_OFFSET_SHIFT - PAGE_SHIFT)) - 1);
	u64 pages = vma_pages(vma), first = VMIG_DATA_START >> PAGE_SHIFT, all = device->data_bytes >> PAGE_SHIFT;

	if (index != VMIG_MIGRATION_REGION || !device->mappable || !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (page < first || pages > all || page - first > all - pages)
		return -EINVAL;
	return remap_vmalloc_range(vma, device->data, page - first);
}

/* --- ioctl */

static int add_capabilities(struct vmig *device, struct vfio_region_info *info, struct vfio_info_cap *caps)
{
	struct vfio_region_info_cap_type type = {
		.header.id = VFIO_REGION_INFO_CAP_TYPE,
		.header.version = 1,
		.type = device->interface->region_type,
		.subtype = device->interface->region_subtype,
	};
	struct {
		struct vfio_region_info_cap_sparse_mmap head;
		struct vfio_region_sparse_mmap_area area;
	} sparse = {
		.head.header.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP,
		.head.header.version = 1,
		.head.nr_areas = 1,
		.area.offset = VMIG_DATA_START,
		.area.size = device->data_bytes,
	};
	int result;

	if (device->mappable) {
		info->flags |= VFIO_REGION_INFO_FLAG_MMAP;
		result = vfio_info_add_capability(caps, &sparse.head.header, sizeof(sparse));
		if (result)
			return result;
	}
	return vfio_info_add_capability(caps, &type.header, sizeof(type));
}

static u32 region_count(struct vmig *device)
{
	return device->interface->region_type ? VMIG_MIGRATION_REGION + 1 : VMIG_MIGRATION_REGION;
}

static long region_info(struct vmig *device, void __user *argument)
{
	size_t minimum = offsetofend(struct vfio_region_info, offset);
	struct vfio_info_cap caps = { };
	struct vfio_region_info info;
	long result = 0;

	if (copy_from_user(&info, argument, minimum))
		return -EFAULT;
	if (info.argsz < minimum || info.index >= region_count(device))
		return -EINVAL;
	info.offset = (u64)info.index << VMIG_OFFSET_SHIFT;
	info.size = region_bytes(device, info.index);
	info.flags = info.size ? VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE : 0;
	info.cap_offset = 0;
	if (info.index == VMIG_MIGRATION_REGION)
		result = add_capabilities(device, &info, &caps);
	if (!result && caps.size) {
		info.flags |= VFIO_REGION_INFO_FLAG_CAPS;
		if (info.argsz < sizeof(info) + caps.size) {
			info.argsz = sizeof(info) + caps.size;
		} else {
			vfio_info_cap_shift(&caps, sizeof(info));
			if (copy_to_user(argument + sizeof(info), caps.buf, caps.size))
				result = -EFAULT;
			info.cap_offset = sizeof(info);
		}
	}
	kfree(caps.buf);
	if (!result && copy_to_user(argument, &info, minimum))
		result = -EFAULT;
	return result;
}

long vmig_ioctl(struct vfio_device *vdev, unsigned int command, unsigned long argument)
{
	struct vmig *device = vmig_of(vdev);
	void __user *user = (void __user *)argument;

	switch (command) {
	case VFIO_DEVICE_GET_INFO: {
		size_t minimum = offsetofend(struct vfio_device_info, num_irqs);
		struct vfio_device_info info;

		if (copy_from_user(&info, user, minimum))
			return -EFAULT;
		if (info.argsz < minimum)
			return -EINVAL;
		info.flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
		info.num_regions = region_count(device);
		info.num_irqs = VFIO_PCI_NUM_IRQS;
		return copy_to_user(user, &info, minimum) ? -EFAULT : 0;
	}
	case VFIO_DEVICE_GET_REGION_INFO:
		return region_info(device, user);
	case VFIO_DEVICE_GET_IRQ_INFO: {
		size_t minimum = offsetofend(struct vfio_irq_info, count);
		struct vfio_irq_info info;

		if (copy_from_user(&info, user, minimum))
			return -EFAULT;
		if (info.argsz < minimum || info.index >= VFIO_PCI_NUM_IRQS)
			return -EINVAL;
		info.flags = 0;
		info.count = 0;
		return copy_to_user(user, &info, minimum) ? -EFAULT : 0;
	}
	case VFIO_DEVICE_RESET:
		if (mutex_lock_killable(&device->migration_lock))
			return -EINTR;
		vmig_reset(device, "reset", device->state);
		mutex_unlock(&device->migration_lock);
		return 0;
	}
	return -ENOTTY;
}
