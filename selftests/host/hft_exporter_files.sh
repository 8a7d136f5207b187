#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What comes with hft-exporter: alerts, the dashboard, the systemd unit and the page about it
# know the metrics that there are.
cd "$(dirname "$0")" || exit 1
. ../include/tap.sh
TOP=$(realpath ../..)
BUILD=${BUILD:-$TOP/build}
TOOL=$BUILD/tools/hft-exporter
FILES=$TOP/tools/hft-exporter
DASHBOARD=$FILES/dashboard.json
ALERTS=$FILES/alerts.yml
LEAST_PANELS=15
MOST_EXPOSURE=20		# of systemd-analyze security, tenths

# dashboard WHAT: its expressions, one a line; or as a file of rules, as promtool parses
# nothing else
dashboard() {
	python3 - "$DASHBOARD" "$1" <<'PYTHON'
import json, sys

def targets(panels):
    for panel in panels:
        yield from targets(panel.get('panels', []))
        yield from panel.get('targets', [])

exprs = [t['expr'] for t in targets(json.load(open(sys.argv[1]))['panels'])]
for old, new in ('$__rate_interval', '5m'), ('$instance', '.*'):
    exprs = [e.replace(old, new) for e in exprs]
if sys.argv[2] == 'expressions':
    print('\n'.join(exprs))
else:
    rules = [{'record': 'panel:%d' % i, 'expr': e} for i, e in enumerate(exprs)]
    json.dump({'groups': [{'name': 'dashboard', 'rules': rules}]}, sys.stdout)
PYTHON
}

# layout: no panel covers another, or has the number of one
layout() {
	python3 - "$DASHBOARD" <<'PYTHON'
import json, sys

taken, ids = {}, set()
for panel in json.load(open(sys.argv[1]))['panels']:
    pos, title = panel['gridPos'], panel['title']
    assert pos['x'] + pos['w'] <= 24, title
    assert panel['id'] not in ids, title
    ids.add(panel['id'])
    for x in range(pos['x'], pos['x'] + pos['w']):
        for y in range(pos['y'], pos['y'] + pos['h']):
            assert (x, y) not in taken, title + ' is on ' + taken[x, y]
            taken[x, y] = title
PYTHON
}

# series: all that there can be, also those of a histogram
series() {
	"$TOOL" --list | awk '$2 == "TYPE" {
		print $3
		if ($4 == "histogram")
			print $3 "_bucket\n" $3 "_count\n" $3 "_sum"
	}' | sort -u
}

# unknown: of the names in the text that is read, those that are no series
unknown() {
	grep -oE '\bhft_[a-z0-9_]+' | sort -u | comm -23 - "$dir/series" | tee "$out"
}

# knows NAME: the text that is read names some, and only such as there are
knows() {
	cat >"$dir/text"
	grep -qE '\bhft_[a-z]' "$dir/text" && [ -z "$(unknown <"$dir/text")" ]
	result $? "$1: each metric is one that there is"
}

# promtool_check NAME COMMAND...: where it is there
promtool_check() {
	if command -v promtool >/dev/null; then
		check "$@"
	else
		skip "no promtool (prometheus is not installed): $1"
	fi
}

# unit_check NAME COMMAND...: likewise
unit_check() {
	if command -v systemd-analyze >/dev/null; then
		check "$@"
	else
		skip "no systemd-analyze: $1"
	fi
}

# A file or an argument that systemd finds wrong it says, and goes on.
verify_unit() {
	systemd-analyze verify --man=no "$dir/hft-exporter.service" >"$out" 2>&1 && [ ! -s "$out" ]
}

exposure() {
	systemd-analyze security --offline=yes --threshold="$1" "$dir/hft-exporter.service"
}

# expand SET: the system calls of one of systemd's sets
expand() {
	local word

	systemd-analyze syscall-filter "$1" | sed -n 's/^ *\([-@a-z_0-9]*\)$/\1/p' |
		while read -r word; do
			case $word in
			"$1" | "") ;;
			@*) expand "$word" ;;
			*) echo "$word" ;;
			esac
		done
}

# allowed: those that the unit lets it call
allowed() {
	local word

	for word in $(sed -n 's/^SystemCallFilter=\([^~]\)/\1/p' "$dir/hft-exporter.service"); do
		expand "$word"
	done | sort -u >"$dir/allowed"
	for word in $(sed -n 's/^SystemCallFilter=~//p' "$dir/hft-exporter.service"); do
		expand "$word"
	done | sort -u | comm -23 "$dir/allowed" -
}

