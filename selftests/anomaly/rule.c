// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules of the module by its ABI alone: what the worker says is not believed, nothing is left
 * behind whoever goes first, and hard tasks go on.  What each action does is conformance's.
 */
#include <pthread.h>

#include "ruled.h"

/* Does hftctl rules, of this process, print a line of @pattern? */
static int listed(const char *pattern)
{
	char command[512];

	snprintf(command, sizeof(command), "hftctl rules --pid %d >/tmp/rules && "
		 "{ grep -Eq '%s' /tmp/rules || { sed 's/^/# /' /tmp/rules; false; } }",
		 getpid(), pattern);
	return system(command);
}

/* From outside: two that wait, one of them a dry run, act, and a third never does. */
TEST_F(rule, hftctl_lists_them)
{
	struct hft_rule shed = make_rule(&self->ruled, 1, HFT_ACTION_SHED);
	struct hft_rule dry = make_rule(&self->ruled, 4, HFT_ACTION_HALT);
	struct hft_rule other = make_rule(&self->ruled, 7, HFT_ACTION_NOTIFY);

	if (system("hftctl --help >/dev/null 2>&1"))
		SKIP(return, "hftctl is not built");
	EXPECT_EQ(0, system("none=$(hftctl rules --pid $PPID) && [ -z \"$none\" ]"));
	shed.flags = HFT_RULE_LATCH;
	shed.level = HFT_LEVEL_LOW;
	dry.flags = HFT_RULE_DRY_RUN | HFT_RULE_LATCH;
	other.anomalies = 1U << HFT_ANOMALY_CLOCK;
	ASSERT_EQ(0, set_rule(self->context, &shed));
	ASSERT_EQ(0, set_rule(self->context, &dry));
	ASSERT_EQ(0, set_rule(self->context, &other));
	EXPECT_EQ(0, listed("^ *[0-9]+ +0 +1 shed +armed +yes none +0 +0 +0 +0 +0 +- +- +- *$"));
	EXPECT_EQ(0, listed("^ *[0-9]+ +0 +4 halt +armed-dry-run +yes none +0 "));
	ASSERT_EQ(0, learn(self->context, &self->ruled));
	ASSERT_EQ(0, run_task(self->context, &self->ruled, SPIKE_NS, USUAL_NS));
	EXPECT_EQ(0, listed("^ *[0-9]+ +0 +1 shed +in-force +yes spike "
			    "+[1-9][0-9]* +1 +0 +0 +0 +2 +[0-9]+ +[0-9]+ *$"));
	EXPECT_EQ(0, listed("^ *[0-9]+ +0 +4 halt +would-act +yes spike +[1-9][0-9]* +1 "));
	EXPECT_EQ(0, listed("^ *[0-9]+ +0 +7 notify +armed +no none +0 "));
	EXPECT_EQ(0, system("hftctl --json rules --pid $PPID | grep -q '\"last_ago_ns\": null'"));
	EXPECT_NE(0, system("hftctl rules 2>/dev/null"));
}

TEST_F(rule, refusals)
{
	struct hft_rule rule = make_rule(&self->ruled, 0, HFT_ACTION_NOTIFY);
	struct hft_rule_info info = { .number = HFT_RULES };
	int bare = hft_test_open();

	ASSERT_LT(0, bare);
	ASSERT_EQ(-ENOENT, set_rule(bare, &rule));
	close(bare);
	rule.ring = self->monitor.add.ring;
	ASSERT_EQ(-EINVAL, set_rule(self->context, &rule));
	rule.ring = 63;
	ASSERT_EQ(-ENOENT, set_rule(self->context, &rule));
	rule.ring = UINT32_MAX;
	ASSERT_EQ(-ENOENT, set_rule(self->context, &rule));
	ASSERT_EQ(-EINVAL, hft_test_ioctl(self->context, HFT_IOC_RULE_INFO, &info));
	info = (struct hft_rule_info) { .reserved = 1 };
	ASSERT_EQ(-EINVAL, hft_test_ioctl(self->context, HFT_IOC_RULE_INFO, &info));
	info = (struct hft_rule_info) { .ring = 64 };
	ASSERT_EQ(-ENOENT, hft_test_ioctl(self->context, HFT_IOC_RULE_INFO, &info));
	ASSERT_EQ(-EFAULT, hft_test_ioctl(self->context, HFT_IOC_RULE, NULL));
}

