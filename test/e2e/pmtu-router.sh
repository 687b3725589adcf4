#!/usr/bin/env bash
# A link of 1,300 bytes behind a router on the outside: the router's "too big" comes back through
# the NAT to whom it concerns, and TCP adapts.
. "$(dirname "$0")/testbed.sh"
testbed_up
# servers --1,300-- hop --1,500-- far: neither end of a connection knows of the narrow link.
ns_add hop far
wire servers narrow hop narrow 1300
wire hop eth0 far eth0
address servers narrow 10.3.0.1/24 fd00:3::1/64
address hop narrow 10.3.0.2/24 fd00:3::2/64
address hop eth0 10.4.0.1/24 fd00:4::1/64
address far eth0 10.4.0.2/24 fd00:4::2/64
for ns in servers hop; do
	in_ns "$ns" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
done
route servers 10.4.0.0/24 via 10.3.0.2
route servers fd00:4::/64 via fd00:3::2
route hop default via 10.3.0.1
route hop default via fd00:3::1
route far default via 10.4.0.1
route far default via fd00:4::1
pipeline_start "$CONFIG"

# pmtu TARGET: the clients' kernel has learned that 1,300 bytes is all that reaches it.
pmtu() { ip -n "$PREFIX-clients" route get "$1" | grep -q 'mtu 1300'; }

spawn far iperf3 -s --forceflush >"$WORK/iperf3" 2>&1 </dev/null
wait_for 5 grep -q listening "$WORK/iperf3" || die "iperf3 does not start"

refuse "1,400 bytes that may not be fragmented" clients ping -c 3 -i 0.3 -W 1 -M "do" -s 1372 10.4.0.2
expect "the client has learned the path's MTU" pmtu 10.4.0.2
expect "1,300 bytes" clients ping -c 2 -i 0.3 -W 2 -M "do" -s 1272 10.4.0.2
refuse "1,400 bytes by IPv6" clients ping -6 -c 3 -i 0.3 -W 1 -M "do" -s 1352 fd00:4::2
expect "the client has learned it for IPv6" pmtu fd00:4::2

ip -n "$PREFIX-clients" route flush cache
ip -n "$PREFIX-clients" -6 route flush cache
expect "20 MB out by TCP" clients iperf3 -c 10.4.0.2 -n 20M
expect "TCP has learned the path's MTU" pmtu 10.4.0.2
expect "20 MB out by TCP and IPv6" clients iperf3 -c fd00:4::2 -n 20M
