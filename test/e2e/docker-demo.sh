#!/usr/bin/env bash
# The demonstration in containers, with an engine of its own and what is compiled already. Every call succeeds,
# though a stage's container dies meanwhile and is started again, and another is paused. Stages' containers
# that are stopped, the pipeline's, too, go on when they are started again; the engine's end stops no
# packet. Neither a whole run nor an interrupted one leaves anything behind, nor one whose engine was killed.
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

engine() { docker -H "unix://${TMPDIR:-/tmp}/nfv-$demo/docker.sock" "$@"; }
container() { engine ps -a --filter "name=_$1_1" --format '{{.ID}}'; }
told() { engine inspect -f "$2" "$(container "$1")" 2>/dev/null || :; }
pid_of() { told "$1" '{{.State.Pid}}'; }
pipeline_says() { engine logs "$(container pipeline)" 2>&1 | grep -Eq -- "$1"; }
calls_run() { ! kill -0 "$demo" 2>/dev/null || grep -q 'offloads.* s$' "$WORK/demo"; }
restarted() { [ "$(told "$1" '{{.RestartCount}} {{.State.Running}}')" = '1 true' ]; }
# What the pipeline, the first process of its namespace, has to wait for: whoever lost his parent there.
no_zombies() { ! pgrep -r Z -P "$(pid_of pipeline)" >/dev/null; }
datagrams() { awk '/^Udp:/ && $2 ~ /^[0-9]/ { print $2 }' "/proc/$1/net/snmp"; }

demo --calls 500 --rate 40
rc=0 demo=$DEMO
wait_for 180 calls_run || die "calls do not begin"
if kill -0 "$demo" 2>/dev/null; then
	sleep 1
	kill -KILL "$(pid_of firewall)"
	expect "a stage's container that died is started again" wait_for 20 restarted firewall
	expect "its orphans are waited for" wait_for 5 no_zombies
	engine pause "$(container nat)" >/dev/null
	sleep 1.5
	engine unpause "$(container nat)" >/dev/null
	expect "one that is paused too long is noticed" \
		wait_for 10 pipeline_says 'stage nat: instance .* is ended: its heart has stopped'
fi
wait "$DEMO" || rc=$?
DEMO=
[ $rc -ne 77 ] || skip "$(tail -n 1 "$WORK/demo")"
cat "$WORK/demo"
[ $rc -eq 0 ] || die "ends with $rc: $(tail -n 30 "$WORK/demo.err")"
expect "every call succeeds" \
	grep -qx "calls attempted=500 successful=500 failed=0" <(tail -n 1 "$WORK/demo")
expect "a whole run leaves nothing" nothing_left "$demo"

demo
demo=$DEMO
wait_for 180 grep -q "image nfv-pipeline" "$WORK/demo" || die "never came to an image"
sleep 1
kill -INT "$DEMO"
! wait "$DEMO" || die "SIGINT while an image is built: the demonstration claims success"
DEMO=
expect "SIGINT while an image is built leaves nothing" nothing_left "$demo"

# calls: sixty. SIPp makes its Call-IDs of its process, so that is to be another one each time.
calls() {
	engine rm -f calls >/dev/null 2>&1 || :
	engine run --rm --name calls --network "container:$(container clients-wires)" \
		--pid "container:$(container servers)" --cap-drop ALL --log-driver none nfv-peer \
		timeout 60 sipp -sn uac -i 10.1.0.2 -p 5060 -rsa 10.1.0.1:5060 10.2.0.2:5060 \
		-m 60 -r "${1:-30}" -nostdin
}
runs_again() { [ "$(engine logs "$(container pipeline)" 2>/dev/null | grep -c '"running"')" = 2 ]; }
demo --calls 60 --rate 30 --keep
demo=$DEMO
wait_for 180 grep -q "up until interrupted" "$WORK/demo" || die "no call is made: $(cat "$WORK/demo")"
engine stop -t 1 "$(container nat)" >/dev/null
expect "a stage's container that was stopped is noticed" \
	wait_for 10 pipeline_says 'stage nat: its template .* is ended, and the next one begins afresh'
engine start "$(container nat)" >/dev/null
expect "calls, once it is started" calls
calls >/dev/null 2>&1 & # whatever becomes of them
sleep 1
engine restart -t 5 "$(container pipeline)" >/dev/null
engine start "$(container firewall)" "$(container nat)" "$(container sip)" >/dev/null
expect "the pipeline is started again, and its stages" wait_for 30 runs_again
expect "calls, once they are" calls
servers=$(pid_of servers)
calls 10 >/dev/null 2>&1 &
sleep 2
kill -KILL "$(cat "${TMPDIR:-/tmp}/nfv-$demo/docker.pid")"
before=$(datagrams "$servers")
sleep 1
expect "packets go on without the engine" [ "$(datagrams "$servers")" -gt "$before" ]
kill -INT "$DEMO"
! wait "$DEMO" || die "SIGINT: the demonstration claims success"
DEMO=
expect "nothing is left where the engine was killed" nothing_left "$demo"
