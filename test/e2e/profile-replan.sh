#!/usr/bin/env bash
# The whole way round: a pipeline with memory of known colours is profiled under calls, a plan is made of
# the profile, and the pipeline lays itself out by it while calls go on.
. "$(dirname "$0")/sip.bash"
testbed_up
color=$BUILD/mempool-color/mempool-color
cp "$CONFIG" "$WORK/static.yaml"
cat >>"$WORK/static.yaml" <<-TXT
	colour: {mode: static, memory: 128}
	buffers: 2048
TXT
sed -i 's/max: 65536/max: 8192/' "$WORK/static.yaml"
CONFIG=$WORK/static.yaml
sip_up 'port: 5060' 'registrations: 1000'
grep -q ' colours of the level 2 cache' "$WORK/pipeline.err" || {
	say "not confident on this machine now: $(cat "$WORK/pipeline.err")"
	exit 77
}

answers() {
	local said
	said=$(ask "$1")
	grep -Eq -- "$2" <<<"$said" || {
		echo "$said"
		return 1
	}
}
settled() { show colour | grep -q ', 0 to move$'; }
recorded() { grep -q 'profile of w0' "$WORK/pipeline.err"; }

expect "a profile begins" answers "profile start $WORK/calls.trace 60" "for 60 s"
ladder 200 100 '>INVITE <180 <200 >ACK >BYE <200'
expect "it ends when told" answers "profile stop" ""
expect "and is there" wait_for 5 recorded
expect "a plan is made of it" sh -c "'$color' plan '$WORK/calls.trace' --memory 96M --json >'$WORK/plan.json'"
show colour | awk '/^  [a-z0-9]+\./ { print $1 }' | sort >"$WORK/there"
jq -r '.classes[].name' "$WORK/plan.json" | sort >"$WORK/planned"
same "classes that the plan has not" "$(comm -23 "$WORK/there" "$WORK/planned" | xargs)" ""
same "classes that are not there" "$(comm -13 "$WORK/there" "$WORK/planned" | xargs)" ""
# So few calls fit into the cache, and the plan is off: as if it kept stored messages to three quarters of the colours.
jq -c '.arm = "mcmf" | .colours as $n | (.classes[] | select(.name == "edge.sip.messages").pages) |=
	[range($n) | if . < $n * 3 / 4 then 100 else 0 end]' "$WORK/plan.json" >"$WORK/mcmf.json"
expect "the plan is taken" answers "replan $WORK/plan.json" "pages move"
wait_for 20 settled || die "not all moves: $(show colour)"
expect "the layout is taken" answers "replan $WORK/mcmf.json" "^[1-9][0-9]* pages move"
ladder 60 60 '>INVITE <180 <200 >ACK >BYE <200'
wait_for 20 settled || die "not all moves: $(show colour)"
say "ok: all lies as planned"
expect "by the plan" answers "show colour" "^colour mcmf by .*mcmf.json"
same "what the chain has lost" "$(lost)" 0
expect "it ends in order" pipeline_stop TERM
