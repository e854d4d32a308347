// SPDX-License-Identifier: GPL-2.0
/* The device proper: its registers, its configuration space, its bulk of state, what it writes into the workload's memory. */
#include <linux/crc32.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/pci_regs.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "vmig.h"

/* BAR 0. u64 registers may be accessed in two halves. */
enum {
	REG_MAGIC = 0x00,		/* u32, read only */
	REG_INTERFACE = 0x04,		/* u32, read only: 2018, 1 or 2 */
	REG_RUNNING = 0x08,		/* u32, read only: 1 while the device works */
	REG_COMMAND = 0x0c,		/* u32, write only: 1 does a step */
	REG_STATE_BYTES = 0x10,		/* u64, read only */
	REG_STATE_DIGEST = 0x18,	/* u64, read only: crc32 over the whole bulk, computed when read */
	REG_FIRST = 0x20,		/* struct vmig_registers */
};

#define VENDOR		0x5646
#define MAGIC		0x47494d56	/* "VMIG" */
#define COMMAND_STEP	1
#define IDLE_TICK_MS	250

static u64 mix(u64 chain, u64 step)
{
	chain = (chain ^ step) * 0x9e3779b97f4a7c15ULL;
	return chain ^ (chain >> 29);
}

static void forget_dirty(struct vmig *device)
{
	xa_destroy(&device->dirty);
}

void vmig_mark(struct vmig *device, u64 block, bool changed)
{
	if (changed && !test_and_set_bit(block, device->changed))
		device->changed_blocks++;
	else if (!changed && test_and_clear_bit(block, device->changed))
		device->changed_blocks--;
}

void vmig_mark_all(struct vmig *device)
{
	if (device->blocks)
		bitmap_fill(device->changed, device->blocks);
	device->changed_blocks = device->blocks;
}

static void fill(struct vmig *device)
{
	u64 block;

	/* no two devices and no two blocks look alike, so that a mixed up or missing block is noticed */
	for (block = 0; block < device->blocks; block++) {
		__le64 *words = (__le64 *)(device->bulk + block * VMIG_BLOCK_BYTES);

		words[0] = cpu_to_le64(block);
		strscpy((char *)(words + 1), device->name, sizeof(device->name));
	}
}

int vmig_resize(struct vmig *device, u64 bytes)
{
	u64 blocks = DIV_ROUND_UP_ULL(bytes, VMIG_BLOCK_BYTES);
	unsigned long *changed = NULL;
	u8 *bulk = NULL;

	if (bytes > VMIG_MAX_STATE)
		return -EINVAL;
	if (blocks) {
		bulk = vzalloc(blocks * VMIG_BLOCK_BYTES);
		changed = kvcalloc(BITS_TO_LONGS(blocks), sizeof(long), GFP_KERNEL);
		if (!bulk || !changed) {
			vfree(bulk);
			kvfree(changed);
			return -ENOMEM;
		}
	}
	vfree(device->bulk);
	kvfree(device->changed);
	device->bulk = bulk;
	device->changed = changed;
	device->bulk_bytes = blocks * VMIG_BLOCK_BYTES;
	device->blocks = blocks;
	device->changed_blocks = 0;
	return 0;
}

/* --- configuration space */

void vmig_make_config(struct vmig *device)
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

void vmig_write_config(struct vmig *device, u64 at, const u8 *from, size_t count)
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

/* --- life */

/* Both locks held, or the device not yet reachable. */
void vmig_device_reset(struct vmig *device)
{
	device->running = false;
	device->tracking = false;
	device->logging = false;
	memset(&device->registers, 0, sizeof(device->registers));
	if (device->bulk)
		memset(device->bulk, 0, device->bulk_bytes);
	fill(device);
	forget_dirty(device);
	if (device->blocks)
		bitmap_zero(device->changed, device->blocks);
	device->changed_blocks = 0;
}

