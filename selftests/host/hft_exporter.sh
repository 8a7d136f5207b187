#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# hft-exporter against a made-up /sys: what it prints, serves and writes, and what strangers,
# slow clients and a module that goes can not do to it.
cd "$(dirname "$0")" || exit 1
. ../include/tap.sh
TOP=$(realpath ../..)
BUILD=${BUILD:-$TOP/build}
TOOL=$BUILD/selftests/host/asan/hft-exporter
[ -x "$TOOL" ] || TOOL=$BUILD/tools/hft-exporter
ROOT=$dir/root
EVENTS=$ROOT/sys/class/misc/hft/events
PARAMETERS=$ROOT/sys/module/hft/parameters
SOCKET=$dir/socket
PYTHON=/usr/bin/python3		# that Debian's modules are for
RANDOM_FILES=60
pid=0 dripper=0

clean_up() {
	[ $pid = 0 ] || kill -KILL $pid
	[ $dripper = 0 ] || kill -KILL $dripper
	rm -rf "$dir"
} 2>/dev/null
trap clean_up EXIT

# module: as it is there when loaded
module() {
	mkdir -p "${EVENTS%/*}" "$PARAMETERS"
	printf '%s\n' "rings 2" "submitted 18446744073709551615" "dispatched 99" "cancelled 1" \
		"ended 5" "wakeups 50" "full 3" "bad_head 6" "overruns 7" "deadline_misses 4" \
		"interrupts 88" "kicks 8" "clock_steps 1" "clocksource_changes 9" \
		"tsc_unstable 10" "late_timers 11" "novelty 12" "lead_changes 13" \
		"anomaly_spikes 14" "anomaly_shifts 15" "anomaly_drifts 16" \
		"anomaly_stalls 17" "anomaly_bursts 18" "anomaly_interference 19" \
		"anomaly_clocks 20" "responses_applied 21" "responses_undone 22" \
		"responses_dry_applied 23" "responses_dry_undone 24" \
		"responses_withheld 25" "interference 26" "interference_ns 27000000001" \
		>"$EVENTS"
	echo 0.1 >"$ROOT/sys/module/hft/version"
	echo 0123456789ABCDEF >"$ROOT/sys/module/hft/srcversion"
	printf '%s\n' 65536 | tee "$PARAMETERS/max_tasks" >"$PARAMETERS/queue_tasks"
	echo 950000 >"$PARAMETERS/admission_ppm"
	printf '%s\n' 1048576 >"$PARAMETERS/user_tasks"
	echo 256 >"$PARAMETERS/user_rings"
	echo 268435456 >"$PARAMETERS/user_bytes"
	echo 1500000 >"$PARAMETERS/late_ns"
}

no_module() {
	rm -rf "$ROOT/sys"
}

# has LINE...: the last output has them, as they are
has() {
	local line

	for line in "$@"; do
		grep -qxF -- "$line" "$out" || return 1
	done
}

# lints: the output is what promtool wants
lints() {
	promtool check metrics <"$out" >"$dir/lint" 2>&1 && [ ! -s "$dir/lint" ]
}

# parses: and this is OpenMetrics
parses() {
	"$PYTHON" -c '
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
assert list(text_string_to_metric_families(sys.stdin.read()))' <"$out"
}

# lint_result NAME, parse_result NAME: where there is the tool for it
lint_result() {
	if command -v promtool >/dev/null; then
		lints
		result $? "promtool: $1"
	else
		skip "no promtool (prometheus is not installed): $1"
	fi
}

parse_result() {
	if "$PYTHON" -c 'import prometheus_client' 2>/dev/null; then
		parses
		result $? "OpenMetrics: $1"
	else
		skip "python3-prometheus-client is not installed: $1"
	fi
}

# start ARGUMENT...: until it says where it listens; else its status
start() {
	: >"$dir/log"
	"$TOOL" --root "$ROOT" "$@" 2>"$dir/log" &
	pid=$!
	until grep -q "listening at" "$dir/log"; do
		kill -0 $pid 2>/dev/null || return 1
		sleep 0.05
	done
}

# stop [SIGNAL]: its exit status, or that of the signal
stop() {
	local status=0

	kill "-${1:-TERM}" $pid
	wait $pid 2>/dev/null || status=$?
	pid=0
	cp "$dir/log" "$out"
	return $status
}

# wait_for COMMAND...: until it is true, or for a long time
wait_for() {
	local i

	for ((i = 0; i < 1200; i++)); do
		! "$@" || return 0
		sleep 0.1
	done
}

