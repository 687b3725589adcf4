#!/usr/bin/env bash
# Of what sipp-gen sends and receives one message in twenty is lost on purpose: every call succeeds all
# the same, since what is lost is sent again, and not a message is missing from the counts.
. "$(dirname "$0")/generator.bash"
generator_up
LOSS=(--loss-out 5 --loss-in 5 -seed 7)
CALLS=300

# books NAME: what one side sent and was not lost has reached the other.
books() {
	local lost_out lost_in
	same "calls that failed" "$(ours "$1" .failed)" 0
	same "calls that succeeded" "$(ours "$1" .successful)" $CALLS
	same "frames that could not be sent" "$(ours "$1" '.frames | .tx_full + .no_buffer')" 0
	lost_out=$(ours "$1" .on_purpose.lost_out)
	lost_in=$(ours "$1" .on_purpose.lost_in)
	expect "about so many were lost as asked" test \
		$((100 * lost_out / $(ours "$1" .messages_sent))) -le 8 -a "$lost_out" -gt 10 -a \
		$((100 * lost_in / $(ours "$1" .messages_received))) -le 8 -a "$lost_in" -gt 10
	expect "and sent again" test "$(ours "$1" .retransmissions)" -gt 10
	same "sent, less lost, is what SIPp's kernel received" \
		$(($(ours "$1" .messages_sent) - lost_out)) $(($(reached) - ins))
	same "received, and lost, is what it sent" \
		$(($(ours "$1" .messages_received) + lost_in)) $(($(sent) - outs))
	same "sent again, and not, is what was sent" \
		"$(ours "$1" '[.steps[] | select(.kind == "send") | .messages + .retransmissions] | add')" \
		"$(ours "$1" .messages_sent)"
	same "sent again in the steps is what was sent again" \
		"$(ours "$1" '[.steps[].retransmissions] | add')" "$(ours "$1" .retransmissions)"
}

ins=0 outs=0
sipp_peer uas -sf "$E2E/scenarios/loss-uas.xml" -i 10.3.0.2
uas=$!
expect "$CALLS calls of sipp-gen's" \
	generate uac -sn uac -r 100 -m $CALLS "${LOSS[@]}" "${LEFT[@]}" 10.3.0.2
books uac
stop "$uas"
wait "$uas" || :
same "each INVITE arrived" "$(counts uas 0_INVITE_Recv)" $CALLS
same "each BYE arrived" "$(counts uas 6_BYE_Recv)" $CALLS
same "BYEs sent again, less those lost" \
	$(($(counts uas 7_200_Sent) + $(counts uas 7_200_Retrans) - CALLS)) \
	"$(counts uas 6_BYE_Retrans)"
ins=$(reached) outs=$(sent)

generator uas -sf "$E2E/scenarios/loss-uas.xml" "${LOSS[@]}" "${LEFT[@]}"
uas=$!
wait_for 10 in_ns peer ping -c 1 -W 1 10.3.0.1 >/dev/null || die "sipp-gen does not start"
# SIPp takes a 200 that comes again for the one of its BYE: that has to come after the last of them.
sipp_peer uac -sn uac -d 2500 -i 10.3.0.2 -r 100 -m $CALLS 10.3.0.1:5060
expect "$CALLS calls of SIPp's" wait $!
kill -INT "$uas"
expect "sipp-gen ends well" wait "$uas"
same "good calls of SIPp's" "$(theirs uac 'SuccessfulCall(C)')" $CALLS
books uas
