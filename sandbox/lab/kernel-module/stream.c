// SPDX-License-Identifier: GPL-2.0
/*
 * The state as a stream of records, little endian. Chunks may be cut and joined anywhere on the way: the reader sees bytes.
 *
 *   header, 32 bytes: u32 magic, u16 kind, u16 version, u64 offset, u64 length, u32 crc32 of the payload, u32 crc32 of the
 *   28 bytes before it
 *
 *   LAYOUT     first: u64 bulk bytes, then the interface's name (2018 calls this part "precopy only")
 *   BLOCK      offset and bytes of the bulk, any number of times ("compatible": at any time)
 *   REGISTERS  once the device stands ("postcopy only")
 *   END        u32 number of records before it, u32 crc32 over their header checksums
 */
#include <linux/crc32.h>
#include <linux/module.h>
#include "vmig.h"

#define RECORD_MAGIC	0x52494d56	/* "VMIR" */
#define STREAM_VERSION	1

enum { LAYOUT = 1, BLOCK = 2, REGISTERS = 3, END = 4 };

struct header {
	__le32 magic;
	__le16 kind;
	__le16 version;
	__le64 offset;
	__le64 length;
	__le32 payload_checksum;
	__le32 checksum;
};

struct layout {
	__le64 bulk_bytes;
	char interface[8];
};

struct end {
	__le32 records;
	__le32 checksum;
};

#define RECORD(bytes)	(sizeof(struct header) + (bytes))
#define FINAL_BYTES	(RECORD(sizeof(struct vmig_registers)) + RECORD(sizeof(struct end)))

static_assert(sizeof(struct header) == 32);
static_assert(sizeof(struct vmig_registers) <= sizeof(((struct vmig_load *)0)->small));

/* --- saving */

void vmig_save_begin(struct vmig *device)
{
	memset(&device->save, 0, sizeof(device->save));
	device->save.active = true;
	device->save.checksum = ~0;
	mutex_lock(&device->registers_lock);
	vmig_mark_all(device);
	device->tracking = true;
	mutex_unlock(&device->registers_lock);
}

void vmig_save_end(struct vmig *device)
{
	device->save.active = false;
	device->save.staged = false;
	device->bitmap_staged = false;
	mutex_lock(&device->registers_lock);
	device->tracking = false;
	mutex_unlock(&device->registers_lock);
}

static void append(struct vmig *device, u16 kind, u64 offset, const void *payload, u64 length)
{
	struct vmig_save *save = &device->save;
	u8 *to = device->data + save->staged_bytes;
	struct header header = {
		.magic = cpu_to_le32(RECORD_MAGIC),
		.kind = cpu_to_le16(kind),
		.version = cpu_to_le16(STREAM_VERSION),
		.offset = cpu_to_le64(offset),
		.length = cpu_to_le64(length),
		.payload_checksum = cpu_to_le32(crc32_le(~0, payload, length)),
	};

	header.checksum = cpu_to_le32(crc32_le(~0, (u8 *)&header, offsetof(struct header, checksum)));
	memcpy(to, &header, sizeof(header));
	memcpy(to + sizeof(header), payload, length);
	save->staged_bytes += sizeof(header) + length;
	save->records++;
	save->checksum = crc32_le(save->checksum, (u8 *)&header.checksum, sizeof(header.checksum));
}

static u64 room(struct vmig *device)
{
	return device->data_bytes - device->save.staged_bytes;
}

/* Blocks are taken from the device in turn, each under its lock: a big state must not stop the workload. */
static void append_blocks(struct vmig *device)
{
	while (room(device) >= RECORD(VMIG_BLOCK_BYTES)) {
		u64 block;

		mutex_lock(&device->registers_lock);
		block = find_next_bit(device->changed, device->blocks, device->save.cursor);
		if (block >= device->blocks)
			block = find_first_bit(device->changed, device->blocks);
		if (block < device->blocks) {
			vmig_mark(device, block, false);
			append(device, BLOCK, block * VMIG_BLOCK_BYTES, device->bulk + block * VMIG_BLOCK_BYTES, VMIG_BLOCK_BYTES);
			device->save.cursor = block + 1;
			/* the first pass takes all blocks in order, so what comes for the first time comes before the rest */
			if (block == device->save.first_pass) {
				device->save.first_pass++;
				device->save.staged_initial = device->save.staged_bytes;
			}
		}
		mutex_unlock(&device->registers_lock);
		if (block >= device->blocks)
			return;
		cond_resched();
	}
}

/*
 * Puts the next chunk into the data area. A chunk whose size nobody has read yet stays what it is: asking twice for the
 * offset must not lose data. "final": the device stands, its last part may go too.
 */