get() {
	curl -sS --max-time 120 --unix-socket "$SOCKET" "$@"
}

# code WANTED NAME ARGUMENT...: the status of an answer
code() {
	local wanted=$1 name=$2

	shift 2
	[ "$(get -o "$out" -w '%{http_code}' "$@" 2>&1)" = "$wanted" ]
	result $? "$name"
}

# type ACCEPT WANTED: the format that a client gets
type() {
	get -o /dev/null -w '%{content_type}\n' ${1:+-H "Accept: $1"} http://x/metrics >"$out"
	grep -q "^$2;" "$out"
	result $? "Accept: ${1:-(none)}"
}

# send TEXT: as it is; the answer's first line
send() {
	"$PYTHON" -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(120)
s.connect(sys.argv[1])
try:
    s.sendall(sys.stdin.buffer.read())
    print(s.recv(100).split(b"\r\n")[0].decode("latin1"))
except OSError as error:
    print(type(error).__name__)' "$SOCKET" >"$out"
}

# alive NAME: it still answers
alive() {
	code 200 "then it still answers: $1" http://x/metrics
}

command_line() {
	local tool

	for tool in "$BUILD/tools/hft-exporter" "$TOOL"; do
		status 0 "--help" "$tool" --help
		prints "^Usage: hft-exporter" "--help: the usage"
	done
	fails 2 "an argument" "$TOOL" metrics
	fails 2 "--interval 0" "$TOOL" --textfile "$dir/x.prom" --interval 0
	fails 2 "--format of HTTP" "$TOOL" --format openmetrics
	fails 2 "--format xml" "$TOOL" --print --format xml
	fails 2 "--print and --listen" "$TOOL" --print --listen 127.0.0.1:0
	status 2 "an unknown option" "$TOOL" --nonsense
	fails 1 "no port" "$TOOL" --listen 127.0.0.1
	fails 1 "no such port" "$TOOL" --listen 127.0.0.1:99999999
	fails 1 "IPv6 without brackets" "$TOOL" --listen ::1:9777
	fails 1 "no address of this machine" "$TOOL" --listen 192.0.2.1:9777
	fails 1 "a long path of a socket" "$TOOL" --listen "unix:/$(printf '%0200d' 0)"
	fails 1 "a file in a folder that is none" "$TOOL" --root "$ROOT" --textfile "$dir/no/x.prom"
	if [ -w /dev/full ]; then
		"$TOOL" --print >/dev/full 2>"$out"
		[ $? = 1 ] && grep -q "No space left" "$out"
		result $? "a full disk"
	fi
}

printed() {
	module
	status 0 "--print" "$TOOL" --root "$ROOT" --print
	has "hft_up 1" "hft_rings 2" "hft_tasks_submitted_total 18446744073709551615" \
		"hft_tasks_dispatched_total 99" "hft_tasks_cancelled_total 1" \
		"hft_tasks_failed_total 5" "hft_worker_wakeups_total 50" "hft_ring_full_total 3" \
		"hft_ring_bad_heads_total 6" "hft_tasks_overrun_total 7" \
		"hft_deadline_misses_total 4" "hft_timer_interrupts_total 88" \
		"hft_timer_kicks_total 8" 'hft_clock_faults_total{fault="step"} 1' \
		'hft_clock_faults_total{fault="clocksource"} 9' \
		'hft_clock_faults_total{fault="tsc"} 10' "hft_late_timers_total 11"
	result $? "each counter of the module"
	has 'hft_anomalies_total{anomaly="spike"} 14' 'hft_anomalies_total{anomaly="shift"} 15' \
		'hft_anomalies_total{anomaly="drift"} 16' \
		'hft_anomalies_total{anomaly="stall"} 17' \
		'hft_anomalies_total{anomaly="burst"} 18' \
		'hft_anomalies_total{anomaly="interference"} 19' \
		'hft_anomalies_total{anomaly="clock"} 20' \
		'hft_responses_total{response="applied"} 21' \
		'hft_responses_total{response="undone"} 22' \
		'hft_responses_total{response="dry_applied"} 23' \
		'hft_responses_total{response="dry_undone"} 24' \
		'hft_responses_total{response="withheld"} 25' "hft_lead_changes_total 13" \
		"hft_interference_gaps_total 26" "hft_interference_seconds_total 27.000000001"
	result $? "anomalies, responses and leads"
	has 'hft_module_events{event="novelty"} 12' &&
		[ "$(grep -c '^hft_module_events{' "$out")" = 1 ]
	result $? "one that it does not know"
	has "hft_limit_context_tasks 65536" "hft_limit_admission_ratio 0.95" \
		"hft_limit_timer_late_seconds 0.0015" "hft_limit_user_bytes 268435456" \
		'hft_module_info{version="0.1",srcversion="0123456789ABCDEF"} 1' \
		"hft_exporter_errors_total 0"
	result $? "limits and version"
	lint_result "all metrics"
	status 0 "--format openmetrics" "$TOOL" --root "$ROOT" -p -f openmetrics
	has "# TYPE hft_tasks_submitted counter" "# TYPE hft_module info" \
		"# UNIT hft_limit_admission_ratio ratio" "# TYPE hft_module_events unknown" &&
		[ "$(tail -n 1 "$out")" = "# EOF" ]
	result $? "as OpenMetrics has it"
	parse_result "all metrics"
	no_module
	status 0 "without the module" "$TOOL" --root "$ROOT" -p
	has "hft_up 0" "hft_exporter_errors_total 0" && ! grep -q hft_tasks "$out"
	result $? "without the module: hft_up 0 and no counter"
	lint_result "without the module"
}

