# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Shared by the scripts of this folder, sourced by bash.

VM_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=$(cd "$VM_DIR/../.." && pwd)
BUILD=${BUILD:-$TOP/build}
CACHE=${HFT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hft}
PROG=$(basename "$0")

# What a host program could not do for itself, as timeout(1) and docker do it.
EXIT_SETUP=125

say() {
	echo "$PROG: $*" >&2
}

die() {
	say "$@"
	exit $EXIT_SETUP
}

need() {
	local cmd

	for cmd in "$@"; do
		command -v "$cmd" >/dev/null || die "$cmd is not installed: run 'make deps'"
	done
}

# The text between the first two lines of --- in a script is its --help.
usage() {
	sed -n '/^# ---$/,/^# ---$/{//d;s/^# \{0,1\}//;p}' "$0"
}

# One process at a time may fill a folder of the cache; the lock ends with us.
cache_lock() {
	mkdir -p "$1" || die "$1 can not be created: set HFT_CACHE to a folder that can be written"
	exec 9>"$1/.lock"
	flock -n 9 && return
	say "another process works in $1: waiting for it"
	flock 9
}

# once FOLDER FUNCTION [ARG]...: fill FOLDER by FUNCTION unless that has been done
once() {
	local dir=$1

	shift
	[ ! -e "$dir/done" ] || return 0
	cache_lock "$dir"
	[ ! -e "$dir/done" ] || return 0
	"$@"
	touch "$dir/done"
}

# The mirror that this machine's own bookworm comes from.
apt_site() {
	local site

	site=$(apt-get indextargets --format '$(SITE)' 'Identifier: Packages' \
	       'Codename: bookworm' | head -n 1)
	[ -n "$site" ] || die "apt knows no mirror of bookworm: run 'apt-get update'"
	echo "$site"
}

# apt_suite SUITE: make APT an apt-get/apt-cache option list that sees only SUITE,
# so that nothing of it can be installed on this machine by mistake.
apt_suite() {
	local dir=$CACHE/apt/$1

	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	cat >"$dir/s.sources" <<-END
	Types: deb deb-src
	URIs: $(apt_site)
	Suites: $1
	Components: main
	Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
	END
	APT=(-oDir::Etc::sourcelist="$dir/s.sources" -oDir::Etc::sourceparts=/dev/null
	     -oDir::State::Lists="$dir/lists" -oDir::Cache="$dir/cache"
	     -oDir::State::status=/dev/null -oAPT::Sandbox::User=root)
	[ -n "$(find "$dir/lists" -name '*Packages*' -mtime -1 -print -quit)" ] ||
		apt-get "${APT[@]}" -qq update >&2 ||
		die "the package lists of $1 can not be had"
}

# fetch_debs FOLDER PACKAGE...: download into FOLDER, by the options in APT
fetch_debs() {
	local dir=$1

	shift
	mkdir -p "$dir"
	(cd "$dir" && apt-get "${APT[@]}" -qq -oAPT::Sandbox::User=root download "$@" >&2)
}
