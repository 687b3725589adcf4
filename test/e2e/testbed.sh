# shellcheck shell=bash disable=SC2034 # what it sets is for those who source it
# The end-to-end tests' ground, and the demonstration's. Sourced, never run.
#
#   clients              pipeline                 servers
#   eth0 --------------- inside, outside -------- eth0
#   10.1.0.2             10.1.0.1, 10.2.0.1       10.2.0.2
#   fd00:1::2            fd00:1::1, fd00:2::1     fd00:2::2
#
# Each is a network namespace. In the middle one the kernel has no address and keeps quiet: what
# answers there is the pipeline, which takes its frames from the two interfaces by af_packet.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

E2E=$ROOT/test/e2e
PIPELINE=      # process id
PIPELINE_IN=/dev/null
HUGE_PAGES=256 # of 2 MB, for one pipeline
LCORES=        # those of EAL's, if not the two of eal_options
CONFIG=$ROOT/config/nfv-pipeline.yaml

# --- namespaces -----------------------------------------------------------------------------------

# The last processor is the worker's, which polls; the others are for everything else.
mapfile -t CPUS < <(awk '/^Cpus_allowed_list/ { print $2 }' /proc/self/status | tr , '\n' |
	while IFS=- read -r a b; do seq "$a" "${b:-$a}"; done)
OTHER_CPUS=$(IFS=, && echo "${CPUS[*]:0:$((${#CPUS[@]} > 1 ? ${#CPUS[@]} - 1 : 1))}")

# spawn NS CMD…: runs it there, for LIMIT seconds at most (60); $! is its process.
spawn() {
	local ns=$PREFIX-$1
	shift
	ip netns exec "$ns" taskset -c "$OTHER_CPUS" timeout -k 2 "${LIMIT:-60}" "$@" <&0 &
}

# in_ns NS CMD…: the same, and waits; unlike a command in the foreground it lets signals through.
in_ns() {
	spawn "$@" <&0
	wait $!
}
clients() { in_ns clients "$@"; }
servers() { in_ns servers "$@"; }

ns_add() {
	local ns
	for ns; do
		ip netns add "$PREFIX-$ns"
		ip -n "$PREFIX-$ns" link set lo up
		# Nobody looks for routers or waits for its addresses to be unique, and no kernel
		# holds ICMP errors back: captures hold what the tests sent, each probe has its answer.
		in_ns "$ns" sysctl -qw net.ipv6.conf.default.accept_ra=0 \
			net.ipv6.conf.default.router_solicitations=0 \
			net.ipv6.conf.default.accept_dad=0 \
			net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
	done
}

# wire NS IF NS IF [MTU]: a cable between two namespaces. The offloads go, since af_packet would
# see checksums that are only partial and frames longer than the MTU.
wire() {
	local end mtu=${5:-1500}
	ip -n "$PREFIX-$1" link add "$2" mtu "$mtu" type veth \
		peer name "$4" mtu "$mtu" netns "$PREFIX-$3"
	for end in "$1 $2" "$3 $4"; do
		in_ns "${end% *}" ethtool -K "${end#* }" tx off rx off tso off gso off gro off >/dev/null
		ip -n "$PREFIX-${end% *}" link set "${end#* }" up
	done
}

# address NS IF ADDRESS/LENGTH…
address() {
	local ns=$1 dev=$2 addr
	shift 2
	for addr; do
		case $addr in
		*:*) ip -n "$PREFIX-$ns" addr add "$addr" dev "$dev" nodad ;;
		*) ip -n "$PREFIX-$ns" addr add "$addr" dev "$dev" ;;
		esac
	done
}

route() {
	local ns=$1
	shift
	ip -n "$PREFIX-$ns" route add "$@"
}

# The picture above.
testbed_up() {
	need_root
	[ -x "$BIN" ] || die "there is no $BIN: build first"
	clean_at_exit
	make_work
	ns_add clients pipeline servers
	in_ns pipeline sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
	wire clients eth0 pipeline inside
	wire servers eth0 pipeline outside
	address clients eth0 10.1.0.2/24 fd00:1::2/64
	address servers eth0 10.2.0.2/24 fd00:2::2/64
	route clients default via 10.1.0.1
	route clients default via fd00:1::1
	# Not 10.1.0.0/24: NAT is all that brings an answer home.
	route servers fd00:1::/64 via fd00:2::1
}

