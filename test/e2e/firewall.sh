#!/usr/bin/env bash
# What the rules do not allow does not pass, and is counted; what they allow comes back.
. "$(dirname "$0")/testbed.sh"
testbed_up
pipeline_start "$CONFIG"

denied() { drops firewall default; }
grown() { [ "$(denied)" -ge $((before + $1)) ]; }
listen() {
	spawn "$1" python3 "$E2E/echo.py" serve "$2" "$3"
	wait_for 10 in_ns "$1" bash -c "exec 3<>/dev/tcp/$2/$3" 2>/dev/null || die "no server"
}
listen servers 10.2.0.2 8000
listen clients 10.1.0.2 8000
listen clients fd00:1::2 8001

expect "a connection from the inside" clients bash -c 'exec 3<>/dev/tcp/10.2.0.2/8000'
before=$(denied)
refuse "a connection from the outside to the pipeline" \
	servers timeout 2 bash -c 'exec 3<>/dev/tcp/10.2.0.1/8000'
refuse "a connection from the outside to the inside by IPv6" \
	servers timeout 2 bash -c 'exec 3<>/dev/tcp/fd00:1::2/8001'
refuse "echo from the outside to the inside by IPv6" servers ping -c 2 -i 0.3 -W 1 fd00:1::2
expect "they are counted" wait_for 5 grown 3
