/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The device module's own test, run as root in a guest: drives all three interfaces as an agent would, misbehaves as an agent would
 * not, and transfers a device from one workload to another. Written from the texts, not from the agent.
 */
#ifndef SELFTEST_H
#define SELFTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE 4096ULL

enum type { TYPE_2018, TYPE_V1, TYPE_V2, TYPE_MTTY };

struct device {
	enum type type;
	char id[40];
	int file;
	int data;			/* data file of v2; -1: none */
	int group;
	int container;
	bool cdev;			/* opened through its own node and iommufd instead */
	int iommu;
	uint32_t address_space;
	uint64_t migration;		/* offset of the migration region; 0: none */
	uint64_t migration_bytes;
	uint64_t mapped_at;		/* sparse area of the migration region; 0 bytes: none */
	uint64_t mapped_bytes;
};

struct bytes {
	uint8_t *at;
	size_t length;
	size_t room;
	size_t chunks[4096];
	size_t chunk_count;
};

/* report.c */
void check(bool good, const char *format, ...) __attribute__((format(printf, 2, 3)));
void need(bool good, const char *format, ...) __attribute__((format(printf, 2, 3)));
void skipped(const char *format, ...) __attribute__((format(printf, 1, 2)));
int verdict(void);

/* support.c */
void make_device(struct device *device, enum type type);
void remove_device(struct device *device);
void open_device(struct device *device);
void close_device(struct device *device);
void inspect_device(struct device *device);
void set_parameter(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
int get_at(struct device *device, uint64_t at, void *to, size_t bytes);
int put_at(struct device *device, uint64_t at, const void *from, size_t bytes);
uint32_t get32(struct device *device, uint64_t at);
uint64_t get64(struct device *device, uint64_t at);
int put32(struct device *device, uint64_t at, uint32_t value);
int put64(struct device *device, uint64_t at, uint64_t value);
uint64_t reg64(struct device *device, uint64_t at);
int do_step(struct device *device);
int map_memory(struct device *device, uint64_t iova, void *memory, uint64_t bytes);
int reset_device(struct device *device);
void append(struct bytes *bytes, const void *from, size_t length);
void clear(struct bytes *bytes);

/* v2.c: the ioctls of linux/vfio.h of Linux 6.2, whose header a machine may not have; 0 or a negative errno */
enum { ERROR, STOP, RUNNING, STOP_COPY, RESUMING, RUNNING_P2P, PRE_COPY, PRE_COPY_P2P, STATES };
enum { HAS_STOP_COPY = 1, HAS_P2P = 2, HAS_PRE_COPY = 4 };
int v2_set(struct device *device, uint32_t state, int *data);
int v2_state(struct device *device);
uint64_t v2_flags(struct device *device);
int v2_data_size(struct device *device, uint64_t *bytes);
int v2_precopy_info(int data, uint64_t *initial, uint64_t *dirty);
long v2_read(int data, struct bytes *to);
int v2_load(int data, const struct bytes *from, size_t piece);
struct range { uint64_t iova, length; };
int v2_log_offered(struct device *device);
int v2_log_start(struct device *device, const struct range *ranges, uint32_t count, uint64_t *page_size);
int v2_log_stop(struct device *device);
int v2_log_report(struct device *device, uint64_t iova, uint64_t length, uint64_t page_size, uint64_t *bitmap);

/* move.c: one device's state out, into another */
int set_state(struct device *device, uint32_t state);
uint64_t pending(struct device *device);
long read_chunk(struct device *device, struct bytes *to, bool split);
void save_rest(struct device *device, struct bytes *to, bool split);
int load_bytes(struct device *device, const uint8_t *from, size_t length, bool split);
int load_all(struct device *device, const struct bytes *from, bool split);
uint64_t dirty_pages(struct device *device, uint64_t iova, uint64_t pages, uint8_t *bitmap);
void stop_and_save(struct device *device, struct bytes *to);
int load_and_run(struct device *device, const struct bytes *from, bool run);

/* regions.c */
#define WINDOW_IOVA	0x40000000ULL
#define WINDOW_PAGES	64ULL
uint8_t *start_work(struct device *device, int steps);
void stop_work(struct device *device, uint8_t *memory);
bool same_state(struct device *a, struct device *b);

/* tests */
void test_regions(enum type type);
void test_faults(enum type type);
void test_hostile(enum type type);
void test_v2_arcs(void);
void test_v2_moves(void);
void test_v2_faults(void);
void test_v2_files(void);
void test_v2_log(void);
void test_v2_hostile(void);
void test_transfer(enum type type, const char *workload_program);

#endif
