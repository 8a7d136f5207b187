#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What a log call takes, with a session of lttng-ust for its peer: build/bench/log in it.
set -euo pipefail

HERE=$(dirname "$(realpath "$0")")
BUILD=${BUILD:-$(realpath "$HERE/../..")/build}
dir=$(mktemp -d)
session=hft-bench-$$ daemon=

clean_up() {
	lttng destroy "$session" >/dev/null 2>&1 || :
	[ -z "$daemon" ] || kill "$daemon" 2>/dev/null || :
	rm -rf "$dir"
}
trap clean_up EXIT

# A daemon of its own where there is none.
start_session() {
	command -v lttng-sessiond >/dev/null || return 1
	if ! lttng --no-sessiond list >/dev/null 2>&1; then
		lttng-sessiond --daemonize --no-kernel --pidfile "$dir/pid" >/dev/null 2>&1 ||
			return 1
		daemon=$(cat "$dir/pid")
	fi
	lttng create "$session" --output "$dir/lttng" &&
		lttng enable-channel --userspace --session "$session" --subbuf-size 4M --num-subbuf 4 c &&
		lttng enable-event --userspace --session "$session" --channel c 'hft_bench:*' &&
		lttng start "$session"
} >/dev/null 2>&1

if start_session; then
	export HFT_BENCH_LTTNG=1 LTTNG_UST_REGISTER_TIMEOUT=5000
else
	echo "note log: lttng-ust has no session: is lttng-tools installed?"
fi
"$BUILD/bench/log" "$dir/log"
