// SPDX-License-Identifier: GPL-2.0
/*
 * The data file of the v2 interface: a stream that is read while the device is saved, or written while it is loaded.
 *
 * A file outlives what it was for: the user may keep it open after the end of the transfer, of the device's file and of the device
 * itself. So it holds a reference to the device's memory (not to its being open), and whatever ends the transfer marks it as
 * over. Both are looked at under the migration lock only.
 */
#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "vmig.h"

#define LOOK_AGAIN_MS	20

struct vmig_transfer {
	struct vmig *device;
	bool over;
	u64 read;		/* bytes of the staged chunk that have been handed out */
};

static bool running(struct vmig *device)
{
	return device->state == V2_PRE_COPY || device->state == V2_PRE_COPY_P2P;
}

/* There is nothing to read now, and that it will not come is not known. */
static bool stalls(struct vmig *device)
{
	struct vmig_save *save = &device->save;

	return (!save->staged || save->handed_out) && !save->final_sent && vmig_stalled(device, save->sent_bytes);
}

/* -EAGAIN: the device stalls. */
static ssize_t read_once(struct vmig_transfer *transfer, char __user *to, size_t count)
{
	struct vmig *device = transfer->device;
	struct vmig_save *save = &device->save;
	ssize_t result;

	if (transfer->over)
		return -ENODEV;
	if (!save->staged || save->handed_out) {
		if (save->final_sent)
			return 0;
		result = vmig_stage(device, !running(device));
		if (result)
			return result;
		transfer->read = 0;
		save->handed_out = !save->staged_bytes;
	}
	if (save->handed_out) {
		if (stalls(device))
			return -EAGAIN;
		/* for now, or for good */
		return running(device) ? -ENOMSG : 0;
	}
	count = min_t(u64, count, save->staged_bytes - transfer->read);
	if (copy_to_user(to, device->data + transfer->read, count))
		return -EFAULT;
	transfer->read += count;
	save->handed_out = transfer->read == save->staged_bytes;
	return count;
}

/* At most one chunk at a time: that may be less than was asked for. */
static ssize_t transfer_read(struct file *file, char __user *to, size_t count, loff_t *position)
{
	struct vmig_transfer *transfer = file->private_data;
	struct vmig *device = transfer->device;
	ssize_t result;

	if (!count)
		return 0;
	for (;;) {
		if (mutex_lock_interruptible(&device->migration_lock))
			return -ERESTARTSYS;
		result = read_once(transfer, to, count);
		mutex_unlock(&device->migration_lock);
		if (result != -EAGAIN || (file->f_flags & O_NONBLOCK))
			return result;
		/* nobody says when a stall that was asked for ends */
		if (schedule_timeout_interruptible(msecs_to_jiffies(LOOK_AGAIN_MS)) && signal_pending(current))
			return -ERESTARTSYS;
	}
}

static ssize_t transfer_write(struct file *file, const char __user *from, size_t count, loff_t *position)
{
	struct vmig_transfer *transfer = file->private_data;
	struct vmig *device = transfer->device;
	size_t done = 0;
	int result = 0;

	while (done < count && !result) {
		u64 part;

		if (mutex_lock_interruptible(&device->migration_lock)) {
			result = -ERESTARTSYS;
			break;
		}
		if (transfer->over) {
			result = -ENODEV;
		} else {
			part = min_t(u64, count - done, device->data_bytes);
			result = copy_from_user(device->data, from + done, part) ? -EFAULT :
				 vmig_load_chunk(device, VMIG_DATA_START, part);
		}
		mutex_unlock(&device->migration_lock);
		if (!result)
			done += part;
	}
	/* what fails after a part was taken fails again with the next write */
	return done ?: result;
}

static __poll_t transfer_poll(struct file *file, struct poll_table_struct *table)
{
	struct vmig_transfer *transfer = file->private_data;
	struct vmig *device = transfer->device;
	__poll_t events = 0;
	u64 initial, again;

	poll_wait(file, &device->waiting, table);
	mutex_lock(&device->migration_lock);
	if (transfer->over) {
		events = EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	} else if (stalls(device)) {
		events = 0;
	} else if (!running(device)) {
		events = EPOLLIN | EPOLLRDNORM;
	} else {
		vmig_precopy_left(device, transfer->read, &initial, &again);
		if (initial || again)
			events = EPOLLIN | EPOLLRDNORM;
	}
	mutex_unlock(&device->migration_lock);
	return events;
}

#ifdef VFIO_MIG_GET_PRECOPY_INFO
static long transfer_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct vmig_transfer *transfer = file->private_data;
	struct vmig *device = transfer->device;
	size_t minimum = offsetofend(struct vfio_precopy_info, dirty_bytes);
	void __user *user = (void __user *)argument;
	struct vfio_precopy_info info;
	long result = 0;

	if (command != VFIO_MIG_GET_PRECOPY_INFO)
		return -ENOTTY;
	if (copy_from_user(&info, user, minimum))
		return -EFAULT;
	if (info.argsz < minimum)
		return -EINVAL;
	if (mutex_lock_interruptible(&device->migration_lock))
		return -ERESTARTSYS;
	if (transfer->over)
		result = -ENODEV;
	else if (!running(device))
		result = -EINVAL;
	else
		vmig_precopy_left(device, transfer->read, &info.initial_bytes, &info.dirty_bytes);
	mutex_unlock(&device->migration_lock);
	if (result)
		return result;
	info.flags = 0;
	return copy_to_user(user, &info, minimum) ? -EFAULT : 0;
}
#endif

static int transfer_release(struct inode *inode, struct file *file)
{
	struct vmig_transfer *transfer = file->private_data;
	struct vmig *device = transfer->device;

	mutex_lock(&device->migration_lock);
	if (device->transfer == transfer)
		device->transfer = NULL;
	mutex_unlock(&device->migration_lock);
	kfree(transfer);
	vfio_put_device(&device->vdev);
	return 0;
}

static const struct file_operations saving_fops = {
	.owner = THIS_MODULE,
	.read = transfer_read,
	.poll = transfer_poll,
#ifdef VFIO_MIG_GET_PRECOPY_INFO
	.unlocked_ioctl = transfer_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
#endif
	.release = transfer_release,
};

static const struct file_operations loading_fops = {
	.owner = THIS_MODULE,
	.write = transfer_write,
	.release = transfer_release,
};

struct file *vmig_transfer_begin(struct vmig *device, bool loading)
{
	struct vmig_transfer *transfer = kzalloc(sizeof(*transfer), GFP_KERNEL_ACCOUNT);
	struct file *file;

	if (!transfer)
		return ERR_PTR(-ENOMEM);
	transfer->device = device;
	file = anon_inode_getfile("vmig-data", loading ? &loading_fops : &saving_fops, transfer, loading ? O_WRONLY : O_RDONLY);
	if (IS_ERR(file)) {
		kfree(transfer);
		return file;
	}
	stream_open(file_inode(file), file);
	get_device(&device->vdev.device);
	device->transfer = transfer;
	return file;
}

/* The file in use gives errors from now on; it need not be open any more. */
void vmig_transfer_end(struct vmig *device)
{
	if (device->transfer)
		device->transfer->over = true;
	device->transfer = NULL;
	wake_up_interruptible(&device->waiting);
}

/* Bytes of the staged chunk that have been read; with the file closed nobody can read the rest. */
u64 vmig_transfer_read(struct vmig *device)
{
	return device->transfer ? device->transfer->read : 0;
}
