/* SPDX-License-Identifier: GPL-2.0 */
/*
 * vmig: a device made of memory that can migrate, for tests. One mdev parent with three types: "2018" offers the migration
 * region proposed in November 2018 (type 1 << 30, subtype 1), "v1" the one of Linux 5.8 to 5.17 (type 3, subtype 1), "v2" the
 * states and data files of Linux 5.18 and later, with a log of the memory it writes to.
 * All share the device itself (device.c), its stream (stream.c) and the plumbing (main.c, user.c).
 */
#ifndef VMIG_H
#define VMIG_H

#include <linux/bitmap.h>
#include <linux/mdev.h>
#include <linux/mutex.h>
#include <linux/vfio.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#define VMIG_OFFSET_SHIFT	40
#define VMIG_OFFSET_MASK	((1ULL << VMIG_OFFSET_SHIFT) - 1)
#define VMIG_MIGRATION_REGION	VFIO_PCI_NUM_REGIONS
#define VMIG_BAR_BYTES		4096
#define VMIG_CONFIG_BYTES	256

/* The migration region: one trapped page of fields, the data area, and (2018) the trapped bitmap area. */
#define VMIG_DATA_START		4096ULL
#define VMIG_BLOCK_BYTES	16384ULL
#define VMIG_MAX_STATE	(1ULL << 30)
#define VMIG_SCRATCH		8

/* Registers of BAR 0. What the workload sees and what migrates as the last part of the state. */
struct vmig_registers {
	__le64 step;		/* steps done since the seed was written */
	__le64 chain;		/* digest over seed and steps */
	__le64 seed;
	__le64 window_iova;	/* ring of pages the device writes into, by DMA */
	__le64 window_bytes;
	__le64 scratch[VMIG_SCRATCH];
};

/* What the device writes into page (step % pages) of the window at each step. */
struct vmig_note {
	__le64 magic;
	__le64 step;
	__le64 chain;
	__le64 seed;
};

#define VMIG_NOTE_MAGIC		0x45544f4e47494d56ULL	/* "VMIGNOTE" */

struct vmig_save {
	bool active;
	bool layout_sent;
	bool final_sent;
	bool staged;		/* the data area holds a chunk */
	bool handed_out;	/* and its size has been read */
	u64 staged_bytes;
	u64 sent_bytes;		/* stream bytes staged so far */
	u64 cursor;		/* block to look at next */
	u64 first_pass;		/* blocks below this one have been staged at least once */
	u64 staged_initial;	/* bytes of the chunk that were not sent before; they come first in it */
	u32 records;
	u32 checksum;
};

struct vmig_load {
	bool active;
	bool broken;
	bool layout_seen;
	bool registers_seen;
	bool complete;
	u8 header[32];
	u32 header_bytes;
	u8 small[256];
	u64 payload_done;
	u64 loaded_bytes;
	u32 payload_checksum;
	u32 records;
	u32 checksum;
};

struct vmig;
struct vmig_transfer;

struct vmig_interface {
	const char *name;
	u32 number;		/* register 0x04 of BAR 0 */
	u16 pci_device;
	u32 region_type;	/* 0: there is no migration region, and nothing of it below */
	u32 region_subtype;
	const char *(*state_name)(u32 state);
	void (*init)(struct vmig *device);	/* optional, before the device is known to anybody */
	void (*reset)(struct vmig *device);
	void (*close)(struct vmig *device);	/* optional */
	ssize_t (*read_field)(struct vmig *device, u64 at, size_t count, u64 *value);
	ssize_t (*write_field)(struct vmig *device, u64 at, size_t count, u64 value);
	bool (*may_write_data)(struct vmig *device);
};

struct vmig {
	struct vfio_device vdev;
	const struct vmig_interface *interface;
	char name[40];
	struct dentry *debug;

	/* The migration state, the region's fields, the stream and the data area; taken before "registers_lock". */
	struct mutex migration_lock;
	u32 state;
	u64 latched;			/* a u64 whose low half was read and whose high half may follow */
	u64 latched_at;
	u64 gathered;			/* a u64 whose low half was written */
	u64 gathered_at;
	u64 threshold;
	u64 data_offset;
	u64 dirty_start;
	u64 dirty_total;
	bool bitmap_staged;
	bool fell_while_loading;	/* 2018: FAILED came from RESUME: nothing left that may run */
	struct vmig_save save;
	struct vmig_load load;
	u8 *data;			/* also mapped into user space */
	u64 data_bytes;
	u8 *bitmap;
	u64 bitmap_bytes;
	bool mappable;
	struct vmig_transfer *transfer;	/* v2: what the data file in use works on; NULL: none */
	wait_queue_head_t waiting;	/* v2: readers for whom there is nothing yet */
	struct vmig_range *logged;	/* v2: the memory whose log was asked for; NULL: no log runs */
	u32 logged_count;

