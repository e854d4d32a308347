// SPDX-License-Identifier: GPL-2.0
/* What can be set while the module is loaded, in /sys/module/vmig/parameters: sizes, slowness, stalls and failures. */
#include <linux/module.h>
#include <linux/sched/signal.h>
#include "vmig.h"

unsigned long vmig_state_bytes = 1UL << 20;
module_param_named(state_bytes, vmig_state_bytes, ulong, 0644);
MODULE_PARM_DESC(state_bytes, "bytes of device state, from 0 to 1 GiB; taken when a device is opened");

unsigned long vmig_data_bytes = 1UL << 20;
module_param_named(data_bytes, vmig_data_bytes, ulong, 0644);
MODULE_PARM_DESC(data_bytes, "bytes of the migration region's data area, from 32 KiB; taken when a device is opened");

unsigned long vmig_bitmap_bytes = 4096;
module_param_named(bitmap_bytes, vmig_bitmap_bytes, ulong, 0644);
MODULE_PARM_DESC(bitmap_bytes, "bytes of bitmap handed out at a time (2018), a multiple of 8; taken when a device is opened");

bool vmig_offer_mmap = true;
module_param_named(offer_mmap, vmig_offer_mmap, bool, 0644);
MODULE_PARM_DESC(offer_mmap, "offer the data area for mmap (sparse capability); taken when a device is opened");

unsigned int vmig_step_blocks = 1;
module_param_named(step_blocks, vmig_step_blocks, uint, 0644);
MODULE_PARM_DESC(step_blocks, "blocks of 16 KiB of the state that change at each step");

unsigned int vmig_tick_ms;
module_param_named(tick_ms, vmig_tick_ms, uint, 0644);
MODULE_PARM_DESC(tick_ms, "a running device does a step by itself every so many ms; 0: only by a command");

bool vmig_v2_precopy = true;
module_param_named(v2_precopy, vmig_v2_precopy, bool, 0644);
MODULE_PARM_DESC(v2_precopy, "offer PRE_COPY (v2, from Linux 6.2 on); taken when a device is made");

bool vmig_v2_p2p = true;
module_param_named(v2_p2p, vmig_v2_p2p, bool, 0644);
MODULE_PARM_DESC(v2_p2p, "offer the P2P states (v2); taken when a device is made");

bool vmig_lose_dirty;
module_param_named(lose_dirty, vmig_lose_dirty, bool, 0644);
MODULE_PARM_DESC(lose_dirty, "never report a dirty page, to prove that a checker notices");

bool vmig_bitmap_all;
module_param_named(bitmap_all, vmig_bitmap_all, bool, 0644);
MODULE_PARM_DESC(bitmap_all, "hand out bitmaps of clean ranges, too, instead of ending with copied = 0 (2018)");

bool vmig_state_unreadable;
module_param_named(state_unreadable, vmig_state_unreadable, bool, 0644);
MODULE_PARM_DESC(state_unreadable, "reading device_state fails with EINVAL (2018)");

unsigned int vmig_v1_reserved;
module_param_named(v1_reserved, vmig_v1_reserved, uint, 0644);
MODULE_PARM_DESC(v1_reserved, "bits 3 to 31 of device_state after a reset, which a client must preserve (v1)");

static unsigned int stage_delay_ms;
module_param(stage_delay_ms, uint, 0644);
MODULE_PARM_DESC(stage_delay_ms, "time to stage one chunk");

static unsigned int load_delay_ms;
module_param(load_delay_ms, uint, 0644);
MODULE_PARM_DESC(load_delay_ms, "time to load one chunk");

static unsigned int transition_delay_ms;
module_param(transition_delay_ms, uint, 0644);
MODULE_PARM_DESC(transition_delay_ms, "time to change the state");

static long stall_after = -1;
module_param(stall_after, long, 0644);
MODULE_PARM_DESC(stall_after, "after so many bytes of the stream there is nothing to read although bytes are pending; -1: never");

static int fail_2018 = -1;
module_param(fail_2018, int, 0644);
MODULE_PARM_DESC(fail_2018, "writing this state number fails (2018: 0 to 9); -1: none");

static int fail_v1 = -1;
module_param(fail_v1, int, 0644);
MODULE_PARM_DESC(fail_v1, "writing this state value fails (v1: bits 0 to 2); -1: none");

static int fail_v2 = -1;
module_param(fail_v2, int, 0644);
MODULE_PARM_DESC(fail_v2, "going to this state fails, also on the way to another (v2: 1 to 7); -1: none");

static int log_refused;
module_param(log_refused, int, 0644);
MODULE_PARM_DESC(log_refused, "errno with which starting the log of written pages fails (v2); 0: it starts");

