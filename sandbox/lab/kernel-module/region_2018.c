// SPDX-License-Identifier: GPL-2.0
/*
 * The migration region of November 2018 (type 1 << 30, subtype 1): a packed structure of 76 bytes, so that every u64 sits at
 * an offset of 4 modulo 8 and may arrive as two accesses of 4 bytes, the low half first.
 */
#include <linux/module.h>
#include "vmig.h"

enum {
	DEVICE_STATE = 0,
	PRECOPY_ONLY = 4,
	COMPATIBLE = 12,
	POSTCOPY_ONLY = 20,
	THRESHOLD_SIZE = 28,
	DATA_OFFSET = 36,
	DATA_SIZE = 44,
	START_ADDR = 52,
	TOTAL = 60,
	COPIED = 68,
	STRUCTURE_END = 76,
};

enum state {
	NONE, RUNNING, SETUP, PRECOPY, STOPNCOPY, SAVE_COMPLETED, RESUME, RESUME_COMPLETED, FAILED, CANCELLED, STATES
};

static const char *const names[STATES] = {
	"NONE", "RUNNING", "SETUP", "PRECOPY", "STOPNCOPY", "SAVE_COMPLETED", "RESUME", "RESUME_COMPLETED", "FAILED", "CANCELLED",
};

static const char *state_name(u32 state)
{
	return state < STATES ? names[state] : "INVALID";
}

#define TO(state) (1 << (state))
static const u16 allowed[STATES] = {
	[NONE] = TO(RUNNING) | TO(RESUME) | TO(FAILED),
	[RUNNING] = TO(SETUP) | TO(RESUME) | TO(FAILED),
	[SETUP] = TO(PRECOPY) | TO(STOPNCOPY) | TO(FAILED) | TO(CANCELLED),
	[PRECOPY] = TO(STOPNCOPY) | TO(FAILED) | TO(CANCELLED),
	[STOPNCOPY] = TO(SAVE_COMPLETED) | TO(FAILED) | TO(CANCELLED),
	[SAVE_COMPLETED] = TO(FAILED),
	[RESUME] = TO(RESUME_COMPLETED) | TO(FAILED),
	[RESUME_COMPLETED] = TO(RUNNING) | TO(FAILED),
	[FAILED] = TO(RUNNING),
	[CANCELLED] = TO(RUNNING) | TO(FAILED),
};

static void reset(struct vmig *device)
{
	device->state = NONE;
	device->fell_while_loading = false;
}

static int enter(struct vmig *device, u32 to)
{
	u32 from = device->state;
	int result;

	if (to >= STATES)
		return -EINVAL;
	if (to == from)
		return 0;
	/* what fell while it was loaded, or was cleaned up after saving, has no state to run with: only a reset helps */
	if (!(allowed[from] & TO(to)) || (from == FAILED && device->fell_while_loading))
		return -EINVAL;
	result = vmig_fault_transition(device, to);
	if (result)
		return result;
	switch (to) {
	case RUNNING:
		vmig_set_running(device, true);
		break;
	case SETUP:
		vmig_save_begin(device);
		vmig_set_logging(device, true);
		break;
	case STOPNCOPY:
		vmig_set_running(device, false);
		break;
	case SAVE_COMPLETED:
		vmig_save_end(device);
		vmig_set_logging(device, false);
		break;
	case RESUME:
		vmig_set_running(device, false);
		result = vmig_load_begin(device);
		break;
	case RESUME_COMPLETED:
		result = vmig_load_finish(device);
		if (!result)
			vmig_load_end(device);
		break;
	case FAILED:
	case CANCELLED:
		device->fell_while_loading = from == RESUME || from == RESUME_COMPLETED || from == SAVE_COMPLETED;
		/* the text: "resume device state as it was during running state": one that ran all the time goes on */
		vmig_save_end(device);
		vmig_set_logging(device, false);
		vmig_load_end(device);
		break;
	}
	if (!result)
		device->state = to;
	return result;
}

