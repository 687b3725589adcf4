#!/usr/bin/env bash
# shellcheck disable=SC2054 # devices have commas
# Calls with bodies longer than a frame between sipp-gen and SIPp, either calling: every call is good,
# and both count the same. By pcap, since with af_packet the kernel puts IPv4's fragments together.
. "$(dirname "$0")/generator.bash"
generator_up
LEFT=(--device net_pcap0,iface=eth0,phy_mac=1 -i 10.3.0.1/24)
LEFT6=(--device net_pcap0,iface=eth0,phy_mac=1 -i fd00:3::1/64)

# grown ROLE BYTES: SIPp's own scenario with a body about so much longer.
grown() {
	{ sipp -sd "$1" 2>/dev/null || :; } | awk -v n="$2" '
		{ print }
		/a=rtpmap:0 PCMU/ { for (i = 0; i < n; i += 82)
			printf "      a=x-filler:%060d\n", i }' >"$WORK/$1-$2.xml"
	[ "$(wc -c <"$WORK/$1-$2.xml")" -gt "$2" ] || die "SIPp's scenario $1 has no body to grow"
}

for size in 5000 20000 50000; do
	grown uac "$size"
	grown uas "$size"
	sipp_peer "uas$size" -sf "$WORK/uas-$size.xml" -i 10.3.0.2 -m 50
	uas=$!
	expect "50 calls with $size bytes" generate "uac$size" -sf "$WORK/uac-$size.xml" -r 50 -m 50 \
		"${LEFT[@]}" 10.3.0.2
	expect "SIPp ends well" wait "$uas"
	calls_agree "uac$size" "uas$size" 50

	generator "in$size" -sf "$WORK/uas-$size.xml" -m 50 "${LEFT6[@]}"
	uas=$!
	wait_for 10 in_ns peer ping -c 1 -W 1 fd00:3::1 >/dev/null || die "sipp-gen does not start"
	sipp_peer "out$size" -sf "$WORK/uac-$size.xml" -i fd00:3::2 -r 50 -m 50 '[fd00:3::1]:5060'
	expect "50 calls of SIPp's with $size bytes" wait $!
	kill -INT "$uas"
	expect "sipp-gen ends well" wait "$uas"
	calls_agree "in$size" "out$size" 50
done

# One in twenty is lost on purpose, so that long ones are sent again as they were.
GEN_EAL[0]=--lcores
GEN_EAL[1]="0@${CPUS[0]},1@${CPUS[-1]}"
expect "300 calls with losses" generate lossy -seed 7 --loss-out 5 --loss-in 5 -r 100 -m 300 -l 500 \
	-sf "$WORK/uac-20000.xml" --device pair:large:a -i 10.3.0.1/24 10.3.0.2 \
	--and -l 500 -sf "$WORK/uas-20000.xml" --device pair:large:b -i 10.3.0.2/24
same "good and failed" "$(ours lossy '"\(.successful) \(.failed)"')" "300 0"
same "warnings" "$(ours lossy .call_warnings)" 0
expect "and sent again" test "$(ours lossy .retransmissions)" -gt 10
