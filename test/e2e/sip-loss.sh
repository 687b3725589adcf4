#!/usr/bin/env bash
# Bad cables on both sides of the pipeline, at once for several pairs of SIPp: loss, delay with messages
# that overtake each other, everything twice. Every call succeeds all the same.
#
# What happens to a message is decided by impair.py, of which a run can be had again, and which needs no
# queueing discipline of the kernel's. What SIPp cannot do is not asked of it: it fails a call in which a
# message comes while it pauses, or before it sends, so the caller who cancels has a good cable; it aborts
# what it did not expect unless told not to; a 200 that comes again it takes for the one of the request
# it sent last, unless the scenario names transactions, as those of ladder.py do.
. "$(dirname "$0")/sip.bash"
N=40
SIPP=(-default_behaviors "all,-abortunexp") # what comes again, or late, is not the end of a call
CALL='>INVITE <180? .300 <200 >ACK? .1000 >BYE <200 =32000'
HASTE='>INVITE <180? <200 >ACK? >BYE <200 =32000'
# port, the callers' cable, the callees', the ladder
PAIRS=(
	"7001 loss=1 loss=1 $CALL"
	"7002 loss=5 loss=5 $CALL"
	"7003 loss=20 loss=20 $CALL"
	"7004 delay=50,jitter=20 delay=50,jitter=20 $CALL"
	"7005 twice=100 twice=100 $CALL"
	"7006 loss=0 loss=20 >INVITE <180 >CANCEL <200 <487 >ACK"
	"7007 loss=20 loss=20 >INVITE <486 >ACK"
	"7008 delay=100,jitter=100 delay=100,jitter=100 $HASTE"
)
pairs() { printf '%s\n' "${PAIRS[@]}"; }

testbed_up
mapfile -t rules < <(pairs | awk '{ print $1 "," $2 }')
bad_cable 1 clients inside "${rules[@]}"
mapfile -t rules < <(pairs | awk '{ print $1 "," $3 }')
bad_cable 2 servers outside "${rules[@]}"
sip_up

while read -r port _ _ steps; do
	callee "callee$port" "$steps" servers "$port"
done < <(pairs)
declare -A call
while read -r port _ _ steps; do
	caller "caller$port" "$steps" clients "$port" "10.2.0.2:$port" -s user -m $N -r 20
	call[$port]=$!
done < <(pairs)
while read -r port near far steps; do
	expect "$N calls, $near, $far: $steps" wait "${call[$port]}"
done < <(pairs)

sleep 1.5 # SIPp writes its counts once a second
stop "${CABLES[@]}"
# count SIDE NAME: what a message was counted there.
count() { sums "$1" "$2" | awk -v m="$3" '$1 == m { print $2 }'; }
while read -r port near far steps; do
	for method in INVITE BYE; do
		[[ $steps = *$method* ]] || continue
		[ "$(count "callee$port" Recv $method)" = $N ] ||
			die "port $port: $(count "callee$port" Recv $method) times $method arrived"
	done
	done=$(jq -c --arg p "$port" '.[$p]' "$WORK/cable-clients" "$WORK/cable-servers" | xargs)
	say "$near, $far: $done; SIPp sends again: $(total "caller$port" Retrans) +" \
		"$(total "callee$port" Retrans)"
	jq -se --arg p "$port" --arg f "$far" 'map(.[$p]) | .[1] |
		if $f | test("loss") then .lost elif $f | test("delay") then .overtaken else .twice end > 0' \
		"$WORK/cable-clients" "$WORK/cable-servers" >/dev/null || die "port $port: the cable was good"
done < <(pairs)
say "the stage absorbs $(stage absorbed), sends again $(stage resent)"
expect "it had to do both" test "$(stage absorbed)" -gt $N -a "$(stage resent)" -gt 0
same "transactions that timed out" "$(stage timeouts)" 0
same "what the stage has lost" "$(lost)" 0
