// SPDX-License-Identifier: GPL-2.0
/* The workload's memory: files without a name, mapped, mapped for the device, listed in memory.json for whoever migrates us. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "workload.h"

#define NOTE_MAGIC	0x45544f4e47494d56ULL	/* "VMIGNOTE", written by the device */
#define OWN_MAGIC	0x45544f4e4e574f57ULL	/* "WOWNNOTE", written by the processor */

struct note {
	uint64_t magic;
	uint64_t step;
	uint64_t chain;
	uint64_t seed;
};

/* First page of a window that only the processor writes. */
struct heading {
	uint64_t magic;
	uint64_t intended;
	uint64_t done;
};

void make_window(struct window *window)
{
	window->file = memfd_create(window->name, 0);
	if (window->file < 0 || ftruncate(window->file, (off_t)window->bytes))
		fail("memfd of %llu bytes for window %s: %s", (unsigned long long)window->bytes, window->name, strerror(errno));
	if (show_window(window))
		fail("mmap of window %s: %s", window->name, strerror(errno));
}

int show_window(struct window *window)
{
	window->memory = mmap(NULL, window->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, window->file, 0);
	if (window->memory == MAP_FAILED) {
		window->memory = NULL;
		return -1;
	}
	return 0;
}

void drop_windows(struct workload *workload)
{
	for (int i = 0; i < workload->window_count; i++) {
		if (workload->windows[i].memory)
			munmap(workload->windows[i].memory, workload->windows[i].bytes);
		if (workload->windows[i].file >= 0)
			close(workload->windows[i].file);
	}
	workload->window_count = 0;
}

static void make_folder(const char *path)
{
	char part[512];

	snprintf(part, sizeof(part), "%s", path);
	for (char *slash = part + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(part, 0755);
		*slash = '/';
	}
	if (mkdir(part, 0755) && errno != EEXIST)
		fail("folder %s: %s", path, strerror(errno));
}

/* Field 22 of /proc/self/stat. The command, field 2, may hold spaces and brackets: count from the last bracket on. */
static unsigned long long start_ticks(void)
{
	char text[1024];
	unsigned long long ticks;
	FILE *file = fopen("/proc/self/stat", "re");
	size_t length = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
	char *behind;

	text[length] = 0;
	behind = strrchr(text, ')');
	if (!behind || sscanf(behind + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &ticks) != 1)
		fail("/proc/self/stat: it does not say when this process was started");
	fclose(file);
	return ticks;
}

/* Written aside and renamed: nobody ever reads half of it. */
void write_manifest(struct workload *workload)
{
	char folder[512], path[600], aside[600];
	FILE *file;

	snprintf(folder, sizeof(folder), "%s/%s", workload->directory, workload->device);
	make_folder(folder);
	snprintf(path, sizeof(path), "%s/memory.json", folder);
	snprintf(aside, sizeof(aside), "%s/.memory.json.%d", folder, getpid());
	file = fopen(aside, "we");
	if (!file)
		fail("%s: %s", aside, strerror(errno));
	fprintf(file, "{\"protocol\":1,\"workload\":\"%s\",\"pid\":%d,\"startTicks\":%llu,\"windows\":[", workload->name, getpid(), start_ticks());
	for (int i = 0; i < workload->window_count; i++) {
		struct window *window = &workload->windows[i];

		fprintf(file, "%s{\"name\":\"%s\",\"iova\":%llu,\"size\":%llu,\"fd\":%d,\"logged\":%s}", i ? "," : "", window->name,
			(unsigned long long)window->iova, (unsigned long long)window->bytes, window->file,
			window->logged ? "true" : "false");
	}
	fprintf(file, "]}\n");
	if (fclose(file) || rename(aside, path))
		fail("%s: %s", path, strerror(errno));
}

/* --- notes of the processor, in all windows but the one a vmig device writes into */

static int first_own(struct workload *workload)
{
	return workload->kind == VMIG ? 1 : 0;
}

