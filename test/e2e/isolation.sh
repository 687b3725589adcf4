#!/usr/bin/env bash
# Every stage of the chain in a process of its own, without privileges: calls go through as ever, while those
# processes are killed and replaced; when they cannot come back, packets go as configured. What they may not do
# they cannot: they have no capability, no file but a socket, a filter of system calls.
. "$(dirname "$0")/sip.bash"
CONFIG=$ROOT/config/isolated.yaml
sip_up 'port: 5060'

# live STAGE: its process.
live() { show stage "$1" | sed -n 's/^isolated, process \([0-9]*\),.*/\1/p'; }
has_spare() { show stage "$1" | grep -q 'a spare waits'; }
# came STAGE OLD: there is a process again, and another one.
came() { [ -n "$(live "$1")" ] && [ "$(live "$1")" != "$2" ] && has_spare "$1"; }
answers() { [ "$(ask "$1" | tail -n +2)" = "$2" ]; }
# field STAGE WORD: the number behind a word of what is shown of its process.
field() { show stage "$1" | grep -oE "$2 [0-9]+" | head -n 1 | grep -oE '[0-9]+$' || echo 0; }
status_of() { awk -v k="$2:" '$1 == k { print $2 }' "/proc/$1/status"; }

for stage in firewall nat sip; do
	pid=$(live $stage)
	expect "$stage runs in a process" kill -0 "$pid"
	same "which is nobody's" "$(status_of "$pid" Uid)" 65534
	same "has no capability" "$(status_of "$pid" CapEff)$(status_of "$pid" CapPrm)" 00000000000000000000000000000000
	same "cannot have new privileges" "$(status_of "$pid" NoNewPrivs)" 1
	same "and a filter of system calls" "$(status_of "$pid" Seccomp)" 2
	same "its files beside /dev/null" "$(find "/proc/$pid/fd" -type l -lname 'socket:*' | wc -l) of $(find "/proc/$pid/fd" -type l ! -lname /dev/null | wc -l)" "1 of 1"
done
ladder 60 60 '>INVITE <180 <200 >ACK >BYE <200'
ladder 30 60 '>INVITE <180 <200 >ACK <BYE >200'
same "what the chain has lost" "$(lost)" 0

CALL='>INVITE <180? <200 >ACK .300 >BYE <200'
# While calls come and go, whoever works is killed. Messages that die with it are sent again.
callee callee "$CALL" servers 7900 -m 200
callee=$!
caller caller "$CALL" clients 7901 10.2.0.2:7900 -s user -m 200 -r 40
caller=$!
for _ in 1 2 3 4 5; do
	old=$(live firewall)
	kill -KILL "$old"
	wait_for 10 came firewall "$old" || die "nobody follows a firewall that was killed"
done
expect "200 calls while the firewall was killed five times" wait $caller
expect "their callee agrees" wait $callee
same "they were noticed" "$(field firewall gone)" 5
expect "and told" grep -q 'stage firewall: instance 1 (process [0-9]*) is ended: its process has ended' "$WORK/pipeline.err"

old=$(live sip)
expect "one is replaced when asked" answers "restart sip" ""
expect "by its spare" wait_for 10 came sip "$old"
same "which is no failure" "$(field sip replaced)" 1
expect "what is not isolated cannot be" answers "restart router" \
	'no chain has a stage "router" in a process of its own'
ladder 20 60 '>INVITE <180 <200 >ACK >BYE <200'

# Its whole family: the template too is started anew.
old=$(live nat)
pkill -KILL -P "$PIPELINE" -x nfv-stage || die "there are no templates"

expect "a family that was killed comes back" wait_for 10 came nat "$old"
expect "the other one, too" wait_for 10 has_spare sip
ladder 20 60 '>INVITE <180 <200 >ACK >BYE <200'
templates=$(pgrep -d, -P "$PIPELINE")
none_left() { ! pgrep -r D,R,S,T -g "$templates" >/dev/null; } # each is the first of a group
expect "there are processes to end" [ "$(pgrep -c -P "$templates")" -ge 3 ]
expect "it ends in order" pipeline_stop TERM
expect "no process of its stages is left" wait_for 5 none_left

PIPELINE_IN=/dev/null
pipeline_start "$WORK/sip.yaml"
templates=$(pgrep -d, -P "$PIPELINE")
kill -KILL "$PIPELINE"
expect "when the pipeline is killed its stages notice" wait_for 5 none_left
