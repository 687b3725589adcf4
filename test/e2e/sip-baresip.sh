#!/usr/bin/env bash
# Two phones, baresip without display or sound card: they register with digest, one inside behind the NAT and
# one outside, call each other by name, hear each other through the relay, hang up, give up, and go.
. "$(dirname "$0")/sip.bash"
command -v baresip >/dev/null || skip "baresip is not installed"
MODULES=$(dirname "$(dpkg -L baresip-core | grep -m 1 '/account\.so$')")
testbed_up

# Users with the password "secret", by MD5 alone: libre 1.1 gives up at a challenge for SHA-256 before it
# has seen the other one.
umask 077
for user in alice bob; do
	say "$user:pbx.example.org:$(printf %s "$user:pbx.example.org:secret" | md5sum | cut -d ' ' -f 1)"
done >"$WORK/users"
sip_up 'port: 5060' 'domains: [pbx.example.org]' 'registrations: 64' "credentials: $WORK/users" \
	'media: relay' 'rtp-ports: 20000-20099'
python3 -c 'import math, struct, sys, wave
w = wave.open(sys.argv[1], "wb")
w.setparams((1, 2, 8000, 0, "NONE", None))
w.writeframes(b"".join(struct.pack("<h", int(8000 * math.sin(i / 3))) for i in range(80000)))' "$WORK/tone.wav"

# phone NS NAME PASSWORD [ANSWERMODE]
phone() {
	local dir=$WORK/$2-$3
	mkdir "$dir"
	cat >"$dir/config" <<-TXT
		sip_listen ${ADDR[$1]}:5070
		module_path $MODULES
		module g711.so
		module aufile.so
		module aubridge.so
		module_tmp account.so
		module_app menu.so
		module cons.so
		cons_listen ${ADDR[$1]}:5555
		audio_source aufile,$WORK/tone.wav
		audio_player aubridge,nil
		audio_alert aubridge,nil
		rtp_ports 30000-30100
		rtp_stats yes
	TXT
	say "<sip:$2@pbx.example.org>;outbound=\"sip:${PROXY[$1]}:5060\";auth_user=$2;auth_pass=$3;regint=60;${4:-}" \
		>"$dir/accounts"
	: >"$dir/contacts"
	spawn "$1" env HOME="$dir" baresip -f "$dir" >"$dir/log" 2>&1 </dev/null
}
# tell NS COMMAND…: to the phone there.
# shellcheck disable=SC2016 # the other shell's
tell() { in_ns "$1" bash -c 'echo "$2" >"/dev/udp/$1/5555"' - "${ADDR[$1]}" "/${*:2}"; }
# said NAME TIMES PATTERN: so often, or will soon have.
said() { wait_for 10 said_now "$@" || die "$1 does not say $3: $(tail -n 20 "$WORK/$1-secret/log")"; }
said_now() { [ "$(grep -c -- "$3" "$WORK/$1-secret/log")" -ge "$2" ]; }
bindings() { [ "$(stage bindings)" = "$1" ]; }

phone clients alice wrong answermode=manual
wrong=$!
expect "a wrong password is refused" wait_for 10 grep -q '401 Unauthorized' "$WORK/alice-wrong/log"
same "bindings then" "$(stage bindings)" 0
stop $wrong
phone clients alice secret answermode=manual
alice=$!
phone servers bob secret answermode=auto
bob=$!
said alice 1 '200 OK'
said bob 1 '200 OK'
same "bindings" "$(stage bindings)" 2

tell clients dial sip:bob@pbx.example.org
said alice 1 'Call established'
said bob 1 'incoming rtp'
sleep 1.5
tell clients hangup
said bob 1 'terminated (duration'
say "ok: alice calls bob and hangs up"

tell servers dial sip:alice@pbx.example.org
said bob 1 '180 Ringing'
tell clients accept
said bob 2 'Call established'
said alice 2 'incoming rtp'
sleep 1.5
tell servers hangup
said alice 2 'terminated (duration'
say "ok: bob calls alice, who picks up, and hangs up"

tell servers dial sip:alice@pbx.example.org
said bob 2 '180 Ringing'
tell servers hangup
said alice 1 'session closed'
same "cancelled" "$(stage 'request CANCEL') $(stage cancels)" "1 1"

for name in alice bob; do
	# What is heard of a second and a half of speech, twice, at 20 ms a packet.
	heard=$(awk '$1 == "packets:" { print $3 }' "$WORK/$name-secret/log" | xargs)
	expect "packets that $name heard: $heard" \
		awk -v h="$heard" 'BEGIN { n = split(h, p); exit !(n >= 2 && p[1] > 30 && p[2] > 30) }'
done
expect "of the media nothing was lost or disordered" \
	grep -qE '^of streams that are over: packets [1-9][0-9]* lost 0 disordered 0' "$WORK/stage"

tell clients quit
tell servers quit
wait $alice $bob || :
expect "who goes leaves no binding" wait_for 5 bindings 0
expect "it ends in order" pipeline_stop TERM
