#!/usr/bin/env bash
# Colours are found by a user without a privilege, without huge pages, who may see no page map; what
# cannot be done is told in a sentence and by the exit status.
. "$(dirname "$0")/testbed.sh"
need_root
clean_at_exit
make_work

color=$BUILD/mempool-color/mempool-color
cp "$color" "$WORK/mempool-color"
chmod 755 "$WORK" "$WORK/mempool-color"

# unprivileged ARGUMENTS: nobody, with no capability, and no way to get one.
unprivileged() {
	setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all --inh-caps=-all \
		--no-new-privs "$WORK/mempool-color" "$@" >"$WORK/out" 2>"$WORK/err"
}

# A machine too busy to be measured is told apart from a program that does not work.
measures() {
	unprivileged calibrate --size 32M --pages 4k --json && return
	grep -q '"confident":false' "$WORK/out" || grep -q "quieter" "$WORK/err" || return 1
	echo "not confident on this machine now: $(cat "$WORK/out" "$WORK/err")"
	exit 77
}

# field NAME: of the JSON object.
field() { jq -r ".$1" "$WORK/out"; }

# refused STATUS TEXT ARGUMENTS
refused() {
	local status=$1 text=$2 rc=0
	shift 2
	unprivileged "$@" || rc=$?
	[ "$rc" -eq "$status" ] && [ "$(wc -l <"$WORK/err")" -eq 1 ] && grep -q -- "$text" "$WORK/err"
}

expect "an unprivileged user measures" measures
expect "as many colours as the cache has" \
	[ "$(field classes)" -eq "$(unprivileged show --caches --json && jq '[.caches[] | select(.level == 2 and .type != "instruction")][0].colours' "$WORK/out")" ]
unprivileged calibrate --size 32M --pages 4k --json || true
for key in level classes pages classified agreement true_positive false_positive seconds confident; do
	expect "JSON tells $key" [ "$(field "$key")" != null ]
done
expect "too little memory is told" refused 1 "MiB" calibrate --size 1M --pages 4k
expect "no memory is told" refused 1 "0 bytes" calibrate --size 0 --pages 4k
expect "a CPU that is not there is told" refused 1 "CPU 4000" calibrate --cpu 4000
expect "wrong usage is told" refused 2 "--help" calibrate --colour
expect "a file that cannot be written is told" refused 1 "No such file" \
	show --size 16M --pages 4k --svg /nowhere/region.svg
