// SPDX-License-Identifier: GPL-2.0
/*
 * The v2 interface (VFIO_DEVICE_FEATURE_MIGRATION and MIG_DEVICE_STATE, Linux 5.18 and later). The core finds the way from one
 * state to another; here is what each arc of it does. PRE_COPY came with Linux 6.2.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/version.h>
#include "vmig.h"

#ifdef VFIO_MIGRATION_PRE_COPY
static_assert((int)V2_PRE_COPY == VFIO_DEVICE_STATE_PRE_COPY && (int)V2_PRE_COPY_P2P == VFIO_DEVICE_STATE_PRE_COPY_P2P);
#endif

static const char *state_name(u32 state)
{
	static const char *const names[V2_STATES] = {
		"ERROR", "STOP", "RUNNING", "STOP_COPY", "RESUMING", "RUNNING_P2P", "PRE_COPY", "PRE_COPY_P2P",
	};

	return state < V2_STATES ? names[state] : "INVALID";
}

static bool saving(u32 state)
{
	return state == V2_PRE_COPY || state == V2_PRE_COPY_P2P || state == V2_STOP_COPY;
}

/* The device cannot distinguish P2P from other DMA, and all its work is DMA: in the P2P states it does nothing. */
static bool works(u32 state)
{
	return state == V2_RUNNING || state == V2_PRE_COPY;
}

static void become_error(struct vmig *device)
{
	vmig_set_running(device, false);
	vmig_transfer_end(device);
	vmig_save_end(device);
	vmig_load_end(device);
	device->state = V2_ERROR;
}

/* One arc. The data file where it begins a transfer, NULL where it does not. */
static struct file *take(struct vmig *device, u32 to)
{
	u32 from = device->state;
	struct file *file = NULL;
	int result;

	result = vmig_fault_transition(device, to);
	if (result) {
		if (READ_ONCE(vmig_fail_into_error))
			become_error(device);
		return ERR_PTR(result);
	}
	if (from == V2_RESUMING) {
		/* what was loaded in part is nothing to go back to */
		result = vmig_load_finish(device);
		if (result) {
			become_error(device);
			return ERR_PTR(result);
		}
	}
	if ((saving(to) && !saving(from)) || to == V2_RESUMING) {
		file = vmig_transfer_begin(device, to == V2_RESUMING);
		if (IS_ERR(file))
			return file;
	}
	if (from == V2_RESUMING || (saving(from) && !saving(to)))
		vmig_transfer_end(device);
	if (from == V2_RESUMING)
		vmig_load_end(device);
	if (saving(from) && !saving(to))
		vmig_save_end(device);
	vmig_set_running(device, works(to));
	if (saving(to) && !saving(from))
		vmig_save_begin(device);
	if (to == V2_RESUMING)
		vmig_load_begin(device);
	device->state = to;
	wake_up_interruptible(&device->waiting);
	return file;
}

static struct file *set_state(struct vfio_device *vdev, enum vfio_device_mig_state wanted)
{
	struct vmig *device = vmig_of(vdev);
	enum vfio_device_mig_state next;
	struct file *file = NULL;
	u32 from;
	int result;

	/* a device gets there by itself only */
	if ((u32)wanted == V2_ERROR)
		return ERR_PTR(-EINVAL);
	if (mutex_lock_killable(&device->migration_lock))
		return ERR_PTR(-EINTR);
	while (device->state != (u32)wanted) {
		from = device->state;
		/* the core knows of no way out of ERROR, and warns when it is asked for one */
		result = from == V2_ERROR ? -EINVAL : vfio_mig_get_next_state(vdev, from, wanted, &next);
		/* a transfer that began on the way would be nobody's: the core's ways do not have that */
		if (!result && WARN_ON_ONCE(file))
			result = -EIO;
		if (result) {
			vmig_trace(device, "state", from, wanted, result);
			if (file)
				fput(file);
			file = ERR_PTR(result);
			break;
		}
		file = take(device, next);
		vmig_trace(device, "state", from, next, PTR_ERR_OR_ZERO(file));
		if (IS_ERR(file))
			break;
	}
	mutex_unlock(&device->migration_lock);
	return file;
}

static int get_state(struct vfio_device *vdev, enum vfio_device_mig_state *state)
{
	struct vmig *device = vmig_of(vdev);

	if (mutex_lock_killable(&device->migration_lock))
		return -EINTR;
	*state = device->state;
	mutex_unlock(&device->migration_lock);
	return 0;
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
/* In every state: what a stop and copy that begins now has to carry, or has still to carry. */
static int get_data_size(struct vfio_device *vdev, unsigned long *bytes)
{
	struct vmig *device = vmig_of(vdev);
	u64 first, any_time, last;

	if (mutex_lock_killable(&device->migration_lock))
		return -EINTR;
	if (device->save.active) {
		vmig_pending(device, &first, &any_time, &last);
		*bytes = first + any_time + last;
		if (!device->save.handed_out)
			*bytes -= vmig_transfer_read(device);
	} else {
		*bytes = vmig_whole_stream(device);
	}
	mutex_unlock(&device->migration_lock);
	return 0;
}
#endif

static const struct vfio_migration_ops migration_ops = {
	.migration_set_state = set_state,
	.migration_get_state = get_state,
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
	.migration_get_data_size = get_data_size,
#endif
};

static void init(struct vmig *device)
{
	struct vfio_device *vdev = &device->vdev;

	device->state = V2_RUNNING;
	vdev->migration_flags = VFIO_MIGRATION_STOP_COPY;
	if (READ_ONCE(vmig_v2_p2p))
		vdev->migration_flags |= VFIO_MIGRATION_P2P;
#ifdef VFIO_MIGRATION_PRE_COPY
	if (READ_ONCE(vmig_v2_precopy))
		vdev->migration_flags |= VFIO_MIGRATION_PRE_COPY;
#endif
	vdev->mig_ops = &migration_ops;
	vdev->log_ops = &vmig_log_ops;
}

static void reset(struct vmig *device)
{
	vmig_transfer_end(device);
	vmig_log_forget(device);
	device->state = V2_RUNNING;
	vmig_set_running(device, true);
}

/* The data file may stay open for longer than the device. */
static void close(struct vmig *device)
{
	vmig_transfer_end(device);
	vmig_log_forget(device);
	vmig_save_end(device);
	vmig_load_end(device);
	device->state = V2_RUNNING;
}

const struct vmig_interface vmig_interface_v2 = {
	.name = "v2",
	.number = 2,
	.pci_device = 0x0518,
	.state_name = state_name,
	.init = init,
	.reset = reset,
	.close = close,
};