	/* The device proper. */
	struct mutex registers_lock;
	bool open;
	bool running;
	bool tracking;			/* note changed blocks */
	bool logging;			/* note written pages */
	u8 config[VMIG_CONFIG_BYTES];
	struct vmig_registers registers;
	u8 *bulk;
	u64 bulk_bytes;
	u64 blocks;
	unsigned long *changed;		/* blocks still to send; while loading: blocks still missing */
	u64 changed_blocks;
	struct xarray dirty;		/* page numbers of IOVAs written while logging */
	struct delayed_work tick;
};

static inline struct vmig *vmig_of(struct vfio_device *vdev)
{
	return container_of(vdev, struct vmig, vdev);
}

/* reset.c */
void vmig_reset(struct vmig *device, const char *event, int from);

/* user.c */
ssize_t vmig_read(struct vfio_device *vdev, char __user *to, size_t count, loff_t *position);
ssize_t vmig_write(struct vfio_device *vdev, const char __user *from, size_t count, loff_t *position);
int vmig_mmap(struct vfio_device *vdev, struct vm_area_struct *vma);
long vmig_ioctl(struct vfio_device *vdev, unsigned int command, unsigned long argument);

/* device.c */
void vmig_make_config(struct vmig *device);
void vmig_write_config(struct vmig *device, u64 at, const u8 *from, size_t count);
int vmig_device_open(struct vmig *device);
void vmig_device_close(struct vmig *device);
void vmig_device_reset(struct vmig *device);
int vmig_resize(struct vmig *device, u64 bytes);
void vmig_set_running(struct vmig *device, bool running);
void vmig_set_logging(struct vmig *device, bool logging);
void vmig_mark(struct vmig *device, u64 block, bool changed);
void vmig_mark_all(struct vmig *device);
ssize_t vmig_bar_read(struct vmig *device, u64 at, size_t count, u64 *value);
ssize_t vmig_bar_write(struct vmig *device, u64 at, size_t count, u64 value);
u64 vmig_collect_dirty(struct vmig *device, u64 start, u64 total);
void vmig_tick(struct work_struct *work);

/* stream.c: all with the migration lock held */
void vmig_save_begin(struct vmig *device);
void vmig_save_end(struct vmig *device);
int vmig_stage(struct vmig *device, bool final);
void vmig_pending(struct vmig *device, u64 *first, u64 *any_time, u64 *last);
void vmig_precopy_left(struct vmig *device, u64 read, u64 *initial, u64 *again);
u64 vmig_whole_stream(struct vmig *device);
int vmig_load_begin(struct vmig *device);
int vmig_load_chunk(struct vmig *device, u64 offset, u64 bytes);
int vmig_load_finish(struct vmig *device);
void vmig_load_end(struct vmig *device);

/* region_2018.c, region_v1.c, feature_v2.c */
extern const struct vmig_interface vmig_interface_2018;
extern const struct vmig_interface vmig_interface_v1;
extern const struct vmig_interface vmig_interface_v2;

/* feature_v2.c */
enum vmig_v2 {
	V2_ERROR = VFIO_DEVICE_STATE_ERROR,
	V2_STOP = VFIO_DEVICE_STATE_STOP,
	V2_RUNNING = VFIO_DEVICE_STATE_RUNNING,
	V2_STOP_COPY = VFIO_DEVICE_STATE_STOP_COPY,
	V2_RESUMING = VFIO_DEVICE_STATE_RESUMING,
	V2_RUNNING_P2P = VFIO_DEVICE_STATE_RUNNING_P2P,
	V2_PRE_COPY = 6,	/* these have had a name since Linux 6.2 */
	V2_PRE_COPY_P2P = 7,
	V2_STATES
};

/* data_file.c: all with the migration lock held */
struct file *vmig_transfer_begin(struct vmig *device, bool loading);
void vmig_transfer_end(struct vmig *device);
u64 vmig_transfer_read(struct vmig *device);

/* dma_log.c */
extern const struct vfio_log_ops vmig_log_ops;
void vmig_log_forget(struct vmig *device);

/* faults.c */
extern unsigned long vmig_state_bytes;
extern unsigned long vmig_data_bytes;
extern unsigned long vmig_bitmap_bytes;
extern bool vmig_offer_mmap;
extern unsigned int vmig_step_blocks;
extern unsigned int vmig_tick_ms;
extern bool vmig_v2_precopy;
extern bool vmig_v2_p2p;
extern bool vmig_lose_dirty;
extern bool vmig_bitmap_all;
extern bool vmig_state_unreadable;
extern bool vmig_fail_into_error;
extern unsigned int vmig_v1_reserved;
int vmig_fault_transition(struct vmig *device, u32 state);
int vmig_fault_stage(struct vmig *device, u64 bytes);
int vmig_fault_load(struct vmig *device, u64 bytes);
int vmig_fault_log_start(struct vmig *device);
int vmig_fault_log_report(struct vmig *device);
bool vmig_stalled(struct vmig *device, u64 bytes);
bool vmig_corrupt(struct vmig *device, u64 from, u64 bytes, u64 *at);

/* trace.c */
int vmig_trace_init(void);
void vmig_trace_exit(void);
void vmig_trace_add(struct vmig *device);
void vmig_trace_remove(struct vmig *device);
void vmig_trace(struct vmig *device, const char *event, int from, int to, int result);

#endif
