#!/usr/bin/env bash
# Sound goes where SDP says, through a firewall that lets in nothing else, for the call's life and no
# longer: by pinholes where addresses are reached as they are, by the relay from behind the NAT.
. "$(dirname "$0")/media.bash"

# Without media in the stage's configuration the firewall keeps sound from outside out.
sip_up 'port: 5060'
export APART=yes
call closed clients6 servers6
same "closed: what the caller hears" "$(heard closed-caller .heard)" 0
expect "it ends in order" pipeline_stop TERM
rm "$WORK/in"

sip_up 'port: 5060' 'media: pinholes'
for pair in 'clients6 servers6' 'servers6 clients6'; do
	# shellcheck disable=SC2086
	call pinhole $pair
	good pinhole
	side=caller
	[ "${pair%% *}" = clients6 ] || side=callee
	same "$pair: what comes in when the call is over" "$(heard pinhole-$side .late)" 0
done
expect "it ends in order" pipeline_stop TERM
rm "$WORK/in"

unset APART
# Clients have addresses that nobody outside can send to.
sed -i 's|^nat:.*|nat: {addresses: [10.2.0.1], ports: 30000-65535}|' "$WORK/sip.yaml"
CONFIG=$WORK/relay.yaml
sed 's|rules: .*config/|rules: |; s|^sip:.*|sip: {port: 5060}|' "$WORK/sip.yaml" >"$CONFIG"
cp "$ROOT"/config/*.rules "$WORK"
sed -i '/name "SIP to phones"$/a allow in udp from 10.1.0.1 port 20000-29999 to 10.1.0.0/24 name "sound"\nallow in udp from any to 10.2.0.1 port 20000-29999 name "sound to the relay"' \
	"$WORK/firewall.rules"
sip_up 'port: 5060' 'media: relay'
call relay clients servers
good relay
for side in caller callee; do
	same "relay: what the $side hears when the call is over" "$(heard relay-$side .late)" 0
done
expect "the callee sends to the relay" test "$(heard relay-callee '.to | split(":")[0]')" = 10.2.0.1
expect "so does the caller" test "$(heard relay-caller '.to | split(":")[0]')" = 10.1.0.1
expect "it ends in order" pipeline_stop TERM