# What is no line of the file is left out, and counted.
broken_files() {
	local i

	module
	printf '%s\n' "anomaly_bursts 7" "submitted" "dispatched x" "cancelled -1" "ended 18446744073709551616" \
		"Upper 1" 'quote" 1' "rings 2 3" "full 5" "full 6" "$(printf '%0300d' 0) 1" >"$EVENTS"
	printf 'a"b\\c\xff\xc0\xafd\xe2\x82\xac\n' >"$ROOT/sys/module/hft/version"
	echo nonsense >"$PARAMETERS/late_ns"
	status 0 "a broken file" "$TOOL" --root "$ROOT" -p -f openmetrics
	has "hft_ring_full_total 5" 'hft_anomalies_total{anomaly="burst"} 7' && ! grep -qE '^hft_(tasks|rings|limit_timer)' "$out" &&
		! grep -q "^hft_exporter_errors_total 0" "$out"
	result $? "a broken file: what is right counts, the rest is an error"
	grep -qF 'hft_module_info{version="a\"b\\c???d€"' "$out"
	result $? "a label is escaped"
	parse_result "a broken file"
	for ((i = 0; i < 1000; i++)); do echo "event_$i $i"; done >"$EVENTS"
	"$TOOL" --root "$ROOT" -p >"$out" &&
		[ "$(grep -c '^hft_module_events{' "$out")" -le 128 ]
	result $? "no more samples than a page has lines"
	for ((i = 0; i < RANDOM_FILES; i++)); do
		head -c $((i * 67)) /dev/urandom >"$EVENTS"
		((i % 2 == 0)) || tr -dc 'a-c0-9 \n' </dev/urandom 2>/dev/null | head -c $((i * 20)) \
			>"$EVENTS"
		head -c 40 /dev/urandom >"$ROOT/sys/module/hft/srcversion"
		"$TOOL" --root "$ROOT" -p -f openmetrics >"$out" 2>&1 || break
		! "$PYTHON" -c 'import prometheus_client' 2>/dev/null || parses || break
	done
	[ $i = $RANDOM_FILES ]
	result $? "$RANDOM_FILES random files"
	module
}

negotiation() {
	type "" text/plain
	type "*/*" text/plain
	type "application/openmetrics-text" application/openmetrics-text
	type "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1" \
		application/openmetrics-text
	type "application/openmetrics-text; version=1.0.0; q=0.4, text/plain; q=0.5" text/plain
	type "text/plain;q=0.2 , APPLICATION/OpenMetrics-Text;Version=1.0.0;q=0.3" \
		application/openmetrics-text
	type "application/openmetrics-text;version=2.0.0" text/plain
	type "application/openmetrics-text;q=0" text/plain
	type "application/openmetrics-text;q=x;;=,;,," text/plain
	get -H "Accept: application/openmetrics-text" http://x/metrics >"$out"
	parse_result "by HTTP"
}

