#!/usr/bin/env bash
# Captures named in the configuration: at a port and between two stages, with a filter.
. "$(dirname "$0")/testbed.sh"
testbed_up
cp "$ROOT/config/firewall.rules" "$WORK"
cp "$CONFIG" "$WORK/config.yaml"
cat >>"$WORK/config.yaml" <<-YAML
	capture:
	  - {at: outside, file: outside.pcapng, filter: icmp}
	  - {at: "edge:nat-sip", file: seam.pcapng, snaplen: 64}
YAML
pipeline_start "$WORK/config.yaml"
expect "it forwards" clients ping -c 5 -i 0.2 -W 2 -s 500 10.2.0.2
expect "it ends in order" pipeline_stop TERM

# held FILE FILTER: how many packets of it match.
held() { tshark -n -r "$WORK/$1" -Y "$2" 2>/dev/null | wc -l; }
expect "at the port, both ways" test "$(held outside.pcapng icmp)" -eq 10
expect "at the port, translated" test "$(held outside.pcapng 'ip.addr == 10.1.0.0/24')" -eq 0
expect "between NAT and SIP, both ways" test "$(held seam.pcapng 'icmp.type == 8 || icmp.type == 0')" -eq 10
expect "cut to 64 bytes" test "$(held seam.pcapng 'frame.cap_len > 64')" -eq 0
