#!/usr/bin/env bash
# The pipeline is a hop that time-exceeded errors name, whatever the probe; the NAT translates the
# errors and replies that come from behind it.
. "$(dirname "$0")/testbed.sh"
testbed_up
pipeline_start "$CONFIG"

# path WHAT FIRST LAST CMD…: the first hop is FIRST and the last one LAST.
path() {
	local what=$1 first=$2 last=$3 got
	shift 3
	got=$(clients "$@" | awk '$1 ~ /^[0-9]+$/ { hop[n = $1] = $2 } END { print hop[1], hop[n], n }')
	[ "$got" = "$first $last 2" ] || die "$what: wanted $first $last 2, got $got"
	say "ok: $what"
}

path "UDP probes" 10.1.0.1 10.2.0.2 traceroute -n -q 1 -w 2 -N 1 10.2.0.2
path "ICMP probes" 10.1.0.1 10.2.0.2 traceroute -I -n -q 1 -w 2 -N 1 10.2.0.2
path "TCP probes" 10.1.0.1 10.2.0.2 traceroute -T -p 81 -n -q 1 -w 2 -N 1 10.2.0.2
path "UDP probes by IPv6" fd00:1::1 fd00:2::2 traceroute -6 -n -q 1 -w 2 -N 1 fd00:2::2
path "ICMP probes by IPv6" fd00:1::1 fd00:2::2 traceroute -6 -I -n -q 1 -w 2 -N 1 fd00:2::2