requests() {
	code 200 "/" http://x/
	prints '/metrics' "/: a link"
	code 200 "/metrics?a=b" "http://x/metrics?a=b"
	code 404 "another path" http://x/metrics/
	code 404 "a path out of here" --path-as-is http://x/metrics/../../etc/passwd
	code 405 "POST" -d a=b http://x/metrics
	code 405 "DELETE" -X DELETE http://x/
	get -i -X OPTIONS http://x/ >"$out"
	prints '^Allow: GET, HEAD' "405: Allow"
	get -I http://x/metrics >"$out"
	grep -qE '^Content-Length: [1-9]' "$out" && ! grep -q "^hft_up" "$out"
	result $? "HEAD: its length, and no body"
	head -c 100000 /dev/zero | tr '\0' x >"$dir/long"
	printf 'GET /metrics HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n' "$(<"$dir/long")" | send
	grep -qE '^(HTTP/1.1 4[0-9][0-9]|BrokenPipeError|ConnectionResetError)' "$out"
	result $? "100 kB of a header are refused"
	alive "after a huge header"
	printf 'GET /%s HTTP/1.1\r\n\r\n' "$(<"$dir/long")" | send
	grep -qE '^(HTTP/1.1 4[0-9][0-9]|BrokenPipeError|ConnectionResetError)' "$out"
	result $? "100 kB of a path are refused"
	printf 'nonsense\r\n\r\n' | send
	! grep -q "200 OK" "$out"
	result $? "what is no request has no answer that is one"
	printf 'POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n' | send
	prints '405' "a body that does not come"
	alive "after nonsense"
}

noise() {
	local i

	for ((i = 0; i < RANDOM_FILES; i++)); do
		{ ((i % 2)) || printf 'GET /metrics HTTP/1.1\r\n'; head -c $((i * 50)) /dev/urandom
		  printf '\r\n\r\n'; } | send
	done
	alive "after $RANDOM_FILES random requests"
}

# 200 requests, 20 at a time: each has all of its answer.
crowd() {
	seq 200 | xargs -P 20 -I {} curl -sS --max-time 120 --unix-socket "$SOCKET" \
		-o "$dir/crowd.{}" http://x/metrics 2>"$out"
	[ "$(grep -l '^hft_exporter_collection_duration_seconds ' "$dir"/crowd.* | wc -l)" = 200 ]
	result $? "200 requests, 20 at a time"
	rm -f "$dir"/crowd.*
}

# Clients that do not go on: ten take nobody's turn, more than there is room for only until
# they have been idle for long.
slow() {
	"$PYTHON" -c '
import socket, subprocess, sys, time

def hold(nr):
    held = []
    for i in range(nr):
        s = socket.socket(socket.AF_UNIX)
        s.connect(sys.argv[1])
        s.sendall(b"GET /metrics HT")
        held.append(s)
    return held

def get():
    return subprocess.run(["curl", "-sS", "--max-time", "120", "--unix-socket", sys.argv[1],
                           "http://x/metrics"], capture_output=True).stdout

begin = time.monotonic()
held = hold(10)
assert b"hft_up 1" in get(), "ten"
ended = 0
for s in held:
    s.setblocking(False)
    try:
        ended += s.recv(1) == b""
    except BlockingIOError:
        pass
assert not ended or time.monotonic() - begin > 9, "they were ended before"
held += hold(30)
assert b"hft_up 1" in get(), "forty"' "$SOCKET" >"$out" 2>&1
	result $? "clients that stand still"
}

# One that goes on for ever, a byte at a time, never idle: in the background.
drip() {
	"$PYTHON" -c '
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b"GET /metrics HTTP/1.1\r\nX: ")
try:
    for i in range(600):
        s.sendall(b"x")
        time.sleep(0.5)
except OSError:
    sys.exit(0)
sys.exit(1)' "$SOCKET" &
	dripper=$!
}

drip_ends() {
	wait $dripper
	result $? "a client that drips is ended all the same"
	dripper=0
}

module_goes() {
	no_module
	get http://x/metrics >"$out"
	has "hft_up 0" && ! grep -q hft_tasks "$out"
	result $? "the module goes: hft_up 0"
	module
	mkdir -p "$dir/away"
	mv "$EVENTS" "$dir/away/events"
	get http://x/metrics >"$out"
	has "hft_up 0"
	result $? "half of it is gone: hft_up 0"
	mv "$dir/away/events" "$EVENTS"
	get http://x/metrics >"$out"
	has "hft_up 1" "hft_tasks_dispatched_total 99"
	result $? "it is back: hft_up 1"
}

