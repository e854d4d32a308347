// SPDX-License-Identifier: GPL-2.0
/*
 * Every state written, every open, close and reset, in order: /sys/kernel/debug/vmig/trace for all devices (it outlives a
 * device), /sys/kernel/debug/vmig/UUID/trace for one. The same lines go to the kernel's log.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/vmalloc.h>
#include "vmig.h"

#define ENTRIES	8192U

struct entry {
	u64 sequence;
	u64 monotonic;
	u64 real;
	u64 step;
	u64 sent;
	u64 loaded;
	const struct vmig_interface *interface;
	const char *event;
	int from;
	int to;
	int result;
	int pid;
	char name[40];
	char command[TASK_COMM_LEN];
};

static struct entry *entries;
static u64 next;
static DEFINE_MUTEX(lock);
static struct dentry *folder;

static const char *state_name(const struct entry *entry, int state)
{
	return state < 0 ? "-" : entry->interface->state_name(state);
}

void vmig_trace(struct vmig *device, const char *event, int from, int to, int result)
{
	struct entry *entry;

	mutex_lock(&lock);
	entry = &entries[next % ENTRIES];
	entry->sequence = ++next;
	entry->monotonic = ktime_get_ns();
	entry->real = ktime_get_real_ns();
	entry->step = le64_to_cpu(device->registers.step);
	entry->sent = device->save.sent_bytes;
	entry->loaded = device->load.loaded_bytes;
	entry->interface = device->interface;
	entry->event = event;
	entry->from = from;
	entry->to = to;
	entry->result = result;
	entry->pid = task_tgid_nr(current);
	strscpy(entry->name, device->name, sizeof(entry->name));
	get_task_comm(entry->command, current);
	/* what was refused is in the trace: a hostile client must not fill the log */
	if (!result)
		pr_info("vmig: %llu %s %s %s %s->%s step=%llu\n", entry->sequence, entry->name, device->interface->name, event,
			state_name(entry, from), state_name(entry, to), entry->step);
	mutex_unlock(&lock);
}

static int trace_show(struct seq_file *file, void *unused)
{
	struct vmig *device = file->private;
	u64 i;

	mutex_lock(&lock);
	for (i = next > ENTRIES ? next - ENTRIES : 0; i < next; i++) {
		const struct entry *entry = &entries[i % ENTRIES];

		if (device && strcmp(device->name, entry->name))
			continue;
		seq_printf(file, "%llu %llu %llu %s %s %s %s %s result=%d step=%llu sent=%llu loaded=%llu pid=%d comm=%s\n",
			   entry->sequence, entry->monotonic, entry->real, entry->name, entry->interface->name, entry->event,
			   state_name(entry, entry->from), state_name(entry, entry->to), entry->result, entry->step,
			   entry->sent, entry->loaded, entry->pid, entry->command);
	}
	mutex_unlock(&lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(trace);

void vmig_trace_add(struct vmig *device)
{
	device->debug = debugfs_create_dir(device->name, folder);
	debugfs_create_file("trace", 0444, device->debug, device, &trace_fops);
}

void vmig_trace_remove(struct vmig *device)
{
	debugfs_remove_recursive(device->debug);
}

int vmig_trace_init(void)
{
	entries = vzalloc(array_size(ENTRIES, sizeof(*entries)));
	if (!entries)
		return -ENOMEM;
	folder = debugfs_create_dir("vmig", NULL);
	debugfs_create_file("trace", 0444, folder, NULL, &trace_fops);
	return 0;
}

void vmig_trace_exit(void)
{
	debugfs_remove_recursive(folder);
	vfree(entries);
}