static struct note *own_note(struct window *window, uint64_t sequence)
{
	return (struct note *)(window->memory + PAGE * (1 + sequence % (window->bytes / PAGE - 1)));
}

void note_intended(struct workload *workload)
{
	workload->sequence++;
	for (int i = first_own(workload); i < workload->window_count; i++) {
		struct heading *heading = (struct heading *)workload->windows[i].memory;

		heading->magic = OWN_MAGIC;
		__atomic_store_n(&heading->intended, workload->sequence, __ATOMIC_SEQ_CST);
	}
}

void note_done(struct workload *workload)
{
	for (int i = first_own(workload); i < workload->window_count; i++) {
		struct heading *heading = (struct heading *)workload->windows[i].memory;
		struct note *note = own_note(&workload->windows[i], workload->sequence);

		note->magic = OWN_MAGIC;
		__atomic_store_n(&note->step, workload->sequence, __ATOMIC_SEQ_CST);
		__atomic_store_n(&heading->done, workload->sequence, __ATOMIC_SEQ_CST);
	}
}

/* Was the owner frozen between the beginning and the end of a step? */
bool mid_step(struct workload *workload, int first)
{
	struct heading *heading;

	if (workload->window_count <= first)
		return false;
	heading = (struct heading *)workload->windows[first].memory;
	return heading->intended != heading->done;
}

bool check_notes(struct workload *workload, int first, char *problem, size_t size)
{
	for (int i = first; i < workload->window_count; i++) {
		struct window *window = &workload->windows[i];
		struct heading *heading = (struct heading *)window->memory;
		uint64_t pages = window->bytes / PAGE - 1, done = heading->done;

		if (heading->magic != OWN_MAGIC || heading->intended < done || heading->intended > done + 1) {
			snprintf(problem, size, "window %s: its first page says intended %llu, done %llu", window->name,
				 (unsigned long long)heading->intended, (unsigned long long)done);
			return false;
		}
		for (uint64_t back = 0; back < pages && back < done; back++) {
			uint64_t expected = done - back, found = own_note(window, expected)->step;

			if (found != expected && !(found == heading->intended && found == expected + pages)) {
				snprintf(problem, size, "window %s: the page of note %llu holds note %llu", window->name,
					 (unsigned long long)expected, (unsigned long long)found);
				return false;
			}
		}
		/* frozen in between, windows may be one note apart */
		if (done > workload->sequence)
			workload->sequence = done;
	}
	return true;
}

/* --- notes of the device, in the first window */

static uint64_t mix(uint64_t chain, uint64_t step)
{
	chain = (chain ^ step) * 0x9e3779b97f4a7c15ULL;
	return chain ^ (chain >> 29);
}

/*
 * Every page must hold the last note that was due in it: of a step from "before" (read from the device before looking) to
 * "after" (read afterwards: a device may go on by itself), with the chain that seed and step lead to.
 */
bool check_ring(struct workload *workload, uint64_t before, uint64_t after, uint64_t seed, char *problem, size_t size)
{
	struct window *window = &workload->windows[0];
	uint64_t pages = window->bytes / PAGE, chain = seed, step = 0;

	for (uint64_t due = before > pages ? before - pages + 1 : 1; due <= before; due++) {
		struct note note;

		memcpy(&note, window->memory + PAGE * (due % pages), sizeof(note));
		if (note.magic != NOTE_MAGIC || note.seed != seed || note.step % pages != due % pages || note.step < due || note.step > after) {
			snprintf(problem, size, "window %s: the page of step %llu holds step %llu (seed %s)", window->name,
				 (unsigned long long)due, (unsigned long long)note.step, note.seed == seed ? "the same" : "another");
			return false;
		}
		if (note.step != due)
			continue;
		while (step < due)
			chain = mix(chain, ++step);
		if (note.chain != chain) {
			snprintf(problem, size, "window %s: step %llu was made by another history", window->name, (unsigned long long)due);
			return false;
		}
	}
	return true;
}
