#!/usr/bin/env bash
# A NAT in processes of its own, of which there are more and fewer while calls, echoes and other flows go
# on: none of them notices, and what is new is shared out.
. "$(dirname "$0")/sip.bash"
PATIENCE=30
testbed_up
address clients eth0 10.1.0.3/24

# Flows are over soon, so that the case is as well.
sed 's|^flows:.*|flows: {max: 65536, udp: 10, icmp: 3, tcp: 4, tcp-open: 4}|' "$CONFIG" >"$WORK/config.yaml"
echo 'isolation: [{stage: nat, instances-most: 2, idle: 50}]' >>"$WORK/config.yaml"
CONFIG=$WORK/config.yaml
sip_up

# asked LINE PATTERN: the prompt answers so.
asked() {
	local said
	said=$(ask "$1")
	grep -Eq -- "$2" <<<"$said" || die "$1: wanted '$2', got: $said"
	say "ok: $1: $(grep -E -m1 -- "$2" <<<"$said")"
}
# instance I: how many packets it has had; -1: there is none.
instance() {
	show stage nat | awk -v i="$1:" 'BEGIN { n = -1 }
		$1 == "instance" && $2 == i && match($0, /[0-9]+ packets/) { n = substr($0, RSTART) + 0 }
		END { print n }'
}
has_ended() { [ "$(instance "$1")" -eq -1 ]; }

asked "scale nat 3" 'at most 2 of nat are possible.*instances-most: 3'
asked "scale nat 0" 'no number from 1 to 8'
asked "scale nat 2 soon" 'Bad arguments'
asked "scale firewall 2" 'no chain has a stage "firewall" in a process of its own'
asked "scale sip 2" 'no chain has'

spawn servers python3 "$E2E/echo.py" serve 10.2.0.2 7000 >/dev/null
wait_for 5 bound servers 7000 || die "nobody echoes"
LIMIT=50 spawn clients python3 "$E2E/echo.py" keep 10.2.0.2 7000 12 10.1.0.2 10.1.0.3 >"$WORK/kept"
KEEP=$!
spawn clients ping -q -i 0.02 -c 500 10.2.0.2 >"$WORK/pinged"
PING=$!
ladder 20 20 '>INVITE <180 <200 >ACK >BYE <200'
before=$(instance 0)
expect "all of it passes one instance ($before packets)" test "$before" -gt 100
same "a second one" "$(instance 1)" -1

(
	sleep 1
	printf 'scale nat 2\n' >&3
) &
ladder 100 40 '>INVITE <180 <200 >ACK >BYE <200'
wait $!
clients python3 "$E2E/echo.py" ask 10.2.0.2 7000 10.1.0.2 10.1.0.3 >"$WORK/asked" ||
	die "not every answer comes home: $(cat "$WORK/asked")"
say "ok: 2 clients, 20 ports each, TCP and UDP: every answer comes home"
grep -E 'instance 1 of nat waits after' "$WORK/pipeline.json" || die "scale nat 2 is not told"
say "$(show stage nat | grep '^instance 1')"
expect "the second has got some ($(instance 1) packets)" test "$(instance 1)" -gt 20
expect "and the first goes on" test "$(instance 0)" -gt "$before"

asked "scale nat 1" 'instance 1 of nat gets no new flows, and ends when its [0-9]+ are over'
ladder 20 20 '>INVITE <180 <200 >ACK >BYE <200' servers clients
wait $KEEP || die "flows that there were have noticed: $(head -n 5 "$WORK/kept"; show stage nat; cat "$WORK/pipeline.err")"
say "ok: kept all the time, by the same port: $(tail -n 1 "$WORK/kept")"
wait $PING || die "echoes are lost: $(cat "$WORK/pinged")"
say "ok: $(grep loss "$WORK/pinged")"
wait_for 30 has_ended 1 || die "it does not end: $(show stage nat)"
say "ok: the second ends with its flows"

asked "scale nat 2" 'waits after'
clients python3 "$E2E/echo.py" ask 10.2.0.2 7000 10.1.0.2 10.1.0.3 >"$WORK/asked" ||
	die "not every answer comes home: $(cat "$WORK/asked")"
expect "it has got some again" test "$(instance 1)" -gt 10
asked "scale nat 1 now" '[1-9][0-9]* flows of nat begin anew'
wait_for 20 has_ended 1 || die "it does not end: $(show stage nat)"
clients python3 "$E2E/echo.py" ask 10.2.0.2 7000 10.1.0.2 10.1.0.3 >"$WORK/asked" ||
	die "not every answer comes home: $(cat "$WORK/asked")"
say "ok: the second ends now, and what it had goes on by the first"
same "packets the stage has lost" "$(lost)" 0
printf 'quit\n' >&3
wait_for 10 pipeline_gone || die "quit does not end it"
expect "quit: status 0" wait "$PIPELINE"
same "instances at the end" "$(tail -n 1 "$WORK/pipeline.json" | jq '.chains.edge.stages.nat.lanes | length')" 1