# trace: those that it calls when it serves, writes a file and is told to stop
trace() {
	local tracer pid i

	NOTIFY_SOCKET=$dir/notify WATCHDOG_USEC=1000000 strace -f -qq -o "$dir/trace" "$TOOL" \
		--listen "unix:$dir/socket" --textfile "$dir/x.prom" --interval 1 2>"$dir/log" &
	tracer=$!
	for ((i = 0; i < 600; i++)); do
		! grep -q "listening at" "$dir/log" || break
		kill -0 $tracer 2>/dev/null || return 1
		sleep 0.1
	done
	curl -sS --max-time 60 --unix-socket "$dir/socket" http://x/metrics >"$out" 2>&1
	sleep 1.5
	pid=$(sed -n '1s/^\([0-9]*\).*/\1/p' "$dir/trace")
	kill -TERM "$pid" && wait $tracer
	sed -nE 's/^[0-9]+ +([a-z_0-9]+)\(.*/\1/p' "$dir/trace" | sort -u >"$dir/calls"
	grep -qx epoll_wait "$dir/calls" && grep -qx rename "$dir/calls"
}

# What the kernel would kill it for
forbidden() {
	comm -23 "$dir/calls" <(allowed) >"$out"
	[ ! -s "$out" ]
}

[ -x "$TOOL" ] || skip_all "hft-exporter is not built"
series >"$dir/series"
[ "$(grep -c . "$dir/series")" -gt 30 ]
result $? "--list"
"$TOOL" --list >"$out"
promtool_check "promtool: the names of all" sh -c "promtool check metrics <'$out'"

knows "dashboard" < <(dashboard expressions)
[ "$(dashboard expressions | grep -c .)" -ge $LEAST_PANELS ]
result $? "dashboard: it has panels"
check "dashboard: none covers another" layout
dashboard rules >"$dir/dashboard.yml"
promtool_check "dashboard: each expression parses" promtool check rules "$dir/dashboard.yml"
knows "alerts" < <(sed -n '/expr:/,/for:\|labels:/p' "$ALERTS")
promtool_check "alerts: they parse" promtool check rules "$ALERTS"
promtool_check "alerts: each comes when it should" promtool test rules hft_exporter_alerts.yml
for alert in $(sed -n 's/.*alert: //p' "$ALERTS"); do
	grep -q "alertname: $alert\$" hft_exporter_alerts.yml || echo "$alert"
done >"$out"
[ ! -s "$out" ]
result $? "alerts: each is tested"

sed -n '/^Metrics of the module$/,$p' "$TOP/Documentation/exporter.rst" >"$dir/page"
knows "Documentation/exporter.rst" <"$dir/page"
"$TOOL" --list | awk '$2 == "TYPE" { print $3 }' | while read -r name; do
	grep -qw "$name" "$dir/page" || echo "$name"
done >"$out"
[ ! -s "$out" ]
result $? "Documentation/exporter.rst: each metric is there"

{
	grep -ohE '"hft_process_[a-z_]+"' "$TOP"/libhft/src/export/*.c | tr -d '"'
	sed -nE 's/.*NS_HISTOGRAM\("([a-z_]+)".*/\1_seconds/p' "$TOP"/libhft/src/export/*.c
} | sed -E 's/^hft_process_((ring|inbox|pool|resource|detector|rule)_)?//' |
	grep . | while read -r name; do
	grep -qw "$name" "$TOP/Documentation/exporter.rst" || echo "$name"
done >"$out"
[ ! -s "$out" ]
result $? "Documentation/exporter.rst: and each of a process"

sed "s|@BINDIR@|$BUILD/tools|" "$FILES/hft-exporter.service.in" >"$dir/hft-exporter.service"
unit_check "unit: systemd finds nothing wrong" verify_unit
unit_check "unit: exposed by $MOST_EXPOSURE tenths at most" exposure $MOST_EXPOSURE
if command -v systemd-analyze >/dev/null; then
	status 1 "unit: not by 0" exposure 0
fi
if ! command -v strace >/dev/null || ! strace -o /dev/null true 2>/dev/null; then
	skip "strace is not installed, or may not trace: the unit's system calls"
elif ! command -v systemd-analyze >/dev/null || ! command -v curl >/dev/null; then
	skip "no systemd-analyze, or no curl: the unit's system calls"
else
	trace
	result $? "unit: its system calls are seen"
	forbidden
	result $? "unit: it may make each of them"
fi
finish