/* The value of a u64 field; reading it is what asks the driver to act. */
static int fetch(struct vmig *device, u64 field, u64 *value)
{
	u64 first, any_time, last;
	int result;

	switch (field) {
	case PRECOPY_ONLY:
	case COMPATIBLE:
	case POSTCOPY_ONLY:
		vmig_pending(device, &first, &any_time, &last);
		*value = field == PRECOPY_ONLY ? first : field == COMPATIBLE ? any_time : last;
		return 0;
	case THRESHOLD_SIZE:
		*value = device->threshold;
		return 0;
	case DATA_OFFSET:
		/* asked right after "copied": where the bitmap lies. Nothing is staged for that. */
		if (device->bitmap_staged) {
			device->bitmap_staged = false;
			*value = VMIG_DATA_START + device->data_bytes;
			return 0;
		}
		*value = VMIG_DATA_START;
		if (device->state != PRECOPY && device->state != STOPNCOPY)
			return 0;
		result = vmig_stage(device, device->state == STOPNCOPY);
		return result;
	case DATA_SIZE:
		if (!device->save.staged) {
			*value = 0;
			return 0;
		}
		*value = device->save.staged_bytes;
		device->save.handed_out = true;
		return 0;
	case START_ADDR:
		*value = device->dirty_start;
		return 0;
	case TOTAL:
		*value = device->dirty_total;
		return 0;
	case COPIED:
		if (!device->logging)
			return -EINVAL;
		*value = vmig_collect_dirty(device, device->dirty_start, device->dirty_total);
		device->bitmap_staged = *value > 0;
		return 0;
	}
	return -EINVAL;
}

static int store(struct vmig *device, u64 field, u64 value)
{
	switch (field) {
	case THRESHOLD_SIZE:
		device->bitmap_staged = false;
		device->threshold = value;
		return 0;
	case DATA_OFFSET:
		if (device->state != RESUME)
			return -EINVAL;
		device->data_offset = value;
		return 0;
	case DATA_SIZE:
		return device->state == RESUME ? vmig_load_chunk(device, device->data_offset, value) : -EINVAL;
	case START_ADDR:
		device->bitmap_staged = false;
		device->dirty_start = value;
		return 0;
	case TOTAL:
		device->bitmap_staged = false;
		device->dirty_total = value;
		return 0;
	}
	return -EINVAL;
}

/* The u64 field an access belongs to, or -1. */
static s64 field_of(u64 at, size_t count)
{
	u64 field = at < 4 ? 0 : 4 + (at - 4) / 8 * 8;

	if (field < PRECOPY_ONLY || field + 8 > STRUCTURE_END)
		return -1;
	if (count == 8)
		return at == field ? field : -1;
	return count == 4 && (at == field || at == field + 4) ? field : -1;
}

static ssize_t read_field(struct vmig *device, u64 at, size_t count, u64 *value)
{
	s64 field = field_of(at, count);
	int result;

	if (at == DEVICE_STATE && count == 4) {
		if (READ_ONCE(vmig_state_unreadable))
			return -EINVAL;
		*value = device->state;
		return 4;
	}
	if (field < 0)
		return -EINVAL;
	if (at == field) {
		result = fetch(device, field, &device->latched);
		device->latched_at = result ? 0 : field;
		if (result)
			return result;
		*value = count == 8 ? device->latched : (u32)device->latched;
		return count;
	}
	/* the high half belongs to the low half read before; asking for it alone asks for nothing */
	if (device->latched_at != field)
		return -EINVAL;
	*value = device->latched >> 32;
	return 4;
}

static ssize_t write_field(struct vmig *device, u64 at, size_t count, u64 value)
{
	s64 field = field_of(at, count);
	u32 from = device->state;
	int result;

	if (at == DEVICE_STATE && count == 4) {
		result = enter(device, value);
		vmig_trace(device, "state", from, value, result);
		return result ?: 4;
	}
	if (field < 0)
		return -EINVAL;
	if (count == 4 && at == field) {
		device->gathered = value;
		device->gathered_at = field;
		return 4;
	}
	if (count == 4) {
		if (device->gathered_at != field)
			return -EINVAL;
		value = device->gathered | value << 32;
		device->gathered_at = 0;
	}
	result = store(device, field, value);
	return result ?: count;
}

static bool may_write_data(struct vmig *device)
{
	return device->state == RESUME;
}

const struct vmig_interface vmig_interface_2018 = {
	.name = "2018",
	.number = 2018,
	.pci_device = 0x2018,
	.region_type = 1U << 30,
	.region_subtype = 1,
	.state_name = state_name,
	.reset = reset,
	.read_field = read_field,
	.write_field = write_field,
	.may_write_data = may_write_data,
};
