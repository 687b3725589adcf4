#!/usr/bin/env bash
# SIPp calls sipp-gen: every call is good, and both count the same.
. "$(dirname "$0")/generator.bash"
generator_up

# calls NAME N FROM TO OUR-PORT…: sipp-gen answers N calls of SIPp's.
calls() {
	local name=$1 n=$2 from=$3 to=$4 uas near=${4%:5060}
	shift 4
	generator "$name" -sn uas -m "$n" "$@"
	uas=$!
	wait_for 10 in_ns peer ping -c 1 -W 1 "${near//[\[\]]/}" >/dev/null ||
		die "sipp-gen does not start"
	sipp_peer "$name-uac" -sn uac -i "$from" -r 200 -m "$n" "$to"
	expect "$n calls of SIPp's" wait $!
	kill -INT "$uas" # its calls are over and only linger
	expect "sipp-gen ends well" wait "$uas"
	calls_agree "$name" "$name-uac" "$n"
	same "calls that came in" "$(ours "$name" '"\(.attempts_in) \(.attempts_out)"')" "$n 0"
}

calls uas 500 10.3.0.2 10.3.0.1:5060 "${LEFT[@]}"
same "datagrams received" "$(ours uas .messages_received)" "$(sent)"
same "datagrams sent" "$(ours uas .messages_sent)" "$(reached)"
calls uas6 100 fd00:3::2 '[fd00:3::1]:5060' "${LEFT6[@]}"
