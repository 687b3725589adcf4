#!/usr/bin/env bash
# One chain on two workers, on two queues of both interfaces, dealt out by the kernel as it likes: what passes
# one passes two. Calls from and to users who have registered, of whom the workers tell each other; media by
# the relay; ping and a download through the NAT. Each worker has had its part of it.
. "$(dirname "$0")/sip.bash"
CONFIG=$ROOT/config/spread.yaml
LCORES="0@${CPUS[0]},1@${CPUS[0]},2@${CPUS[-1]}"
HUGE_PAGES=512

# worker W NAME: a counter of one worker's SIP stage.
worker() {
	show stage sip | awk -v w="worker $1" -v n="$2" '/^worker / { on = $0 == w }
		on && index($0, n " ") == 1 && !said++ { print $(split(n, x, " ") + 1) }'
}
# chain W WORD: a number of one worker's line of the chain.
chain() {
	show chain edge | sed -n "s/^ *worker $1 .*$2 \([0-9]*\).*/\1/p"
}
both() { [ "$1" -gt 0 ] && [ "$2" -gt 0 ]; }

sip_up 'domains: [pbx.example.org]' 'registrations: 64'
expect "30 pings" clients ping -q -c 30 -i 0.02 -W 5 10.2.0.2
expect "30 pings by IPv6" clients ping -6 -q -c 30 -i 0.02 -W 5 fd00:2::2

register() { clients python3 "$E2E/register.py" 10.1.0.1 "$1@pbx.example.org" x "sip:$1@10.1.0.2:$2" MD5; }
for i in 0 1 2 3; do
	same "user$i registers" "$(register user$i 710$i)" "200 sip:user$i@10.1.0.2:710$i"
done
same "registered at the first worker" "$(worker w0 bindings)" 4
same "and known to the second" "$(worker w1 bindings) of $(worker w1 told)" "4 of 4"

export TARGET=10.2.0.1:5060 DOMAIN=pbx.example.org
for i in 0 1 2 3; do
	SERVICE=user$i PORT=710$i
	ladder 20 50 '>INVITE <180 <200 >ACK >BYE <200' servers clients
done
ladder 20 50 '>INVITE <180 >CANCEL <200 <487 >ACK' servers clients
unset TARGET DOMAIN SERVICE PORT
ladder 20 50 '>INVITE <180 <200 >ACK <BYE >200'
ladder 20 50 '>INVITE <486 >ACK' clients6 servers6
same "what is lost" "$(lost)" 0
expect "each worker has carried calls ($(worker w0 'request INVITE'), $(worker w1 'request INVITE'))" \
	both "$(worker w0 'request INVITE')" "$(worker w1 'request INVITE')"
expect "each has handed packets over ($(chain w0 'handed over'), $(chain w1 'handed over'))" \
	both "$(chain w0 'handed over')" "$(chain w1 'handed over')"
show chain edge >"$WORK/chain"
say "$(grep worker "$WORK/chain")"
same "and taken what the other handed over" "$(chain w0 'taken over') $(chain w1 'taken over')" \
	"$(chain w1 'handed over') $(chain w0 'handed over')"
expect "it ends in order" pipeline_stop TERM
rm "$WORK/in"

# Sound, by the relay: its ports are dealt out, too, and the pinholes of one worker are all workers'.
CONFIG=$WORK/relay.yaml
sed 's|^nat:.*|nat: {addresses: [10.2.0.1], ports: 30000-65535}|' "$ROOT/config/spread.yaml" >"$CONFIG"
sip_up 'media: relay'
for i in 1 2 3 4; do
	spawn servers python3 "$E2E/rtp_party.py" callee 10.2.0.2 606$i 70${i}0 >"$WORK/sound-callee$i" \
		2>"$WORK/ready$i" </dev/null
	pid=$!
	wait_for 5 grep -q ready "$WORK/ready$i" || die "no callee: $(cat "$WORK/ready$i")"
	clients python3 "$E2E/rtp_party.py" caller 10.1.0.2 606$i 70${i}0 10.1.0.1 606$i 10.2.0.2 >"$WORK/sound-caller$i" ||
		die "sound $i: no call"
	wait $pid || die "sound $i: the callee fails"
	for side in caller callee; do
		expect "sound $i: the $side hears ($(jq .heard "$WORK/sound-$side$i") of 100)" \
			test "$(jq .heard "$WORK/sound-$side$i")" -ge 50
	done
done
expect "it ends in order" pipeline_stop TERM