static int log_report_fails;
module_param(log_report_fails, int, 0644);
MODULE_PARM_DESC(log_report_fails, "errno with which reading the log of written pages fails (v2); 0: it can be read");

static int fail_errno = EIO;
module_param(fail_errno, int, 0644);
MODULE_PARM_DESC(fail_errno, "errno of injected failures");

static int fail_times = -1;
module_param(fail_times, int, 0644);
MODULE_PARM_DESC(fail_times, "how many failures are still to come, counted down; -1: no limit");

static long fail_stage_after = -1;
module_param(fail_stage_after, long, 0644);
MODULE_PARM_DESC(fail_stage_after, "staging fails from this byte of the stream on; -1: never");

static long fail_load_after = -1;
module_param(fail_load_after, long, 0644);
MODULE_PARM_DESC(fail_load_after, "loading fails from this byte of the stream on; -1: never");

static long corrupt_at = -1;
module_param(corrupt_at, long, 0644);
MODULE_PARM_DESC(corrupt_at, "one bit of this byte of the staged stream is flipped; -1: none");

bool vmig_fail_into_error;
module_param_named(fail_into_error, vmig_fail_into_error, bool, 0644);
MODULE_PARM_DESC(fail_into_error, "a failed transition leaves the device in the error state: 110 (v1), ERROR (v2)");

static char fail_device[40];
module_param_string(fail_device, fail_device, sizeof(fail_device), 0644);
MODULE_PARM_DESC(fail_device, "UUID of the one device that all of this (but the sizes) concerns; empty: every device");

static DEFINE_MUTEX(times_lock);

static bool concerned(struct vmig *device)
{
	bool yes;

	kernel_param_lock(THIS_MODULE);
	strim(fail_device);
	yes = !fail_device[0] || sysfs_streq(fail_device, device->name);
	kernel_param_unlock(THIS_MODULE);
	return yes;
}

/* An injected failure, unless they have been used up. */
static int failure(void)
{
	int error = clamp(READ_ONCE(fail_errno), 1, 4095);

	mutex_lock(&times_lock);
	if (!fail_times)
		error = 0;
	else if (fail_times > 0)
		fail_times--;
	mutex_unlock(&times_lock);
	return -error;
}

/* Slowness must not make a process that is to die unkillable, and is over when its parameter is set back. */
static int delay(const unsigned int *milliseconds)
{
	unsigned long begin = jiffies;

	while (time_before(jiffies, begin + msecs_to_jiffies(READ_ONCE(*milliseconds)))) {
		schedule_timeout_killable(max(1, HZ / 20));
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return 0;
}

int vmig_fault_transition(struct vmig *device, u32 state)
{
	int chosen, result;

	if (!concerned(device))
		return 0;
	result = delay(&transition_delay_ms);
	if (result)
		return result;
	chosen = device->interface->number == 2018 ? READ_ONCE(fail_2018) :
		 device->interface->number == 1 ? READ_ONCE(fail_v1) : READ_ONCE(fail_v2);
	return chosen >= 0 && chosen == state ? failure() : 0;
}

static int refusal(struct vmig *device, int chosen)
{
	return chosen > 0 && concerned(device) ? -clamp(chosen, 1, 4095) : 0;
}

int vmig_fault_log_start(struct vmig *device)
{
	return refusal(device, READ_ONCE(log_refused));
}

int vmig_fault_log_report(struct vmig *device)
{
	return refusal(device, READ_ONCE(log_report_fails));
}

static int fault_data(struct vmig *device, const unsigned int *milliseconds, long after, u64 bytes)
{
	int result;

	if (!concerned(device))
		return 0;
	result = delay(milliseconds);
	if (result)
		return result;
	return after >= 0 && bytes >= after ? failure() : 0;
}

int vmig_fault_stage(struct vmig *device, u64 bytes)
{
	return fault_data(device, &stage_delay_ms, READ_ONCE(fail_stage_after), bytes);
}

int vmig_fault_load(struct vmig *device, u64 bytes)
{
	return fault_data(device, &load_delay_ms, READ_ONCE(fail_load_after), bytes);
}

bool vmig_stalled(struct vmig *device, u64 bytes)
{
	long after = READ_ONCE(stall_after);

	return after >= 0 && bytes >= after && concerned(device);
}

bool vmig_corrupt(struct vmig *device, u64 from, u64 bytes, u64 *at)
{
	long chosen = READ_ONCE(corrupt_at);

	if (chosen < 0 || chosen < from || chosen >= from + bytes || !concerned(device))
		return false;
	*at = chosen - from;
	return true;
}
