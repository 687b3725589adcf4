#!/usr/bin/env bash
# The pipeline records what memory it touches while SIPp calls SIPp: calls do not suffer, and the profile is
# one that mempool-color takes. Started at the prompt, and by the option; what cannot be is told.
. "$(dirname "$0")/sip.bash"
sip_up 'port: 5060' 'registrations: 1000'
color=$BUILD/mempool-color/mempool-color

answers() { ask "$1" | grep -q -- "$2"; }
# recorded N: so many profiles have been finished.
recorded() { [ "$(grep -c 'profile of w0' "$WORK/pipeline.err")" -eq "$1" ]; }
# accesses NAME: of a class, as the footprint counts them.
accesses() { jq -r --arg n "$1" '[.classes[] | select(.name == $n) | .accesses] | add // 0' "$WORK/footprint"; }
touched() { [ "$(accesses "$1" | cut -d. -f1)" -gt "$2" ]; }

expect "nothing goes on yet" answers "profile stop" "no profile is being taken"
expect "a profile begins" answers "profile start $WORK/calls.trace 60" "for 60 s"
expect "not two at once" answers "profile start $WORK/other.trace" "a profile is being taken"
ladder 60 60 '>INVITE <180 <200 >ACK >BYE <200'
same "what the chain has lost" "$(lost)" 0
expect "it ends when told" answers "profile stop" ""
expect "and says so" wait_for 5 recorded 1
expect "nothing is lost" grep -q 'calls.trace: .* 0 lost$' "$WORK/pipeline.err"
ladder 20 60 '>INVITE <200 >ACK >BYE <200'

expect "its footprint is drawn" sh -c "'$color' footprint '$WORK/calls.trace' --json >'$WORK/footprint'"
expect "packets are touched" touched w0.packets 2000
expect "flow records" touched edge.flow4 500
expect "transactions" touched edge.sip.transactions 500
expect "and the messages they keep" touched edge.sip.messages 500
expect "of which only what was used" touched edge.sip.buckets 60
same "lines of two classes" "$(jq .shared "$WORK/footprint")" 0
expect "a plan is made of it, on this machine" \
	sh -c "'$color' plan '$WORK/calls.trace' --simulate --json >'$WORK/plan'"
expect "which has the tables whole" jq -e '[.classes[] | select(.name == "edge.sip.messages")
	| .wanted == ([.pages[]] | add) and .wanted > 100] == [true]' "$WORK/plan"
same "packets are of the chain whose tables the worker has" "$(jq -r '[.classes[].flow] | unique | @csv' "$WORK/plan")" '"edge"'
expect "a profile that cannot be written is told" answers "profile start /nowhere/x" "No such file"
expect "it ends in order" pipeline_stop TERM

PIPELINE_IN=/dev/null
pipeline_start "$WORK/sip.yaml" --profile "$WORK/option.trace,seconds=1,bytes=1M"
clients ping -q -i 0.01 -c 400 -W 5 10.2.0.2 >"$WORK/ping"
# A busy machine may be late to empty a kernel's ring.
expect "echoes pass" grep -Eq ' [0-4](\.[0-9]*)?% packet loss' "$WORK/ping"
expect "the option's profile ends by itself" wait_for 5 recorded 1
expect "it has a footprint" sh -c "'$color' footprint '$WORK/option.trace' --json >'$WORK/footprint'"
expect "packets are touched" touched w0.packets 500
expect "it is no longer than it may be" [ "$(stat -c %s "$WORK/option.trace")" -le $((1 << 20)) ]
expect "it ends in order" pipeline_stop TERM
rc=0
"$BIN" -- --config "$CONFIG" --profile "x,minutes=3" >"$WORK/said" 2>&1 || rc=$?
same "a wrong option" "$rc" 2
