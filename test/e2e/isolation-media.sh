#!/usr/bin/env bash
# A SIP stage in a process of its own opens pinholes as one in the worker's loop does: sound passes a firewall that
# lets in nothing else, for the call's life and no longer, and goes on while that process is killed or replaced.
. "$(dirname "$0")/media.bash"

live() { show stage sip | sed -n 's/^isolated, process \([0-9]*\),.*/\1/p'; }
has_spare() { show stage sip | grep -q 'a spare waits'; }
followed() { [ -n "$(live)" ] && [ "$(live)" != "$1" ] && has_spare; }
# opened: pinholes so far.
opened() { show stage sip | sed -n 's/^pinholes opened \([0-9]*\),.*/\1/p'; }
# late NAME FROM: what the inside hears when the call is over.
late() {
	local side=caller
	[ "$2" = clients6 ] || side=callee
	heard "$1-$side" .late
}

# media_case STAGE…: with these in processes of their own.
media_case() {
	{
		sed '/^isolation:/,$d' "$ROOT/config/isolated.yaml"
		echo isolation:
		for stage; do echo "  - {stage: $stage, idle: 50, on-failure: hold}"; done
		sed -n '/^firewall:/,$p' "$ROOT/config/isolated.yaml"
	} >"$WORK/some.yaml"
	CONFIG=$WORK/some.yaml
	sip_up 'port: 5060' 'media: pinholes'
	export APART=yes
	for pair in 'clients6 servers6' 'servers6 clients6'; do
		# shellcheck disable=SC2086
		call pinhole $pair
		good pinhole
		same "$*: $pair: what comes in when the call is over" "$(late pinhole "${pair%% *}")" 0
	done
	same "$*: pinholes so far" "$(opened)" 8

	old=$(live)
	call killed servers6 clients6 7010 &
	pid=$!
	wait_for 5 more_than 8
	kill -KILL "$old"
	wait $pid || die "no call while the stage is killed"
	good killed
	expect "$*: another one has followed" followed "$old"
	same "$*: the call's end is heard by the other process" "$(late killed servers6)" 0

	old=$(live)
	call replaced servers6 clients6 7020 &
	pid=$!
	wait_for 5 more_than 12
	ask restart sip >/dev/null
	wait $pid || die "no call while the stage is replaced"
	good replaced
	expect "$*: another one has followed" followed "$old"
	same "$*: what comes in when that call is over" "$(late replaced servers6)" 0
	same "$*: pinholes that were refused" \
		"$(show stage sip | sed -n 's/^pinholes opened .*, not opened \([0-9]*\)$/\1/p')" 0
	expect "it ends in order" pipeline_stop TERM
	rm "$WORK/in"
}
more_than() { [ "$(opened)" -gt "$1" ]; }

testbed_up
media_case sip
media_case firewall nat sip
