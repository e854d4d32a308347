// SPDX-License-Identifier: GPL-2.0
/*
 * The workload program's test: this stands in for both agents. A device goes from an owner, frozen by SIGSTOP, to a waiting
 * workload over the one-shot socket; the agent "crashes" in between once; once it gives everything back.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "selftest.h"

#define DIRECTORY	"/tmp/selftest"
#define WINDOW_BYTES	(16 * PAGE)
#define TIMEOUT_MS	60000

static const uint64_t iovas[] = { 0x10000000, 0x20000000 };

struct child {
	pid_t pid;
	FILE *lines;
	char last[1024];
};

static void spawn(struct child *child, const char *program, const char *role, struct device *device)
{
	int output[2];

	need(!pipe2(output, O_CLOEXEC), "pipe");
	child->pid = fork();
	need(child->pid >= 0, "fork");
	if (!child->pid) {
		dup2(output[1], STDOUT_FILENO);
		if (!strcmp(role, "owner"))
			execl(program, "workload", role, "--device", device->id, "--directory", DIRECTORY, "--interval", "10", "--window",
			      "ring:0x10000000:65536:logged", "--window", "own:0x20000000:65536", device->cdev ? "--cdev" : NULL, NULL);
		else
			execl(program, "workload", role, "--device", device->id, "--directory", DIRECTORY, "--interval", "10", NULL);
		_exit(127);
	}
	close(output[1]);
	child->lines = fdopen(output[0], "r");
}

/* Reads lines until one begins so; NULL when an ERROR or the end comes first. */
static const char *await(struct child *child, const char *beginning)
{
	while (fgets(child->last, sizeof(child->last), child->lines)) {
		if (!strncmp(child->last, beginning, strlen(beginning)))
			return child->last + strlen(beginning);
		if (!strncmp(child->last, "ERROR", 5))
			break;
	}
	printf("       last line: %s", child->last);
	return NULL;
}

/* Kills it; "last" is then the last line it wrote. */
static void end(struct child *child)
{
	char line[sizeof(child->last)];

	kill(child->pid, SIGKILL);
	waitpid(child->pid, NULL, 0);
	while (fgets(line, sizeof(line), child->lines))
		memcpy(child->last, line, sizeof(line));
	fclose(child->lines);
}

static int take_file(int pidfd, int number)
{
	return (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
}

static int listen_for(struct device *device)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char folder[80];
	int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	mkdir(DIRECTORY, 0755);
	snprintf(folder, sizeof(folder), DIRECTORY "/%s", device->id);
	mkdir(folder, 0755);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/handover.sock", folder);
	unlink(address.sun_path);
	need(file >= 0 && !bind(file, (struct sockaddr *)&address, sizeof(address)) && !listen(file, 4), "%s", address.sun_path);
	return file;
}

static int accept_in_time(int listener)
{
	struct pollfd poller = { .fd = listener, .events = POLLIN };
	int peer = -1;

	if (poll(&poller, 1, TIMEOUT_MS) == 1)
		peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	need(peer >= 0, "nobody connects");
	return peer;
}

static void read_line(int peer, char *to, size_t size)
{
	size_t length = 0;
	struct pollfd poller = { .fd = peer, .events = POLLIN };

	while (length + 1 < size && poll(&poller, 1, TIMEOUT_MS) == 1 && read(peer, to + length, 1) == 1 && to[length] != '\n')
		length++;
	to[length] = '\0';
}

