#!/usr/bin/env bash
# Pools and tables move to other colours while SIPp calls SIPp: no call, no packet is lost. A plan that is
# none is refused with a sentence, and calls go on.
. "$(dirname "$0")/sip.bash"
testbed_up
cp "$CONFIG" "$WORK/static.yaml"
cat >>"$WORK/static.yaml" <<-TXT
	colour: {mode: static, memory: 64}
	buffers: 2048
TXT
sed -i 's/max: 65536/max: 8192/' "$WORK/static.yaml"
CONFIG=$WORK/static.yaml
sip_up 'port: 5060' 'registrations: 1000' 'transactions: 16384'
grep -q ' colours of the level 2 cache' "$WORK/pipeline.err" || {
	say "not confident on this machine now: $(cat "$WORK/pipeline.err")"
	exit 77
}

replan() { ask replan "$1"; }
settled() { show colour | grep -q ', 0 to move$'; }

# moves TO PATTERN: pages move, until all lie where they should; then `show colour` begins like this.
moves() {
	local said
	said=$(replan "$1")
	grep -Eq '^[1-9][0-9]* pages move' <<<"$said" || die "replan $1: $said"
	wait_for 20 settled || die "replan $1: not all moves: $(show colour)"
	show colour | grep -q "^colour $2" || die "replan $1: $(show colour | head -n 3)"
	say "ok: replan $1: $(grep -o '^[0-9]* pages' <<<"$said")"
}

# keeps FILE PATTERN: it is refused with this sentence, and nothing moves.
keeps() {
	local before said
	before=$(show colour)
	said=$(replan "$1")
	grep -q -- "$2" <<<"$said" || die "replan $1: wanted '$2', got: $said"
	[ "$(show colour)" = "$before" ] || die "replan $1: something has moved"
	say "ok: refused: $(grep -- "$2" <<<"$said")"
}

# plan CLASSES COLOURS: half of the classes, by two, in the lower half of the colours, the others above.
plan() {
	local name n=0 sep='' k
	printf '{"version": 1, "level": 2, "colours": %d, "machine": "m", "arm": "mcmf", "classes": [' "$2"
	for name in $1; do
		printf '%s{"name": "%s", "pages": [' "$sep" "$name"
		for ((k = 0; k < $2; k++)); do
			printf '%s%d' "$([ $k -eq 0 ] || echo ', ')" $((k * 2 / $2 == n / 2 % 2))
		done
		printf ']}'
		sep=', ' n=$((n + 1))
	done
	printf ']}\n'
}

classes=$(show colour | awk '/^  [a-z0-9]+\./ { print $1 }')
colours=$(show colour | sed -n 's/.* \([0-9]*\) colours.*/\1/p')
[ "$(wc -w <<<"$classes")" -ge 8 ] || die "few classes: $classes"
plan "$classes" "$colours" >"$WORK/plan.json"
plan "edge.flow4 absent" "$colours" >"$WORK/few.json"
plan "$classes" 16 >"$WORK/other.json"
head -c 300 "$WORK/plan.json" >"$WORK/cut.json"
expect "it starts as it is told to" grep -q '^colour static' <(show colour)
expect "and all is where it should be" settled

# Calls all the while: twenty seconds of them.
steps='>INVITE <180 <200 >ACK >BYE <200' LADDERS=1
same "what the stage has lost before" "$(lost)" 0
show stage sip >"$WORK/before"
callee callee1 "$steps" servers 7002 -m 1500
callee_pid=$!
caller caller1 "$steps" clients 7003 10.2.0.2:7002 -s 7002 -m 1500 -r 75
caller_pid=$!
sleep 1
moves off off
moves static static
moves "$WORK/plan.json" "mcmf by $WORK/plan.json"
keeps "$WORK/cut.json" 'is cut off'
keeps "$WORK/other.json" 'make one for this machine'
keeps "$WORK/absent.json" 'cannot be read'
moves "$WORK/few.json" "mcmf by $WORK/few.json"
expect "classes that no plan names are told" grep -q 'not in the plan.* w0.packets' "$WORK/pipeline.json"
moves off off
moves static static
expect "calls are still coming" kill -0 $caller_pid
wait $caller_pid || die "the caller fails: $(head -n 20 "$WORK/caller1.err")"
wait $callee_pid || die "the callee fails: $(head -n 20 "$WORK/callee1.err")"
agree 1500 "$steps"
say "ok: 1500 calls"
same "what the stage has lost" "$(lost)" 0
expect "no port was without a buffer" \
	sh -c "! grep -Eq 'no-buffer [1-9]|missed [1-9]'" sh < <(show port all)
expect "it ends in order" pipeline_stop TERM
