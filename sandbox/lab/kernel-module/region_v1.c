// SPDX-License-Identifier: GPL-2.0
/* The migration region of Linux 5.8 to 5.17 (type 3, subtype 1): 32 bytes, naturally aligned, states as bits. */
#include <linux/module.h>
#include "vmig.h"

enum { DEVICE_STATE = 0, RESERVED = 4, PENDING_BYTES = 8, DATA_OFFSET = 16, DATA_SIZE = 24, STRUCTURE_END = 32 };
enum { RUNNING = 1, SAVING = 2, RESUMING = 4, ERROR = SAVING | RESUMING, BITS = 7 };

static const char *state_name(u32 state)
{
	static const char *const names[] = {
		"000-STOP", "001-RUNNING", "010-STOP-COPY", "011-PRE-COPY", "100-RESUMING", "101-INVALID", "110-ERROR", "111-INVALID",
	};

	return names[state & BITS];
}

static void reset(struct vmig *device)
{
	device->state = RUNNING | (READ_ONCE(vmig_v1_reserved) & ~BITS);
	vmig_set_running(device, true);
}

static u32 bits(struct vmig *device)
{
	return device->state & BITS;
}

static int become_error(struct vmig *device, int result)
{
	vmig_set_running(device, false);
	vmig_save_end(device);
	vmig_load_end(device);
	device->state = (device->state & ~BITS) | ERROR;
	return result;
}

static int enter(struct vmig *device, u32 value)
{
	u32 from = bits(device), to = value & BITS;
	int result;

	/* only a reset leaves the error state; the bits above are the driver's */
	if (from == ERROR)
		return -EIO;
	if ((value & ~BITS) != (device->state & ~BITS))
		return -EINVAL;
	if ((to & RESUMING) && to != RESUMING)
		return -EINVAL;
	if (to == from)
		return 0;
	/* a device is not loaded while it is saved, nor the other way round; pre-copy starts at a running device */
	if (((from & SAVING) && to == RESUMING) || (from == RESUMING && (to & SAVING)) || (to == (RUNNING | SAVING) && from != RUNNING))
		return -EINVAL;
	result = vmig_fault_transition(device, to);
	if (result)
		return READ_ONCE(vmig_fail_into_error) ? become_error(device, result) : result;
	if (from == RESUMING) {
		result = vmig_load_finish(device);
		if (result)
			return become_error(device, result);
		vmig_load_end(device);
	}
	vmig_set_running(device, to & RUNNING);
	if ((to & SAVING) && !(from & SAVING))
		vmig_save_begin(device);
	if (!(to & SAVING) && (from & SAVING))
		vmig_save_end(device);
	if (to == RESUMING)
		vmig_load_begin(device);
	device->state = (device->state & ~BITS) | to;
	return 0;
}

static int fetch(struct vmig *device, u64 field, u64 *value)
{
	u64 first, any_time, last;

	switch (field) {
	case PENDING_BYTES:
		/* also says that the chunk whose size was read has been taken */
		if (device->save.handed_out)
			device->save.staged = false;
		vmig_pending(device, &first, &any_time, &last);
		*value = first + any_time + last;
		return 0;
	case DATA_OFFSET:
		*value = VMIG_DATA_START;
		if (bits(device) & SAVING) {
			/* the same chunk until pending_bytes is read again */
			if (device->save.staged)
				return 0;
			return vmig_stage(device, !(bits(device) & RUNNING));
		}
		return bits(device) == RESUMING ? 0 : -EINVAL;
	case DATA_SIZE:
		if (!(bits(device) & SAVING))
			return -EINVAL;
		*value = device->save.staged ? device->save.staged_bytes : 0;
		device->save.handed_out = true;
		return 0;
	}
	return -EINVAL;
}

static ssize_t read_field(struct vmig *device, u64 at, size_t count, u64 *value)
{
	u64 field = at & ~7ULL;
	int result;

	if ((count != 4 && count != 8) || at % count || at + count > STRUCTURE_END)
		return -EINVAL;
	if (at < PENDING_BYTES) {
		if (count != 4)
			return -EINVAL;
		*value = at == DEVICE_STATE ? device->state : 0;
		return 4;
	}
	if (at == field) {
		result = fetch(device, field, &device->latched);
		device->latched_at = result ? 0 : field;
		if (result)
			return result;
		*value = count == 8 ? device->latched : (u32)device->latched;
		return count;
	}
	if (device->latched_at != field)
		return -EINVAL;
	*value = device->latched >> 32;
	return 4;
}

static ssize_t write_field(struct vmig *device, u64 at, size_t count, u64 value)
{
	u32 from = device->state;
	int result;

	if (at == DEVICE_STATE && count == 4) {
		result = enter(device, value);
		vmig_trace(device, "state", from & BITS, value & BITS, result);
		return result ?: 4;
	}
	if (bits(device) != RESUMING || (at & ~7ULL) != DATA_SIZE || (count != 4 && count != 8) || at % count)
		return -EINVAL;
	if (count == 4 && at == DATA_SIZE) {
		device->gathered = value;
		device->gathered_at = DATA_SIZE;
		return 4;
	}
	if (count == 4) {
		if (device->gathered_at != DATA_SIZE)
			return -EINVAL;
		value = device->gathered | value << 32;
		device->gathered_at = 0;
	}
	result = vmig_load_chunk(device, VMIG_DATA_START, value);
	return result ?: count;
}

static bool may_write_data(struct vmig *device)
{
	return bits(device) == RESUMING;
}

const struct vmig_interface vmig_interface_v1 = {
	.name = "v1",
	.number = 1,
	.pci_device = 0x0058,
	.region_type = 3,
	.region_subtype = 1,
	.state_name = state_name,
	.reset = reset,
	.read_field = read_field,
	.write_field = write_field,
	.may_write_data = may_write_data,
};