static void say(int peer, const char *text, const int *files, int count)
{
	char control[CMSG_SPACE(sizeof(int) * 8)] = { 0 };
	struct iovec part = { (void *)text, strlen(text) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	if (count) {
		struct cmsghdr *header = (struct cmsghdr *)control;

		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
		memcpy(CMSG_DATA(header), files, sizeof(int) * (size_t)count);
	}
	need(sendmsg(peer, &message, MSG_NOSIGNAL) == (ssize_t)strlen(text), "sendmsg");
}

static void greet(int peer, const char *expected)
{
	char line[1024];

	read_line(peer, line, sizeof(line));
	check(!strcmp(line, expected), "the waiting workload says %s", line);
	say(peer, "{\"ok\":true}\n", NULL, 0);
}

static void expect_ok(int peer, const char *what)
{
	char line[1024];

	read_line(peer, line, sizeof(line));
	check(!strcmp(line, "{\"ok\":true}"), "%s: %s", what, line);
}

static void say_receive(int peer, struct device *device, const int *windows)
{
	int group[] = { device->file, device->group, device->container, windows[0], windows[1] };
	int cdev[] = { device->file, device->iommu, windows[0], windows[1] };
	char access[256], text[1024];

	if (device->cdev)
		snprintf(access, sizeof(access), "\"cdev\",\"ioas\":%u,\"descriptors\":[\"device\",\"iommufd\",\"window:ring\",\"window:own\"]",
			 device->address_space);
	else
		snprintf(access, sizeof(access), "\"group\",\"descriptors\":[\"device\",\"group\",\"container\",\"window:ring\",\"window:own\"]");
	snprintf(text, sizeof(text), "{\"op\":\"receive\",\"migration\":\"m/1\",\"device\":\"%s\",\"interface\":\"X\",\"access\":%s,"
		 "\"windows\":[{\"name\":\"ring\",\"iova\":%llu,\"size\":%llu,\"descriptor\":%d},"
		 "{\"name\":\"own\",\"iova\":%llu,\"size\":%llu,\"descriptor\":%d}]}\n", device->id, access, (unsigned long long)iovas[0],
		 (unsigned long long)WINDOW_BYTES, device->cdev ? 2 : 3, (unsigned long long)iovas[1], (unsigned long long)WINDOW_BYTES,
		 device->cdev ? 3 : 4);
	say(peer, text, device->cdev ? cdev : group, device->cdev ? 4 : 5);
	expect_ok(peer, "receive");
}

/* The numbers the owner's memory.json gives for its two windows. */
static void manifest_files(struct device *device, int *files)
{
	char path[128], text[1024];
	FILE *file;
	char *at;

	snprintf(path, sizeof(path), DIRECTORY "/%s/memory.json", device->id);
	file = fopen(path, "re");
	need(file && fgets(text, sizeof(text), file), "%s", path);
	fclose(file);
	at = strstr(text, "\"fd\":");
	need(at && sscanf(at, "\"fd\":%d", &files[0]) == 1, "%s: %s", path, text);
	at = strstr(at + 1, "\"fd\":");
	need(at && sscanf(at, "\"fd\":%d", &files[1]) == 1, "%s: %s", path, text);
}

/* Everything out of the owner: its device's state and its windows. The owner is stopped on the way, and killed at the end. */
static void save(struct child *owner, struct device *source, struct bytes *stream, const int *windows, bool lose)
{
	int pidfd = (int)syscall(SYS_pidfd_open, owner->pid, 0), number = 0, files[2];
	uint8_t *from[2], *to[2], bitmap[2] = { 0 };
	long got = 0;
	const char *opened = await(owner, "OPENED "), *text = opened ? strstr(opened, "device-fd=") : NULL;

	need(text && sscanf(text, "device-fd=%d", &number) == 1 && await(owner, "STEP 20"), "the owner works");
	manifest_files(source, files);
	source->file = take_file(pidfd, number);
	need(source->file >= 0, "pidfd_getfd");
	for (int i = 0; i < 2; i++) {
		int file = take_file(pidfd, files[i]);

		from[i] = mmap(NULL, WINDOW_BYTES, PROT_READ, MAP_SHARED, file, 0);
		to[i] = mmap(NULL, WINDOW_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, windows[i], 0);
		need(file >= 0 && from[i] != MAP_FAILED && to[i] != MAP_FAILED, "window %d of the owner", i);
		close(file);
	}
	inspect_device(source);
	if (source->type == TYPE_2018) {
		need(!set_state(source, 2) && !set_state(source, 3), "PRECOPY");
		memcpy(to[0], from[0], WINDOW_BYTES);
		for (int i = 0; i < 4; i++) {
			pending(source);
			read_chunk(source, stream, false);
		}
	}
	if (source->type == TYPE_V2 && (v2_flags(source) & HAS_PRE_COPY)) {
		need(!v2_set(source, PRE_COPY, &source->data), "PRE_COPY");
		/* its owner goes on, so that there may be no moment with nothing to read */
		for (int i = 0; i < 100 && (got = v2_read(source->data, stream)) > 0; i++)
			;
		need(got > 0 || got == -ENOMSG, "reading in PRE_COPY: %ld", got);
	}
	/* the device was saved while its owner went on working */
	need(await(owner, "STEP ") && await(owner, "STEP "), "the owner goes on");
	kill(owner->pid, SIGSTOP);
	waitpid(owner->pid, NULL, WUNTRACED);
	stop_and_save(source, stream);
	if (source->type == TYPE_2018) {
		if (lose)
			set_parameter("lose_dirty", "Y");
		dirty_pages(source, iovas[0], WINDOW_BYTES / PAGE, bitmap);
		set_parameter("lose_dirty", "N");
		for (uint64_t i = 0; i < WINDOW_BYTES / PAGE; i++)
			if (bitmap[i / 8] & 1 << i % 8)
				memcpy(to[0] + i * PAGE, from[0] + i * PAGE, PAGE);
	} else {
		memcpy(to[0], from[0], WINDOW_BYTES);
	}
	memcpy(to[1], from[1], WINDOW_BYTES);
	for (int i = 0; i < 2; i++) {
		munmap(from[i], WINDOW_BYTES);
		munmap(to[i], WINDOW_BYTES);
	}
	close(pidfd);
	end(owner);
}

/* Whether a descriptor of that process belongs to a device, its holder or a window. */
static bool holds_device_files(pid_t pid)
{
	for (int i = 0; i < 16; i++) {
		char path[80], target[128] = "";

		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, i);
		if (readlink(path, target, sizeof(target) - 1) > 0 && (strstr(target, "vfio") || strstr(target, "iommu") || strstr(target, "memfd")))
			return true;
	}
	return false;
}

