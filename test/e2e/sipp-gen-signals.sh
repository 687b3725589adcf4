#!/usr/bin/env bash
# Whatever ends a run of sipp-gen, there is a report, and the exit status says how the calls fared; a
# peer that misbehaves makes calls fail for a cause that is told.
. "$(dirname "$0")/generator.bash"
generator_up

# ended STATUS NAME OPTION…: it ends with that.
ended() {
	local want=$1 rc=0
	shift
	generate "$@" || rc=$?
	same "exit status" $rc "$want"
}
sentence() { test "$(wc -l <"$WORK/$1.err")" -eq 1; }

# --- interruptions --------------------------------------------------------------------------------

sipp_peer uas -sn uas -i 10.3.0.2
uas=$!
# interrupted SECONDS CALL-MS SIGNALS: while calls go on; its status must be what the report says.
interrupted() {
	local rc=0 gen i begin
	generator cut -sn uac -r 50 -m 100000 -d "$2" "${LEFT[@]}" 10.3.0.2
	gen=$!
	sleep "$1"
	begin=$SECONDS
	for ((i = 0; i < $3; i++)); do
		kill -INT "$gen" 2>/dev/null || :
		sleep 0.3
	done
	wait "$gen" || rc=$?
	expect "SIGINT after $1 s, $3 times: it ends" test $((SECONDS - begin)) -le 6
	expect "a report" ours cut -e '.elapsed_s >= 0'
	same "every call is accounted for" "$(ours cut '.successful + .failed')" "$(ours cut .attempts)"
	same "exit status" $rc "$(ours cut 'if .attempts == 0 then 99 elif .failed > 0 then 1 else 0 end')"
}
interrupted 0.5 0 1
interrupted 1.5 0 1
interrupted 2 100 1
same "calls shorter than its patience end well" "$(ours cut .failed)" 0
# timeout(1) hands a signal on to its child and then to its group: that is one, not two.
same "and are not all that there were" "$(ours cut '.attempts > 10')" true
interrupted 2 60000 1
expect "longer ones are aborted" ours cut -e '.causes.aborted > 0 and .causes.aborted == .failed'
interrupted 2 60000 2
stop "$uas"
wait "$uas" || :

# --- peers ----------------------------------------------------------------------------------------

# A peer that nobody answers for.
begin=$SECONDS
ended 97 nobody -sn uac -m 10 "${LEFT[@]}" 10.3.0.77
expect "one sentence" sentence nobody
ended 97 nowhere -sn uac -m 10 "${LEFT[@]}" 192.0.2.1
expect "one sentence" sentence nowhere
expect "soon" test $((SECONDS - begin)) -lt 20

# with KIND STATUS OPTION…: 20 calls to a peer of that kind.
with() {
	local kind=$1 status=$2 peer
	shift 2
	: >"$WORK/peer"
	spawn peer python3 "$E2E/sip_peer.py" "$kind" 10.3.0.2 >"$WORK/peer" 2>&1 </dev/null
	peer=$!
	wait_for 10 grep -q ready "$WORK/peer" || die "no peer: $(cat "$WORK/peer")"
	say "a peer: $kind"
	ended "$status" "$kind" -sn uac -r 50 -m 20 "$@" "${LEFT[@]}" 10.3.0.2
	stop "$peer"
	wait "$peer" || :
	same "calls that ended" "$(ours "$kind" '.successful + .failed')" 20
}
cause() { ours "$1" ".causes.$2 // 0"; }
with never 1 -max_retrans 1
same "calls for want of an answer" "$(cause never max_retransmissions)" 20
same "messages sent again" "$(ours never .retransmissions)" 20
with never 1 -recv_timeout 500 -nr
same "calls whose time was over" "$(cause never timeout_recv)" 20
with garbage 1 -max_retrans 1
expect "it is counted as garbage" ours garbage -e '.garbage >= 100'
same "calls for want of an answer" "$(cause garbage max_retransmissions)" 20
with other 1 -max_retrans 1
same "answers for no call" "$(ours other .out_of_call)" "$(ours other .messages_sent)"
with busy 1
same "calls that were rejected" "$(cause busy rejected)" 20
same "each INVITE and each 486 are counted, and an ACK" "$(ours busy .messages_sent)" 40
with echo 1 -max_retrans 1
same "no call was good" "$(ours echo .successful)" 0
with late 1 -recv_timeout 1000 -nr
same "calls that it came too late for" "$(cause late timeout_recv)" 20

# --- usage ----------------------------------------------------------------------------------------

ended 255 usage --nonsense
expect "one sentence" sentence usage
ended 255 usage -sn uac "${LEFT[@]}" -r many 10.3.0.2
expect "one sentence" sentence usage
ended 255 usage -sn uac
ended 97 usage -sn nonsense "${LEFT[@]}" 10.3.0.2
expect "one sentence" sentence usage
ended 99 nothing -sn uas -timeout 1 "${LEFT[@]}"
expect "a report of nothing" ours nothing -e '.attempts == 0'
same "processes left in the namespace" "$(ip netns pids "$PREFIX-gen" | wc -l)" 0
