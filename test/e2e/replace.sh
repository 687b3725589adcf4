#!/usr/bin/env bash
# A stage is replaced by another version of it while calls go on: by a shared object in a process of its own and in its
# worker's loop, by a program where it uses DPDK. No call fails, whatever it is at, also where it is the SIP stage
# that is replaced, and flows keep their ports. What is not allowed is refused.
. "$(dirname "$0")/sip.bash"
testbed_up
# Nobody but root may write on the way to an object: not under /tmp.
objects=$(mktemp -d /run/nfv-e2e-XXXXXX)
trap 'rc=$?; set +e; rm -rf "$objects"; (exit $rc); cleanup' EXIT
chmod 755 "$objects"
install -m 644 "$BUILD/lib/nf/nat/nfv-stage-nat.so" "$objects/nat.so"
install -m 644 "$BUILD/lib/nf/sip/nfv-stage-sip.so" "$objects/sip.so"
install -m 755 "$BUILD/apps/nfv-stage/nfv-stage-dpdk" "$objects/firewall"
(cd "$objects" && sha256sum nat.so sip.so firewall >allowed)
cat "$CONFIG" - >"$WORK/fused.yaml" <<END
objects: {folders: [$objects], allowed: $objects/allowed}
END
cat "$WORK/fused.yaml" - >"$WORK/isolated.yaml" <<END
isolation:
  - {stage: nat, idle: 50, on-failure: hold, probation: 1}
  - {stage: firewall, idle: 50, on-failure: hold, probation: 1}
  - {stage: sip, idle: 50, on-failure: hold, probation: 1}
END

# refused WORDS [FILE [STAGE]]
refused() {
	PATIENCE=20 ask replace "${3:-nat}" ${2:+"$2"} | tail -n +2 | tee -a "$WORK/said" | grep -q -- "$1"
}
# The ports that NAT has given out.
ports() { show stage nat | grep -- '->' | sort; }
shows() { show stage "${2:-nat}" | grep -q -- "$1"; }
# while_calls CMD…: nothing of CALLS (100) calls is lost meanwhile.
while_calls() {
	local callee caller n=${CALLS:-100}
	callee callee "$CALL" servers 7900 -m "$n"
	callee=$!
	caller caller "$CALL" clients 7901 10.2.0.2:7900 -s user -m "$n" -r 50
	caller=$!
	sleep 0.5
	"$@"
	expect "$n calls meanwhile" wait $caller
	expect "their callee agrees" wait $callee
	rm -rf "$WORK"/calle[er]*
}
CALL='>INVITE <180? <200 >ACK .300 >BYE <200'
replaced() { expect "nat is replaced" refused "$1" nat.so; }
# Three times, while some ring, some talk, and some hang up.
SLOW='>INVITE <180 .700 <200 >ACK .900 >BYE .200 <200'
sip_replaced() {
	local i
	for i in 1 2 3; do
		expect "sip is replaced" refused "$1" sip.so sip
		sleep 1.7 # its probation
	done
}

CONFIG=$WORK/isolated.yaml
sip_up 'port: 5060'
ladder 10 50 '>INVITE <180 <200 >ACK >BYE <200'
ports >"$WORK/ports"
while_calls replaced 'another version of nat is ready'
expect "the new version works" wait_for 5 shows 'version 1.*, replaced 1, rolled back 0'
ladder 10 50 '>INVITE <180 <200 >ACK >BYE <200'
expect "what had a port has it still" [ -z "$(comm -23 "$WORK/ports" <(ports))" ]
same "what the chain has lost" "$(lost)" 0
sleep 1.5 # its probation
CALL=$SLOW CALLS=300 while_calls sip_replaced 'another version of sip is ready'
expect "each time the new version of sip works" shows 'version 1.*, replaced 3, rolled back 0' sip
ladder 10 50 '>INVITE <180 <200 >ACK >BYE <200'
same "what the chain has lost" "$(lost)" 0

# Its flows are as known as before: no rule is asked about them, and none was refused.
firewalled() { expect "the firewall is replaced" refused 'another version of firewall is ready' "$1" firewall; }
while_calls firewalled firewall
expect "the new program works" wait_for 5 shows "version $(sha256sum "$objects/firewall" | head -c 12), replaced 1, rolled back 0, not replaced 0, flows not taken over 0" firewall
ladder 10 50 '>INVITE <180 <200 >ACK >BYE <200'
sleep 1.5
while_calls firewalled ''
expect "its own program, started anew" wait_for 5 shows 'version built in, replaced 2' firewall
ladder 10 50 '>INVITE <180 <200 >ACK >BYE <200'
same "what the chain has lost" "$(lost)" 0
sleep 1.5
expect "an object is no program" refused 'nat.so.*it is no program' nat.so firewall
expect "nor a program an object" refused 'firewall.*it is a program' firewall

cp "$objects/nat.so" "$objects/other.so"
printf x >>"$objects/other.so"
expect "what is not on the list is refused" refused 'other.so.*allowed' other.so
install -m 666 "$objects/nat.so" "$objects/open.so"
expect "and what others may write to" refused 'open.so.*writ' open.so
ln -s nat.so "$objects/link.so"
expect "and links" refused 'link.so' link.so
expect "and what lies elsewhere" refused 'does not lie in' "$BUILD/lib/nf/nat/nfv-stage-nat.so"
expect "and what is not there" refused 'gone.so' gone.so
expect "none of them was taken" shows 'version .* replaced 1, rolled back 0'
expect "it ends in order" pipeline_stop TERM

CONFIG=$WORK/fused.yaml
rm "$WORK/in"
sip_up 'port: 5060'
ladder 10 50 '>INVITE <180 <200 >ACK >BYE <200'
ports >"$WORK/ports"
while_calls replaced 'nat is version 1.* now, [1-9][0-9]* flows and 0 records went over, 0 were ended'
ladder 10 50 '>INVITE <180 <200 >ACK >BYE <200'
expect "what had a port has it still" [ -z "$(comm -23 "$WORK/ports" <(ports))" ]
CALL=$SLOW CALLS=300 while_calls sip_replaced \
	'sip is version 1.* now, 0 flows and [1-9][0-9]* records went over, 0 were ended'
expect "once more" refused 'nat is version' nat.so
expect "what uses DPDK is not mapped" refused 'isolate it' firewall firewall
ladder 10 50 '>INVITE <180 <200 >ACK >BYE <200'
same "what the chain has lost" "$(lost)" 0
expect "it ends in order" pipeline_stop TERM
sed "s|$objects|…|g" "$WORK/said"
