// SPDX-License-Identifier: GPL-2.0
/* What a device is after it was opened or reset: nothing of what was in it is left. */
#include <linux/string.h>
#include "vmig.h"

/* With the migration lock held. "from": the state for the trace; -1: none. */
void vmig_reset(struct vmig *device, const char *event, int from)
{
	vmig_save_end(device);
	vmig_load_end(device);
	memset(&device->save, 0, sizeof(device->save));
	memset(&device->load, 0, sizeof(device->load));
	device->latched_at = device->gathered_at = 0;
	device->data_offset = 0;
	device->dirty_start = device->dirty_total = 0;
	mutex_lock(&device->registers_lock);
	vmig_device_reset(device);
	vmig_make_config(device);
	mutex_unlock(&device->registers_lock);
	device->interface->reset(device);
	vmig_trace(device, event, from, device->state, 0);
}
