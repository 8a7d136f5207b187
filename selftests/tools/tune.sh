#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# hft-check and hft-tune on the files of a real kernel: all is put back, killed or not.
. ../include/tap.sh

# One CPU of each node is a worker's: interrupts go to the CPUs of one.
WORKERS=1,3
OTHERS_MASK=5
RT=/proc/sys/kernel/sched_rt_runtime_us
QUEUE=/sys/devices/virtual/workqueue/cpumask

for tool in hft-check hft-tune; do
	command -v $tool >/dev/null || skip_all "$tool is not built"
done
[ -e /sys/devices/system/cpu/cpu3 ] || skip_all "there are no four CPUs"
case $(uname -r) in
*-debug) skip_all "hft-tune works no kernel code of ours: it has passed elsewhere" ;;
esac

# All that hft-tune may touch, and what is there.
look() {
	for file in /proc/irq/*/smp_affinity_list /proc/irq/default_smp_affinity \
		/sys/devices/virtual/workqueue/cpumask /sys/devices/virtual/workqueue/*/cpumask \
		/sys/devices/system/cpu/cpu*/cpuidle/state*/disable \
		/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor \
		/sys/kernel/debug/sched/fair_server/cpu*/runtime \
		/sys/kernel/mm/transparent_hugepage/*abled \
		/sys/kernel/mm/transparent_hugepage/defrag \
		/sys/kernel/mm/transparent_hugepage/khugepaged/defrag \
		/proc/sys/kernel/sched_rt_runtime_us /proc/sys/kernel/timer_migration \
		/proc/sys/kernel/*watchdog* /proc/sys/kernel/numa_balancing \
		/proc/sys/vm/compaction_proactiveness /proc/sys/vm/stat_interval; do
		[ -r "$file" ] && [ -f "$file" ] && echo "$file: $(cat "$file" 2>/dev/null)"
	done
	return 0
}

# same NAME: all is as it was at first
same() {
	look >"$dir/now"
	diff "$dir/before" "$dir/now" >"$out" && [ ! -e /run/hft-tune/state ]
	result $? "$1"
}

# Until a process has ended, waited for or not.
wait_for_end() {
	while [ -e "/proc/$1" ] && ! grep -q ') Z ' "/proc/$1/stat" 2>/dev/null; do
		sleep 0.1
	done
}

# start_long: $tuner runs a command that does not end, and $watcher watches it
start_long() {
	rm -f "$dir/ready"
	hft-tune --cpus $WORKERS -- sh -c "touch $dir/ready; exec sleep 1000" 2>"$dir/said" &
	tuner=$!
	watcher=
	while [ ! -e "$dir/ready" ] || [ -z "$watcher" ]; do
		if ! kill -0 $tuner 2>/dev/null; then
			cp "$dir/said" "$out"
			result 1 "hft-tune runs a command"
			finish
		fi
		sleep 0.1
		for stat in /proc/[0-9]*/stat; do
			grep -q "(restore-tuning) [A-Z] $tuner " "$stat" 2>/dev/null || continue
			watcher=${stat#/proc/}
			watcher=${watcher%/stat}
		done
	done
}

look >"$dir/before"
hft-check --cpus $WORKERS >"$out" 2>&1
[ $? -le 2 ]
result $? "hft-check"
prints '^ok    module: hft.ko is loaded, version [^ ]+, features 0x[0-9a-f]+, 4 CPUs' \
	"hft-check asks the module"
prints '^ok    device: /dev/hft can be opened' "and opens the device"
prints '^[a-z]+ +clocksource: the clocksource is ' "hft-check names the clocksource"
prints '^warn  hypervisor: ' "hft-check sees the virtual machine"
status 1 "hft-check of the workqueues" hft-check --cpus $WORKERS --only workqueue
status 1 "hft-check of throttling" hft-check --cpus $WORKERS --only rt_throttling

for name in workqueue rt_throttling irq_default timer_migration watchdog; do
	hft-tune --cpus $WORKERS --only $name -- \
		hft-check --cpus $WORKERS --only $name --no-measure >"$out" 2>&1
	prints "^ok    $name: " "hft-check is content with hft-tune's $name"
	same "$name is as it was"
done

hft-tune --cpus $WORKERS --apply >"$out" 2>&1
[ $? -le 1 ]
result $? "hft-tune --apply"
cp "$out" "$dir/applied"
prints "^irq_affinity: /proc/irq/[0-9]+/smp_affinity_list: (0|0,2), was 0-[13]$" "an interrupt was moved"
[ "$(cat $RT)" = -1 ] && [ "$(cat $QUEUE)" = $OTHERS_MASK ]
result $? "throttling and workqueues are changed"
# What still goes to the workers is an interrupt that nobody handles, or is named.
for irq in /proc/irq/[0-9]*; do
	case $(cat "$irq/smp_affinity_list") in
	0 | 2 | 0,2) continue ;;
	esac
	for handler in "$irq"/*/; do
		[ ! -d "$handler" ] || grep -q "$irq/smp_affinity_list stays" "$dir/applied" ||
			echo "$irq $handler"
	done
done >"$out"
[ ! -s "$out" ]
result $? "an interrupt that could not be moved is named"
status 1 "hft-tune --status" hft-tune --status
status 125 "hft-tune --apply once more" hft-tune --cpus $WORKERS --apply
hft-tune --restore >"$out" 2>&1
result $? "hft-tune --restore"
same "all is as it was"

start_long
[ "$(cat $RT)" = -1 ]
result $? "changed while a command runs"
kill -9 $tuner
wait $tuner 2>/dev/null
wait_for_end "$watcher"
same "hft-tune was killed: all is as it was"
cp "$dir/said" "$out"
prints 'was killed: restoring' "and that is said"
killall sleep

start_long
# Who is stopped can not make another.
kill -STOP $tuner
kill -9 "$watcher" $tuner
wait $tuner 2>/dev/null
wait_for_end "$watcher"
killall sleep
[ "$(cat $RT)" = -1 ]
result $? "both were killed: what was changed is changed"
status 125 "the next hft-tune refuses" hft-tune --cpus $WORKERS -- true
prints 'hft-tune --restore' "and says what to do"
status 0 "hft-tune --restore" hft-tune --restore
same "all is as it was"
finish
