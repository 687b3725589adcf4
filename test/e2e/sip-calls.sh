#!/usr/bin/env bash
# SIPp calls SIPp through the stage in every way that a call can go. Each message that one side sends the
# other receives, once; the stage counts as they do, and acknowledges and cancels by itself.
. "$(dirname "$0")/sip.bash"
sip_up
N=20

same "what the stage has lost before" "$(lost)" 0
ladder $N 100 '>INVITE <180 <200 >ACK >BYE <200'
ladder $N 100 '>INVITE <200 >ACK .200 <BYE >200' servers clients
ladder $N 100 '>INVITE <180 <200 >ACK <BYE >200' clients6 servers6
ladder $N 100 '>INVITE <180 >CANCEL <200 <487 >ACK'
ladder $N 100 '>INVITE <183 >CANCEL <200 <487 >ACK' servers6 clients6
ladder $N 100 '>INVITE <486 >ACK'
ladder $N 100 '>INVITE <180 <603 >ACK' servers clients
ladder $N 100 '>INVITE <302 >ACK' # which the caller checks to name where to
ladder $N 100 '>INVITE <183 >PRACK <200 >UPDATE <200 <180 <200 >ACK >BYE <200'
ladder $N 100 '>INVITE <180 <200 >ACK >INVITE <200 >ACK >UPDATE <200 >INFO <200 >OPTIONS <200 >MESSAGE <200
	<INVITE >200 <ACK <INFO >200 <INVITE >488 <ACK >REFER <200 <NOTIFY >200 <BYE >200'
ladder $N 100 '>SUBSCRIBE <200 <NOTIFY >200 >SUBSCRIBE <200 <NOTIFY >200'
ladder $N 100 '>MESSAGE <200' servers clients
ladder $N 100 '>OPTIONS <200'
ladder $N 100 '>PUBLISH <404'
same "what the stage has lost after" "$(lost)" 0
expect "it ends in order" pipeline_stop TERM