int vmig_device_open(struct vmig *device)
{
	int result = vmig_resize(device, READ_ONCE(vmig_state_bytes));

	if (result)
		return result;
	vmig_device_reset(device);
	device->open = true;
	schedule_delayed_work(&device->tick, msecs_to_jiffies(IDLE_TICK_MS));
	return 0;
}

void vmig_device_close(struct vmig *device)
{
	mutex_lock(&device->registers_lock);
	device->open = false;
	device->running = false;
	mutex_unlock(&device->registers_lock);
	cancel_delayed_work_sync(&device->tick);
	forget_dirty(device);
	vmig_resize(device, 0);
}

void vmig_set_running(struct vmig *device, bool running)
{
	mutex_lock(&device->registers_lock);
	device->running = running;
	mutex_unlock(&device->registers_lock);
}

/* From now on the pages written are noted; or not, and those noted are forgotten. */
void vmig_set_logging(struct vmig *device, bool logging)
{
	mutex_lock(&device->registers_lock);
	device->logging = logging;
	forget_dirty(device);
	mutex_unlock(&device->registers_lock);
}

static int write_note(struct vmig *device, u64 step, u64 chain)
{
	u64 bytes = le64_to_cpu(device->registers.window_bytes);
	u64 iova, page;
	struct vmig_note note = {
		.magic = cpu_to_le64(VMIG_NOTE_MAGIC),
		.step = cpu_to_le64(step),
		.chain = cpu_to_le64(chain),
		.seed = device->registers.seed,
	};
	int result;

	if (bytes < PAGE_SIZE)
		return 0;
	div64_u64_rem(step, bytes >> PAGE_SHIFT, &page);
	iova = le64_to_cpu(device->registers.window_iova) + (page << PAGE_SHIFT);
	result = vfio_dma_rw(&device->vdev, iova, &note, sizeof(note), true);
	if (result)
		return result < 0 ? result : -EFAULT;
	if (device->logging)
		return xa_err(xa_store(&device->dirty, iova >> PAGE_SHIFT, xa_mk_value(1), GFP_KERNEL));
	return 0;
}

/* One step of work; the registers' lock is held. A step that fails has not happened. */
static int step(struct vmig *device)
{
	u64 number = le64_to_cpu(device->registers.step) + 1;
	u64 chain = mix(le64_to_cpu(device->registers.chain), number);
	unsigned int i, touched = min_t(u64, READ_ONCE(vmig_step_blocks), device->blocks);
	int result;

	if (!device->running)
		return -EIO;
	result = write_note(device, number, chain);
	if (result)
		return result;
	for (i = 0; i < touched; i++) {
		u64 block;
		__le64 *words;

		div64_u64_rem(number * touched + i, device->blocks, &block);
		words = (__le64 *)(device->bulk + block * VMIG_BLOCK_BYTES);
		words[16] = cpu_to_le64(number);
		words[17] = cpu_to_le64(chain);
		if (device->tracking)
			vmig_mark(device, block, true);
	}
	if (device->tracking)
		wake_up_interruptible(&device->waiting);
	device->registers.step = cpu_to_le64(number);
	device->registers.chain = cpu_to_le64(chain);
	return 0;
}

void vmig_tick(struct work_struct *work)
{
	struct vmig *device = container_of(to_delayed_work(work), struct vmig, tick);
	unsigned int milliseconds = READ_ONCE(vmig_tick_ms);

	mutex_lock(&device->registers_lock);
	/* a window that cannot be written (not mapped yet) is no reason to stop ticking */
	if (milliseconds && device->running && step(device))
		pr_debug_ratelimited("vmig: %s: a step by itself failed\n", device->name);
	if (device->open)
		schedule_delayed_work(&device->tick, msecs_to_jiffies(milliseconds ?: IDLE_TICK_MS));
	mutex_unlock(&device->registers_lock);
}

