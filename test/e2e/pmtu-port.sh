#!/usr/bin/env bash
# The outside port itself takes 1,300 bytes at most: the pipeline says so to the sender, fragments
# what may be fragmented, and TCP adapts.
. "$(dirname "$0")/testbed.sh"
testbed_up
sed '/name: outside/,/mtu/ s/mtu: 1500/mtu: 1300/' "$CONFIG" >"$WORK/narrow.yaml"
cp "$ROOT/config/firewall.rules" "$WORK"
pipeline_start "$WORK/narrow.yaml"

pmtu() { ip -n "$PREFIX-clients" route get "$1" | grep -q 'mtu 1300'; }

spawn servers iperf3 -s --forceflush >"$WORK/iperf3" 2>&1 </dev/null
wait_for 5 grep -q listening "$WORK/iperf3" || die "iperf3 does not start"

refuse "1,400 bytes that may not be fragmented" clients ping -c 3 -i 0.3 -W 1 -M "do" -s 1372 10.2.0.2
expect "the client has learned the path's MTU" pmtu 10.2.0.2
refuse "1,400 bytes by IPv6" clients ping -6 -c 3 -i 0.3 -W 1 -M "do" -s 1352 fd00:2::2
expect "the client has learned it for IPv6" pmtu fd00:2::2
ip -n "$PREFIX-clients" route flush cache
expect "20 MB out by TCP" clients iperf3 -c 10.2.0.2 -n 20M
expect "TCP has learned the path's MTU" pmtu 10.2.0.2

# Datagrams that may be fragmented arrive whole; nothing of them comes back, so nothing is too big.
capture servers udp
ip -n "$PREFIX-clients" route flush cache
clients python3 - <<-'PY'
	import socket
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	s.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER: never, so DF is clear
	for _ in range(64):
	    s.sendto(bytes(1400), ("10.2.0.2", 9))
PY
capture_stop
whole() { [ "$(captured 'udp.length == 1408' | wc -l)" -eq 64 ]; }
expect "64 datagrams arrive in fragments" whole
