#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# tools/vm/log-findings: what fails a run in a VM, and what does not.
TOOL=$(dirname "$0")/../../tools/vm/log-findings
number=0 failed=0

# check COUNT LINE: whether LINE is found
check() {
	local word=

	number=$((number + 1))
	if [ "$(printf '%s\n' "$2" | "$TOOL" | wc -l)" != "$1" ]; then
		word="not "
		failed=1
	fi
	echo "${word}ok $number $2" | tr -d '\r'
}

echo "TAP version 13"
while IFS= read -r line; do
	check 1 "<4>[   12.345678] $line"
	check 1 "[   12.345678][  T123] $line"
done <<'END'
WARNING: CPU: 1 PID: 74 at kernel/time/hrtimer.c:1088 hrtimer_forward+0x9b/0xb0
WARNING: possible circular locking dependency detected
WARNING: inconsistent lock state
[ BUG: Invalid wait context ]
WARNING: suspicious RCU usage
BUG: sleeping function called from invalid context at mm/slab.h:494
BUG: scheduling while atomic: cat/123/0x00000002
BUG: kernel NULL pointer dereference, address: 0000000000000008
BUG: KASAN: slab-out-of-bounds in hft_ring_add+0x12/0x34 [hft]
UBSAN: shift-out-of-bounds in kmod/queue.c:12:3
ODEBUG: free active (active state 0) object type: hrtimer hint: 0x0
kmemleak: 2 new suspected memory leaks (see /sys/kernel/debug/kmemleak)
list_add corruption. prev->next should be next (0), but was 1.
INFO: task insmod:77 blocked for more than 120 seconds.
rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
rcu: INFO: rcu_sched self-detected stall on CPU
watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [hft:99]
general protection fault, probably for non-canonical address 0xdead000000000100
Oops: 0000 [#1] PREEMPT SMP
Kernel panic - not syncing: Fatal exception in interrupt
END
while IFS= read -r line; do
	check 0 "[    0.123456] $line"
done <<'END'
Lock dependency validator: Copyright (c) 2006 Red Hat, Inc., Ingo Molnar
kasan: KernelAddressSanitizer initialized
[Firmware Bug]: TSC ADJUST: CPU0: -1 force to 0
Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on
hft: loading out-of-tree module taints kernel.
sched: RT throttling activated
rcu: Preemptible hierarchical RCU implementation.
hft-test: order/order
END
echo "1..$number"
exit $failed
