// SPDX-License-Identifier: GPL-2.0
/* The mdev parent with its three types, and the life of a device: made, opened, reset, closed, removed. */
#include <linux/device.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/version.h>
#include <linux/vmalloc.h>
#include "vmig.h"

struct vmig_type {
	struct mdev_type type;
	const struct vmig_interface *interface;
};

static struct vmig_type types[] = {
	{ .type = { .sysfs_name = "2018", .pretty_name = "migration region of 2018" }, .interface = &vmig_interface_2018 },
	{ .type = { .sysfs_name = "v1", .pretty_name = "migration region of Linux 5.8" }, .interface = &vmig_interface_v1 },
	{ .type = { .sysfs_name = "v2", .pretty_name = "migration states of Linux 5.18" }, .interface = &vmig_interface_v2 },
};

static struct mdev_type *mdev_types[] = { &types[0].type, &types[1].type, &types[2].type };

static struct class *class;
static struct device parent_device;
static struct mdev_parent parent;

/* --- life */

static int vmig_open(struct vfio_device *vdev)
{
	struct vmig *device = vmig_of(vdev);
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
	vmig_reset(device, "open", -1);
	mutex_unlock(&device->migration_lock);
	return 0;
}

/* The last descriptor was closed: the state in the device is discarded. */
static void vmig_close(struct vfio_device *vdev)
{
	struct vmig *device = vmig_of(vdev);

	mutex_lock(&device->migration_lock);
	vmig_trace(device, "close", device->state, -1, 0);
	if (device->interface->close)
		device->interface->close(device);
	vmig_device_close(device);
	vfree(device->data);
	kvfree(device->bitmap);
	device->data = device->bitmap = NULL;
	mutex_unlock(&device->migration_lock);
}

static void vmig_dma_unmap(struct vfio_device *vdev, u64 iova, u64 length)
{
	/* nothing is pinned: every access to memory looks the address up anew */
}

static int vmig_init(struct vfio_device *vdev)
{
	struct vmig *device = vmig_of(vdev);
	struct mdev_device *mdev = to_mdev_device(vdev->dev);

	device->interface = container_of(mdev->type, struct vmig_type, type)->interface;
	strscpy(device->name, dev_name(vdev->dev), sizeof(device->name));
	mutex_init(&device->migration_lock);
	mutex_init(&device->registers_lock);
	xa_init(&device->dirty);
	INIT_DELAYED_WORK(&device->tick, vmig_tick);
	init_waitqueue_head(&device->waiting);
	if (device->interface->init)
		device->interface->init(device);
	vmig_make_config(device);
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
MODULE_DESCRIPTION("A device made of memory that can migrate through the regions of 2018 and of Linux 5.8, and the states of Linux 5.18");
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
MODULE_IMPORT_NS("IOMMUFD");
#else
MODULE_IMPORT_NS(IOMMUFD);
#endif
