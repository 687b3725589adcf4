#!/usr/bin/env bash
# Nobody answers. A caller is told so after 64 T1 (RFC 3261 section 16.8), or that his CANCEL has worked;
# who has asked something else is told nothing (RFC 4320), since he has stopped waiting by himself.
. "$(dirname "$0")/sip.bash"
sip_up
N=5

spawn servers python3 "$E2E/sip_peer.py" never 10.2.0.2 5060 </dev/null >/dev/null
wait_for 5 bound servers 5060 || die "there is no one to be silent"

caller calls '>INVITE <408 >ACK' clients 7000 10.2.0.2:5060 -s user -m $N -r 50
calls=$!
caller cancels '>INVITE <100 >CANCEL <200 <487 >ACK' clients 7001 10.2.0.2:5060 -s user -m $N -r 50
cancels=$!
caller asks '>OPTIONS <200' clients 7002 10.2.0.2:5060 -s user -m $N -r 50
asks=$!
caller far '>INVITE <408 >ACK' servers 7003 10.1.0.2:5060 -s user -m $N -r 50
far=$!

refuse "OPTIONS have no answer" wait $asks
same "not a late one either" "$(total asks Recv) $(total asks Unexp)" "0 0"
expect "calls end with 408" wait $calls
expect "calls that are cancelled with 487" wait $cancels
expect "calls to where nobody listens with 408" wait $far
same "408s" "$(sums calls Recv | xargs)" "408 $N"
same "200s, of the CANCELs, and 487s" "$(sums cancels Recv | xargs)" "200 $N 487 $N"
# Timer A at 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s; E at 0.5, 1.5, 3.5, 7.5, then every 4 s.
same "sent again by the stage" "$(stage resent)" $((3 * N * 6 + N * 10))
same "taken from who has sent again" "$(stage absorbed)" \
	$(($(total asks Retrans) + $(total calls Retrans) + $(total cancels Retrans) + $(total far Retrans)))
same "transactions that timed out" "$(stage timeouts)" $((4 * N))
same "what has not begun to answer is not cancelled" "$(stage cancels)" 0
same "what the stage has lost" "$(lost)" 0
