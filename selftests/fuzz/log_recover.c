// SPDX-License-Identifier: GPL-2.0-only
/* What a process that was killed has left: its rings, the control file, its call sites. */
#define HFT_LOG_SUBSYSTEM "fuzz"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hft/hft.h>
#include <hft/log.h>
#include <hft/log_store.h>

#include "log/control.h"
#include "fuzz.h"

#define RECORDS	40

enum { RING, CONTROL, JOURNAL, BASES };

static char ring[128], control[] = "left/control", journal[128], ring_dir[256], log_dir[256];
static struct fuzz_base bases[BASES] = {
	[RING] = { .name = ring }, [CONTROL] = { .name = control }, [JOURNAL] = { .name = journal },
};

static void die_amid(void)
{
	HFT_OPTS(hft_log_store_opts, store, .flags = HFT_LOG_STORE_BUFFERED |
		 HFT_LOG_STORE_NO_URING | HFT_LOG_STORE_NO_PACK);
	HFT_OPTS(hft_log_opts, opts, .ring_bytes = 65536, .audit_bytes = 65536,
		 .idle_ns = 60 * 1000000000ull, .ring_dir = fuzz_folder(), .store = &store);
	struct hft_log *log;
	int i, err = hft_log_open(&log, log_dir, &opts);

	for (i = 0; i < RECORDS && !err; i++)
		err = hft_log_audit(HFT_LOG_INFO, "%d is %s, %f", i, i % 2 ? "odd" : "even",
				    i * 0.5);
	_exit(err != 0);
}

/* The name below @folder that begins with @begin */
static void find(char *name, size_t size, const char *folder, const char *begin)
{
	char path[512];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", fuzz_folder(), folder);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, begin, strlen(begin)))
			snprintf(name, size, "%.60s%s%.60s", folder, *folder ? "/" : "",
				 entry->d_name);
	if (dir)
		closedir(dir);
}

static void set_up(void)
{
	char rings[100] = "";
	int i, status;
	pid_t child;

	snprintf(log_dir, sizeof(log_dir), "%s/left", fuzz_folder());
	child = fork();
	if (!child)
		die_amid();
	if (child < 0 || waitpid(child, &status, 0) != child || status) {
		fprintf(stderr, "no process that logs\n");
		exit(2);
	}
	find(rings, sizeof(rings), "", "hft-log-");
	snprintf(ring_dir, sizeof(ring_dir), "%s/%s", fuzz_folder(), rings);
	find(ring, sizeof(ring), rings, "ring-");
	snprintf(journal, sizeof(journal), "%s/sites", rings);
	for (i = 0; i < BASES; i++)
		fuzz_base_read(&bases[i]);
}

/* Whatever the file says, nothing but this folder's rings may go. */
static void keep_in(void)
{
	struct log_control it;
	int fd = log_control_open(log_dir, &it);

	if (fd < 0)
		return;
	snprintf(it.ring_dir, sizeof(it.ring_dir), "%s", ring_dir);
	if (log_control_write(fd, &it, it.ring_dir, sizeof(it.ring_dir)))
		abort();
	close(fd);
}

static int hear_ring(void *arg, const struct hft_log_ring_info *info)
{
	(void)arg;
	if (strnlen(info->thread, sizeof(info->thread)) == sizeof(info->thread))
		abort();
	return 0;
}

static int hear_site(void *arg, const struct hft_log_site_info *info)
{
	(void)arg;
	(void)info;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HFT_OPTS(hft_log_store_opts, opts, .flags = HFT_LOG_STORE_BUFFERED |
		 HFT_LOG_STORE_NO_URING | HFT_LOG_STORE_NO_PACK);
	HFT_OPTS(hft_log_info, info);
	int i;

	if (!bases[0].bytes)
		set_up();
	fuzz_no_folder("left");
	mkdir(log_dir, 0700);
	mkdir(ring_dir, 0700);
	for (i = 0; i < BASES; i++)
		fuzz_base_write(&bases[i], NULL, 0);
	if (size)
		fuzz_base_write(&bases[data[0] % BASES], data + 1, size - 1);
	keep_in();
	hft_log_look(log_dir, &info);
	hft_log_rings(log_dir, hear_ring, NULL);
	hft_log_sites(log_dir, hear_site, NULL);
	hft_log_control(log_dir, "a*", HFT_LOG_DEBUG);
	hft_log_recover(log_dir, &opts);
	return 0;
}
