# shellcheck shell=bash
# Calls with sound, for cases that source this beside sip.bash's ground.
. "$(dirname "${BASH_SOURCE[0]}")/sip.bash"

# call NAME FROM TO [PORT]: between the parties on either side; what they heard is in NAME-caller and NAME-callee.
# The port of sound makes the Call-ID, too.
call() {
	local caller callee proxy
	read -r caller callee proxy <<<"$(tr -d '[]' <<<"${ADDR[$2]} ${ADDR[$3]} ${PROXY[$2]}")"
	spawn "${3%6}" python3 "$E2E/rtp_party.py" callee "$callee" 6060 "${4:-7000}" >"$WORK/$1-callee" \
		2>"$WORK/$1-ready" </dev/null
	local pid=$!
	wait_for 5 grep -q ready "$WORK/$1-ready" || die "no callee: $(cat "$WORK/$1-ready")"
	"${2%6}" python3 "$E2E/rtp_party.py" caller "$caller" 6060 "${4:-7000}" "$proxy" 6060 "${ADDR[$3]}" \
		>"$WORK/$1-caller" || die "$1: no call"
	wait $pid || die "$1: the callee fails"
}
heard() { jq -r "$2" "$WORK/$1"; }
# good NAME: both have heard each other, but for what a busy machine loses.
good() {
	local side
	for side in caller callee; do
		expect "$1: the $side hears ($(heard "$1-$side" .heard) of 100)" \
			test "$(heard "$1-$side" .heard)" -ge 80
	done
}
