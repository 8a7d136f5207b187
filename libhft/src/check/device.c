// SPDX-License-Identifier: LGPL-2.1-or-later
/* The module, its device, and the way to it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <linux/hft.h>

#include "internal.h"

#define DEVICE	"/dev/hft"

static int query(struct hft_query *answer)
{
	int ret, fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	ret = ioctl(fd, HFT_IOC_QUERY, answer) ? -errno : 0;
	close(fd);
	return ret;
}

static void check_module(struct hft_check *c)
{
	struct hft_query answer = { 0 };
	char version[64];

	if (!hft_path_exists(c->root, "/sys/module/hft/parameters/max_tasks")) {
		say(c, HFT_CHECK_WARN, "hft.ko is not loaded");
		say_cost(c, "README.md, Figures",
			 "the process starts its tasks itself, by sleeping and spinning: backend soft");
		say_fix(c, "modprobe hft");
		say_lasting(c, "echo hft > /etc/modules-load.d/hft.conf");
		return;
	}
	if (hft_read_line(c->root, version, sizeof(version), "/sys/module/hft/version") &&
	    hft_read_line(c->root, version, sizeof(version), "/sys/module/hft/srcversion"))
		snprintf(version, sizeof(version), "unknown");
	if (c->live && !query(&answer))
		say(c, HFT_CHECK_OK, "hft.ko is loaded, version %s, features 0x%llx, %u CPUs", version,
		    (unsigned long long)answer.features, answer.nr_cpus);
	else
		say(c, HFT_CHECK_OK, "hft.ko is loaded, version %s", version);
}

/* By what it is, below a root that is not this machine. */
static int may_open(const struct hft_check *c)
{
	int fd;

	if (!c->live)
		return hft_path_exists(c->root, DEVICE) ? 0 : -ENOENT;
	fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static void check_device(struct hft_check *c)
{
	int err = may_open(c);

	if (!err) {
		say(c, HFT_CHECK_OK, DEVICE " can be opened");
		return;
	}
	if (err == -ENOENT && !hft_path_exists(c->root, "/sys/module/hft/parameters/max_tasks")) {
		say(c, HFT_CHECK_OK, DEVICE " is not there without the module");
		return;
	}
	say(c, HFT_CHECK_FAIL, DEVICE " can not be opened: %s", strerror(-err));
	say_cost(c, "README.md, On a dedicated box", "hft_open() fails");
	say_fix(c, err == -EACCES ? "usermod -aG hft $USER" :
		"rmmod hft; modprobe hft");
	say_lasting(c, "log in again; the udev rule that make install puts into /usr/lib/udev/rules.d");
}

static void check_io_uring(struct hft_check *c)
{
	long long disabled = 0;
	int err = hft_read_number(c->root, &disabled, "/proc/sys/kernel/io_uring_disabled");

	if (err && err != -ENOENT) {
		say_unread(c, err, "kernel.io_uring_disabled", "");
		return;
	}
	if (!disabled) {
		say(c, HFT_CHECK_OK, "io_uring may be used");
		return;
	}
	say(c, HFT_CHECK_WARN, disabled == 1 ?
	    "io_uring is for kernel.io_uring_group and CAP_SYS_ADMIN alone" : "io_uring is disabled");
	say_cost(c, "Documentation/admin-guide/sysctl/kernel.rst",
		 "ioctls take its place: a system call for each, and no SQPOLL");
	say_fix(c, "sysctl kernel.io_uring_disabled=0");
	say_lasting(c, "echo kernel.io_uring_disabled=0 >> /etc/sysctl.d/60-hft.conf");
}

const struct hft_check_entry hft_checks_device[] = {
	{ "module", check_module, 0 },
	{ "device", check_device, 0 },
	{ "io_uring", check_io_uring, 0 },
	{ NULL, NULL, 0 }
};
