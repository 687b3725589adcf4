#!/usr/bin/env bash
# Whatever goes out carries the NAT's address and good checksums, and comes back to who sent it,
# also where two clients use the same port.
. "$(dirname "$0")/testbed.sh"
testbed_up
address clients eth0 10.1.0.3/24
pipeline_start "$CONFIG"

capture servers ip
spawn servers python3 "$E2E/echo.py" serve 10.2.0.2 7000 >/dev/null
clients python3 "$E2E/echo.py" ask 10.2.0.2 7000 10.1.0.2 10.1.0.3 >"$WORK/asked" ||
	die "not every answer comes home: $(cat "$WORK/asked")"
say "ok: 2 clients, 20 ports each, TCP and UDP: every answer comes home"
expect "echo" clients ping -c 3 -i 0.2 -W 2 -I 10.1.0.3 10.2.0.2
capture_stop

bad=$(captured "(ip.src != 10.2.0.2 && ip.src != 10.2.0.1) || (ip.src == 10.2.0.1 &&
	(ip.checksum.status == 0 || udp.checksum.status == 0 || tcp.checksum.status == 0 ||
	icmp.checksum.status == 0))")
[ -z "$bad" ] || die "not as it should leave: $(head -n 5 <<<"$bad")"
[ "$(captured 'ip.src == 10.2.0.1' | wc -l)" -gt 100 ] || die "nothing was captured"
say "ok: only 10.2.0.1 as a source, all checksums good"
