#!/usr/bin/env bash
# Frames that lie, are cut off, or have no business here: each is dropped for its own reason, and
# the pipeline goes on.
. "$(dirname "$0")/testbed.sh"
testbed_up
pipeline_start "$CONFIG"

mac() { ip -n "$PREFIX-$1" -j link show "$2" | jq -r '.[0].address'; }
frames() { clients python3 "$E2E/frames.py" "$1" eth0 "$(mac clients eth0)" "$(mac pipeline inside)"; }
# grown REASON N: it has been counted N times since the case began.
grown() { [ "$(drops l3 "$1")" -ge "$2" ]; }

expect "it forwards before" clients ping -c 3 -i 0.2 -W 2 10.2.0.2
sleep 1
before=$(stats .chains.edge.l3.drops)
frames lies >"$WORK/sent"
[ -s "$WORK/sent" ] || die "no frame was sent"
while read -r reason n; do
	had=$(jq -r ".\"$reason\" // 0" <<<"$before")
	wait_for 5 grown "$reason" $((had + n)) ||
		die "$reason: $n sent, $(($(drops l3 "$reason") - had)) counted: $(stats .chains.edge.l3.drops)"
	say "ok: $n dropped and counted as $reason"
done <"$WORK/sent"

# Longer than the MTU: however the device hands it over, it harms nobody.
ip -n "$PREFIX-clients" link set eth0 mtu 9000
ip -n "$PREFIX-pipeline" link set inside mtu 9000
expect "frames of up to 8,900 bytes" frames long
expect "20,000 frames of random bytes" frames noise
expect "it forwards after" clients ping -c 3 -i 0.2 -W 2 10.2.0.2
expect "by IPv6 too" clients ping -6 -c 3 -i 0.2 -W 2 fd00:2::2
expect "it ends in order" pipeline_stop TERM
