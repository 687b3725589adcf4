#!/usr/bin/env bash
# Floods of requests, of responses to nothing, of noise fill a small table of transactions. Calls that were
# established before go on, with requests from both sides and a BYE; memory stays what it was.
. "$(dirname "$0")/sip.bash"
sip_up 'port: 5060' 'transactions: 4096'
N=60
CALL='>INVITE <180 <200 >ACK .3000 >INFO <200 .3000 <OPTIONS >200 .3000 >INVITE <200 >ACK .4000 >BYE <200 =9000'
# What is lost in a flood comes again, and is no reason to give up.
SIPP=(-default_behaviors "all,-abortunexp")
memory() { awk '/^VmRSS/ { print $2 }' "/proc/$PIPELINE/status"; }

callee callee "$CALL" servers 7000 -m $N
caller caller "$CALL" clients 7001 10.2.0.2:7000 -s user -m $N -r 100
caller=$!
sleep 1.5
before=$(memory)
for kind in noise response options invite long bye; do
	sent=$(clients python3 "$E2E/flood.py" $kind 10.1.0.1 5060 1.5)
	say "$kind: $sent sent; $(stage 'transactions free') transactions free, $(stage refused-full) times none," \
		"$(stage shed) shed"
done
expect "$N calls, in the midst of which that came" wait $caller
sleep 1.2 # SIPp writes its counts once a second
for method in INVITE ACK INFO OPTIONS BYE; do
	got=$(cat <(sums callee Recv) <(sums caller Recv) | awk -v m=$method '$1 == m { n += $2 } END { print n }')
	[[ $method = INVITE || $method = ACK ]] && times=$((2 * N)) || times=$N
	expect "$method arrived in each: $got" test "$got" -le "$times" -a "$got" -ge $N
done
after=$(memory)
expect "memory is bounded: $before kB before, $after after" test $((after - before)) -lt 2048
expect "the table was full" test "$(stage refused-full)" -gt 0
say "dropped: $(show chain edge | awk '$1 == "drops" && $2 == "sip"' | xargs)"
expect "it ends in order" pipeline_stop TERM
