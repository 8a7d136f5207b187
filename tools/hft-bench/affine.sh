#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# ---
# Usage: affine.sh
#
# What it gains that a book's updates go to the worker of its home, against workers in
# turn: the figure affine_time_ratio, timed on a pool, and affine_miss_reduction_pct.
# Where the machine counts no cache misses, valgrind's callgrind does, on a model: the
# updates of each of two workers through a cache of its own, of 48 KiB and 2 MiB behind
# that; what the one has and the other writes is no miss there, so that on a machine it is
# rather more that is gained.
# ---
set -euo pipefail

HERE=$(dirname "$(realpath "$0")")
BUILD=${BUILD:-$(realpath "$HERE/../..")/build}
BENCH=$BUILD/bench/affine
WORKERS=2

[ "${1:-}" != --help ] || { sed -n '/^# ---$/,/^# ---$/{/^# ---$/d;s/^# \{0,1\}//;p}' "$0"; exit 0; }
[ $# = 0 ] || { echo "affine: unknown argument $1: see --help" >&2; exit 2; }

# misses PLACING: of all workers, data, behind the second cache
misses() {
	local worker

	for ((worker = 0; worker < WORKERS; worker++)); do
		valgrind --tool=callgrind --callgrind-out-file=/dev/null --cache-sim=yes \
			--collect-atstart=no --toggle-collect=counted_turn \
			--I1=32768,8,64 --D1=49152,12,64 --LL=2097152,16,64 \
			"$BENCH" -w $WORKERS -s "$1" -n $worker 2>&1 |
			sed -nE 's/.*LLd misses: +([0-9,]+).*/\1/p' | tr -d ,
	done | awk '{ sum += $1; nr++ } END { if (nr == '$WORKERS') print sum }'
}

lines=$("$BENCH")
echo "$lines"
! grep -q "^figure affine_miss_reduction_pct " <<<"$lines" || exit 0
if ! command -v valgrind >/dev/null; then
	echo "skip affine_miss_reduction_pct no PMU, and no valgrind: run 'make bench'"
	exit 0
fi
affine=$(misses affine)
in_turn=$(misses round-robin)
if [ -z "$affine" ] || [ -z "$in_turn" ]; then
	echo "affine: valgrind's callgrind has counted nothing" >&2
	exit 1
fi
awk -v a="$affine" -v r="$in_turn" 'BEGIN {
	printf "figure affine_miss_reduction_pct %.1f\n", 100 - 100 * a / r }'
echo "note affine_miss_reduction_pct: by callgrind's cache model, no PMU here: $affine misses" \
	"affine, $in_turn in turns, in L2 caches of 2 MiB"