/* Any word of a rule may be anything: an error or a rule, and the ring still works. */
TEST_F(rule, any_rule)
{
	int trials = hft_test_scaled(20000), i, taken = 0;
	uint64_t random = 1;

	for (i = 0; i < trials; i++) {
		struct hft_rule rule = make_rule(&self->ruled, i % HFT_RULES,
						 HFT_ACTION_NOTIFY + i % 4);
		uint32_t *words = (uint32_t *)&rule;
		int n = hft_test_random(&random) % 4, err;

		if (rule.action == HFT_ACTION_LEAD)
			rule.amount = 1000, rule.most = 20000, rule.budget_ppm = 1000;
		if (rule.action == HFT_ACTION_BOOST)
			rule.amount = 1, rule.level = HFT_LEVEL_LOW;
		while (n--)
			words[hft_test_random(&random) % (sizeof(rule) / 4)] =
				hft_test_random(&random) >> hft_test_random(&random) % 64;
		err = set_rule(self->context, &rule);
		ASSERT_TRUE(!err || err == -EINVAL || err == -ENOENT || err == -EBUSY ||
			    err == -ENODEV || err == -EDQUOT) TH_LOG("error %d", err);
		taken += !err;
	}
	ASSERT_LT(trials / 10, taken);
	for (i = 0; i < HFT_RULES; i++) {
		struct hft_rule rule = make_rule(&self->ruled, i, HFT_ACTION_NONE);

		ASSERT_EQ(0, set_rule(self->context, &rule));
		ASSERT_EQ(HFT_ACTION_NONE, (int)rule_info(self->context, &rule).action);
	}
	ASSERT_EQ(0, run_task(self->context, &self->ruled, USUAL_NS, USUAL_NS));
}

/* Reports of any times, while all rules look at them. */
TEST_F(rule, any_report)
{
	static const uint64_t odd[] = { 0, 1, UINT64_MAX, 1ULL << 63, 1ULL << 62, 1ULL << 44 };
	int trials = hft_test_scaled(20000), i;
	struct hft_rule rule;
	uint64_t random = 1;

	for (i = HFT_ACTION_NOTIFY; i <= HFT_ACTION_SHED; i++) {
		rule = make_rule(&self->ruled, i, i);
		rule.anomalies = 0;
		rule.kinds = 0;
		rule.leave = HFT_RULE_LEAVE_MIN;
		rule.amount = i == HFT_ACTION_LEAD ? 1000 : i == HFT_ACTION_BOOST;
		rule.most = i == HFT_ACTION_LEAD ? 10000 : 0;
		rule.level = i == HFT_ACTION_BOOST ? HFT_LEVEL_HIGH :
			     i == HFT_ACTION_SHED ? HFT_LEVEL_LOW : 0;
		ASSERT_EQ(0, set_rule(self->context, &rule));
	}
	for (i = 0; i < trials; i++) {
		uint64_t wait = hft_test_random(&random) % 8 ? hft_test_random(&random) % 2000 :
				odd[hft_test_random(&random) % ARRAY_LEN(odd)];
		uint64_t run = hft_test_random(&random) % 8 ? hft_test_random(&random) % 2000 :
			       odd[hft_test_random(&random) % ARRAY_LEN(odd)];

		ASSERT_EQ(0, run_task(self->context, &self->ruled, wait, run));
	}
	rule = make_rule(&self->ruled, HFT_ACTION_SHED, HFT_ACTION_NOTIFY);
	ASSERT_LT(0, (int)rule_info(self->context, &rule).anomalies);
}

/* Nobody calls: an interrupt finds that nothing comes any more. */
TEST_F(rule, stall)
{
	struct hft_rule rule = make_rule(&self->ruled, 0, HFT_ACTION_NOTIFY);
	uint64_t end = hft_test_now() + 60 * NSEC_PER_SEC;
	struct hft_event event;
	int i, err;

	rule.anomalies = 1U << HFT_ANOMALY_STALL;
	rule.count = HFT_RULE_MOST;
	ASSERT_EQ(0, set_rule(self->context, &rule));
	/* On a loaded machine the pace may have changed a moment ago: then it is learned anew. */
	do {
		for (i = 0; i < LEARNED; i++)
			ASSERT_EQ(0, run_task(self->context, &self->ruled, USUAL_NS, USUAL_NS));
		/* What there was of those meanwhile, on a machine that stood still. */
		while (hft_test_next(&self->monitor, &event))
			;
		err = hft_test_take(&self->monitor, &event, NSEC_PER_SEC);
	} while (err == -ETIMEDOUT && hft_test_now() < end);
	ASSERT_EQ(0, err);
	ASSERT_EQ(HFT_EVENT_ANOMALY, event.type);
	ASSERT_EQ(HFT_ANOMALY_STALL, event.result);
	ASSERT_EQ(CLASS, event.level);
	ASSERT_LT(event.deadline, event.cookie);
	/* Once. */
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->monitor, 50 * MS));
}

