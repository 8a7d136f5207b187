#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What CONTRIBUTING.md and Documentation/ promise of every file: a licence, documentation for
# each public function and parameter, and no finding of checkpatch but those that are listed.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-$PWD/build}
SCRIPTS=$BUILD/Documentation/scripts
number=0 failed=0

# check NAME TEXT: TEXT is what is wrong
check() {
	local word=

	number=$((number + 1))
	[ -z "$2" ] || { word="not " failed=1; sed 's/^/# /' <<<"$2"; }
	echo "${word}ok $number $1"
}

list_files() {
	git ls-files 2>/dev/null | grep -vE '^(LICENSES|selftests/fuzz/corpus)/'
}

# The licence of a file is that of its folder.
licence_of() {
	case $1 in
	kmod/core/*) echo "GPL-2.0-only OR LGPL-2.1-or-later" ;;
	uapi/* | Documentation/uapi.rst) echo "GPL-2.0 WITH Linux-syscall-note" ;;
	kmod/* | selftests/*) echo "GPL-2.0-only" ;;
	*) echo "LGPL-2.1-or-later" ;;
	esac
}

check_licences() {
	local file

	list_files | while read -r file; do
		[ ! -e "$file" ] || head -n 2 "$file" |
			grep -qE "SPDX-License-Identifier: $(licence_of "$file")( \*/| -->|\",)?$" ||
			echo "$file is not tagged $(licence_of "$file")"
	done
}

# A function that libhft.so exports has a kernel-doc comment at its definition.
check_functions() {
	local name

	sed -nE 's/^\t(hft_\w+);$/\1/p' libhft/libhft.map | while read -r name; do
		grep -rqE "^ \* $name\(\) - " libhft/src || echo "$name() has no kernel-doc comment"
	done
}

check_parameters() {
	local name

	sed -nE 's/^module_param(_named)?\((\w+),.*/\2/p' kmod/*.c | while read -r name; do
		grep -rq "^What:.*/sys/module/hft/parameters/$name$" Documentation/ABI ||
			echo "parameter $name is not in Documentation/ABI"
	done
	sed -nE 's/.*DEVICE_ATTR_\w+\((\w+)\);$/\1/p' kmod/*.c | while read -r name; do
		grep -rq "^What:.*/sys/class/misc/hft/$name$" Documentation/ABI ||
			echo "attribute $name is not in Documentation/ABI"
	done
	sed -nE 's/.*seq_printf\(m, "([a-z-]+):.*/\1/p' kmod/*.c | while read -r name; do
		grep -rqE "^\s+$name\s" Documentation/ABI || echo "$name is not in Documentation/ABI"
	done
}

# Lines "TYPE FILE", as in the table of Documentation/testing.rst
list_findings() {
	perl "$SCRIPTS/checkpatch.pl" --no-tree --strict --max-line-length=100 --terse --show-types \
		-f kmod/*.[ch] kmod/core/*.[ch] uapi/linux/*.h |
		sed -nE 's/^([^:]+):[0-9]+: [A-Z]+:([A-Z_]+):.*/\2 \1/p' | sort -u
}

check_findings() {
	diff <(sed -nE 's/^([A-Z_]+) +((kmod|uapi)[^ ]+) .*/\1 \2/p' Documentation/testing.rst |
	       sort -u) <(list_findings)
}

# A text is not broken: who searches for what was printed finds it.
check_lines() {
	list_files | grep -E '(\.([ch]|cpp|sh)|/[a-z-]+)$' | while read -r file; do
		expand "$file" | awk -v file="$file" 'length > 100 && !/["\x27]/ {
			print file ":" FNR " has more than 100 columns"
		}'
	done
}

echo "TAP version 13"
if [ -n "$(list_files)" ]; then
	check "every file has its licence" "$(check_licences)"
else
	number=$((number + 1))
	echo "ok $number # SKIP not a git checkout: every file has its licence"
fi
check "lines without a text have 100 columns at most" "$(check_lines)"
check "every function of the library is documented" "$(check_functions)"
check "every parameter and attribute is documented" "$(check_parameters)"
out=$(make -s --no-print-directory -C Documentation check BUILD="$BUILD" 2>&1)
status=$?
[ $status = 0 ] || out="${out:-make -C Documentation check: status $status}"
[ $status != 0 ] || out=
check "kernel-doc comments and ABI entries are well-formed" "$out"
check "checkpatch finds what Documentation/testing.rst lists" "$(check_findings 2>&1)"
echo "1..$number"
exit $failed
