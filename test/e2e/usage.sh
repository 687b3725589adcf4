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

expect "--help ends with 0" status 0 "$BIN" -- --help
expect "--help names every option" \
	grep -Pzq -- '(?s)--config.*--check|--check.*--config' "$WORK/said"
expect "an unknown option ends with 2" status 2 "$BIN" -- --nonsense
expect "no configuration ends with 2" status 2 "$BIN"
expect "an interval that is no number ends with 2" \
	status 2 "$BIN" -- --config "$CONFIG" --stats-interval soon
expect "a configuration that does not exist ends with 1" \
	status 1 "$BIN" -- --config "$WORK/absent.yaml" --check
