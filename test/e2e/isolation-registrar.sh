#!/usr/bin/env bash
# A registrar in a process of its own, with a journal: who has registered is found, whoever of its processes, or all
# of them, or the pipeline is killed.
. "$(dirname "$0")/sip.bash"
CONFIG=$ROOT/config/isolated.yaml
testbed_up
SETTINGS=('port: 5060' 'domains: [pbx.example.org]' 'registrations: 64' "journal: $WORK/journal" 'journal-sync: 100')
sip_up "${SETTINGS[@]}"

# register USER PORT: by one that sends only once, so a busy machine may have lost it.
register() {
	local _
	for _ in 1 2 3; do
		clients python3 "$E2E/register.py" 10.1.0.1 "$1@pbx.example.org" none "sip:$1@10.1.0.2:$2" \
			MD5 600 2>"$WORK/register.err" && return
	done
}
live() { show stage sip | sed -n 's/^isolated, process \([0-9]*\),.*/\1/p'; }
has_spare() { show stage sip | grep -q 'a spare waits'; }
came() { [ -n "$(live)" ] && [ "$(live)" != "$1" ] && has_spare; }
synced() { show stage sip | grep -q 'journal noted [0-9]* unsynced 0 '; }
call() {
	TARGET=10.2.0.1:5060 DOMAIN=pbx.example.org SERVICE=bob PORT=7102
	ladder 10 50 '>INVITE <180 <200 >ACK >BYE <200' servers clients
}

for name in bob:7102 carol:7104; do
	same "${name%:*}" "$(register "${name%:*}" "${name#*:}")" "200 sip:${name%:*}@10.1.0.2:${name#*:}"
done
same "bindings" "$(stage bindings)" 2
expect "the disk has them" wait_for 5 synced
call

old=$(live)
ask restart sip >/dev/null
expect "replaced by its spare" wait_for 10 came "$old"
same "bindings then" "$(stage bindings)" 2
old=$(live)
kill -KILL "$old"
expect "one that was killed is followed" wait_for 10 came "$old"
same "bindings then" "$(stage bindings)" 2
same "one more" "$(register dave 7106)" "200 sip:dave@10.1.0.2:7106"
call

old=$(live)
kill -KILL "$(awk '$1 == "PPid:" { print $2 }' "/proc/$old/status")"
expect "a family that was killed comes back" wait_for 20 came "$old"
same "bindings then" "$(stage bindings)" 3
expect "the disk has them again" wait_for 5 synced
call

kill -KILL "$PIPELINE"
wait "$PIPELINE" 2>/dev/null || :
rm "$WORK/in"
sip_up "${SETTINGS[@]}"
same "bindings when the pipeline was killed" "$(stage bindings)" 3
expect "it ends in order" pipeline_stop TERM
