# SPDX-License-Identifier: LGPL-2.1-or-later
#
# From the table of figures and the lines that the benches printed, the report:
# a table on stdout, JSON in the file "json".  Exit status 1 when a figure of the
# table is missing.

function meets(target, value, peer,    word, limit, n)
{
	n = split(target, word, " ")
	limit = word[2] == "peer" ? peer : word[2]
	if (word[2] == "peer" && peer == "")
		return 0
	if (word[3] == "*")
		limit *= word[4]
	if (word[3] == "+")
		limit += word[4]
	if (word[1] == "<=")
		return value + 0 <= limit + 0
	if (word[1] == ">=")
		return value + 0 >= limit + 0
	return value + 0 < limit + 0
}

function meets_all(targets, value, peer,    part, i, n)
{
	n = split(targets, part, "; ")
	for (i = 1; i <= n; i++)
		if (!meets(part[i], value, peer))
			return 0
	return 1
}

function quote(text)
{
	gsub(/\\/, "\\\\", text)
	gsub(/"/, "\\\"", text)
	return "\"" text "\""
}

# The one that the target speaks of, else the first that was measured.
function choose_peer(name, wanted)
{
	if (wanted != "" && (name, wanted) in peer_value)
		return wanted
	return peers[name, 1]
}

function peers_json(name,    i, text)
{
	for (i = 1; i <= nr_peers[name]; i++)
		text = text (i > 1 ? ", " : "") quote(peers[name, i]) ": " \
			peer_value[name, peers[name, i]]
	return "{" text "}"
}

function report(row,    f, name, value, peer, peer_v, ratio, met)
{
	split(row, f, "|")
	name = f[1]
	if (name in skipped) {
		printf "%-28s %10s %-13s skipped: %s\n", name, "-", f[2], skipped[name]
		return
	}
	if (!(name in figure)) {
		printf "%-28s %10s %-13s not measured\n", name, "-", f[2]
		missing = 1
		return
	}
	value = figure[name]
	peer = choose_peer(name, f[6])
	peer_v = peer_value[name, peer]
	ratio = f[2] == "ratio" ? value : peer_v + 0 > 0 ? sprintf("%.3f", value / peer_v) : "null"
	met = meets_all(f[5], value, peer_v)
	if (!met)
		unmet++

	printf "%-28s %10s %-13s %-18s %-4s %-13s", name, value, f[2], f[5], met ? "yes" : "NO", f[3]
	if (peer != "")
		printf " %s: %s", peer, peer_v
	printf "\n"

	printf "%s  {\"name\": %s, \"value\": %s, \"unit\": %s, \"instrument\": %s, \"command\": %s,\n", \
		nr_rows++ ? ",\n" : "", quote(name), value, quote(f[2]), quote(f[3]), \
		quote(command_of[name]) > json
	printf "   \"peer\": %s, \"peer_value\": %s, \"ratio\": %s, \"target\": %s, \"met\": %s", \
		peer == "" ? "null" : quote(peer), peer == "" ? "null" : peer_v, ratio, quote(f[5]), \
		met ? "true" : "false" > json
	if (nr_peers[name])
		printf ",\n   \"peers\": %s", peers_json(name) > json
	printf "}" > json
}

FNR == NR {
	if ($0 !~ /^#/ && split($0, field, "|") >= 6 && (only == "" || field[1] == only))
		rows[++nr] = $0
	next
}

$1 == "command" { command = substr($0, 9) }
$1 == "figure" { figure[$2] = $3; command_of[$2] = command }
$1 == "skip" {
	skipped[$2] = $0
	sub(/^skip [^ ]+ /, "", skipped[$2])
}
$1 == "note" { notes[++nr_notes] = substr($0, 6) }
$1 == "peer" {
	text = $0
	sub(/^peer [^ ]+ [^ ]+ /, "", text)
	peer_value[$2, text] = $3
	peers[$2, ++nr_peers[$2]] = text
}

END {
	printf "[\n" > json
	printf "%-28s %10s %-13s %-18s %-4s %-13s %s\n", "figure", "value", "unit", "target", "met", \
		"instrument", "peer"
	for (i = 1; i <= nr; i++)
		report(rows[i])
	printf "\n]\n" > json
	for (i = 1; i <= nr_notes; i++)
		print "note: " notes[i]
	printf "%d of %d figures reach their targets\n", nr_rows - unmet, nr
	exit missing
}
