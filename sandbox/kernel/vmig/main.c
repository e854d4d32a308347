// SPDX-License-Identifier: GPL-2.0
/* The mdev parent with its two types, and what the VFIO core wants from a device. */
#include <linux/device.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci_regs.h>
#include <linux/uaccess.h>
#include <linux/version.h>
#include <linux/vmalloc.h>
#include "vmig.h"

#define VENDOR	0x5646

struct vmig_type {
	struct mdev_type type;
	const struct vmig_interface *interface;
};

static struct vmig_type types[] = {
	{ .type = { .sysfs_name = "2018", .pretty_name = "migration region of 2018" }, .interface = &vmig_interface_2018 },
	{ .type = { .sysfs_name = "v1", .pretty_name = "migration region of Linux 5.8" }, .interface = &vmig_interface_v1 },
};

static struct mdev_type *mdev_types[] = { &types[0].type, &types[1].type };

static struct class *class;
static struct device parent_device;
static struct mdev_parent parent;

static struct vmig *to_vmig(struct vfio_device *vdev)
{
	return container_of(vdev, struct vmig, vdev);
}

/* --- configuration space */

static void make_config(struct vmig *device)
{
	u8 *config = device->config;

	memset(config, 0, VMIG_CONFIG_BYTES);
	*(__le16 *)(config + PCI_VENDOR_ID) = cpu_to_le16(VENDOR);
	*(__le16 *)(config + PCI_DEVICE_ID) = cpu_to_le16(device->interface->pci_device);
	*(__le16 *)(config + PCI_SUBSYSTEM_VENDOR_ID) = cpu_to_le16(VENDOR);
	*(__le16 *)(config + PCI_SUBSYSTEM_ID) = cpu_to_le16(1);
	config[PCI_CLASS_DEVICE] = 0x80;	/* other system peripheral */
	config[PCI_CLASS_DEVICE + 1] = 0x08;
	config[PCI_REVISION_ID] = 1;
}

static void write_config(struct vmig *device, u64 at, const u8 *from, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		u64 byte = at + i;

		if (byte == PCI_COMMAND || byte == PCI_CACHE_LINE_SIZE || byte == PCI_LATENCY_TIMER || byte == PCI_INTERRUPT_LINE ||
		    byte == PCI_BASE_ADDRESS_0 + 2 || byte == PCI_BASE_ADDRESS_0 + 3)
			device->config[byte] = from[i];
		else if (byte == PCI_BASE_ADDRESS_0 + 1)
			device->config[byte] = from[i] & 0xf0;	/* 4 KiB */
	}
}

/* --- regions */