int vmig_stage(struct vmig *device, bool final)
{
	struct vmig_save *save = &device->save;
	u64 flipped;
	int result;

	if (save->staged && !save->handed_out)
		return 0;
	result = vmig_fault_stage(device, save->sent_bytes);
	if (result)
		return result;
	save->staged = true;
	save->handed_out = false;
	save->staged_bytes = save->staged_initial = 0;
	if (vmig_stalled(device, save->sent_bytes))
		return 0;
	if (!save->layout_sent) {
		struct layout layout = { .bulk_bytes = cpu_to_le64(device->bulk_bytes) };

		strscpy(layout.interface, device->interface->name, sizeof(layout.interface));
		append(device, LAYOUT, 0, &layout, sizeof(layout));
		save->layout_sent = true;
		save->staged_initial = save->staged_bytes;
	}
	if (device->blocks)
		append_blocks(device);
	if (final && !save->final_sent && !device->changed_blocks && room(device) >= FINAL_BYTES) {
		struct end end;

		append(device, REGISTERS, 0, &device->registers, sizeof(device->registers));
		end.records = cpu_to_le32(save->records);
		end.checksum = cpu_to_le32(save->checksum);
		append(device, END, 0, &end, sizeof(end));
		save->final_sent = true;
	}
	if (vmig_corrupt(device, save->sent_bytes, save->staged_bytes, &flipped))
		device->data[flipped] ^= 1;
	save->sent_bytes += save->staged_bytes;
	return 0;
}

/* What is still to be handed out, a chunk that waits in the data area included. */
void vmig_pending(struct vmig *device, u64 *first, u64 *any_time, u64 *last)
{
	struct vmig_save *save = &device->save;

	*first = *any_time = *last = 0;
	if (!save->active)
		return;
	if (!save->layout_sent)
		*first = RECORD(sizeof(struct layout));
	mutex_lock(&device->registers_lock);
	*any_time = device->changed_blocks * RECORD(VMIG_BLOCK_BYTES);
	mutex_unlock(&device->registers_lock);
	if (!save->final_sent)
		*last = FINAL_BYTES;
	if (save->staged && !save->handed_out)
		*any_time += save->staged_bytes;
}

/*
 * Both counts of the v2 interface: bytes that were never sent, and bytes that changed after they were. "read": how much of the
 * staged chunk has been handed out.
 */
void vmig_precopy_left(struct vmig *device, u64 read, u64 *initial, u64 *again)
{
	struct vmig_save *save = &device->save;
	u64 fresh = device->blocks - save->first_pass;

	*initial = fresh * RECORD(VMIG_BLOCK_BYTES) + (save->layout_sent ? 0 : RECORD(sizeof(struct layout)));
	mutex_lock(&device->registers_lock);
	*again = (device->changed_blocks - fresh) * RECORD(VMIG_BLOCK_BYTES);
	mutex_unlock(&device->registers_lock);
	if (save->staged && !save->handed_out) {
		*initial += save->staged_initial - min(read, save->staged_initial);
		*again += save->staged_bytes - max(read, save->staged_initial);
	}
}

/* How long a stream would be that begins now. */
u64 vmig_whole_stream(struct vmig *device)
{
	return RECORD(sizeof(struct layout)) + device->blocks * RECORD(VMIG_BLOCK_BYTES) + FINAL_BYTES;
}

/* --- loading */

int vmig_load_begin(struct vmig *device)
{
	memset(&device->load, 0, sizeof(device->load));
	device->load.active = true;
	device->load.checksum = ~0;
	return 0;
}

void vmig_load_end(struct vmig *device)
{
	device->load.active = false;
}

static int check_header(struct vmig *device, const struct header *header)
{
	struct vmig_load *load = &device->load;
	u64 offset = le64_to_cpu(header->offset), length = le64_to_cpu(header->length);

	if (le32_to_cpu(header->magic) != RECORD_MAGIC || le16_to_cpu(header->version) != STREAM_VERSION ||
	    le32_to_cpu(header->checksum) != crc32_le(~0, (u8 *)header, offsetof(struct header, checksum)))
		return -EINVAL;
	if (load->complete || load->layout_seen == (le16_to_cpu(header->kind) == LAYOUT))
		return -EINVAL;
	switch (le16_to_cpu(header->kind)) {
	case LAYOUT:
		return length == sizeof(struct layout) ? 0 : -EINVAL;
	case BLOCK:
		return length == VMIG_BLOCK_BYTES && offset % VMIG_BLOCK_BYTES == 0 && offset < device->bulk_bytes &&
		       !load->registers_seen ? 0 : -EINVAL;
	case REGISTERS:
		return length == sizeof(struct vmig_registers) && !load->registers_seen ? 0 : -EINVAL;
	case END:
		return length == sizeof(struct end) && load->registers_seen ? 0 : -EINVAL;
	}
	return -EINVAL;
}

