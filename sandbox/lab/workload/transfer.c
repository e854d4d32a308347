// SPDX-License-Identifier: GPL-2.0
/*
 * The waiting side of the transfer: lines of JSON over DIRECTORY/DEVICE/handover.sock, descriptors beside them (SCM_RIGHTS).
 * Between "receive" and "take" the device is kept open and mapped, and not touched.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "workload.h"

#define MAX_FILES	(MAX_WINDOWS + 4)

struct line {
	char text[65536];
	size_t length;
	int files[MAX_FILES];
	int file_count;
};

enum outcome { TAKEN, AGAIN };

static int connect_once(struct workload *workload)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int length = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s/handover.sock", workload->directory, workload->device);
	int peer;

	if (length < 0 || (size_t)length >= sizeof(address.sun_path))
		fail("%s/%s/handover.sock is too long for a socket", workload->directory, workload->device);
	peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (peer < 0)
		fail("socket: %s", strerror(errno));
	if (!connect(peer, (struct sockaddr *)&address, sizeof(address)))
		return peer;
	close(peer);
	return -1;
}

static int connect_in_time(struct workload *workload)
{
	time_t end = time(NULL) + workload->timeout_s;
	int peer;

	/* whoever holds a loaded device waits for the agent for ever: nobody else has the state */
	while ((peer = connect_once(workload)) < 0 && !ending) {
		if (!workload->holds[0] && time(NULL) > end)
			fail("nobody listens at %s/%s/handover.sock after %u s: %s", workload->directory, workload->device,
			    workload->timeout_s, strerror(errno));
		pause_ms(200);
	}
	return peer;
}

static void say(int peer, const char *text)
{
	/* a connection that the peer has closed is noticed when reading */
	if (send(peer, text, strlen(text), MSG_NOSIGNAL) < 0)
		report("NOTE the answer did not reach the agent: %s", strerror(errno));
}

static void refuse(int peer, int error, const char *what)
{
	char text[512];

	snprintf(text, sizeof(text), "{\"ok\":false,\"errno\":%d,\"error\":\"%s: %s\"}\n", error, what, strerror(error));
	say(peer, text);
}

static void drop_files(struct line *line)
{
	while (line->file_count > 0)
		close(line->files[--line->file_count]);
}

/* One line and the descriptors that came with it; false at the end of the connection. */
static bool read_line(int peer, struct line *line)
{
	line->length = 0;
	while (!ending) {
		char control[CMSG_SPACE(sizeof(int) * MAX_FILES)];
		char byte;
		struct iovec part = { &byte, 1 };
		struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
		ssize_t got = recvmsg(peer, &message, MSG_CMSG_CLOEXEC);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
			int count = (int)((part->cmsg_len - CMSG_LEN(0)) / sizeof(int));

			if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
				continue;
			for (int i = 0; i < count; i++) {
				int file;

				memcpy(&file, CMSG_DATA(part) + i * sizeof(int), sizeof(file));
				if (line->file_count < MAX_FILES)
					line->files[line->file_count++] = file;
				else
					close(file);
			}
		}
		if (byte == '\n') {
			line->text[line->length] = '\0';
			return true;
		}
		if (line->length + 1 < sizeof(line->text))
			line->text[line->length++] = byte;
	}
	return false;
}

static void give_back(struct workload *workload)
{
	for (int i = 0; i < workload->window_count; i++)
		unmap_window(workload, &workload->windows[i]);
	drop_windows(workload);
	close_device(workload);
	workload->holds[0] = '\0';
}

/* Takes the window with that number out of the line, and maps it. 0, or an errno and what failed. */
static int receive_window(struct workload *workload, struct line *line, int i, const char **what)
{
	struct window *window = &workload->windows[i];
	char path[64];
	uint64_t index;

	*what = "more windows than this workload can hold";
	if (i == MAX_WINDOWS)
		return E2BIG;
	*what = "reading windows";
	snprintf(path, sizeof(path), "windows/%d/name", i);
	if (!json_text(line->text, path, window->name, sizeof(window->name)))
		return EPROTO;
	snprintf(path, sizeof(path), "windows/%d/iova", i);
	if (!json_number(line->text, path, &window->iova))
		return EPROTO;
	snprintf(path, sizeof(path), "windows/%d/size", i);
	if (!json_number(line->text, path, &window->bytes))
		return EPROTO;
	snprintf(path, sizeof(path), "windows/%d/descriptor", i);
	if (!json_number(line->text, path, &index) || index >= (uint64_t)line->file_count || line->files[index] < 0)
		return EPROTO;
	snprintf(path, sizeof(path), "windows/%d/logged", i);
	window->logged = json_true(line->text, path);
	window->file = line->files[index];
	line->files[index] = -1;
	window->memory = NULL;
	workload->window_count = i + 1;
	*what = "mmap of a window";
	if (show_window(window))
		return errno;
	*what = "mapping a window for the device";
	/* an earlier receiver of the device that died may have left a mapping in the container */
	unmap_window(workload, window);
	return map_window(workload, window) ? errno : 0;
}

