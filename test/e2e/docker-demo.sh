#!/usr/bin/env bash
# The demonstration in containers, with an engine of its own and what is compiled already: every call
# succeeds, though a stage's container dies meanwhile and is started again; and neither a whole run nor an
# interrupted one leaves anything behind.
. "$(dirname "$0")/testbed.sh"
need_root
for tool in dockerd debootstrap; do
	command -v $tool >/dev/null || skip "there is no $tool: scripts/deps --containers installs it"
done
clean_at_exit
make_work

# Taking everything down takes longer than an end-to-end case grants its processes.
DEMO=
demo_end() {
	[ -n "$DEMO" ] || return 0
	kill -TERM "$DEMO" 2>/dev/null || :
	wait "$DEMO" || :
}
trap 'rc=$?; set +e; demo_end; (exit $rc); cleanup' EXIT

# left PID: what is there of the demonstration that was that process; the engine names its bridges.
bridges() { ip -o link show type bridge | awk '$2 ~ /^br-/ { print $2 }'; }
bridges >"$WORK/bridges"
left() {
	local name=nfv-$1
	pgrep -af "/$name/" || :
	findmnt -rn | grep -w "$name" || :
	find "${TMPDIR:-/tmp}" /run /sys/fs/cgroup -maxdepth 2 -name "$name*"
	bridges | comm -13 "$WORK/bridges" -
}
nothing_left() { [ -z "$(left "$1" | tee /dev/stderr)" ]; }

demo() {
	"$ROOT/scripts/docker-demo" --start-docker --built "$@" >"$WORK/demo" 2>"$WORK/demo.err" \
		</dev/null &
	DEMO=$!
}

demo --calls 400
rc=0 demo=$DEMO
engine() { docker -H "unix://${TMPDIR:-/tmp}/nfv-$demo/docker.sock" "$@"; }
firewall() { engine ps -a --filter name=_firewall_ --format '{{.ID}}'; }
told() { engine inspect -f "$1" "$(firewall)" 2>/dev/null || :; }
calls_run() { ! kill -0 "$demo" 2>/dev/null || grep -q 'offloads.* s$' "$WORK/demo"; }
restarted() { [ "$(told '{{.RestartCount}} {{.State.Running}}')" = '1 true' ]; }
wait_for 60 calls_run || die "calls do not begin"
if kill -0 "$demo" 2>/dev/null; then
	sleep 1
	kill -KILL "$(told '{{.State.Pid}}')"
	expect "a stage's container that died is started again" wait_for 20 restarted
fi
wait "$DEMO" || rc=$?
DEMO=
[ $rc -ne 77 ] || skip "$(tail -n 1 "$WORK/demo")"
cat "$WORK/demo"
[ $rc -eq 0 ] || die "ends with $rc: $(tail -n 30 "$WORK/demo.err")"
expect "every call succeeds" \
	grep -qx "calls attempted=400 successful=400 failed=0" <(tail -n 1 "$WORK/demo")
expect "a whole run leaves nothing" nothing_left "$demo"

# interrupt WHEN: once it says that.
interrupt() {
	demo
	demo=$DEMO
	wait_for 60 grep -q "$1" "$WORK/demo" || die "never came to: $1"
	sleep 1
	kill -INT "$DEMO"
	! wait "$DEMO" || die "SIGINT in \"$1\": the demonstration claims success"
	DEMO=
	expect "SIGINT in \"$1\" leaves nothing" nothing_left "$demo"
}
interrupt "image nfv-pipeline"
interrupt "servers, pipeline"
