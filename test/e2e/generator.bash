# shellcheck shell=bash disable=SC2034,SC2054,SC2016
# (what it sets is for those who source it; devices have commas; awk has dollars)
# The generator's ground. Sourced, never run.
#
#   gen                     peer
#   eth0 ------------------ eth0
#   10.3.0.1, fd00:3::1     10.3.0.2, fd00:3::2
#
# The kernel has no address on the left: what answers there is sipp-gen, by af_packet.
. "$(dirname "${BASH_SOURCE[0]}")/testbed.sh"

GEN=$BUILD/apps/sipp-gen/sipp-gen
GEN_EAL=(--lcores "0@${CPUS[-1]}" --no-huge --no-shconf --no-pci --no-telemetry -m 256
	--log-level=error)
LEFT=(--device net_af_packet0,iface=eth0 -i 10.3.0.1/24)
LEFT6=(--device net_af_packet0,iface=eth0 -i fd00:3::1/64)

generator_up() {
	need_root
	[ -x "$GEN" ] || die "there is no $GEN: build first"
	clean_at_exit
	make_work
	ns_add gen peer
	in_ns gen sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
	wire gen eth0 peer eth0
	address peer eth0 10.3.0.2/24 fd00:3::2/64
}

# generator NAME OPTION…: starts it; $! is its process, and takes signals. Its report is NAME.json.
generator() {
	local name=$1
	shift
	ip netns exec "$PREFIX-${GEN_NS:-gen}" timeout -k 10 50 "$GEN" "${GEN_EAL[@]}" -- --json "$@" \
		>"$WORK/$name.json" 2>"$WORK/$name.err" </dev/null &
}

# generate NAME OPTION…: and waits for its end; its status is this one's.
generate() {
	generator "$@"
	wait $!
}

# ours NAME [OPTION] JQ: something of a report.
ours() { jq -r "${@:2}" "$WORK/$1.json"; }

# sipp_peer NAME OPTION…: SIPp on the right, or in SIPP_NS; $! is its process. Its statistics are NAME.csv, its
# counts NAME_counts.csv.
sipp_peer() {
	local name=$1
	shift
	mkdir "$WORK/$name"
	# It names the file of counts by the scenario and its process: each has a folder to itself.
	LIMIT=50 spawn "${SIPP_NS:-peer}" env -C "$WORK/$name" sipp "$@" -nostdin -trace_stat -fd 1 \
		-stf "$WORK/$name.csv" -trace_counts -trace_err -error_file "$WORK/$name.err" \
		>"$WORK/$name.out" 2>&1 </dev/null
}

# value FILE COLUMN: of the last line of a file of SIPp's.
value() {
	awk -F';' -v c="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == c) at = i }
		END { print (NR > 1 && at ? $at : "none") }' "$1"
}
theirs() { value "$WORK/$1.csv" "$2"; }
counts() { value "$(echo "$WORK/$1"/*_counts.csv)" "$2"; }

# snmp COUNTER…: the sum of the right kernel's counters since the case began, of Ip.InDelivers and such.
snmp() {
	in_ns peer awk -v want="$*" '
		!($1 in names) { names[$1] = $0; next }
		{ n = split(names[$1], name); for (i = 2; i <= n; i++) at[substr($1, 1, length($1) - 1) "." name[i]] = $i }
		END { n = split(want, w); for (i = 1; i <= n; i++) sum += at[w[i]]; print sum }' /proc/net/snmp
}
# Datagrams that have reached it, whether or not anybody has read them; and that it has sent.
reached() { echo $(($(snmp Ip.InDelivers) - $(snmp Icmp.InMsgs))); }
sent() { snmp Udp.OutDatagrams; }

# same WHAT A B: two numbers that must be equal.
same() {
	[ "$2" = "$3" ] || die "$1: $2 is not $3"
	say "ok: $1: $2"
}

# Steps of a caller and of a callee that are one message, in the built-in scenarios of both programs.
EXCHANGE=("0 0 INVITE Sent Recv" "2 1 180 Recv Sent" "4 2 200 Recv Sent" "5 3 ACK Sent Recv"
	"7 4 BYE Sent Recv" "8 5 200 Recv Sent")

# calls_agree GEN SIPP CALLS: every call was good on both sides, and each message arrived; what had to
# be sent again, since the machine was busy, does not count.
calls_agree() {
	local gen=$1 sipp=$2 n=$3 line caller callee name sent got
	same "good, failed and open calls" "$(ours "$gen" '"\(.successful) \(.failed) \(.open)"')" "$n 0 0"
	same "good calls of SIPp's" "$(theirs "$sipp" 'SuccessfulCall(C)')" "$n"
	same "failed ones" "$(theirs "$sipp" 'FailedCall(C)')" 0
	for line in "${EXCHANGE[@]}"; do
		read -r caller callee name sent got <<<"$line"
		if [ "$(ours "$gen" .roles)" = caller ]; then
			same "$name here and there" "$(ours "$gen" ".steps[$caller].messages")" \
				"$(counts "$sipp" "${callee}_${name}_$got")"
		else
			same "$name here and there" "$(ours "$gen" ".steps[$callee].messages")" \
				"$(counts "$sipp" "${caller}_${name}_$sent")"
		fi
	done
	for line in garbage unexpected out_of_call dead_call call_warnings; do
		same "$line" "$(ours "$gen" ".$line")" 0
	done
}