static u64 region_bytes(struct vmig *device, u32 index)
{
	switch (index) {
	case VFIO_PCI_BAR0_REGION_INDEX:
		return VMIG_BAR_BYTES;
	case VFIO_PCI_CONFIG_REGION_INDEX:
		return VMIG_CONFIG_BYTES;
	case VMIG_MIGRATION_REGION:
		return VMIG_DATA_START + device->data_bytes + device->bitmap_bytes;
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
			write_config(device, at, config, count);
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

static ssize_t vmig_read(struct vfio_device *vdev, char __user *to, size_t count, loff_t *position)
{
	ssize_t result = access_region(to_vmig(vdev), *position, to, NULL, count);

	if (result > 0)
		*position += result;
	return result;
}

static ssize_t vmig_write(struct vfio_device *vdev, const char __user *from, size_t count, loff_t *position)
{
	ssize_t result = access_region(to_vmig(vdev), *position, NULL, from, count);

	if (result > 0)
		*position += result;
	return result;
}

static int vmig_mmap(struct vfio_device *vdev, struct vm_area_struct *vma)
{
	struct vmig *device = to_vmig(vdev);
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

static long region_info(struct vmig *device, void __user *argument)
{
	size_t minimum = offsetofend(struct vfio_region_info, offset);
	struct vfio_info_cap caps = { };
	struct vfio_region_info info;
	long result = 0;

	if (copy_from_user(&info, argument, minimum))
		return -EFAULT;
	if (info.argsz < minimum || info.index >= VMIG_NUM_REGIONS)
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

static void reset(struct vmig *device, const char *event)
{
	u32 from = device->state;

	vmig_save_end(device);
	vmig_load_end(device);
	memset(&device->save, 0, sizeof(device->save));
	memset(&device->load, 0, sizeof(device->load));
	device->latched_at = device->gathered_at = 0;
	device->data_offset = 0;
	device->dirty_start = device->dirty_total = 0;
	mutex_lock(&device->registers_lock);
	vmig_device_reset(device);
	make_config(device);
	mutex_unlock(&device->registers_lock);
	device->interface->reset(device);
	vmig_trace(device, event, from, device->state, 0);
}

static long vmig_ioctl(struct vfio_device *vdev, unsigned int command, unsigned long argument)
{
	struct vmig *device = to_vmig(vdev);
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
		info.num_regions = VMIG_NUM_REGIONS;
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
		reset(device, "reset");
		mutex_unlock(&device->migration_lock);
		return 0;
	}
	return -ENOTTY;
}

/* --- life */

static int vmig_open(struct vfio_device *vdev)
{
	struct vmig *device = to_vmig(vdev);
	int result;

	device->data_bytes = clamp_t(u64, PAGE_ALIGN(READ_ONCE(vmig_data_bytes)), 2 * VMIG_BLOCK_BYTES, 256ULL << 20);
	device->bitmap_bytes = clamp_t(u64, round_up(READ_ONCE(vmig_bitmap_bytes), 8), 8, 1ULL << 20);
	device->mappable = READ_ONCE(vmig_offer_mmap);
	device->data = vmalloc_user(device->data_bytes);
	device->bitmap = kvzalloc(device->bitmap_bytes, GFP_KERNEL);
	result = device->data && device->bitmap ? vmig_device_open(device) : -ENOMEM;
	if (result) {
		vfree(device->data);
		kvfree(device->bitmap);
		device->data = device->bitmap = NULL;
		return result;
	}
	mutex_lock(&device->migration_lock);
	device->state = 0;
	reset(device, "open");
	mutex_unlock(&device->migration_lock);
	return 0;
}

/* The last descriptor is gone: whatever state was in the device goes with it. */
static void vmig_close(struct vfio_device *vdev)
{
	struct vmig *device = to_vmig(vdev);

	vmig_trace(device, "close", device->state, -1, 0);
	vmig_device_close(device);
	vfree(device->data);
	kvfree(device->bitmap);
	device->data = device->bitmap = NULL;
}

static void vmig_dma_unmap(struct vfio_device *vdev, u64 iova, u64 length)
{
	/* nothing is pinned: every access to memory looks the address up anew */
}

static int vmig_init(struct vfio_device *vdev)
{
	struct vmig *device = to_vmig(vdev);
	struct mdev_device *mdev = to_mdev_device(vdev->dev);

	device->interface = container_of(mdev->type, struct vmig_type, type)->interface;
	strscpy(device->name, dev_name(vdev->dev), sizeof(device->name));
	mutex_init(&device->migration_lock);
	mutex_init(&device->registers_lock);
	xa_init(&device->dirty);
	INIT_DELAYED_WORK(&device->tick, vmig_tick);
	make_config(device);
	return 0;
}

static void vmig_release(struct vfio_device *vdev)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
	/* until 6.1 the driver frees what vfio_alloc_device() made */
	vfio_free_device(vdev);
#endif
}

static const struct vfio_device_ops vmig_ops = {
	.name = "vfio-vmig",
	.init = vmig_init,
	.release = vmig_release,
	.open_device = vmig_open,
	.close_device = vmig_close,
	.read = vmig_read,
	.write = vmig_write,
	.ioctl = vmig_ioctl,
	.mmap = vmig_mmap,
	.dma_unmap = vmig_dma_unmap,
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
	.bind_iommufd = vfio_iommufd_emulated_bind,
	.unbind_iommufd = vfio_iommufd_emulated_unbind,
	.attach_ioas = vfio_iommufd_emulated_attach_ioas,
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
	.detach_ioas = vfio_iommufd_emulated_detach_ioas,
#endif
};

static int vmig_probe(struct mdev_device *mdev)
{
	struct vmig *device;
	int result;

	device = vfio_alloc_device(vmig, vdev, &mdev->dev, &vmig_ops);
	if (IS_ERR(device))
		return PTR_ERR(device);
	dev_set_drvdata(&mdev->dev, device);
	vmig_trace_add(device);
	result = vfio_register_emulated_iommu_dev(&device->vdev);
	if (result) {
		vmig_trace_remove(device);
		vfio_put_device(&device->vdev);
	}
	return result;
}

static void vmig_remove(struct mdev_device *mdev)
{
	struct vmig *device = dev_get_drvdata(&mdev->dev);

	vfio_unregister_group_dev(&device->vdev);
	vmig_trace_remove(device);
	vfio_put_device(&device->vdev);
}

static unsigned int vmig_available(struct mdev_type *type)
{
	return 64;
}

/* What two devices must have in common: the value of one, written to the other, is taken or refused with EINVAL. */
static ssize_t migration_version_show(struct device *dev, struct device_attribute *attribute, char *buffer)
{
	struct vmig *device = dev_get_drvdata(dev);

	return sysfs_emit(buffer, "vmig-%s-1\n", device->interface->name);
}

static ssize_t migration_version_store(struct device *dev, struct device_attribute *attribute, const char *buffer, size_t count)
{
	struct vmig *device = dev_get_drvdata(dev);
	char own[32];

	snprintf(own, sizeof(own), "vmig-%s-1", device->interface->name);
	return sysfs_streq(buffer, own) ? count : -EINVAL;
}
static DEVICE_ATTR_RW(migration_version);

static struct attribute *vmig_attribute_attrs[] = { &dev_attr_migration_version.attr, NULL };
ATTRIBUTE_GROUPS(vmig_attribute);

static struct mdev_driver vmig_driver = {
	.device_api = VFIO_DEVICE_API_PCI_STRING,
	.driver = {
		.name = "vmig",
		.owner = THIS_MODULE,
		.mod_name = KBUILD_MODNAME,
		.dev_groups = vmig_attribute_groups,
	},
	.probe = vmig_probe,
	.remove = vmig_remove,
	.get_available = vmig_available,
};

static void parent_release(struct device *dev)
{
	/* a static device: nothing to free */
}

static int __init vmig_start(void)
{
	int result = vmig_trace_init();

	if (result)
		return result;
	result = mdev_register_driver(&vmig_driver);
	if (result)
		goto no_driver;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	class = class_create("vmig");
#else
	class = class_create(THIS_MODULE, "vmig");
#endif
	if (IS_ERR(class)) {
		result = PTR_ERR(class);
		goto no_class;
	}
	parent_device.class = class;
	parent_device.release = parent_release;
	dev_set_name(&parent_device, "vmig");
	result = device_register(&parent_device);
	if (result) {
		put_device(&parent_device);
		goto no_device;
	}
	result = mdev_register_parent(&parent, &parent_device, &vmig_driver, mdev_types, ARRAY_SIZE(mdev_types));
	if (!result)
		return 0;
	device_unregister(&parent_device);
no_device:
	class_destroy(class);
no_class:
	mdev_unregister_driver(&vmig_driver);
no_driver:
	vmig_trace_exit();
	return result;
}

static void __exit vmig_stop(void)
{
	mdev_unregister_parent(&parent);
	device_unregister(&parent_device);
	class_destroy(class);
	mdev_unregister_driver(&vmig_driver);
	vmig_trace_exit();
}

module_init(vmig_start);
module_exit(vmig_stop);
MODULE_LICENSE("GPL");
MODULE_VERSION("1.0");
MODULE_DESCRIPTION("A device made of memory that can migrate through the regions of 2018 and of Linux 5.8");
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
MODULE_IMPORT_NS("IOMMUFD");
#else
MODULE_IMPORT_NS(IOMMUFD);
#endif
