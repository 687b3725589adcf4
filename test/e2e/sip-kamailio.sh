#!/usr/bin/env bash
# Kamailio as the stage's neighbour, which keeps transactions and records its route as the stage does:
# SIPp calls SIPp through both, from either side. Two of them are the trunks, of which one goes and comes
# back.
. "$(dirname "$0")/sip.bash"
command -v kamailio >/dev/null || skip "kamailio is not installed"
testbed_up
address servers eth0 10.2.0.3/24 10.2.0.4/24
declare -A PID

# kamailio_up ADDRESS
kamailio_up() {
	local dir=$WORK/kamailio-$1
	mkdir -p "$dir"
	spawn servers kamailio -DD -E -f "$E2E/kamailio-proxy.cfg" -l "udp:$1:5060" -m 16 -M 4 \
		-P "$dir/pid" -w "$dir" -Y "$dir" >"$dir/log" 2>&1 </dev/null
	PID[$1]=$!
	wait_for 10 listens "$1" || die "kamailio does not start: $(tail -n 5 "$dir/log")"
}
listens() { in_ns servers ss -Hlun 'sport = 5060' | grep -qF "$1:5060"; }
trunk() { show stage sip | grep -q "^trunk $1:5060 $2 "; }

kamailio_up 10.2.0.3
kamailio_up 10.2.0.4
sip_up 'port: 5060' 'trunks: [{to: "10.2.0.3:5060"}, {to: "10.2.0.4:5060"}]' 'probe-interval: 10' \
	'failover-time: 500'
PROXY[servers]=10.2.0.3 VIAS=3
# The trunks' users are those at the stage's own address.
outward() { TARGET=10.1.0.1:5060 ladder 20 50 "$1"; }
inward() { ladder 20 50 "$1" servers clients; }

# The first probe has just been answered, and the next one is far off.
stop "${PID[10.2.0.4]}"
spawn servers python3 "$E2E/sip_peer.py" never 10.2.0.4 5060 </dev/null >/dev/null
silent=$!
wait_for 5 listens 10.2.0.4
callee callee '>INVITE <180 <200 >ACK .1000 >BYE <200' servers 7100 -m 40
callee=$!
caller caller '>INVITE <180 <200 >ACK .1000 >BYE <200' clients 7101 10.1.0.1:5060 -s 7100 -m 40 -r 40
expect "40 calls while one of two trunks says nothing" wait $!
expect "their callee agrees" wait $callee
expect "some of them were tried there first" [ "$(stage failovers)" -gt 0 ]
expect "it is known to be gone" wait_for 5 trunk 10.2.0.4 gone
failovers=$(stage failovers)

outward '>INVITE <180 <200 >ACK >INVITE <200 >ACK <INFO >200 >BYE <200'
outward '>INVITE <180 <200 >ACK <BYE >200'
outward '>INVITE <180 >CANCEL <200 <487 >ACK'
outward '>INVITE <486 >ACK'
outward '>INVITE <183 >PRACK <200 <200 >ACK >BYE <200'
outward '>MESSAGE <200'
inward '>INVITE <180 <200 >ACK >INVITE <200 >ACK <INFO >200 >BYE <200'
inward '>INVITE <180 <200 >ACK <BYE >200'
inward '>INVITE <180 >CANCEL <200 <487 >ACK'
inward '>INVITE <486 >ACK'
inward '>SUBSCRIBE <200 <NOTIFY >200'

same "and was not tried any more" "$(stage failovers)" "$failovers"

stop "$silent"
kamailio_up 10.2.0.4
expect "a probe finds it back" wait_for 12 trunk 10.2.0.4 there
capture servers 'udp and dst host 10.2.0.4'
outward '>INVITE <180 <200 >ACK >BYE <200'
capture_stop
invites=$(captured 'sip.Method == "INVITE"' | wc -l)
expect "and calls go both ways: $invites of 20 there" test "$invites" -gt 0 -a "$invites" -lt 20
same "what the stage has lost" "$(lost)" 0
