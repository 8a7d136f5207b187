#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# hft-check: its text, its JSON and its exit status.
cd "$(dirname "$0")" || exit 1
. ../include/tap.sh
TOP=$(realpath ../..)
TOOL=${BUILD:-$TOP/build}/tools/hft-check
KEYS='cost cost_ns cost_source fix lasting name severity topic what'

# put PATH TEXT: into the machine that is looked at
put() {
	mkdir -p "$dir/root$(dirname "$1")"
	echo "$2" >"$dir/root$1"
}

[ -x "$TOOL" ] || skip_all "hft-check is not built"

put /sys/devices/system/cpu/online 0-3
put /proc/swaps Filename
put /proc/sys/kernel/sched_rt_runtime_us 950000
put /sys/devices/system/clocksource/clocksource0/current_clocksource hpet

look=("$TOOL" --root "$dir/root" --cpus 2-3)
check "help" "$TOOL" --help
prints '^Usage: hft-check' "it says how it is used"
status 0 "what is well" "${look[@]}" --only swap
prints '^ok    swap: there is no swap$' "it is said"
prints '^1 ok, 0 note, 0 warn, 0 fail$' "and counted"
status 0 "what is well, quietly" "${look[@]}" --only swap --quiet
[ "$(wc -l <"$out")" = 1 ]
result $? "only counted"
status 1 "a warning" "${look[@]}" --only rt_throttling
prints '^warn  rt_throttling: .*950000 us of each 1000000 us' "what it is"
prints '^ +cost .*50000 us of each 1000000 us \(Documentation/' "what it costs, and who says so"
prints '^ +fix +sysctl kernel.sched_rt_runtime_us=-1$' "the command"
prints '^ +for good .*/etc/sysctl.d/' "and for good"
status 2 "a failure" "${look[@]}" --only clocksource
status 2 "all of that machine" "${look[@]}"
prints '^fail  clocksource: the clocksource is hpet' "the failure is there"
grep -q "(measured)" "$out"
[ $? = 1 ]
result $? "nothing is measured on another machine"

if command -v python3 >/dev/null; then
	"${look[@]}" --json >"$dir/json" 2>"$out"
	[ $? = 2 ] && python3 - "$dir/json" "$KEYS" >"$out" 2>&1 <<'PYTHON'
import json, subprocess, sys

report = json.load(open(sys.argv[1]))
assert report['severity'] == 'fail'
for finding in report['findings']:
    assert ' '.join(sorted(finding)) == sys.argv[2], finding
by_name = {finding['name']: finding for finding in report['findings']}
assert len(by_name) == len(report['findings']) > 40
assert by_name['clocksource']['severity'] == 'fail'
for finding in report['findings']:
    if finding['fix']:
        command = ['sh', '-n', '-c', finding['fix']]
        assert subprocess.run(command).returncode == 0, command
assert by_name['rt_throttling']['fix'] == 'sysctl kernel.sched_rt_runtime_us=-1'
PYTHON
	result $? "JSON"
else
	skip "no python3"
fi

"$TOOL" --no-measure >"$out" 2>&1
[ $? -le 2 ]
result $? "this machine"
prints '^[0-9]+ ok, [0-9]+ note, [0-9]+ warn, [0-9]+ fail$' "its findings are counted"

fails 125 "a check that is none" "${look[@]}" --only swa
fails 125 "no list of CPUs" "$TOOL" --root "$dir/root" --cpus 3-2
fails 125 "no machine" "$TOOL" --root "$dir"
fails 125 "an argument" "$TOOL" 5
fails 125 "an unknown option" "$TOOL" --nonsense
fails 125 "a file that can not be written" bash -c "'${look[0]}' --root '$dir/root' >/dev/full"
finish
