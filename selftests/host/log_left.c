// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* What a process that was killed has lost and not told: recovery tells it, once. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>
#define HFT_LOG_SUBSYSTEM "left"
#include <hft/log.h>
#include <hft/log_verify.h>

#include "log/control.h"
#include "log/sched.h"
#include "log_here.h"
#include "log_ring.h"

#define LEAST		LOG_RING_LEAST
#define WAIT_NS		60000000000ull
#define PATIENCE_S	60
#define LOOK_US		1000
#define PAUSE_NS	10000000	/* of who waits; who only tries to lock has shorter ones */

/* Stamps, by the process that was killed. */
struct times {
	uint64_t refused;	/* before that */
	uint64_t killed;
};

static struct times *times;
static int held = -1;		/* locked, until recovery waits for that */
static bool for_ever;		/* also then */

static int log_number(uint64_t number)
{
	static const char text[] = "abcdefghijklmnopqrstuvwxyz";

	return hft_log(HFT_LOG_INFO, "number=%lu %s", number, text + number % sizeof(text));
}

static void read_all(struct log_queue *queue)
{
	const void *records;
	int64_t bytes = log_queue_read(queue, &records);

	assert_true(bytes > 0);
	log_queue_take(queue, (size_t)bytes);
	log_queue_free(queue, queue->given);
}

/* Reads all that a process has left: each number from the first on is that of a record. */
static uint64_t read_left(struct log_queue *queue, uint64_t *lost)
{
	const struct hft_log_record *record;
	uint64_t first = queue->number, seen = 0;
	const void *records;
	int64_t bytes;
	size_t offset;

	while ((bytes = log_queue_read(queue, &records)) > 0) {
		for (offset = 0; offset < (size_t)bytes; offset += 8 * (size_t)record->words) {
			record = test_record(records, offset);
			if (record->id == HFT_LOG_ID_LOST)
				*lost += ((const struct log_loss *)(const void *)record)->lost;
			else
				seen++;
		}
		log_queue_take(queue, (size_t)bytes);
	}
	assert_int_equal(bytes, 0);
	assert_int_equal(first + seen + *lost, log_ring_number(queue->ring));
	return seen;
}

/* What a process has left begins with a record of losses: that, and what follows it, is read. */
static void test_left_loss(void **state)
{
	uint64_t number = 0, lost = 0;
	struct log_queue *queue;
	struct test_ring it;

	(void)state;
	test_ring_open(&it, HFT_LOG_DROP, HFT_LOG_PLAIN, LEAST, 0);
	while (!log_number(number))
		number++;
	read_all(it.queue);
	assert_int_equal(log_number(number + 1), 0);
	assert_int_equal(log_queue_map(&queue, it.dir_fd, it.queue->name), 0);
	assert_false(log_queue_resume(queue));
	assert_int_equal(queue->number, number);
	assert_int_equal(read_left(queue, &lost), 1);
	assert_int_equal(lost, 1);
	log_queue_put(queue);
	test_ring_close(&it);
}

/* A process was killed while it sealed its ring: the number that was taken for that is no loss. */
static void test_left_poisoned(void **state)
{
	uint64_t number = 0, lost = 0;
	struct log_queue *queue;
	struct test_ring it;

	(void)state;
	test_ring_open(&it, HFT_LOG_DROP, HFT_LOG_PLAIN, LEAST, 0);
	while (!log_number(number))
		number++;
	it.queue->ring->refused = 2;
	log_ring_close(it.queue->ring);
	log_ring_poison(it.queue->ring);
	assert_int_equal(log_queue_map(&queue, it.dir_fd, it.queue->name), 0);
	assert_false(log_queue_resume(queue));
	log_ring_recover(queue->ring, 1);
	assert_int_equal(read_left(queue, &lost), number);
	assert_int_equal(lost, 3);
	assert_int_equal(queue->loss.head.sequence, number + 2);
	assert_int_equal(queue->loss.last, queue->loss.first);
	log_queue_put(queue);
	test_ring_close(&it);
}

/* Where it was overwritten, reading may begin with a record of losses, too. */
static void test_left_overwritten(void **state)
{
	uint64_t number, lost;
	struct log_queue *queue;
	unsigned int round;
	struct test_ring it;

	(void)state;
	for (round = 0; round < 50; round++) {
		test_ring_open(&it, HFT_LOG_OVERWRITE, HFT_LOG_PLAIN, LEAST, 0);
		for (number = 0; number < 2000 + round; number++) {
			it.queue->ring->refused = 3;
			assert_int_equal(log_number(number), 0);
		}
		it.queue->ring->refused = 0;
		assert_int_equal(log_queue_map(&queue, it.dir_fd, it.queue->name), 0);
		assert_true(log_queue_resume(queue));
		lost = 0;
		assert_true(read_left(queue, &lost) > 0);
		log_queue_put(queue);
		test_ring_close(&it);
	}
}