/* Digest of the state as it is; the lock is held, so nothing changes meanwhile. */
static u64 digest(struct vmig *device)
{
	u64 at;
	u32 checksum = ~0;

	for (at = 0; at < device->bulk_bytes; at += VMIG_BLOCK_BYTES) {
		checksum = crc32_le(checksum, device->bulk + at, VMIG_BLOCK_BYTES);
		cond_resched();
	}
	return checksum;
}

ssize_t vmig_bar_read(struct vmig *device, u64 at, size_t count, u64 *value)
{
	u64 whole;

	if ((count != 4 && count != 8) || at % count)
		return -EINVAL;
	if (at < REG_STATE_BYTES && count != 4)
		return -EINVAL;
	switch (at & ~7ULL) {
	case REG_MAGIC:
		whole = at == REG_MAGIC ? MAGIC : device->interface->number;
		*value = whole;
		return count;
	case REG_RUNNING:
		*value = at == REG_RUNNING ? device->running : 0;
		return count;
	case REG_STATE_BYTES:
		whole = device->bulk_bytes;
		break;
	case REG_STATE_DIGEST:
		whole = digest(device);
		break;
	default:
		if ((at & ~7ULL) - REG_FIRST + 8 > sizeof(device->registers))
			whole = 0;
		else
			whole = le64_to_cpu(*(__le64 *)((u8 *)&device->registers + (at & ~7ULL) - REG_FIRST));
	}
	*value = count == 8 ? whole : at & 4 ? whole >> 32 : (u32)whole;
	return count;
}

ssize_t vmig_bar_write(struct vmig *device, u64 at, size_t count, u64 value)
{
	u64 field = (at & ~7ULL) - REG_FIRST;
	__le64 *target;
	u64 whole;

	if ((count != 4 && count != 8) || at % count)
		return -EINVAL;
	if (at == REG_COMMAND && count == 4 && value == COMMAND_STEP)
		return step(device) ?: count;
	if (at < REG_FIRST || field + 8 > sizeof(device->registers))
		return -EINVAL;
	/* a device that is being saved or loaded is not written to */
	if (!device->running)
		return -EIO;
	if (field == offsetof(struct vmig_registers, step) || field == offsetof(struct vmig_registers, chain))
		return -EINVAL;
	target = (__le64 *)((u8 *)&device->registers + field);
	whole = le64_to_cpu(*target);
	if (count == 8)
		whole = value;
	else if (at & 4)
		whole = (u32)whole | value << 32;
	else
		whole = (whole >> 32 << 32) | (u32)value;
	*target = cpu_to_le64(whole);
	if (field == offsetof(struct vmig_registers, seed)) {
		device->registers.step = 0;
		device->registers.chain = device->registers.seed;
	}
	return count;
}

/*
 * Moves the dirty pages of the range, as far as the bitmap area reaches, into it. Returns the number of pages covered; 0 when
 * nothing in the whole range is dirty.
 */
u64 vmig_collect_dirty(struct vmig *device, u64 start, u64 total)
{
	u64 first = start >> PAGE_SHIFT, covered = min(total, device->bitmap_bytes * 8);
	unsigned long page;
	bool any = false;
	void *entry;

	if (!total || total > (U64_MAX >> PAGE_SHIFT) - first + 1)
		return 0;
	mutex_lock(&device->registers_lock);
	memset(device->bitmap, 0, device->bitmap_bytes);
	xa_for_each_range(&device->dirty, page, entry, first, first + total - 1) {
		any = true;
		if (page - first >= covered)
			break;
		/* little endian, bit i is page i */
		device->bitmap[(page - first) / 8] |= 1 << (page - first) % 8;
		xa_erase(&device->dirty, page);
	}
	mutex_unlock(&device->registers_lock);
	if (READ_ONCE(vmig_lose_dirty)) {
		memset(device->bitmap, 0, device->bitmap_bytes);
		any = false;
	}
	return any || READ_ONCE(vmig_bitmap_all) ? covered : 0;
}