served() {
	start --listen "unix:$SOCKET"
	result $? "it starts"
	drip
	negotiation
	requests
	noise
	crowd
	slow
	module_goes
	fails 1 "another one at the same socket" "$TOOL" --listen "unix:$SOCKET"
	alive "of the first of two"
	drip_ends
	stop
	result $? "SIGTERM: status 0"
	[ ! -e "$SOCKET" ]
	result $? "SIGTERM: the socket is gone"
	[ "$(wc -l <"$dir/log")" = 1 ]
	result $? "it had nothing to say meanwhile"
	start --listen "unix:$SOCKET"
	result $? "it starts again"
	stop KILL
	start --listen "unix:$SOCKET"
	result $? "and where one was killed"
	code 200 "which answers" http://x/metrics
	stop INT
	result $? "SIGINT: status 0"
	echo file >"$SOCKET"
	fails 1 "a file where the socket would be" "$TOOL" --listen "unix:$SOCKET"
	[ "$(<"$SOCKET")" = file ]
	result $? "the file stays"
	rm -f "$SOCKET"
}

# inet ADDRESS: by TCP, at any port
inet() {
	local where

	if ! start --listen "$1:0"; then
		cp "$dir/log" "$out"
		grep -q "Cannot assign requested address\|not supported" "$out" || result 1 "$1"
		skip "$1 is not there"
		pid=0
		return
	fi
	where=$(sed -n 's/.*listening at //p' "$dir/log")
	curl -sSg --max-time 120 "http://$where/metrics" >"$out" 2>&1
	has "hft_up 1"
	result $? "by TCP at $1"
	fails 1 "the same port again" "$TOOL" --listen "$where"
	stop
	result $? "$1: status 0"
}

# is_third FILE: of those that are written; true also of one that is not complete
is_third() {
	cat "$1" >"$out"
	! tail -n 1 "$out" | grep -q '^hft_exporter_collection_duration_seconds [0-9.]*$' ||
		has "hft_exporter_collections_total 3"
}

textfile() {
	local file=$dir/files/hft.prom

	mkdir "$dir/files"
	start --textfile "$file" --interval 1 --listen "unix:$SOCKET"
	result $? "--textfile and --listen"
	wait_for is_third "$file"
	has "hft_exporter_collections_total 3"
	result $? "it is written again and again, and never in part"
	[ "$(stat -c %a "$file")" = 644 ] && [ "$(ls -A "$dir/files")" = hft.prom ]
	result $? "readable for all, and nothing else is there"
	lint_result "the file"
	mv "$dir/files" "$dir/moved"
	wait_for grep -q "No such file" "$dir/log"
	mv "$dir/moved" "$dir/files"
	rm -f "$file"
	wait_for [ -e "$file" ]
	code 200 "its folder went: it goes on" http://x/metrics
	[ -e "$file" ] && [ "$(grep -c "No such file" "$dir/log")" = 1 ]
	result $? "its folder is back: it is written again, and the error was told once"
	stop
	result $? "--textfile: status 0"
	[ -z "$(ls -A "$dir/files")" ]
	result $? "SIGTERM: the file is gone"
	echo "another's" >"$file"
	fails 1 "one that can not listen" "$TOOL" --root "$ROOT" --listen 192.0.2.1:9777 \
		--textfile "$file"
	[ "$(cat "$file")" = "another's" ]
	result $? "who has not begun leaves the file of another alone"
}

# What a service manager is told.
notified() {
	"$PYTHON" -c '
import os, signal, socket, subprocess, sys
path = sys.argv[1] + "/notify"
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(path)
s.settimeout(120)
env = dict(os.environ, NOTIFY_SOCKET=path, WATCHDOG_USEC="400000")
child = subprocess.Popen(sys.argv[2:], env=env, stderr=subprocess.DEVNULL)
told = []
while told.count("WATCHDOG=1") < 5:
    told += s.recv(4096).decode().split("\n")
child.send_signal(signal.SIGTERM)
while "STOPPING=1" not in told:
    told += s.recv(4096).decode().split("\n")
assert child.wait(120) == 0
assert told[:2] == ["STATUS=hft.ko is loaded.", "READY=1"], told
assert told.count("READY=1") == 1 and told[-1] == "STOPPING=1", told' \
		"$dir" "$TOOL" --root "$ROOT" --listen "unix:$SOCKET" >"$out" 2>&1
	result $? "systemd is told: ready, its status, that it lives, that it stops"
}

[ -x "$BUILD/tools/hft-exporter" ] || skip_all "hft-exporter is not built"
command -v curl >/dev/null || skip_all "no curl"
[ -x "$PYTHON" ] || skip_all "no $PYTHON"
command_line
printed
broken_files
served
inet 127.0.0.1
inet "[::1]"
inet ""
textfile
notified
finish
