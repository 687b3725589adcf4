#!/usr/bin/env bash
# TCP and UDP streams through firewall and NAT.
. "$(dirname "$0")/testbed.sh"
testbed_up
pipeline_start "$CONFIG"

spawn servers iperf3 -s --forceflush >"$WORK/iperf3" 2>&1 </dev/null
wait_for 5 grep -q listening "$WORK/iperf3" || die "iperf3 does not start"

expect "100 MB out by TCP" clients iperf3 -c 10.2.0.2 -n 100M
expect "100 MB in by TCP" clients iperf3 -c 10.2.0.2 -n 100M -R
expect "four streams each way by TCP" clients iperf3 -c 10.2.0.2 -t 3 -P 4 --bidir
expect "50 MB by TCP and IPv6" clients iperf3 -c fd00:2::2 -n 50M

# udp OPTION…: less than one datagram in a hundred is lost. The ends are ordinary processes that may
# have to wait for a processor while their sockets overflow, so it may take a second or third time.
udp() {
	for _ in 1 2 3; do
		clients iperf3 -c 10.2.0.2 -u -b 20M -t 3 -l 1200 --json "$@" >"$WORK/udp" || return
		! jq -e '.end.sum.lost_percent < 1' "$WORK/udp" || return 0
	done
	return 1
}
expect "20 Mbit/s out by UDP" udp
expect "20 Mbit/s in by UDP" udp -R
