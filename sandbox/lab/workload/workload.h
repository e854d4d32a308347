/* SPDX-License-Identifier: GPL-2.0 */
/* The workload of the kernel lab: owns a VFIO device, or waits until one is transferred to it. See README.md for what it prints. */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE		4096ULL
#define MAX_WINDOWS	8

struct window {
	char name[64];
	uint64_t iova;
	uint64_t bytes;
	bool logged;
	int file;		/* -1: none */
	uint8_t *memory;
};

enum kind { VMIG, MTTY };

struct workload {
	/* what was asked for */
	const char *name;
	const char *device;
	const char *also;	/* another device that is held; NULL: none */
	const char *directory;
	bool cdev;
	unsigned int interval_ms;
	uint64_t steps;
	unsigned int timeout_s;

	/* what is held; -1: nothing */
	int device_file;
	int group_file;
	int container_file;
	int iommu_file;
	uint32_t address_space;
	enum kind kind;
	const char *interface;
	uint64_t region_offset[16];
	uint64_t migration_offset;	/* 0: no migration region */

	struct window windows[MAX_WINDOWS];
	int window_count;
	uint64_t sequence;		/* of the notes written by the processor */
	char holds[256];		/* UID/ATTEMPT of the migration that loaded the device; "" : none */
};

/* report.c */
void report(const char *format, ...) __attribute__((format(printf, 1, 2)));
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* ending.c */
extern volatile bool ending;
void end_on_signals(void);
void pause_ms(unsigned int milliseconds);

/* device.c */
void open_device(struct workload *workload);
void close_device(struct workload *workload);
void recognise_device(struct workload *workload);
void start_device(struct workload *workload);
int map_window(struct workload *workload, struct window *window);
void unmap_window(struct workload *workload, struct window *window);
uint64_t do_step(struct workload *workload);
uint64_t check_continuity(struct workload *workload);

/* window.c */
void make_window(struct window *window);
int show_window(struct window *window);
void drop_windows(struct workload *workload);
void write_manifest(struct workload *workload);
void note_intended(struct workload *workload);
void note_done(struct workload *workload);
bool check_notes(struct workload *workload, int first, char *problem, size_t size);
bool mid_step(struct workload *workload, int first);
bool check_ring(struct workload *workload, uint64_t before, uint64_t after, uint64_t seed, char *problem, size_t size);

/* transfer.c */
void wait_for_device(struct workload *workload);

/* json.c */
const char *json_find(const char *json, const char *path);
bool json_text(const char *json, const char *path, char *to, size_t size);
bool json_number(const char *json, const char *path, uint64_t *to);
bool json_true(const char *json, const char *path);

#endif
