// SPDX-License-Identifier: LGPL-2.1-or-later
/* oneTBB with two threads, one of them the caller's where it waits. */
#include <atomic>
#include <chrono>
#include <memory>
#include <vector>

#include <oneapi/tbb/flow_graph.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include "executor.h"

namespace {

using node = tbb::flow::continue_node<tbb::flow::continue_msg>;

struct Peer {
	tbb::global_control threads{tbb::global_control::max_allowed_parallelism, 2};
	tbb::task_arena arena{2};
	tbb::task_arena outside{1, 0};
	tbb::flow::graph graph;
	std::vector<std::unique_ptr<node>> nodes;
};

double now()
{
	using namespace std::chrono;

	return duration<double, std::nano>(steady_clock::now().time_since_epoch()).count();
}

void *create()
{
	try {
		Peer *peer = new Peer;
		int i;

		for (i = 0; i < 10; i++)
			peer->nodes.push_back(std::make_unique<node>(peer->graph,
				[](const tbb::flow::continue_msg &) {}));
		for (i = 1; i < 9; i++) {
			tbb::flow::make_edge(*peer->nodes[0], *peer->nodes[i]);
			tbb::flow::make_edge(*peer->nodes[i], *peer->nodes[9]);
		}
		return peer;
	} catch (...) {
		return nullptr;
	}
}

void destroy(void *peer)
{
	delete static_cast<Peer *>(peer);
}

void spawn_worker(void *peer, unsigned int nr, double *spawn_ns, double *total_ns)
{
	static_cast<Peer *>(peer)->arena.execute([=] {
		tbb::task_group group;
		double start = now();

		for (unsigned int i = 0; i < nr; i++)
			group.run([] {});
		*spawn_ns = now() - start;
		group.wait();
		*total_ns = now() - start;
	});
}

double spawn_outside(void *peer, unsigned int nr)
{
	tbb::task_arena &arena = static_cast<Peer *>(peer)->outside;
	static std::atomic<unsigned int> done;
	double start, spawned;

	done = 0;
	start = now();
	for (unsigned int i = 0; i < nr; i++)
		arena.enqueue([] { done.fetch_add(1, std::memory_order_relaxed); });
	spawned = now() - start;
	while (done.load() != nr)
		;
	return spawned;
}

uint64_t fib_of(unsigned int n)
{
	uint64_t a, b;

	if (n < 2)
		return n;
	tbb::task_group group;
	group.run([&a, n] { a = fib_of(n - 1); });
	b = fib_of(n - 2);
	group.wait();
	return a + b;
}

double fib(void *peer)
{
	double start = now();

	static_cast<Peer *>(peer)->arena.execute([] { fib_of(EXECUTOR_FIB); });
	return now() - start;
}

void graph(void *side, unsigned int nr, double *ns)
{
	Peer *peer = static_cast<Peer *>(side);

	for (unsigned int i = 0; i < nr; i++) {
		double start = now();

		peer->nodes[0]->try_put(tbb::flow::continue_msg());
		peer->graph.wait_for_all();
		ns[i] = now() - start;
	}
}

}

const struct executor_side executor_tbb = {
	"oneTBB", create, destroy, spawn_worker, spawn_outside, fib, graph,
};
