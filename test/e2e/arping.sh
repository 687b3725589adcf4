#!/usr/bin/env bash
# The pipeline answers ARP and neighbour discovery for its own addresses and for no others.
. "$(dirname "$0")/testbed.sh"
testbed_up
pipeline_start "$CONFIG"

mac() { ip -n "$PREFIX-pipeline" -j link show "$1" | jq -r '.[0].address'; }
learned() {
	ip -n "$PREFIX-$1" -j neigh show "$2" | jq -r '.[0].lladdr' | grep -qx "$(mac "$3")"
}

expect "ARP for the inside" clients arping -c 2 -W 0.5 -i eth0 10.1.0.1
expect "ARP for the outside" servers arping -c 2 -W 0.5 -i eth0 10.2.0.1
refuse "ARP for an address nobody has" clients arping -c 2 -W 0.5 -i eth0 10.1.0.77
refuse "ARP for the other port's address" clients arping -c 2 -W 0.5 -i eth0 10.2.0.1
expect "echo, for the neighbour caches" clients ping -c 1 -W 2 10.1.0.1
expect "the same by IPv6" clients ping -6 -c 1 -W 2 fd00:1::1
expect "ARP gives the interface's MAC address" learned clients 10.1.0.1 inside
expect "so does neighbour discovery" learned clients fd00:1::1 inside