static int take_layout(struct vmig *device, const struct layout *layout)
{
	char interface[sizeof(layout->interface) + 1] = "";
	int result = 0;

	memcpy(interface, layout->interface, sizeof(layout->interface));
	if (strcmp(interface, device->interface->name))
		return -EINVAL;
	mutex_lock(&device->registers_lock);
	/* the state decides the size, as long as there is memory for it */
	if (le64_to_cpu(layout->bulk_bytes) != device->bulk_bytes)
		result = vmig_resize(device, le64_to_cpu(layout->bulk_bytes));
	if (!result)
		vmig_mark_all(device);
	mutex_unlock(&device->registers_lock);
	return result;
}

/* A record has arrived whole. */
static int take_record(struct vmig *device, const struct header *header)
{
	struct vmig_load *load = &device->load;
	const struct end *end = (const struct end *)load->small;
	int result = 0;

	if (load->payload_checksum != le32_to_cpu(header->payload_checksum))
		return -EINVAL;
	switch (le16_to_cpu(header->kind)) {
	case LAYOUT:
		result = take_layout(device, (const struct layout *)load->small);
		load->layout_seen = !result;
		break;
	case BLOCK:
		mutex_lock(&device->registers_lock);
		vmig_mark(device, div_u64(le64_to_cpu(header->offset), VMIG_BLOCK_BYTES), false);
		mutex_unlock(&device->registers_lock);
		break;
	case REGISTERS:
		mutex_lock(&device->registers_lock);
		memcpy(&device->registers, load->small, sizeof(device->registers));
		mutex_unlock(&device->registers_lock);
		load->registers_seen = true;
		break;
	case END:
		if (le32_to_cpu(end->records) != load->records || le32_to_cpu(end->checksum) != load->checksum)
			return -EINVAL;
		load->complete = true;
		break;
	}
	load->records++;
	load->checksum = crc32_le(load->checksum, (u8 *)&header->checksum, sizeof(header->checksum));
	return result;
}

/* Takes bytes of the stream; "from" may change under us when it is mapped, so everything is copied before it is checked. */
static int take(struct vmig *device, const u8 *from, u64 bytes)
{
	struct vmig_load *load = &device->load;
	const struct header *header = (const struct header *)load->header;

	while (bytes || load->header_bytes == sizeof(*header)) {
		u64 part, left;
		u8 *to;
		int result;

		if (load->header_bytes < sizeof(*header)) {
			part = min_t(u64, bytes, sizeof(*header) - load->header_bytes);
			memcpy(load->header + load->header_bytes, from, part);
			load->header_bytes += part;
			from += part;
			bytes -= part;
			if (load->header_bytes < sizeof(*header))
				return 0;
			load->payload_done = 0;
			load->payload_checksum = ~0;
			result = check_header(device, header);
			if (result)
				return result;
		}
		left = le64_to_cpu(header->length) - load->payload_done;
		part = min(bytes, left);
		to = le16_to_cpu(header->kind) == BLOCK ? device->bulk + le64_to_cpu(header->offset) : load->small;
		mutex_lock(&device->registers_lock);
		memcpy(to + load->payload_done, from, part);
		load->payload_checksum = crc32_le(load->payload_checksum, to + load->payload_done, part);
		mutex_unlock(&device->registers_lock);
		load->payload_done += part;
		from += part;
		bytes -= part;
		if (part < left)
			return 0;
		load->header_bytes = 0;
		result = take_record(device, header);
		if (result)
			return result;
		cond_resched();
	}
	return 0;
}

/* The user has put a chunk at this offset of the region. After a failure only a reset helps. */
int vmig_load_chunk(struct vmig *device, u64 offset, u64 bytes)
{
	struct vmig_load *load = &device->load;
	int result;

	if (offset < VMIG_DATA_START || bytes > device->data_bytes || offset - VMIG_DATA_START > device->data_bytes - bytes)
		return -EINVAL;
	if (load->broken)
		return -EIO;
	result = vmig_fault_load(device, load->loaded_bytes + bytes);
	if (!result)
		result = take(device, device->data + (offset - VMIG_DATA_START), bytes);
	if (result) {
		load->broken = true;
		vmig_trace(device, "load-failed", device->state, device->state, result);
		return result;
	}
	load->loaded_bytes += bytes;
	return 0;
}

/* May the device run with what was loaded? */
int vmig_load_finish(struct vmig *device)
{
	struct vmig_load *load = &device->load;

	if (load->broken || !load->complete || load->header_bytes || device->changed_blocks)
		return -EIO;
	return 0;
}
