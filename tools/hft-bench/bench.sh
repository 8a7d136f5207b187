#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# ---
# Usage: bench.sh [--only NAME] [--kernel NAME]
#
# Measures every figure of the table in tools/hft-bench/figures, or the one
# called NAME, prints them beside their targets and writes build/bench.json.
#
#   --only NAME    one figure (make bench ONLY=NAME)
#   --kernel NAME  the kernel of the VM, as tools/vm/run takes it (default 6.1)
#   --help         this text
#
# Instruments: "icount VM": QEMU executes one instruction per virtual nanosecond,
# so ns and instructions are the same and a run repeats exactly ("edu": with that device of
# QEMU's, which works in its own time); "TCG plugin":
# instructions counted one by one; "native" and "native ratio": both sides timed in
# turns in one process on this machine, their medians, or that of the ratios, are the
# figure; "PMU or callgrind": the machine's own cache misses where it counts them, else
# valgrind's model of a cache, and a note says which; "sim": the library's simulated machine,
# on which a run repeats exactly; "VM": QEMU in real time, which a busy host makes slower.
#
# HFT_TEST_DATA names the data that the figures on "sim" take; without it they are skipped.
#
# Exit status: 0 when every figure could be measured, whether it reaches its
# target or not, or was skipped for the reason that is told, else 1.
# ---
set -euo pipefail

HERE=$(dirname "$(realpath "$0")")
TOP=$(realpath "$HERE/../..")
BUILD=${BUILD:-$TOP/build}
only=${ONLY:-} kernel=6.1

usage() {
	sed -n '/^# ---$/,/^# ---$/{/^# ---$/d;s/^# \{0,1\}//;p}' "$0"
}

die() {
	echo "bench: $*" >&2
	exit 1
}

while [ $# -gt 0 ]; do
	case $1 in
	--help) usage; exit 0 ;;
	--only) only=${2:?}; shift 2 ;;
	--kernel) kernel=${2:?}; shift 2 ;;
	*) die "unknown argument $1: see --help" ;;
	esac
done

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
results=$tmp/results
: >"$results"
status=0

# groups INSTRUMENT: what has to run for the wanted figures
groups() {
	awk -F'|' -v only="$only" -v instrument="$1" '
		/^#/ || NF < 6 || (only != "" && $1 != only) || $3 != instrument { next }
		!seen[$4]++ { print $4 }' "$HERE/figures"
}

# measure COMMAND...: keep its lines, with the command that made them
measure() {
	local command="${*//$TOP\//}"

	echo "bench: $command" >&2
	echo "command ${command//$tmp/build}" >>"$results"
	"$@" >"$tmp/out" || { status=1; echo "bench: it failed: $command" >&2; }
	grep -E '^(figure|peer|note|skip) ' "$tmp/out" >>"$results" || :
}

run_native() {
	local group

	[ $# -gt 0 ] || return 0
	make -s -C "$HERE/native" BUILD="$BUILD" >&2 || die "the native benches can not be built"
	for group; do
		case $group in
		heap-*) measure env GLIBC_TUNABLES=glibc.malloc.hugetlb=1 \
				"$BUILD/bench/heap" "heap_${group#heap-}_ratio" "$(size "${group#heap-}")" ;;
		affine) measure "$HERE/affine.sh" ;;
		log) measure "$HERE/log.sh" ;;
		*) measure "$BUILD/bench/$group" ;;
		esac
	done
}

size() {
	case $1 in
	1k) echo 1000 ;;
	100k) echo 100000 ;;
	1m) echo 1000000 ;;
	esac
}

# Real-time throttling would stop the peer that spins.
# run_icount CPUS [GROUP]...
run_icount() {
	local cpus=$1 peer

	shift
	[ $# -gt 0 ] || return 0
	peer=$(command -v cyclictest) || die "cyclictest is not installed: run 'make deps'"
	measure "$TOP/tools/vm/run" --kernel "$kernel" --icount --cpus "$cpus" --timeout 1800 \
		--file "$peer:/usr/bin/cyclictest" -- sh -c \
		"echo -1 > /proc/sys/kernel/sched_rt_runtime_us && exec hft-bench $*"
}

# The device and its driver are there for this alone.
run_sink() {
	[ $# -gt 0 ] || return 0
	measure "$TOP/tools/vm/run" --kernel "$kernel" --icount --device edu --timeout 900 \
		-- sh -c "insmod /samples/hft_edu.ko && exec hft-bench $*"
}

run_plugin() {
	[ $# -gt 0 ] || return 0
	measure "$HERE/callback.sh" "$kernel"
}

run_sim() {
	local group

	for group; do
		case $group in
		critical_path) measure "$HERE/critical_path.sh" ;;
		*)
			make -s -C "$HERE/native" BUILD="$BUILD" "$BUILD/bench/$group" >&2 ||
				die "$group can not be built"
			measure "$BUILD/bench/$group"
			;;
		esac
	done
}

run_demo() {
	[ $# -gt 0 ] || return 0
	measure "$HERE/log_demo.sh" "$kernel"
}

# In real time, and with a host that stops the machine.
run_vm() {
	[ $# -gt 0 ] || return 0
	measure "$TOP/tools/vm/run" --kernel "$kernel" --cpus 2 --control --timeout 600 \
		-- hft-bench "$@"
}

[ -z "$only" ] || grep -q "^$only|" "$HERE/figures" || die "no figure is called $only"
# shellcheck disable=SC2046
{
	run_native $({ groups "native ratio"; groups native; groups "PMU or callgrind"; } |
		awk '!seen[$0]++')
	run_sim $(groups sim)
	run_icount 1 $(groups "icount VM")
	run_icount 4 $(groups "icount VM, 4 CPUs")
	run_demo $(groups "icount VM, demo")
	run_sink $(groups "icount VM, edu")
	run_plugin $(groups "TCG plugin")
	run_vm $(groups VM)
}
mkdir -p "$BUILD"
awk -v only="$only" -v json="$BUILD/bench.json" -f "$HERE/report.awk" "$HERE/figures" "$results" ||
	status=1
exit $status