/* As many as handlers would have been, within a call that has found room then. */
static int refuse(uint64_t nr)
{
	struct hft_log_ring *ring = hft_log_self[HFT_LOG_PLAIN];
	uint32_t limit = ring->limit, room = ring->room;
	int err = -EBUSY;

	ring->limit = (uint32_t)ring->reserved - 1;
	ring->room = ring->limit;
	ring->busy = 1;
	while (nr-- && err == -EBUSY)
		err = log_number(nr);
	ring->busy = 0;
	ring->limit = limit;
	ring->room = room;
	return err == -EBUSY ? 0 : -EINVAL;
}

/* The next call finds no room, and says so. */
static int refuse_and_tell(uint64_t nr)
{
	struct hft_log_ring *ring = hft_log_self[HFT_LOG_PLAIN];
	int err = refuse(nr);

	ring->limit = (uint32_t)ring->reserved - 1;
	ring->room = ring->limit;
	return err ? err : log_number(nr);
}

/* Its ring knows that it is in files. */
static int flush(void)
{
	struct hft_log_ring *ring = hft_log_self[HFT_LOG_PLAIN];
	int err = hft_log_flush(the_log, 0, WAIT_NS);

	while (!err && __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE) < 8 * (uint32_t)ring->head)
		usleep(LOOK_US);
	return err;
}

static pid_t run_zombie(void (*run)(void))
{
	pid_t pid = fork();
	siginfo_t info;

	if (!pid)
		run();
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_true(info.si_code == CLD_KILLED && info.si_status == SIGKILL);
	return pid;
}