/* A periodic task that is watched goes on while rules halt and shed all others. */
TEST_F(rule, hard_tasks_go_on)
{
	static const uint32_t actions[] = { HFT_ACTION_HALT, HFT_ACTION_REDUCE, HFT_ACTION_SHED };
	struct hft_rule rule = make_rule(&self->ruled, 0, HFT_ACTION_HALT);
	struct hft_task task = make_task(&self->ruled), soft;
	struct hft_event event;
	int64_t id;
	size_t n;
	int i;

	ASSERT_EQ(0, set_rule(self->context, &rule));
	ASSERT_EQ(0, learn(self->context, &self->ruled));
	for (n = 0; n < ARRAY_LEN(actions); n++) {
		rule = make_rule(&self->ruled, 0, actions[n]);
		rule.flags = HFT_RULE_LATCH;
		rule.level = actions[n] == HFT_ACTION_SHED ? HFT_LEVEL_REALTIME : 0;
		ASSERT_EQ(0, set_rule(self->context, &rule));
		ASSERT_EQ(0, run_task(self->context, &self->ruled, SPIKE_NS, USUAL_NS));
		ASSERT_EQ(1, (int)rule_info(self->context, &rule).in_force);

		task.release = hft_test_now() + MS;
		task.deadline = task.release + 10 * NSEC_PER_SEC;
		task.period = 10 * MS;
		task.wcet = 1000;
		task.level = HFT_LEVEL_IDLE;
		task.flags = HFT_TASK_PERIODIC | HFT_TASK_CATCH_UP | HFT_TASK_WATCH;
		ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
		soft = make_task(&self->ruled);
		soft.cookie = 1;
		ASSERT_EQ(actions[n] == HFT_ACTION_SHED ? -ENOBUFS : 0,
			  hft_test_submit(self->context, &soft, NULL));
		for (i = 0; i < 20; i++) {
			ASSERT_EQ(0, hft_test_take(&self->ruled.ring, &event, 10 * NSEC_PER_SEC));
			ASSERT_EQ(0, (int)event.cookie);
			ASSERT_LE(0, event.result);
		}
		ASSERT_EQ(0, hft_test_cancel(self->context, id));
		rule.action = HFT_ACTION_NONE;
		ASSERT_EQ(0, set_rule(self->context, &rule));
		/* The job that was released meanwhile, if there is one, and then the other. */
		for (i = 0; actions[n] != HFT_ACTION_SHED && i < 3; i++) {
			ASSERT_EQ(0, hft_test_take(&self->ruled.ring, &event, 10 * NSEC_PER_SEC));
			if (event.cookie == 1)
				break;
		}
		ASSERT_GT(3, i);
		while (hft_test_next(&self->ruled.ring, &event))
			;
	}
}

/* Set and taken away, with anomalies all the time, by a process that is killed. */
static void storm(int cpu)
{
	int context = hft_test_context(TASKS), n = 0;
	struct ruled ruled;

	if (context < 0 || make_ruled(context, cpu, &ruled))
		exit(1);
	for (;; n++) {
		struct hft_rule rule = make_rule(&ruled, n % HFT_RULES,
						 n % 3 ? HFT_ACTION_HALT : HFT_ACTION_REDUCE);

		rule.leave = HFT_RULE_LEAVE_MIN;
		if (n % 5 == 4)
			rule.action = HFT_ACTION_NONE;
		if (set_rule(context, &rule))
			exit(1);
		if (n < 10 && learn(context, &ruled) == -EINVAL)
			exit(1);
		run_task(context, &ruled, SPIKE_NS, SPIKE_NS);
		run_task(context, &ruled, USUAL_NS, USUAL_NS);
	}
}

TEST_F(rule, killed)
{
	int rounds = hft_test_scaled(30), round, status, i;
	uint64_t random = 1;
	pid_t pids[2];

	for (round = 0; round < rounds; round++) {
		for (i = 0; i < 2; i++) {
			pids[i] = fork();
			ASSERT_LE(0, pids[i]);
			if (!pids[i])
				storm(i % hft_test_cpus());
		}
		hft_test_sleep(hft_test_random(&random) % (50 * MS));
		for (i = 0; i < 2; i++) {
			ASSERT_EQ(0, kill(pids[i], SIGKILL));
			ASSERT_EQ(pids[i], waitpid(pids[i], &status, 0));
			ASSERT_TRUE(WIFSIGNALED(status));
		}
		/* Other contexts have nothing of it. */
		ASSERT_EQ(0, run_task(self->context, &self->ruled, USUAL_NS, USUAL_NS));
	}
}

struct setter {
	int context;
	struct hft_rule rule;
	atomic_bool stop;
	int failed;
};

static void *set_again(void *arg)
{
	struct setter *setter = arg;

	setter->failed = hft_test_cpus() > 1 ? hft_test_pin(1) : 0;
	while (!atomic_load(&setter->stop))
		setter->failed |= set_rule(setter->context, &setter->rule);
	return NULL;
}

