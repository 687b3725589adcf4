#!/usr/bin/env bash
# Linphone's console, without display or sound card: two of them register with digest, one inside behind the NAT
# and one outside, call each other, hang up, give up, and go.
. "$(dirname "$0")/sip.bash"
command -v linphonec >/dev/null || skip "linphonec is not installed (Debian's linphone-cli)"
testbed_up

umask 077
for user in alice bob; do
	say "$user:pbx.example.org:$(printf %s "$user:pbx.example.org:secret" | md5sum | cut -d ' ' -f 1)"
done >"$WORK/users"
sip_up 'port: 5060' 'domains: [pbx.example.org]' 'registrations: 64' "credentials: $WORK/users" \
	'media: relay' 'rtp-ports: 20000-20099'

# phone NS NAME FD [OPTION…]: its commands come by descriptor FD.
phone() {
	local dir=$WORK/$2
	mkdir -p "$dir/.local/share/linphone"
	cat >"$dir/rc" <<-TXT
		[sip]
		sip_port=5070
		use_ipv6=0
		sip_tcp_port=0
		sip_tls_port=0
		contact=sip:$2@${ADDR[$1]}
		guess_hostname=0
		default_proxy=0
		register_only_when_network_is_up=0
		[rtp]
		audio_rtp_port=30000
		[net]
		mtu=1300
		[proxy_0]
		reg_proxy=<sip:${PROXY[$1]}:5060>
		reg_route=<sip:${PROXY[$1]}:5060;lr>
		reg_identity=sip:$2@pbx.example.org
		reg_expires=60
		reg_sendregister=1
		[auth_info_0]
		username=$2
		passwd=secret
		realm=pbx.example.org
	TXT
	mkfifo "$dir/in"
	eval "exec $3<>'$dir/in'"
	spawn "$1" env HOME="$dir" linphonec -d 5 -C -c "$dir/rc" "${@:4}" <"$dir/in" >"$dir/log" 2>&1
}
# said NAME TIMES PATTERN: so often, or will soon have.
said() { wait_for 15 said_now "$@" || die "$1 does not say $3: $(tail -n 20 "$WORK/$1/log")"; }
said_now() { [ "$(grep -c -- "$3" "$WORK/$1/log")" -ge "$2" ]; }
bindings() { [ "$(stage bindings)" = "$1" ]; }

phone clients alice 7
alice=$!
phone servers bob 8 -a
bob=$!
expect "both register with digest" wait_for 15 bindings 2

say "call sip:bob@pbx.example.org" >&7
said alice 1 'to LinphoneCallStreamsRunning'
said bob 1 'to LinphoneCallStreamsRunning'
say "terminate" >&7
said bob 1 'to LinphoneCallEnd'
say "ok: alice calls bob and hangs up"

say "call sip:alice@pbx.example.org" >&8
said alice 1 'to LinphoneCallIncomingReceived'
say "answer" >&7
said alice 2 'to LinphoneCallStreamsRunning'
said bob 2 'to LinphoneCallStreamsRunning'
say "terminate" >&8
said alice 2 'to LinphoneCallEnd'
say "ok: bob calls alice, who picks up, and hangs up"

say "call sip:alice@pbx.example.org" >&8
said alice 2 'to LinphoneCallIncomingReceived'
say "terminate" >&8
said alice 3 'to LinphoneCallEnd'
same "cancelled" "$(stage 'request CANCEL') $(stage cancels)" "1 1"

say "quit" >&7
say "quit" >&8
wait $alice $bob || :
expect "who goes leaves no binding" wait_for 5 bindings 0
expect "it ends in order" pipeline_stop TERM