static void run_killed(void (*run)(void))
{
	pid_t pid = run_zombie(run);

	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void run_victim(void)
{
	HFT_OPTS(hft_log_opts, opts, .ring_bytes = LEAST);

	alarm(PATIENCE_S);
	if (hft_log_open(&the_log, dir, &opts) || log_number(0) ||
	    refuse_and_tell(2) || flush() || refuse_and_tell(5) || refuse(7))
		_exit(1);
	raise(SIGKILL);
}

static void add_lost(void *lost, const struct hft_log_notice *notice)
{
	assert_int_equal(notice->kind, HFT_LOG_NOTICE_LOST);
	*(uint64_t *)lost += notice->lost;
}

/* Of 2 the files tell, of 5 the ring, and of 7 nothing does yet. */
static void test_refused(void **state)
{
	uint64_t lost = 0, records = 0;
	HFT_OPTS(hft_log_reader_opts, opts, .subsystems = "left", .notice = add_lost,
		 .context = &lost, .flags = HFT_LOG_READ_FOLLOW);
	const char *paths[] = { dir };
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	int ret;

	(void)state;
	tree_make(dir, NULL, 0);
	run_killed(run_victim);
	assert_int_equal(hft_log_recover(dir, NULL), 0);
	assert_int_equal(hft_log_reader_open(&reader, paths, 1, &opts), 0);
	while ((ret = hft_log_reader_next(reader, &view)) > 0)
		records++;
	assert_int_equal(ret, 0);
	hft_log_reader_close(reader);
	assert_int_equal(records, 3);
	assert_int_equal(lost, 14);
	tree_remove(dir);
}

static uint64_t now(void)
{
	return hft_log_stamp(hft_log_self[HFT_LOG_PLAIN]->tsc);
}

static void run_drained(void)
{
	HFT_OPTS(hft_log_opts, opts, .ring_bytes = LEAST);

	alarm(PATIENCE_S);
	if (hft_log_open(&the_log, dir, &opts) || log_number(0) || flush())
		_exit(1);
	times->refused = now();
	if (refuse(7))
		_exit(1);
	times->killed = now();
	raise(SIGKILL);
}

/* The call that was interrupted, and what came behind it, are in files. */
static void run_drained_later(void)
{
	HFT_OPTS(hft_log_opts, opts, .ring_bytes = LEAST);

	alarm(PATIENCE_S);
	if (hft_log_open(&the_log, dir, &opts) || log_number(0))
		_exit(1);
	times->refused = now();
	if (refuse(7) || log_number(1) || flush())
		_exit(1);
	times->killed = now();
	raise(SIGKILL);
}

/* The same, by events of tasks that there was no room to keep until they may be logged. */
static void run_drained_tasks(void)
{
	HFT_OPTS(hft_log_opts, opts, .ring_bytes = LEAST);

	alarm(PATIENCE_S);
	if (hft_log_open(&the_log, dir, &opts) || log_number(0) || flush())
		_exit(1);
	times->refused = now();
	hft_log_sched_lose(7);
	times->killed = now();
	raise(SIGKILL);
}

/* As a recovery leaves it that is killed before it removes rings: it has told all of them. */
static void recover_but_keep(void)
{
	char command[4 * PATH_MAX], rings[LOG_CONTROL_PATH];
	struct log_control control;

	assert_int_equal(log_control_read(dir, &control), 0);
	snprintf(rings, sizeof(rings), "%s", control.ring_dir);
	snprintf(command, sizeof(command), "cp -al %s %s.kept && cp %s/control %s/kept", rings,
		 rings, dir, dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(hft_log_recover(dir, NULL), 0);
	snprintf(command, sizeof(command), "mv %s.kept %s && mv %s/kept %s/control", rings,
		 rings, dir, dir);
	assert_int_equal(system(command), 0);
}

static uint64_t count_loss_records(void)
{
	HFT_OPTS(hft_log_reader_opts, opts, .subsystems = "hft", .flags = HFT_LOG_READ_FOLLOW);
	const char *paths[] = { dir };
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	uint64_t nr = 0;

	assert_int_equal(hft_log_reader_open(&reader, paths, 1, &opts), 0);
	while (hft_log_reader_next(reader, &view) > 0)
		nr += !strcmp(view->site->name, "lost");
	hft_log_reader_close(reader);
	return nr;
}

/* @last: answered: stamp of the last record but those; returns that of the losses' */
static uint64_t read_stamps(uint64_t *last)
{
	HFT_OPTS(hft_log_reader_opts, opts, .flags = HFT_LOG_READ_FOLLOW);
	const char *paths[] = { dir };
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	uint64_t lost = 0;

	assert_int_equal(hft_log_reader_open(&reader, paths, 1, &opts), 0);
	while (hft_log_reader_next(reader, &view) > 0) {
		if (!strcmp(view->site->subsystem, "left"))
			*last = view->stamp;
		else if (!strcmp(view->site->name, "lost"))
			lost = view->stamp;
	}
	hft_log_reader_close(reader);
	return lost;
}

/* Losses of a ring of which all was in files are of when it lived, and behind its records. */
static void test_stamp(void **state)
{
	void (*runs[])(void) = { run_drained, run_drained_tasks, run_drained_later };
	uint64_t last = 0, lost;
	unsigned int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		tree_make(dir, NULL, 0);
		run_killed(runs[i]);
		assert_int_equal(hft_log_recover(dir, NULL), 0);
		lost = read_stamps(&last);
		assert_true(lost >= last);
		assert_true(lost >= times->refused);
		assert_true(lost <= times->killed);
		tree_remove(dir);
	}
}

/* What a recovery has told is not told by the next one, though no record is left. */
static void test_recovered_twice(void **state)
{
	(void)state;
	tree_make(dir, NULL, 0);
	run_killed(run_drained);
	recover_but_keep();
	assert_int_equal(count_loss_records(), 1);
	assert_int_equal(hft_log_recover(dir, NULL), 0);
	assert_int_equal(count_loss_records(), 1);
	tree_remove(dir);
}

static void run_synced(void)
{
	HFT_OPTS(hft_log_opts, opts, .ring_bytes = LEAST);
	HFT_OPTS(hft_log_thread_opts, own, .sync = HFT_LOG_SYNC_PACKET,
		 .audit_sync = HFT_LOG_SYNC_NONE);

	alarm(PATIENCE_S);
	if (hft_log_open(&the_log, dir, &opts) || hft_log_thread(the_log, &own))
		_exit(1);
	raise(SIGKILL);
}

static unsigned int synced[2];

int __real_hft_log_store_stream_add(struct hft_log_store *store,
				    const struct hft_log_store_stream *stream);
int __wrap_hft_log_store_stream_add(struct hft_log_store *store,
				    const struct hft_log_store_stream *stream);
int __wrap_hft_log_store_stream_add(struct hft_log_store *store,
				    const struct hft_log_store_stream *stream)
{
	synced[stream->audit] = stream->sync;
	return __real_hft_log_store_stream_add(store, stream);
}

/* Records of a ring that was left come to the disk as its thread has asked. */
static void test_synced(void **state)
{
	(void)state;
	tree_make(dir, NULL, 0);
	run_killed(run_synced);
	assert_int_equal(hft_log_recover(dir, NULL), 0);
	assert_int_equal(synced[false], HFT_LOG_SYNC_PACKET);
	assert_int_equal(synced[true], HFT_LOG_SYNC_NONE);
	tree_remove(dir);
}

int __real_nanosleep(const struct timespec *pause, struct timespec *left);
int __wrap_nanosleep(const struct timespec *pause, struct timespec *left);
int __wrap_nanosleep(const struct timespec *pause, struct timespec *left)
{
	if (held >= 0 && (for_ever || pause->tv_nsec < PAUSE_NS))
		return 0;
	if (held >= 0)
		close(held);
	held = -1;
	return __real_nanosleep(pause, left);
}

static void hold(void)
{
	held = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(held, LOCK_EX), 0);
}

