#!/usr/bin/env bash
# A stage is replaced by another version of it, a shared object, while calls go on: in a process of its own, and
# in its worker's loop. No call fails and flows keep their ports. Objects that are not allowed are refused.
. "$(dirname "$0")/sip.bash"
testbed_up
# Nobody but root may write on the way to an object: not under /tmp.
objects=$(mktemp -d /run/nfv-e2e-XXXXXX)
trap 'rc=$?; set +e; rm -rf "$objects"; (exit $rc); cleanup' EXIT
chmod 755 "$objects"
install -m 644 "$BUILD/lib/nf/nat/nfv-stage-nat.so" "$objects/nat.so"
(cd "$objects" && sha256sum nat.so >allowed)
cat "$CONFIG" - >"$WORK/fused.yaml" <<END
objects: {folders: [$objects], allowed: $objects/allowed}
END
cat "$WORK/fused.yaml" - >"$WORK/isolated.yaml" <<END
isolation: [{stage: nat, idle: 50, on-failure: hold, probation: 1}]
END

# refused WORDS FILE
refused() { ask replace nat "$2" | tail -n +2 | tee -a "$WORK/said" | grep -q -- "$1"; }
# The ports that NAT has given out.
ports() { show stage nat | grep -- '->' | sort; }
shows() { show stage nat | grep -q -- "$1"; }
# while_calls CMD…: nothing of a hundred calls is lost meanwhile.
while_calls() {
	local callee caller
	callee callee "$CALL" servers 7900 -m 100
	callee=$!
	caller caller "$CALL" clients 7901 10.2.0.2:7900 -s user -m 100 -r 50
	caller=$!
	sleep 0.5
	"$@"
	expect "100 calls meanwhile" wait $caller
	expect "their callee agrees" wait $callee
	rm -rf "$WORK"/calle[er]*
}
CALL='>INVITE <180? <200 >ACK .300 >BYE <200'
replaced() { expect "nat is replaced" refused "$1" nat.so; }

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
while_calls replaced 'nat is version 1.* now, [1-9][0-9]* flows went over, 0 were ended'
ladder 10 50 '>INVITE <180 <200 >ACK >BYE <200'
expect "what had a port has it still" [ -z "$(comm -23 "$WORK/ports" <(ports))" ]
expect "once more" refused 'nat is version' nat.so
ladder 10 50 '>INVITE <180 <200 >ACK >BYE <200'
same "what the chain has lost" "$(lost)" 0
expect "it ends in order" pipeline_stop TERM
sed "s|$objects|…|g" "$WORK/said"
