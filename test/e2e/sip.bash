# shellcheck shell=bash disable=SC2034,SC2016
# (what it sets is for those who source it; awk has dollars)
# The ground of the SIP stage's cases: testbed.sh's picture with a prompt, and SIPp on both sides.
. "$(dirname "${BASH_SOURCE[0]}")/generator.bash"

# sip_up [SETTING…]: the demonstration's pipeline, with these settings of its SIP stage.
sip_up() {
	local settings
	[ -n "$WORK" ] || testbed_up
	[[ "$*" ]] || set -- 'port: 5060'
	settings=$(printf '%s, ' "$@")
	sed "s|^sip:.*|sip: {${settings%, }}|; s|rules: |&$ROOT/config/|" "$CONFIG" >"$WORK/sip.yaml"
	mkfifo "$WORK/in"
	exec 3<>"$WORK/in"
	PIPELINE_IN=$WORK/in
	pipeline_start "$WORK/sip.yaml" --interactive
	# So that no message waits for a neighbour's address.
	clients ping -q -c 1 -W 5 10.2.0.2 >/dev/null
	clients ping -6 -q -c 1 -W 5 fd00:2::2 >/dev/null
}

# bad_cable SEED NS IF RULE…: between a side of testbed_up's picture and IF of the pipeline; what it has done
# is in cable-NS. See impair.py.
bad_cable() {
	local seed=$1 ns=$2 if=$3 net=10.1.0 net6=fd00:1:
	[ "$ns" = clients ] || net=10.2.0 net6=fd00:2:
	ip -n "$PREFIX-$ns" link del eth0
	ns_add "cable-$ns"
	in_ns "cable-$ns" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
	wire "$ns" eth0 "cable-$ns" near
	wire "cable-$ns" far pipeline "$if"
	address "$ns" eth0 $net.2/24 $net6:2/64
	if [ "$ns" = clients ]; then
		route clients default via 10.1.0.1
		route clients default via fd00:1::1
	else
		route servers fd00:1::/64 via fd00:2::1
	fi
	spawn "cable-$ns" python3 "$E2E/impair.py" "$seed" near far "${@:4}" >"$WORK/cable-$ns" </dev/null
	CABLES+=($!)
}
CABLES=()

# ask LINE…: what the prompt says to it, within PATIENCE (5) seconds.
ask() {
	local from
	from=$(wc -c <"$WORK/pipeline.json")
	printf '%s\n' "$*" >&3
	wait_for "${PATIENCE:-5}" prompted "$from" || die "$*: no answer"
	tail -c +$((from + 1)) "$WORK/pipeline.json" | sed '$d'
}
show() { ask show "$@"; }
prompted() { tail -c +$(($1 + 1)) "$WORK/pipeline.json" | tail -n 1 | grep -q '^nfv-pipeline> $'; }

# stage NAME…: the sum of counters of the SIP stage.
stage() {
	local name
	show stage sip >"$WORK/stage"
	for name; do
		awk -v n="$name" 'index($0, n " ") == 1 { print $(split(n, w, " ") + 1) }' "$WORK/stage"
	done | awk '{ n += $1 } END { print n + 0 }'
}

# lost: packets that the chain has dropped; but for the kernels' own, and ICMP errors to the proxy.
lost() {
	show chain edge | awk '$1 == "drops" && $3 !~ /^(multicast|no-listener)$/ { n += $4 }
		END { print n + 0 }'
}

# sipp_on NS NAME OPTION…: as sipp_peer, in a namespace of the picture.
sipp_on() { SIPP_NS=$1 sipp_peer "${@:2}" -cid_str "%u-$2" "${SIPP[@]}"; }

# sums NAME Sent|Recv|Retrans|Unexp: of each message, in all steps of a scenario; without the 100,
# which is the next hop's.
sums() {
	awk -F';' -v want="$2" 'NR == 1 { split($0, head, ";") }
		END { for (i = 1; i <= NF; i++) if (split(head[i], h, "_") == 3 && h[3] == want && h[2] != 100)
			sum[h[2]] += $i
			for (m in sum) print m, sum[m] }' "$WORK/$1"/*_counts.csv | sort
}
total() { sums "$1" "$2" | awk '{ n += $2 } END { print n + 0 }'; }

# grown NAME…: by how much the sum of such counters has grown since ladder began its calls.
grown() {
	local name
	for name; do
		awk -v n="$name" 'index($0, n " ") == 1 { d += FNR == NR ? -$NF : $NF } END { print d + 0 }' \
			<(sed 's/%$//' "$WORK/before") <(sed 's/%$//' "$WORK/stage")
	done | awk '{ n += $1 } END { print n + 0 }'
}

