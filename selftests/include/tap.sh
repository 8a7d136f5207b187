# SPDX-License-Identifier: GPL-2.0-only
#
# TAP for the scripts, which read this: of bash, and of the VM's busybox.  $dir is a folder
# of the script's own, and $out there what the last command printed.

number=0
failed=0
dir=$(mktemp -d)
out=$dir/out
trap 'rm -rf "$dir"' EXIT
echo "TAP version 13"

# result STATUS NAME: a line of TAP
result() {
	number=$((number + 1))
	if [ "$1" = 0 ]; then
		echo "ok $number $2"
	else
		echo "not ok $number $2"
		[ ! -e "$out" ] || sed 's/^/# /' "$out"
		failed=1
	fi
}

# skip REASON: one test
skip() {
	number=$((number + 1))
	echo "ok $number # SKIP $1"
}

# skip_all REASON: end without a test
skip_all() {
	echo "1..0 # SKIP $1"
	exit 4
}

# status WANTED NAME COMMAND...: the command's exit status
status() {
	local wanted="$1" name="$2"

	shift 2
	"$@" >"$out" 2>&1
	[ $? = "$wanted" ]
	result $? "$name"
}

# check NAME COMMAND...: it ends well
check() {
	status 0 "$@"
}

# fails STATUS NAME COMMAND...: with that status, nothing on stdout and a line on stderr
fails() {
	local wanted="$1" name="$2" got=0

	shift 2
	"$@" >"$dir/stdout" 2>"$out" || got=$?
	[ $got = "$wanted" ] && [ ! -s "$dir/stdout" ] && [ "$(wc -l <"$out")" = 1 ]
	result $? "$name"
}

# prints PATTERN NAME: the last command printed that
prints() {
	grep -Eq -- "$1" "$out"
	result $? "$2"
}

# finish: the script's last line
finish() {
	echo "1..$number"
	exit $failed
}
