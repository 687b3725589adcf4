#!/usr/bin/env bash
# A pipeline that cannot have its ports says why and ends with 1; it does not run with fewer.
. "$(dirname "$0")/testbed.sh"
testbed_up
cp "$ROOT/config/firewall.rules" "$WORK"

# fails WHAT PATTERN SED: with CONFIG so changed it ends with 1 and a sentence that matches.
fails() {
	local what=$1 pattern=$2 rc=0
	sed "$3" "$CONFIG" >"$WORK/changed.yaml"
	pipeline_spawn "$WORK/changed.yaml"
	wait_for 20 pipeline_gone || die "$what: it runs"
	wait "$PIPELINE" || rc=$?
	[ "$rc" -eq 1 ] || die "$what: status $rc: $(tail -n 3 "$WORK/pipeline.err")"
	tail -n 1 "$WORK/pipeline.err" | grep -Eq "$pattern" ||
		die "$what: it says: $(tail -n 3 "$WORK/pipeline.err")"
	say "ok: $what: $(tail -n 1 "$WORK/pipeline.err")"
}

fails "no such interface" 'absent' 's/iface=outside/iface=absent/'
fails "no such driver" 'net_nonsense' 's/net_af_packet1,iface=outside/net_nonsense1/'
fails "no such PCI device" '0000:7f:1f.7' 's/net_af_packet1,iface=outside/0000:7f:1f.7/'
fails "a worker on an lcore that EAL was not given" 'lcore' 's/lcore: 1/lcore: 7/'