# ladder CALLS RATE LADDER [FROM TO]: calls from one side to the other down a ladder. Both sides count
# the same, and the stage as they do; their statistics are caller$LADDERS and callee$LADDERS.
LADDERS=0
declare -A ADDR=([clients]=10.1.0.2 [servers]=10.2.0.2 [clients6]='[fd00:1::2]'
	[servers6]='[fd00:2::2]')
declare -A PROXY=([clients]=10.1.0.1 [servers]=10.2.0.1 [clients6]='[fd00:1::1]'
	[servers6]='[fd00:2::1]')
ladder() {
	local n=$1 rate=$2 steps=$3 from=${4:-clients} to=${5:-servers} caller callee pid port
	caller=caller$((++LADDERS)) callee=callee$LADDERS port=${PORT:-$((7000 + 2 * LADDERS))}
	show stage sip >"$WORK/before"
	callee "$callee" "$steps" "$to" "$port" -m "$n"
	pid=$!
	caller "$caller" "$steps" "$from" $((port + 1)) "${TARGET:-${ADDR[$to]}:$port}" \
		-s "${SERVICE:-$port}" -m "$n" -r "$rate"
	wait $! || die "$steps: the caller fails: $(head -n 20 "$WORK/$caller.err")"
	wait $pid || die "$steps: the callee fails: $(head -n 20 "$WORK/$callee.err")"
	agree "$n" "$steps"
	say "ok: $n from $from to $to: $steps"
}

SIPP=() # more options

# callee NAME LADDER NS PORT OPTION…: SIPp, reached by VIAS (2) hops, which goes down the ladder as the one who is called.
callee() {
	python3 "$E2E/ladder.py" callee "$2" "${VIAS:-2}" >"$WORK/$1.xml"
	sipp_on "${3%6}" "$1" -sf "$WORK/$1.xml" -i "${ADDR[$3]}" -p "$4" "${@:5}"
	wait_for 5 bound "${3%6}" "$4" || die "SIPp does not start: $(cat "$WORK/$1.out")"
}
# caller NAME LADDER NS PORT CALLEE OPTION…: and as the one who calls, through the proxy.
caller() {
	python3 "$E2E/ladder.py" caller "$2" >"$WORK/$1.xml"
	sipp_on "${3%6}" "$1" -sf "$WORK/$1.xml" -i "${ADDR[$3]}" -p "$4" -rsa "${PROXY[$3]}:5060" \
		-key domain "${DOMAIN:-$5}" "$5" "${@:6}"
}
bound() { in_ns "$1" ss -Hlun "sport = $2" | grep -q .; }
# steps_like PATTERN LADDER: so often it is there.
steps_like() { tr -s ' \t\n' ' ' <<<"$2" | { grep -oE "$1" || :; } | wc -l; }

# agree CALLS LADDER: the two sides' counts of the last ladder, and the stage's.
agree() {
	local n=$1 steps=$2 caller=caller$LADDERS callee=callee$LADDERS method times again
	[ "$(theirs "$caller" 'SuccessfulCall(C)')" = "$n" ] || die "$steps: not all calls succeed"
	[ "$(sums "$caller" Sent)" = "$(sums "$callee" Recv)" ] || die "$steps: the caller sends" \
		"$(sums "$caller" Sent | xargs), the callee gets $(sums "$callee" Recv | xargs)"
	[ "$(sums "$callee" Sent)" = "$(sums "$caller" Recv)" ] || die "$steps: the callee sends" \
		"$(sums "$callee" Sent | xargs), the caller gets $(sums "$caller" Recv | xargs)"
	show stage sip >"$WORK/stage"
	for method in $(tr -dc 'A-Z ' <<<"$steps"); do
		times=$(cat <(sums "$caller" Sent) <(sums "$callee" Sent) <(sums "$caller" Retrans) \
			<(sums "$callee" Retrans) | awk -v m="$method" '$1 == m { n += $2 } END { print n }')
		[ "$(grown "request $method")" = "$times" ] ||
			die "$steps: $times times $method, the stage counts $(grown "request $method")"
	done
	again=$(($(total "$caller" Retrans) + $(total "$callee" Retrans) + $(grown resent)))
	if [ $again -gt 0 ]; then
		say "$again messages were sent again: not all counts are exact"
		return
	fi
	times=$((n * $(steps_like '[<>][3-6].. [<>]ACK' "$steps")))
	[ "$(grown acks)" = $times ] || die "$steps: $times refusals, $(grown acks) acknowledged"
	times=$((n * $(steps_like CANCEL "$steps")))
	[ "$(grown cancels)" = $times ] || die "$steps: $times cancelled, by the stage $(grown cancels)"
	for method in absorbed shed refused-full loops failovers unsent; do
		[ "$(grown $method)" = 0 ] || die "$steps: $method: $(grown $method)"
	done
}
