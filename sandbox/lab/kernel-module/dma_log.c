// SPDX-License-Identifier: GPL-2.0
/*
 * The log of the memory that the device writes to (VFIO_DEVICE_FEATURE_DMA_LOGGING_START, STOP and REPORT). Reading it needs
 * iova_bitmap, which from Linux 6.7 on belongs to iommufd: a kernel without that lets a log be started and refuses to hand it
 * out, before this driver is asked.
 */
#include <linux/interval_tree.h>
#include <linux/iova_bitmap.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include "vmig.h"

struct vmig_range {
	unsigned long first;
	unsigned long last;
};

/* With the migration lock held. */
void vmig_log_forget(struct vmig *device)
{
	vmig_set_logging(device, false);
	kvfree(device->logged);
	device->logged = NULL;
	device->logged_count = 0;
}

static int begin(struct vmig *device, struct rb_root_cached *ranges, u32 count, u64 *page_size)
{
	struct interval_tree_node *node;
	struct vmig_range *logged;
	u32 i = 0;
	int result;

	/* the text: another start is not allowed in the meantime */
	if (device->logged)
		return -EBUSY;
	result = vmig_fault_log_start(device);
	if (result)
		return result;
	logged = kvcalloc(count, sizeof(*logged), GFP_KERNEL_ACCOUNT);
	if (!logged)
		return -ENOMEM;
	for (node = interval_tree_iter_first(ranges, 0, ULONG_MAX); node && i < count;
	     node = interval_tree_iter_next(node, 0, ULONG_MAX))
		logged[i++] = (struct vmig_range){ node->start, node->last };
	device->logged = logged;
	device->logged_count = i;
	*page_size = PAGE_SIZE;
	vmig_set_logging(device, true);
	return 0;
}

static int log_start(struct vfio_device *vdev, struct rb_root_cached *ranges, u32 count, u64 *page_size)
{
	struct vmig *device = vmig_of(vdev);
	int result;

	if (mutex_lock_killable(&device->migration_lock))
		return -EINTR;
	result = begin(device, ranges, count, page_size);
	vmig_trace(device, "log-start", device->state, device->state, result);
	mutex_unlock(&device->migration_lock);
	return result;
}

static int log_stop(struct vfio_device *vdev)
{
	struct vmig *device = vmig_of(vdev);

	/* also undoes a start whose answer did not reach the user: not to be refused */
	mutex_lock(&device->migration_lock);
	if (device->logged)
		vmig_trace(device, "log-stop", device->state, device->state, 0);
	vmig_log_forget(device);
	mutex_unlock(&device->migration_lock);
	return 0;
}

/* Nobody may take memory for clean that was never looked at. The ranges are sorted and none overlaps another. */
static bool covered(struct vmig *device, unsigned long first, unsigned long last)
{
	u32 i;

	for (i = 0; i < device->logged_count; i++) {
		struct vmig_range *range = &device->logged[i];

		if (first < range->first || first > range->last)
			continue;
		if (last <= range->last)
			return true;
		first = range->last + 1;
	}
	return false;
}

static int hand_out(struct vmig *device, unsigned long iova, unsigned long length, struct iova_bitmap *dirty)
{
	unsigned long last, page;
	void *entry;
	int result;

	if (!device->logged || !length || check_add_overflow(iova, length - 1, &last) || !covered(device, iova, last))
		return -EINVAL;
	result = vmig_fault_log_report(device);
	if (result)
		return result;
	mutex_lock(&device->registers_lock);
	xa_for_each_range(&device->dirty, page, entry, iova >> PAGE_SHIFT, last >> PAGE_SHIFT) {
		/* what is asked for need not begin or end with a page */
		unsigned long first = max(page << PAGE_SHIFT, iova), end = min((page << PAGE_SHIFT) + PAGE_SIZE - 1, last);

		if (!READ_ONCE(vmig_lose_dirty))
			iova_bitmap_set(dirty, first, end - first + 1);
		xa_erase(&device->dirty, page);
	}
	mutex_unlock(&device->registers_lock);
	return 0;
}

static int log_read_and_clear(struct vfio_device *vdev, unsigned long iova, unsigned long length, struct iova_bitmap *dirty)
{
	struct vmig *device = vmig_of(vdev);
	int result;

	if (mutex_lock_killable(&device->migration_lock))
		return -EINTR;
	result = hand_out(device, iova, length, dirty);
	/* many reports go well in each migration: only the others are worth a line */
	if (result)
		vmig_trace(device, "log-report", device->state, device->state, result);
	mutex_unlock(&device->migration_lock);
	return result;
}

const struct vfio_log_ops vmig_log_ops = {
	.log_start = log_start,
	.log_stop = log_stop,
	.log_read_and_clear = log_read_and_clear,
};