/* Takes what the names in "descriptors" say out of the line; everything else is closed. 0, or an errno and what failed. */
static int receive(struct workload *workload, struct line *line, const char **what)
{
	char path[64], name[128];
	uint64_t number;

	for (int i = 0; i < line->file_count; i++) {
		int *file = NULL;

		snprintf(path, sizeof(path), "descriptors/%d", i);
		*what = "reading descriptors";
		if (!json_text(line->text, path, name, sizeof(name)))
			return EPROTO;
		if (!strcmp(name, "device"))
			file = &workload->device_file;
		else if (!strcmp(name, "group"))
			file = &workload->group_file;
		else if (!strcmp(name, "container"))
			file = &workload->container_file;
		else if (!strcmp(name, "iommufd"))
			file = &workload->iommu_file;
		if (file) {
			*file = line->files[i];
			line->files[i] = -1;
		}
	}
	*what = "there is no descriptor \"device\" with a container or iommufd";
	if (workload->device_file < 0 || (workload->container_file < 0 && workload->iommu_file < 0))
		return EPROTO;
	if (json_number(line->text, "ioas", &number))
		workload->address_space = (uint32_t)number;
	for (int i = 0;; i++) {
		int error;

		snprintf(path, sizeof(path), "windows/%d", i);
		if (!json_find(line->text, path))
			return 0;
		error = receive_window(workload, line, i, what);
		if (error)
			return error;
	}
}

static void answer_receive(struct workload *workload, int peer, struct line *line)
{
	const char *what = "";
	char access[16] = "";
	int error;

	give_back(workload);
	error = receive(workload, line, &what);
	for (int i = 0; i < line->file_count; i++)
		if (line->files[i] >= 0)
			close(line->files[i]);
	line->file_count = 0;
	if (error) {
		report("REFUSED errno=%d receive: %s", error, what);
		give_back(workload);
		refuse(peer, error, what);
		return;
	}
	json_text(line->text, "migration", workload->holds, sizeof(workload->holds));
	json_text(line->text, "access", access, sizeof(access));
	workload->cdev = workload->iommu_file >= 0;
	report("RECEIVED migration=%s access=%s windows=%d", workload->holds, access, workload->window_count);
	say(peer, "{\"ok\":true}\n");
}

/* One connection, to its end. */
static enum outcome converse(struct workload *workload, int peer)
{
	static struct line line;
	char text[1024], operation[32], migration[256];
	uint64_t error = 0;

	line.file_count = 0;
	if (workload->holds[0])
		snprintf(text, sizeof(text), "{\"protocol\":1,\"workload\":\"%s\",\"holds\":\"%s\"}\n", workload->name, workload->holds);
	else
		snprintf(text, sizeof(text), "{\"protocol\":1,\"workload\":\"%s\",\"holds\":null}\n", workload->name);
	say(peer, text);
	if (!read_line(peer, &line))
		return AGAIN;
	if (!json_true(line.text, "ok")) {
		json_number(line.text, "errno", &error);
		report("REFUSED errno=%llu %s", (unsigned long long)error, line.text);
		return AGAIN;
	}
	report("CONNECTED%s%s", workload->holds[0] ? " holds=" : "", workload->holds);
	while (read_line(peer, &line)) {
		if (!json_text(line.text, "op", operation, sizeof(operation)))
			snprintf(operation, sizeof(operation), "none");
		if (!json_text(line.text, "migration", migration, sizeof(migration)))
			migration[0] = '\0';
		if (!strcmp(operation, "receive")) {
			answer_receive(workload, peer, &line);
		} else if (!strcmp(operation, "take") && workload->device_file >= 0 && !strcmp(migration, workload->holds)) {
			recognise_device(workload);
			write_manifest(workload);
			say(peer, "{\"ok\":true}\n");
			return TAKEN;
		} else if (!strcmp(operation, "give-back")) {
			give_back(workload);
			report("GIVEN-BACK migration=%s", migration);
			say(peer, "{\"ok\":true}\n");
		} else {
			report("REFUSED errno=%d %s", EPROTO, line.text);
			refuse(peer, EPROTO, operation);
		}
		drop_files(&line);
	}
	drop_files(&line);
	return AGAIN;
}

/* Returns with a device that is ours, or when a signal says to end. */
void wait_for_device(struct workload *workload)
{
	while (!ending) {
		int peer = connect_in_time(workload);
		enum outcome outcome;

		if (peer < 0)
			return;
		outcome = converse(workload, peer);
		close(peer);
		if (outcome == TAKEN)
			return;
		if (!ending)
			report("DISCONNECTED%s%s", workload->holds[0] ? " holds=" : "", workload->holds);
		pause_ms(200);
	}
}