/* Its folder is locked a moment longer than the process lives. */
static void test_held(void **state)
{
	(void)state;
	tree_make(dir, NULL, 0);
	run_killed(run_drained);
	hold();
	assert_int_equal(hft_log_recover(dir, NULL), 0);
	assert_int_equal(held, -1);
	tree_remove(dir);
}

/* A repair waits for that, too. */
static void test_held_repair(void **state)
{
	HFT_OPTS(hft_log_repair_result, result);

	(void)state;
	tree_make(dir, NULL, 0);
	run_killed(run_drained);
	assert_int_equal(hft_log_recover(dir, NULL), 0);
	hold();
	assert_int_equal(hft_log_repair(dir, NULL, &result), 0);
	assert_int_equal(held, -1);
	hold();
	for_ever = true;
	assert_int_equal(hft_log_repair(dir, NULL, &result), -EBUSY);
	for_ever = false;
	assert_int_equal(close(held), 0);
	held = -1;
	tree_remove(dir);
}

/* Likewise, and nobody has waited for the process. */
static void test_held_of_zombie(void **state)
{
	pid_t pid;

	(void)state;
	tree_make(dir, NULL, 0);
	pid = run_zombie(run_drained);
	hold();
	assert_int_equal(hft_log_recover(dir, NULL), 0);
	assert_int_equal(held, -1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	tree_remove(dir);
}

/* The process that wrote has ended, and is not said to write. */
static void test_held_by_another(void **state)
{
	(void)state;
	tree_make(dir, NULL, 0);
	run_killed(run_drained);
	hold();
	for_ever = true;
	assert_int_equal(hft_log_recover(dir, NULL), -EBUSY);
	assert_non_null(strstr(hft_strerror(-EBUSY), "has ended"));
	for_ever = false;
	assert_int_equal(hft_log_recover(dir, NULL), 0);
	tree_remove(dir);
}

static void run_stopped(void)
{
	HFT_OPTS(hft_log_opts, opts, .ring_bytes = LEAST);

	alarm(PATIENCE_S);
	if (hft_log_open(&the_log, dir, &opts) || log_number(0))
		_exit(1);
	raise(SIGSTOP);
	_exit(1);
}

/* The number of the process's ring of io_uring; -1: it has none. */
static int find_uring(pid_t pid)
{
	char path[64], name[64];
	struct dirent *entry;
	ssize_t size;
	DIR *folder;
	int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	folder = opendir(path);
	assert_non_null(folder);
	while (fd < 0 && (entry = readdir(folder))) {
		size = readlinkat(dirfd(folder), entry->d_name, name, sizeof(name) - 1);
		name[size < 0 ? 0 : size] = '\0';
		if (!strcmp(name, "anon_inode:[io_uring]"))
			fd = atoi(entry->d_name);
	}
	closedir(folder);
	return fd;
}

/* A descriptor of that ring, which stays when the process is killed; -1: it has none. */
static int kill_but_uring(void)
{
	int fd, uring = -1, pidfd, status;
	pid_t pid = fork();

	if (!pid)
		run_stopped();
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	fd = find_uring(pid);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd >= 0)
		uring = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	close(pidfd);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return uring;
}

/* As long as a write of it may be under way, which has the ring of io_uring, files may change. */
static void test_held_by_writes(void **state)
{
	(void)state;
	tree_make(dir, NULL, 0);
	held = kill_but_uring();
	if (held < 0) {
		tree_remove(dir);
		skip();
	}
	for_ever = true;
	assert_int_equal(hft_log_recover(dir, NULL), -EBUSY);
	for_ever = false;
	assert_int_equal(hft_log_recover(dir, NULL), 0);
	assert_int_equal(held, -1);
	tree_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_left_loss),
		cmocka_unit_test(test_left_poisoned),
		cmocka_unit_test(test_left_overwritten),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_stamp),
		cmocka_unit_test(test_recovered_twice),
		cmocka_unit_test(test_synced),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_held_repair),
		cmocka_unit_test(test_held_of_zombie),
		cmocka_unit_test(test_held_by_another),
		cmocka_unit_test(test_held_by_writes),
	};

	times = mmap(NULL, sizeof(*times), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (times == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
