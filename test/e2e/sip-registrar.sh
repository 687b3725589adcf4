#!/usr/bin/env bash
# The registrar: sipsak registers by MD5, another client by SHA-256; then SIPp calls SIPp by the name that is
# registered: it answers, is busy, is given up, rings at two places; leaves one.
. "$(dirname "$0")/sip.bash"
command -v sipsak >/dev/null || skip "sipsak is not installed"
testbed_up
umask 077
# user PASSWORD KIND…: a line of the credentials' file.
user() {
	local kind line=$1:pbx.example.org
	for kind in "${@:3}"; do
		line+=:$(printf %s "$1:pbx.example.org:$2" | "$kind" | cut -d ' ' -f 1)
	done
	say "$line"
}
# sipsak 0.9.8 and libre 1.1 give up at a challenge for SHA-256, without a look at the next one.
{
	user alice secret md5sum
	user bob hidden md5sum sha256sum
	user carol strong sha256sum | sed 's/org:/org::/'
} >"$WORK/users"
sip_up 'port: 5060' 'domains: [pbx.example.org]' 'registrations: 64' "credentials: $WORK/users"

# sipsak wants a name for everything, and asks a server first: none of that leaves the namespace.
echo nameserver 127.0.0.1 >"$WORK/resolv.conf"
printf '10.1.0.1 pbx.example.org\n10.1.0.2 %s\n' "$(hostname)" >"$WORK/hosts"
# shellcheck disable=SC2016 # the other shell's
sak() {
	clients sh -c 'mount --bind "$1/resolv.conf" /etc/resolv.conf && mount --bind "$1/hosts" /etc/hosts &&
		shift && exec sipsak "$@"' - "$WORK" "$@"
}
register() { clients python3 "$E2E/register.py" 10.1.0.1 "$@"; }

expect "OPTIONS to the proxy" sak -s sip:10.1.0.1
refuse "OPTIONS to who is not registered" sak -s sip:alice@pbx.example.org
refuse "a registration by the wrong password" sak -i -S -l 7100 -U -s sip:alice@pbx.example.org \
	-C sip:alice@10.1.0.2:7100 -u alice -a wrong -x 60
same "bindings then" "$(stage bindings)" 0
expect "by MD5" sak -i -S -l 7100 -U -s sip:alice@pbx.example.org -C sip:alice@10.1.0.2:7100 -u alice -a secret -x 60
expect "and once more" sak -i -S -l 7100 -U -s sip:alice@pbx.example.org -C sip:alice@10.1.0.2:7100 -u alice -a secret -x 60
same "bindings" "$(stage bindings)" 1
for algorithm in MD5 SHA-256; do
	same "by $algorithm where there are both" \
		"$(register bob@pbx.example.org hidden sip:bob@10.1.0.2:7102 $algorithm)" "200 sip:bob@10.1.0.2:7102"
	same "by $algorithm with the wrong password" \
		"$(register bob@pbx.example.org secret sip:bob@10.1.0.2:7102 $algorithm)" 401
done
same "by SHA-256 where there is nothing else" \
	"$(register carol@pbx.example.org strong sip:carol@10.1.0.2:7102 SHA-256)" "200 sip:carol@10.1.0.2:7102"
same "MD5 is not offered there" \
	"$(register carol@pbx.example.org strong sip:carol@10.1.0.2:7102 MD5)" 401
same "of somebody else's name" "$(register bob@pbx.example.org secret sip:bob@10.1.0.2:7102 MD5)" 401

# One place: SIPp where sipsak was.
TARGET=10.2.0.1:5060 DOMAIN=pbx.example.org SERVICE=alice PORT=7100
ladder 20 50 '>INVITE <180 <200 >ACK >BYE <200' servers clients
ladder 20 50 '>INVITE <486 >ACK' servers clients
ladder 20 50 '>INVITE <180 >CANCEL <200 <487 >ACK' servers clients
ladder 20 50 '>MESSAGE <200' servers clients

# Two places, inside and outside, called from inside: the one that answers gets the call, the other one is
# cancelled. From outside only the first is tried, since this is no relay.
far() { servers python3 "$E2E/register.py" 10.2.0.1 alice@pbx.example.org secret sip:alice@10.2.0.2:7110 MD5 "$@"; }
same "a second place" "$(far | xargs -n 1 | sort | xargs)" "200 sip:alice@10.1.0.2:7100 sip:alice@10.2.0.2:7110"
show stage sip >"$WORK/before"
callee near '>INVITE <180 .300 <200 >ACK >BYE <200' clients 7100 -m 20
near=$!
callee far '>INVITE <180 >CANCEL <200 <487 >ACK' servers 7110 -m 20
far=$!
caller caller '>INVITE <180 <180? <200 >ACK >BYE <200' clients 7111 10.1.0.1:5060 -s alice -m 20 -r 50
expect "20 calls ring at two places" wait $!
expect "one of them answers" wait $near
expect "the other one is cancelled" wait $far
show stage sip >"$WORK/stage"
same "forks, CANCELs and ACKs of the stage" "$(grown forks) $(grown cancels) $(grown acks)" "20 20 20"
same "one place is given up" "$(far 0)" "200 sip:alice@10.1.0.2:7100"
ladder 20 50 '>INVITE <180 <200 >ACK <BYE >200' servers clients
same "what the stage has lost" "$(lost)" 0
