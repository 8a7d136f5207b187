#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# ---
# Usage: callback.sh [KERNEL]
#
# Counts the instructions of the hrtimer's callback, from its entry to the store
# that publishes the ring's tail, with one task due: every instruction that the
# CPU executes in between, the module's and the kernel's.  Prints the largest
# count with no other task waiting as the figure hrtimer_cb_insn, and the range
# with up to 200 others waiting as a note.
#
# A first boot finds where the module lies; the VM has no randomisation, so it
# lies there in the second, in which the TCG plugin counts.
# ---
set -euo pipefail

HERE=$(dirname "$(realpath "$0")")
TOP=$(realpath "$HERE/../..")
BUILD=${BUILD:-$TOP/build}
FROM=hft_dispatch_timer
ALONE=100	# calls that hft-bench begins with
PUBLISH='smp_store_release(&ready->producer->tail'

die() {
	echo "callback: $*" >&2
	exit 1
}

[ "${1:-}" != --help ] || { sed -n '/^# ---$/,/^# ---$/{/^# ---$/d;s/^# \{0,1\}//;p}' "$0"; exit 0; }
kernel=${1:-6.1}
module=$BUILD/kmod/$kernel/hft.ko
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

vm() {
	"$TOP/tools/vm/run" --kernel "$kernel" --icount --timeout 900 "$@"
}

build_plugin() {
	local header

	header=$("$TOP/tools/vm/fetch-qemu" --header) || die "there is no qemu-plugin.h"
	make -s -C "$HERE/plugin" BUILD="$BUILD" HEADER="$header" >&2
}

# Offsets from FROM of the stores that publish a tail: there may be inlined copies.
publish_offsets() {
	local place from

	place=$(cd "$TOP/kmod" && grep -rnF "$PUBLISH" . --include='*.[ch]' | sed -n '1s/^\.\/\([^:]*:[0-9]*\):.*/\1/p')
	[ -n "$place" ] || die "nothing in kmod/ publishes a tail by $PUBLISH"
	from=$(nm "$module" | sed -n "s/^\([0-9a-f]*\) t $FROM\$/\1/p;s/^\([0-9a-f]*\) T $FROM\$/\1/p")
	[ -n "$from" ] || die "$module has no $FROM"
	objdump -dl --no-show-raw-insn -j .text "$module" | awk -v place="$place" '
		/:[0-9]+( \(discriminator [0-9]+\))?$/ { here = index($1, "/" place) && $1 ~ (place "$") }
		here && /^ +[0-9a-f]+:[ \t]+mov +%[a-z0-9]+,(0x[0-9a-f]+)?\(/ { sub(":", "", $1); print $1 }' |
		while read -r pc; do echo $((16#$pc - 16#$from)); done
}

build_plugin
base=$(vm -- sh -c "sed -n 's/^\([0-9a-f]*\) [tT] $FROM\t.*/0x\1/p' /proc/kallsyms")
[[ $base =~ ^0x[0-9a-f]+$ ]] || die "the VM does not know $FROM"
plugin=$BUILD/bench/insn_count.so,from=$base,out=$tmp/counts
offsets=$(publish_offsets)
[ -n "$offsets" ] || die "no store publishes a tail in $module"
for offset in $offsets; do
	plugin+=",to=$(printf '%#x' $((base + offset)))"
done
vm --plugin "$plugin" ${BENCH_FILES:+--file "$BENCH_FILES"} -- hft-bench callback >&2
awk '$1 == "span" { print $2 }' "$tmp/counts" >"$tmp/spans"
[ "$(wc -l <"$tmp/spans")" -gt $ALONE ] || die "the callback did not run as often as it should"

# range FILE: its smallest and largest number
range() {
	sort -n "$1" | sed -n '1p;$p' | paste -sd ' '
}

read -r low high < <(range <(head -n $ALONE "$tmp/spans"))
echo "figure hrtimer_cb_insn $high"
echo "note callback: $low to $high instructions with no other task waiting"
read -r low high < <(range <(tail -n +$((ALONE + 1)) "$tmp/spans"))
echo "note callback: $low to $high instructions with up to 200 others waiting"
