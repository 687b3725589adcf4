#!/usr/bin/env bash
# Echo through the chain and to the pipeline's own addresses, IPv4 and IPv6.
. "$(dirname "$0")/testbed.sh"
testbed_up
pipeline_start "$CONFIG"

expect "through firewall and NAT" clients ping -c 5 -i 0.2 -W 2 10.2.0.2
expect "through the chain by IPv6" clients ping -6 -c 5 -i 0.2 -W 2 fd00:2::2
for addr in 10.1.0.1 10.2.0.1 fd00:1::1 fd00:2::1; do
	expect "$addr answers the inside" clients ping -c 2 -i 0.2 -W 2 "$addr"
done
for addr in 10.2.0.1 fd00:2::1; do
	expect "$addr answers the outside" servers ping -c 2 -i 0.2 -W 2 "$addr"
done
expect "1,400 bytes each way" clients ping -c 5 -i 0.2 -W 2 -s 1372 -M "do" 10.2.0.2
refuse "an address nobody has" clients ping -c 1 -W 2 10.2.0.77
