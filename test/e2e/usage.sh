#!/usr/bin/env bash
# The command line: help, wrong usage.
. "$(dirname "$0")/testbed.sh"
clean_at_exit
make_work

status() {
	local want=$1 rc=0
	shift
	"$@" || rc=$?
	[ "$rc" -eq "$want" ]
}

for option in --help --manual; do
	"$BIN" "$option" >"$WORK/text" || die "$option ends with $?"
	say "ok: $option ends with 0"
done
"$BIN" --help >"$WORK/text"
for option in --config --check --json --interactive --stats-interval --manual; do
	expect "--help names $option" grep -q -- "$option" "$WORK/text"
done
expect "an unknown option ends with 2" status 2 "$BIN" -- --nonsense
expect "no configuration ends with 2" status 2 "$BIN"
expect "an interval that is no number ends with 2" \
	status 2 "$BIN" -- --config "$CONFIG" --stats-interval soon
expect "a configuration that does not exist ends with 1" \
	status 1 "$BIN" -- --config "$WORK/absent.yaml" --check
