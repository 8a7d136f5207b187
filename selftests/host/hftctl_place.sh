#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# hftctl topology and place: of machines that are described, and of this one.
cd "$(dirname "$0")" || exit 1
. ../include/tap.sh
TOP=$(realpath ../..)
TOOL=${BUILD:-$TOP/build}/tools/hftctl
BOX="package:2 [numa] l3:2 core:2 pu:2"

[ -x "$TOOL" ] || skip_all "hftctl is not built"

# places NAME "CPU..." OPTION...: the workers of the box have these CPUs, in this order
places() {
	local name="$1" wanted="$2"

	shift 2
	"$TOOL" place --synthetic "$BOX" "$@" >"$out" 2>&1
	[ "$(awk 'NR > 1 && $1 != "-" { printf "%s%s", s, $2; s = " " }' "$out")" = "$wanted" ]
	result $? "$name"
}

check "this machine" "$TOOL" topology
[ "$(grep -c online "$out")" = "$(getconf _NPROCESSORS_ONLN)" ]
result $? "each of its CPUs is there"
check "a machine that is described" "$TOOL" topology --synthetic "$BOX"
prints "^ +9 +4 +1 +- +2 +1 +1 online allowed *$" "what CPU 9 shares"

places "spread" "2 8 4" --policy spread --workers 3
places "pack" "2 3 4" --policy pack --workers 3 --siblings
places "as many as can be" "2 4 6 8 10 12 14 1" --no-siblings
places "a list" "7 1 2 3" --policy list --cpus 7,1-3
places "excluded" "12" --exclude 0-11 --workers 1
places "allowed" "5" --allow 5 --workers 1
places "more than there are" "5 5 5" --allow 5 --workers 3 --reuse
places "the others, too" "2" --workers 1 --all --no-siblings --exclude 9
prints "^ +- +9 +1 excluded +excluded by the caller" "why it is not another one"
prints "^ +- +3 +0 sibling " "nor its sibling"

mkdir -p "$dir/sys/devices/system/cpu" "$dir/sys/devices/nic" "$dir/sys/class/net"
echo 0-15 >"$dir/sys/devices/system/cpu/online"
echo 6,14 >"$dir/sys/devices/system/cpu/isolated"
printf 8-15 >"$dir/sys/devices/nic/local_cpulist"
ln -s ../../devices/nic "$dir/sys/class/net/eth7"
places "isolated" "6 14" --sysfs "$dir/sys" --workers 2
places "near" "14 12 8" --sysfs "$dir/sys" --workers 3 --policy near --device eth7
check "where a device is" "$TOOL" topology --synthetic "$BOX" --sysfs "$dir/sys" --device eth7
prints "^cpus +8-15$" "near which CPUs"

"$TOOL" place --synthetic "$BOX" --workers 2 --all --json >"$out" 2>&1
python3 -c 'import json, sys
rows = json.load(open(sys.argv[1]))
assert [r["worker"] for r in rows] == [0, 1] + 14 * [None]
assert sorted(r["cpu"] for r in rows) == list(range(16))' "$out"
result $? "JSON"

check "what the CPU offers" "$TOOL" topology --features
prints "^body +(avx512|avx2|generic)$" "which build is used"
HFT_CPU_HIDE=avx512,avx2 check "less than it has" "$TOOL" topology --features
prints "^body +generic$" "another build is used then"
fails 2 "--features of place" "$TOOL" place --features

fails 1 "more workers than CPUs" "$TOOL" place --synthetic "$BOX" --workers 17
fails 1 "a CPU that is not there" "$TOOL" place --synthetic "$BOX" --policy list --cpus 16
fails 1 "a device that is not there" "$TOOL" place --policy near --device hft-none
fails 1 "no machine" "$TOOL" topology --synthetic nonsense
fails 1 "a list without its policy" "$TOOL" place --cpus 0
fails 2 "no policy" "$TOOL" place --policy best
fails 2 "no list" "$TOOL" place --policy list --cpus 1,
fails 2 "no workers" "$TOOL" place --workers 0
fails 2 "an option of place" "$TOOL" topology --workers 1
fails 2 "an argument" "$TOOL" place 3
check "--help" "$TOOL" place --help
finish