/* What a rule holds is let go also when it is undone before anybody was told of it. */
TEST_F(rule, undone_at_once)
{
	int trials = hft_test_scaled(2000), i;
	struct setter setter = { .context = self->context };
	struct hft_event event;
	pthread_t thread;

	ASSERT_EQ(0, hft_test_pin(0));
	setter.rule = make_rule(&self->ruled, 0, HFT_ACTION_HALT);
	setter.rule.flags = HFT_RULE_LATCH;
	ASSERT_EQ(0, set_rule(self->context, &setter.rule));
	ASSERT_EQ(0, learn(self->context, &self->ruled));
	ASSERT_EQ(0, pthread_create(&thread, NULL, set_again, &setter));
	for (i = 0; i < trials; i++) {
		int err = run_task(self->context, &self->ruled, i % 4 ? USUAL_NS : SPIKE_NS,
				   USUAL_NS);

		ASSERT_EQ(0, err) TH_LOG("trial %d", i);
		while (hft_test_next(&self->monitor, &event))
			;
	}
	atomic_store(&setter.stop, true);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(0, setter.failed);
}

struct toggler {
	int cpu;
	atomic_bool stop;
	int cycles;
	int failed;
};

static void *toggle(void *arg)
{
	struct toggler *toggler = arg;
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", toggler->cpu);
	while (!atomic_load(&toggler->stop)) {
		toggler->failed |= hft_test_write_file(path, "0");
		toggler->failed |= hft_test_write_file(path, "1");
		toggler->cycles++;
	}
	return NULL;
}

/* On a CPU that goes and comes: what is in force is undone, and the ring works again. */
TEST_F(rule, hotplug)
{
	struct toggler toggler = { .cpu = hft_test_cpus() - 1 };
	int trials = hft_test_scaled(300), i, err;
	struct hft_event event;
	struct ruled ruled;
	struct hft_rule rule;
	pthread_t thread;
	uint64_t end;

	if (toggler.cpu < 1)
		SKIP(return, "one CPU can not go offline");
	ASSERT_EQ(0, hft_test_pin(0));
	ASSERT_EQ(0, make_ruled(self->context, toggler.cpu, &ruled));
	rule = make_rule(&ruled, 0, HFT_ACTION_HALT);
	rule.leave = HFT_RULE_LEAVE_MIN;
	ASSERT_EQ(0, set_rule(self->context, &rule));
	ASSERT_EQ(0, learn(self->context, &ruled));
	ASSERT_EQ(0, pthread_create(&thread, NULL, toggle, &toggler));
	for (i = 0; i < trials; i++) {
		err = run_task(self->context, &ruled, i % 4 ? USUAL_NS : SPIKE_NS, USUAL_NS);
		ASSERT_TRUE(!err || err == -ENODEV || err > 0) TH_LOG("error %d", err);
		while (hft_test_next(&self->monitor, &event))
			;
	}
	atomic_store(&toggler.stop, true);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(0, toggler.failed);
	ASSERT_LT(0, toggler.cycles);
	end = hft_test_now() + 20 * NSEC_PER_SEC;
	while (rule_info(self->context, &rule).in_force && hft_test_now() < end)
		hft_test_sleep(MS);
	ASSERT_EQ(0, (int)rule_info(self->context, &rule).in_force);
	while (hft_test_next(&ruled.ring, &event))
		;
	ASSERT_EQ(0, run_task(self->context, &ruled, USUAL_NS, USUAL_NS));
	hft_test_ring_close(&ruled.ring);
}

TEST_F(rule, counted)
{
	struct hft_rule rule = make_rule(&self->ruled, 0, HFT_ACTION_NOTIFY);
	long spikes = hft_test_counter("anomaly_spikes"), applied = hft_test_counter("responses_applied");
	int i;

	ASSERT_LE(0, spikes);
	ASSERT_LE(0, applied);
	rule.leave = 1000 * NSEC_PER_SEC;
	ASSERT_EQ(0, set_rule(self->context, &rule));
	ASSERT_EQ(0, learn(self->context, &self->ruled));
	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, run_task(self->context, &self->ruled, SPIKE_NS, USUAL_NS));
	ASSERT_EQ(spikes + 10, hft_test_counter("anomaly_spikes"));
	ASSERT_EQ(applied + 1, hft_test_counter("responses_applied"));
	ASSERT_EQ(10, (int)rule_info(self->context, &rule).anomalies);
	/* Of a ring that is gone, too. */
	hft_test_ring_close(&self->ruled.ring);
	ASSERT_EQ(spikes + 10, hft_test_counter("anomaly_spikes"));
}

TEST_HARNESS_MAIN