/*
 * The workload gives the device back and receives it again; then the agent dies, and the workload keeps the device and comes
 * back with it. Returns the last connection.
 */
static int return_and_crash(struct child *waiting, struct device *device, int listener, int peer, const int *windows, const char *name)
{
	char line[64];

	say(peer, "{\"op\":\"give-back\",\"migration\":\"m/1\"}\n", NULL, 0);
	expect_ok(peer, "give-back");
	check(await(waiting, "GIVEN-BACK ") != NULL, "%s: %s", name, strtok(waiting->last, "\n"));
	check(!holds_device_files(waiting->pid), "%s: nothing of the device is left open after giving back", name);
	close(peer);
	peer = accept_in_time(listener);
	greet(peer, "{\"protocol\":1,\"workload\":\"workload\",\"holds\":null}");
	say_receive(peer, device, windows);
	close(peer);
	peer = accept_in_time(listener);
	greet(peer, "{\"protocol\":1,\"workload\":\"workload\",\"holds\":\"m/1\"}");
	say(peer, "{\"op\":\"take\",\"migration\":\"other/1\"}\n", NULL, 0);
	read_line(peer, line, sizeof(line));
	check(!strncmp(line, "{\"ok\":false", 11), "%s: a take of another migration is refused", name);
	return peer;
}

static void transfer(const char *program, enum type type, bool lose, bool cdev)
{
	static const char *const all_names[] = { "2018", "v1", "v2", "mtty", "2018 by cdev", "v1 by cdev", "v2 by cdev", "mtty by cdev" };
	const char *const *names = all_names + (cdev ? 4 : 0);
	struct device source, destination;
	struct bytes stream = { 0 };
	struct child owner, waiting;
	int windows[2] = { memfd_create("ring", MFD_CLOEXEC), memfd_create("own", MFD_CLOEXEC) };
	unsigned long long step = 0, first = 0, next = 0;
	int listener, peer;

	make_device(&source, type);
	make_device(&destination, type);
	source.cdev = destination.cdev = cdev;
	need(!ftruncate(windows[0], WINDOW_BYTES) && !ftruncate(windows[1], WINDOW_BYTES), "windows");
	spawn(&owner, program, "owner", &source);
	save(&owner, &source, &stream, windows, lose);
	sscanf(owner.last, "STEP %llu", &step);
	open_device(&destination);
	check(!load_and_run(&destination, &stream, false), "%s: %zu bytes loaded", names[type], stream.length);
	listener = listen_for(&destination);
	spawn(&waiting, program, "waiting", &destination);

	peer = accept_in_time(listener);
	greet(peer, "{\"protocol\":1,\"workload\":\"workload\",\"holds\":null}");
	say_receive(peer, &destination, windows);
	need(await(&waiting, "RECEIVED "), "RECEIVED");
	if (!lose)
		peer = return_and_crash(&waiting, &destination, listener, peer, windows, names[type]);
	if (type == TYPE_MTTY)
		need(!load_and_run(&destination, &stream, true), "RUNNING");
	else if (type == TYPE_V2)
		need(!v2_set(&destination, RUNNING, NULL), "RUNNING");
	else
		need(!set_state(&destination, 1), "RUNNING");
	say(peer, "{\"op\":\"take\",\"migration\":\"m/1\"}\n", NULL, 0);
	expect_ok(peer, "take");
	close(peer);
	close_device(&destination);
	await(&waiting, "CONTINUITY ");
	check(!strncmp(waiting.last, lose ? "CONTINUITY broken" : "CONTINUITY ok", 13), "%s%s: %s", names[type], lose ? ", pages lost on purpose" : "",
	      strtok(waiting.last, "\n"));
	if (!lose) {
		const char *taken = await(&waiting, "TAKEN first-step "), *more;

		first = taken ? strtoull(taken, NULL, 10) : 0;
		more = await(&waiting, "STEP ");
		next = more ? strtoull(more, NULL, 10) : 0;
		check(first >= step + 1 && first <= step + 2 && next == first, "%s: step %llu before, %llu the first after", names[type], step, next);
		check(await(&waiting, "STEP ") != NULL, "%s: it works on", names[type]);
	}
	end(&waiting);
	close(listener);
	close(windows[0]);
	close(windows[1]);
	close_device(&source);
	remove_device(&source);
	remove_device(&destination);
	free(stream.at);
}

void test_transfer(enum type type, const char *workload_program)
{
	transfer(workload_program, type, false, false);
	if (type == TYPE_2018)
		transfer(workload_program, type, true, false);
	/* only where the kernel has iommufd */
	if (!access("/dev/iommu", F_OK))
		transfer(workload_program, type, false, true);
}
