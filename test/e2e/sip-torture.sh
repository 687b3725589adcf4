#!/usr/bin/env bash
# The messages of RFC 4475, from inside and from outside, at a stage that keeps transactions and has
# somewhere to send them: after each it answers OPTIONS, and the calls that go on meanwhile all succeed.
. "$(dirname "$0")/sip.bash"
messages=${NFV_RFC4475:-$ROOT/../shared/data/rfc4475}
compgen -G "$messages/*.dat" >/dev/null || skip "there are no messages of RFC 4475 in $messages"
[ -x "$GEN" ] || die "there is no $GEN: build first"
n=$(compgen -G "$messages/*.dat" | wc -l)
sip_up 'port: 5060' 'trunk: 10.2.0.2:5999'
# All that names no address goes there, and is answered.
spawn servers python3 "$E2E/sip_peer.py" busy 10.2.0.2 5999 </dev/null >/dev/null
GEN_EAL[1]="0@${CPUS[0]}" # beside the pipeline's worker, not on its processor

# torture NS OWN PROXY
torture() {
	GEN_NS=$1 generate "$1" --device net_af_packet0,iface=eth0 -i "$2/24" --torture "$messages" \
		--wait 50 "$3"
}
CALL='>INVITE <180 <200 >ACK .300 >BYE <200'
callee callee "$CALL" servers 7000 -m 100
callee=$!
caller caller "$CALL" clients 7001 10.2.0.2:7000 -s user -m 100 -r 10
caller=$!
expect "the proxy answers after each of $n messages from inside" torture clients 10.1.0.9 10.1.0.1
expect "and after each of them from outside" torture servers 10.2.0.9 10.2.0.1
expect "100 calls meanwhile" wait $caller
expect "their callee agrees" wait $callee
say "dropped: $(show chain edge | awk '$1 == "drops" && $2 == "sip"' | xargs)"
say "answered: $(show stage sip | awk '$1 == "answered" { print $2 ":" $NF }' | xargs)"
expect "it ends in order" pipeline_stop TERM
