#!/usr/bin/env bash
# SIP messages and pings of up to 64 KiB, which Linux sends in fragments: put together at our own
# addresses, forwarded in fragments; others' fragments go no further. The same with all stages in processes of their own.
# The ports are taken by pcap, since with af_packet the kernel would put IPv4's together itself.
. "$(dirname "$0")/testbed.sh"
testbed_up
cp "$ROOT/config/firewall.rules" "$WORK"
sed 's/net_af_packet\([01]\),iface=\([a-z]*\)/"net_pcap\1,iface=\2,phy_mac=1"/' "$CONFIG" >"$WORK/pcap.yaml"
pipeline_start "$WORK/pcap.yaml"

# asked PROXY FROM TARGET: messages of 2 to 60 KiB, there and back.
asked() {
	spawn servers python3 "$E2E/large_sip.py" serve "$3" 5070 >"$WORK/serve" </dev/null
	wait_for 10 grep -q ready "$WORK/serve" || die "the far end does not start"
	local far=$!
	expect "SIP from $2 by $1 to $3" clients python3 "$E2E/large_sip.py" ask "$@" 5070 \
		1000 2048 5000 16384 40000 61440
	stop "$far"
}
asked 10.1.0.1 10.1.0.2 10.2.0.2
asked fd00:1::1 fd00:1::2 fd00:2::2
for size in 1473 8000 60000; do
	expect "ping of $size bytes" clients ping -c 3 -i 0.2 -W 2 -s "$size" 10.1.0.1
	expect "by IPv6" clients ping -6 -c 3 -i 0.2 -W 2 -s "$size" fd00:1::1
done
refuse "fragments to others" clients ping -c 3 -i 0.2 -W 1 -s 3000 10.2.0.2
sleep 1
[ "$(drops l3 fragment)" -ge 9 ] || die "they were not counted: $(stats .chains.edge.l3.drops)"

# half: sends half a datagram and waits to be told after half a minute that it was not enough (RFC 792).
half() {
	clients python3 - <<-PY
		import socket, struct
		ear = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
		ear.settimeout(45)
		udp = struct.pack("!HHHH", 5062, 5060, 3000, 0) + bytes(992)
		ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 1020, 7, 0x2000, 64, 17, 0,
		                 socket.inet_aton("10.1.0.2"), socket.inet_aton("10.1.0.1"))
		s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
		s.sendto(ip + udp, ("10.1.0.1", 0))
		while ear.recv(65535)[20:22] != bytes((11, 1)):
		    pass
	PY
}
expect "who sends half a datagram is told" half
expect "it ends in order" pipeline_stop TERM

cat "$WORK/pcap.yaml" - >"$WORK/isolated.yaml" <<END
isolation:
  - {stage: firewall, idle: 50}
  - {stage: nat, idle: 50}
  - {stage: sip, idle: 50}
END
pipeline_start "$WORK/isolated.yaml"
asked 10.1.0.1 10.1.0.2 10.2.0.2
asked fd00:1::1 fd00:1::2 fd00:2::2
expect "it ends in order" pipeline_stop TERM
