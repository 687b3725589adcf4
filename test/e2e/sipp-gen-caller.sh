#!/usr/bin/env bash
# sipp-gen calls SIPp: every call is good, and both count the same.
. "$(dirname "$0")/generator.bash"
generator_up

sipp_peer uas -sn uas -i 10.3.0.2 -m 500
uas=$!
expect "500 calls" generate uac -sn uac -r 200 -m 500 "${LEFT[@]}" 10.3.0.2
expect "SIPp ends well" wait "$uas"
calls_agree uac uas 500
same "datagrams sent" "$(ours uac .messages_sent)" "$(reached)"
same "datagrams received" "$(ours uac .messages_received)" "$(sent)"
same "calls due" "$(ours uac .offered)" 500
same "delays timed" "$(ours uac '"\(.latency_us.srd.n) \(.latency_us.sdd.n)"')" "500 500"

sipp_peer uas6 -sn uas -i fd00:3::2 -m 100
uas=$!
expect "100 calls by IPv6" generate uac6 -sn uac -r 100 -m 100 "${LEFT6[@]}" '[fd00:3::2]:5060'
expect "SIPp ends well" wait "$uas"
calls_agree uac6 uas6 100
