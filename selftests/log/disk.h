/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A disk that remembers in which order it was written: the kernel's dm-log-writes, whose log
 * has a write behind the flush that made it certain (Documentation/admin-guide/
 * device-mapper/log-writes.rst).  What the disk has after a loss of power is what the log has
 * up to some entry.  And disks that become others while they are used, as dm-error.
 */
#ifndef HFT_LOG_DISK_H
#define HFT_LOG_DISK_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <linux/dm-ioctl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <sys/wait.h>

#define DISK_NAME	"hft-power"
#define DISK_DEVICE	"/dev/mapper-" DISK_NAME
#define DISK_SECTOR	512u
#define DISK_MAGIC	0x6a736677736872ull

enum { DISK_DISCARD = 1 << 2, DISK_MARK = 1 << 3 };

struct disk_super {
	uint64_t magic;
	uint64_t version;
	uint64_t nr_entries;
	uint32_t sector_size;
} __attribute__((packed));

struct disk_entry {
	uint64_t sector;
	uint64_t nr_sectors;
	uint64_t flags;
	uint64_t data_bytes;
};

/* A module from /modules; one that is not there is built in. */
static inline bool disk_load(const char *name)
{
	char path[64];
	int fd, err;

	snprintf(path, sizeof(path), "/modules/%s.ko", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	err = (int)syscall(SYS_finit_module, fd,
			   strcmp(name, "brd") ? "" : "rd_nr=3 rd_size=262144", 0);
	if (err && errno != EEXIST)
		fprintf(stderr, "%s: %m\n", path);
	close(fd);
	return !err || errno == EEXIST;
}

static inline bool disk_load_all(void)
{
	static const char *const modules[] = {
		"crc16", "crc32c_generic", "mbcache", "jbd2", "ext4", "dm-mod", "dm-log-writes",
		"brd",
	};
	size_t i;

	for (i = 0; i < sizeof(modules) / sizeof(modules[0]); i++)
		if (!disk_load(modules[i]))
			return false;
	return true;
}

/* Returns the status of the process, or -1. */
static inline int disk_run(const char *const *command)
{
	pid_t child = fork();
	int status = -1;

	if (!child) {
		execv(command[0], (char *const *)command);
		_exit(127);
	}
	waitpid(child, &status, 0);
	return status;
}

/* One call of the device mapper; @flags: DM_..._FLAG; @text: of a target or a message. */
static inline int disk_call(unsigned long request, uint32_t flags, const char *type,
			    uint64_t sectors, const char *text, dev_t *device)
{
	static union {
		struct dm_ioctl head;
		uint8_t bytes[4096];
	} call;
	struct dm_target_spec *target = (void *)(call.bytes + sizeof(call.head));
	struct dm_target_msg *message = (void *)target;
	int fd = open("/dev/mapper/control", O_RDWR), err;

	if (fd < 0)
		return -errno;
	memset(&call, 0, sizeof(call));
	call.head.version[0] = DM_VERSION_MAJOR;
	call.head.data_size = sizeof(call);
	call.head.data_start = sizeof(call.head);
	call.head.flags = flags;
	strcpy(call.head.name, DISK_NAME);
	if (type) {
		call.head.target_count = 1;
		target->length = sectors;
		strcpy(target->target_type, type);
		strcpy((char *)(target + 1), text);
	} else if (text) {
		strcpy(message->message, text);
	}
	err = ioctl(fd, request, &call) ? -errno : 0;
	if (device)
		*device = (dev_t)call.head.dev;
	close(fd);
	return err;
}

/* DISK_DEVICE, which does what a target of @type does. */
static inline int disk_open_as(const char *type, const char *text, uint64_t bytes)
{
	dev_t device = 0;
	int err = disk_call(DM_DEV_CREATE, 0, NULL, 0, NULL, NULL);

	if (!err)
		err = disk_call(DM_TABLE_LOAD, 0, type, bytes / DISK_SECTOR, text, NULL);
	if (!err)
		err = disk_call(DM_DEV_SUSPEND, 0, NULL, 0, NULL, &device);
	unlink(DISK_DEVICE);
	if (!err && mknod(DISK_DEVICE, S_IFBLK | 0600,
			  makedev((unsigned int)(device >> 8) & 0xfff,
				  (unsigned int)(device & 0xff))))
		err = -errno;
	return err;
}

/* Writes to @disk go there and to @log, by the device DISK_DEVICE. */
static inline int disk_open(const char *disk, const char *log, uint64_t bytes)
{
	char text[128];

	snprintf(text, sizeof(text), "%s %s", disk, log);
	return disk_open_as("log-writes", text, bytes);
}

/* What is written or read waits until it goes on. */
static inline int disk_hold(void)
{
	return disk_call(DM_DEV_SUSPEND,
			 DM_SUSPEND_FLAG | DM_SKIP_LOCKFS_FLAG | DM_NOFLUSH_FLAG, NULL, 0, NULL,
			 NULL);
}

static inline int disk_go_on(void)
{
	return disk_call(DM_DEV_SUSPEND, 0, NULL, 0, NULL, NULL);
}

/* From now on it does this, whatever it is doing, and nothing is written before. */
static inline int disk_become(const char *type, const char *text, uint64_t bytes)
{
	int err = disk_call(DM_TABLE_LOAD, 0, type, bytes / DISK_SECTOR, text, NULL);

	return err ? err : disk_call(DM_DEV_SUSPEND, DM_SKIP_LOCKFS_FLAG | DM_NOFLUSH_FLAG, NULL,
				     0, NULL, NULL);
}

/* All that is certain by now comes before it in the log. */
static inline int disk_mark(uint64_t number)
{
	char text[64];

	snprintf(text, sizeof(text), "mark %llu", (unsigned long long)number);
	return disk_call(DM_TARGET_MSG, 0, NULL, 0, text, NULL);
}

static inline int disk_close(void)
{
	unlink(DISK_DEVICE);
	return disk_call(DM_DEV_REMOVE, 0, NULL, 0, NULL, NULL);
}

/* @at: of the next entry; @mark: of the last that was passed; @writes: that were passed */
struct disk_replay {
	int log;
	uint64_t at;
	uint64_t left;
	uint64_t mark;
	uint64_t writes;
};

static inline bool disk_replay_open(struct disk_replay *replay, const char *log)
{
	struct disk_super super;

	memset(replay, 0, sizeof(*replay));
	replay->log = open(log, O_RDONLY);
	if (replay->log < 0 || pread(replay->log, &super, sizeof(super), 0) != sizeof(super) ||
	    super.magic != DISK_MAGIC || super.sector_size != DISK_SECTOR)
		return false;
	replay->left = super.nr_entries;
	replay->at = DISK_SECTOR;
	return true;
}

/* Does to @image, of @bytes, what the next entry says.  Returns false: there is none. */
static inline bool disk_replay_next(struct disk_replay *replay, uint8_t *image, uint64_t bytes)
{
	struct disk_entry entry;
	char text[DISK_SECTOR - sizeof(entry) + 1] = "";
	uint64_t size;

	if (!replay->left || pread(replay->log, &entry, sizeof(entry), (off_t)replay->at) !=
	    sizeof(entry))
		return false;
	replay->left--;
	size = entry.nr_sectors * DISK_SECTOR;
	if (entry.flags & DISK_MARK) {
		if (pread(replay->log, text, sizeof(text) - 1,
			  (off_t)(replay->at + sizeof(entry))) > 0)
			sscanf(text, "%llu", (unsigned long long *)&replay->mark);
		replay->at += DISK_SECTOR;
		return true;
	}
	replay->at += DISK_SECTOR;
	if (entry.sector * DISK_SECTOR + size > bytes)
		return false;
	if (entry.flags & DISK_DISCARD) {
		memset(image + entry.sector * DISK_SECTOR, 0, size);
		return true;
	}
	if (pread(replay->log, image + entry.sector * DISK_SECTOR, size, (off_t)replay->at) !=
	    (ssize_t)size)
		return false;
	replay->at += size;
	replay->writes += size > 0;
	return true;
}

#endif /* HFT_LOG_DISK_H */
