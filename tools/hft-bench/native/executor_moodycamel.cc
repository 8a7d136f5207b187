// SPDX-License-Identifier: LGPL-2.1-or-later
/* moodycamel's ConcurrentQueue, without tokens. */
#include "executor.h"

#if __has_include(<concurrentqueue/concurrentqueue.h>)
#include <concurrentqueue/concurrentqueue.h>

namespace {

struct Call {
	executor_fn fn;
	void *arg;
};

using Queue = moodycamel::ConcurrentQueue<Call>;

void *create()
{
	try {
		return new Queue(EXECUTOR_QUEUE);
	} catch (...) {
		return nullptr;
	}
}

void destroy(void *queue)
{
	delete static_cast<Queue *>(queue);
}

bool put(void *queue, executor_fn fn, void *arg)
{
	return static_cast<Queue *>(queue)->enqueue({fn, arg});
}

bool run(void *queue)
{
	Call call;

	if (!static_cast<Queue *>(queue)->try_dequeue(call))
		return false;
	call.fn(call.arg);
	return true;
}

}

const struct executor_queue executor_moodycamel = {
	"moodycamel", "libconcurrentqueue-dev", create, destroy, put, run,
};
#else
const struct executor_queue executor_moodycamel = {
	"moodycamel", "libconcurrentqueue-dev", nullptr, nullptr, nullptr, nullptr,
};
#endif
