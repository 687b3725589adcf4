#!/usr/bin/env bash
# Kamailio between two of sipp-gen: users register with it by digest, and are then called through it,
# along the route that it records.
#
#   gen                 peer (Kamailio)              far
#   eth0 -------------- eth0     eth1 -------------- eth0
#   10.3.0.1            10.3.0.2 10.4.0.2            10.4.0.1
. "$(dirname "$0")/generator.bash"
generator_up
command -v kamailio >/dev/null || skip "kamailio is not installed"
ns_add far
in_ns far sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
wire peer eth1 far eth0
address peer eth1 10.4.0.2/24
FAR=("${LEFT[@]:0:2}" -i 10.4.0.1/24)
SCENARIOS=$E2E/scenarios

mkdir "$WORK/kamailio"
spawn peer kamailio -DD -E -f "$E2E/kamailio.cfg" -l udp:10.3.0.2:5060 -l udp:10.4.0.2:5060 \
	-P "$WORK/kamailio/pid" -w "$WORK/kamailio" -Y "$WORK/kamailio" >"$WORK/kamailio/log" 2>&1 </dev/null
KAMAILIO=$!
listens() { in_ns peer ss -Hlun 'sport = 5060' | grep -q 10.4.0.2; }
wait_for 10 listens || die "kamailio does not start: $(tail -n 5 "$WORK/kamailio/log")"

# What a registrar learns of them: the far sipp-gen is where the user "callee" is.
GEN_NS=far expect "a registration with the wrong password fails" \
	[ "$(GEN_NS=far generate wrong -sn register -s callee -ap wrong -m 1 "${FAR[@]}" 10.4.0.2 || echo $?)" = 1 ]
GEN_NS=far expect "100 registrations, each with a challenge" \
	generate register -sn register -s callee -ap secret -r 50 -m 100 "${FAR[@]}" 10.4.0.2
same "registrations that were challenged" \
	"$(ours register '[.steps[] | select(.name == "401").messages] | add')" 100

GEN_NS=far generator uas -sn uas -m 200 "${FAR[@]}"
uas=$!
in_far_ready() { in_ns peer ping -c 1 -W 1 10.4.0.1 >/dev/null; }
wait_for 10 in_far_ready || die "sipp-gen does not start"
expect "200 calls through it" \
	generate uac -sf "$SCENARIOS/routed-uac.xml" -s callee -r 50 -m 200 -d 100 "${LEFT[@]}" 10.3.0.2
kill -INT "$uas" # its calls are over and only linger
expect "the callee ends well" wait "$uas"
same "calls that the caller counts as good" "$(ours uac '"\(.successful) \(.failed)"')" "200 0"
same "calls that the callee does" "$(ours uas '"\(.successful) \(.failed)"')" "200 0"
for step in "INVITE 0" "ACK 3" "BYE 4"; do
	same "${step% *} that reached the callee" \
		"$(ours uas ".steps[${step#* }].messages")" 200
done
same "calls without a Record-Route" "$(ours uac .causes.header_missing)" null
expect "kamailio is alive" kill -0 "$KAMAILIO"
refuse "it complains of nothing" grep -E "ERROR|CRITICAL|BUG" "$WORK/kamailio/log"
