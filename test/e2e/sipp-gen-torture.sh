#!/usr/bin/env bash
# Messages meant to harm, at a callee of sipp-gen's: it answers OPTIONS after each of them, and a good
# call still succeeds. The messages are RFC 4475's where NFV_RFC4475 or the default folder has them.
. "$(dirname "$0")/testbed.sh"
need_root
SIPP_GEN=$BUILD/apps/sipp-gen/sipp-gen
[ -x "$SIPP_GEN" ] || die "there is no $SIPP_GEN: build first"
clean_at_exit
make_work

messages=${NFV_RFC4475:-$ROOT/../shared/data/rfc4475}
if ! compgen -G "$messages/*.dat" >/dev/null; then
	messages=$WORK/messages
	mkdir "$messages"
	printf 'INVITE sip:a@b SIP/2.0\r\nContent-Length: 99999\r\n\r\n' >"$messages/cut.dat"
	printf 'INVITE sip:a@b SIP/7.0\r\nVia: \r\nCSeq: 99999999999 BYE\r\nCall-ID:\r\n\r\n' \
		>"$messages/empty.dat"
	head -c 1400 /dev/urandom >"$messages/noise.dat"
fi
n=$(compgen -G "$messages/*.dat" | wc -l)

ns_add caller callee
for ns in caller callee; do
	in_ns "$ns" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
done
wire caller eth0 callee eth0

# gen NS CPU OWN OPTION…: sipp-gen there; $! is its process.
gen() {
	local ns=$1 cpu=$2 own=$3
	shift 3
	ip netns exec "$PREFIX-$ns" timeout -k 5 120 "$SIPP_GEN" --no-huge --no-pci --no-shconf \
		--no-telemetry -m 256 --lcores "0@$cpu" -- --device net_af_packet0,iface=eth0 \
		-i "$own" "$@" </dev/null &
}

gen callee "${CPUS[-1]}" 10.9.0.2/24 -sn uas -aa --json >"$WORK/callee" 2>"$WORK/callee.err"
callee=$!
gen caller "${CPUS[0]}" 10.9.0.1/24 --torture "$messages" --wait 50 --json 10.9.0.2 \
	>"$WORK/torture" 2>"$WORK/torture.err"
wait $! || die "the callee is dead, or was never there: $(tail -n 3 "$WORK/torture.err" \
	"$WORK/callee.err")"
[ "$(jq length "$WORK/torture")" = "$n" ] || die "not all $n messages were sent"
[ "$(jq 'map(select(.alive)) | length' "$WORK/torture")" = "$n" ] ||
	die "no answer after: $(jq -c '.[] | select(.alive | not)' "$WORK/torture")"
say "ok: alive after each of $n messages"
gen caller "${CPUS[0]}" 10.9.0.1/24 -sn uac -r 20 -m 20 --json 10.9.0.2 \
	>"$WORK/calls" 2>"$WORK/calls.err"
wait $! || die "calls fail after it: $(tail -n 3 "$WORK/calls.err")"
[ "$(jq .successful "$WORK/calls")" = 20 ] || die "not all calls succeed after it"
say "ok: 20 calls succeed after it"

# A peer that says nothing is dead.
stop "$callee"
address callee eth0 10.9.0.2/24
rc=0
gen caller "${CPUS[0]}" 10.9.0.1/24 --torture "$messages" --wait 50 10.9.0.2 \
	>"$WORK/torture" 2>"$WORK/torture.err"
wait $! || rc=$?
[ "$rc" = 1 ] || die "without a callee the status is $rc: $(tail -n 3 "$WORK/torture.err")"
grep -q 'peer dead' "$WORK/torture.err" || die "nobody says that the peer is dead"
say "ok: a dead peer is found dead"
