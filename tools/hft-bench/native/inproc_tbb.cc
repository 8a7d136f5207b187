// SPDX-License-Identifier: LGPL-2.1-or-later
/* oneTBB: an arena of one worker, none of its places the caller's. */
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>

#include "inproc.h"

namespace {

struct Peer {
	/* On a small machine too there is a worker. */
	tbb::global_control threads{tbb::global_control::max_allowed_parallelism, 2};
	tbb::task_arena arena{1, 0};
};

void *create()
{
	try {
		Peer *peer = new Peer;

		peer->arena.initialize();
		return peer;
	} catch (...) {
		return nullptr;
	}
}

void submit(void *peer, inproc_fn fn, void *arg)
{
	static_cast<Peer *>(peer)->arena.enqueue([fn, arg] { fn(arg); });
}

void destroy(void *peer)
{
	delete static_cast<Peer *>(peer);
}

}

const struct inproc_peer inproc_tbb = { "oneTBB task_arena.enqueue", create, submit, destroy };