# --- the pipeline ---------------------------------------------------------------------------------

# EAL's options: huge pages where enough are free.
eal_options() {
	EAL=(--no-pci --no-telemetry --lcores "${LCORES:-0@${CPUS[0]},1@${CPUS[-1]}}")
	if [ "$(huge_free)" -ge "$HUGE_PAGES" ]; then
		EAL+=(--in-memory)
	else
		EAL+=(--no-huge --no-shconf -m $((2 * HUGE_PAGES)))
	fi
}

# pipeline_spawn CONFIG [OPTION…]: start it in its namespace and do not wait.
pipeline_spawn() {
	local config=$1
	shift
	eal_options
	: >"$WORK/pipeline.json"
	ip netns exec "$PREFIX-pipeline" env RUNTIME_DIRECTORY="$WORK" "$BIN" "${EAL[@]}" \
		-- --config "$config" --json "$@" \
		>"$WORK/pipeline.json" 2>"$WORK/pipeline.err" <"$PIPELINE_IN" &
	PIPELINE=$!
}

# pipeline_start CONFIG [OPTION…]: start it and wait until it forwards.
pipeline_start() {
	pipeline_spawn "$@"
	wait_for 20 grep -q running "$WORK/pipeline.json" ||
		die "the pipeline does not start: $(tail -n 3 "$WORK/pipeline.err")"
}

# pipeline_stop SIGNAL: end it, wait until it has, return what it returned.
pipeline_stop() {
	kill -"$1" "$PIPELINE"
	wait_for 10 pipeline_gone || {
		kill -KILL "$PIPELINE"
		die "the pipeline does not end"
	}
	wait "$PIPELINE"
}
pipeline_gone() { ! kill -0 "$PIPELINE" 2>/dev/null; }

# stats JQ: a value of the newest line of counters, 0 if there is none.
stats() {
	jq -c . "$WORK/pipeline.json" 2>/dev/null | tail -n 1 | jq -r "($1) // 0"
}

# drops WHERE REASON: packets the chain has dropped so far; WHERE is l3, loop or a stage.
drops() { stats ".chains.edge | (.[\"$1\"] // .stages[\"$1\"]).drops[\"$2\"]"; }

# --- captures -------------------------------------------------------------------------------------

# capture NS FILTER…: what crosses its eth0 from now on, into far.pcap.
capture() {
	local ns=$1
	shift
	spawn "$ns" tcpdump -n -i eth0 -Z root -B 16384 --immediate-mode -w "$WORK/far.pcap" "$@" \
		>"$WORK/tcpdump" 2>&1 </dev/null
	CAPTURE=$!
	wait_for 10 grep -q listening "$WORK/tcpdump" || die "tcpdump: $(cat "$WORK/tcpdump")"
}

capture_stop() {
	sleep 1
	stop "$CAPTURE"
}

# captured FILTER: the packets that a display filter matches.
captured() {
	tshark -n -r "$WORK/far.pcap" -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE \
		-o tcp.check_checksum:TRUE -Y "$1" 2>/dev/null
}

# --- expectations ---------------------------------------------------------------------------------

# wait_for SECONDS CMD…: until it succeeds.
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.1
	done
}

# expect WHAT CMD…: it succeeds; else the case fails and shows what the command said.
expect() {
	local what=$1
	shift
	"$@" >"$WORK/said" 2>&1 || die "$what: failed with $?: $(cat "$WORK/said")"
	say "ok: $what"
}

# refuse WHAT CMD…: it fails.
refuse() {
	local what=$1
	shift
	! "$@" >"$WORK/said" 2>&1 || die "$what: unexpectedly succeeded: $(cat "$WORK/said")"
	say "ok: $what"
}

# skip WHY: the case does not apply here.
skip() {
	say "$*"
	exit 77
}
