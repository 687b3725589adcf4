#!/usr/bin/env bash
# Who is rejected is told at once: by a reset, or by ICMP. The same whether the firewall runs in its worker's loop
# or in a process of its own, which may not write into packets.
. "$(dirname "$0")/sip.bash"
testbed_up
cat >"$WORK/firewall.rules" <<END
reject out tcp from any to any port 7000-7999
reject out udp from any to any port 7000-7999
allow out any from 10.1.0.0/24 to any
allow out any from fd00:1::/64 to any
default drop
END

# told PROTO ADDRESS: what the kernel says of an attempt that is answered within five seconds.
told() {
	clients python3 - "$@" <<'END'
import errno, socket, sys
proto, address = sys.argv[1:]
s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET,
                  socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM)
s.settimeout(5)
try:
    s.connect((address, 7001))
    s.send(b"x")
    s.recv(1)
except socket.timeout:
    print("nothing")
except OSError as e:
    print(errno.errorcode[e.errno])
END
}
all_counted() { [ "$(drops firewall rejected)" -ge 4 ]; }

for place in fused isolated; do
	cp "$ROOT/config/nfv-pipeline.yaml" "$WORK/$place.yaml"
	[ $place = fused ] ||
		echo 'isolation: [{stage: firewall, idle: 50, on-failure: hold}]' >>"$WORK/$place.yaml"
	sed -i "s|rules: firewall.rules|rules: $WORK/firewall.rules|" "$WORK/$place.yaml"
	pipeline_start "$WORK/$place.yaml"
	clients ping -q -c 1 -W 5 10.2.0.2 >/dev/null
	for at in 10.2.0.2 fd00:2::2; do
		same "$place: TCP to $at" "$(told tcp $at)" ECONNREFUSED
	done
	same "$place: UDP by IPv4" "$(told udp 10.2.0.2)" EHOSTUNREACH
	same "$place: UDP by IPv6" "$(told udp fd00:2::2)" EACCES
	expect "$place: they are counted" wait_for 5 all_counted
	expect "it ends in order" pipeline_stop TERM
done
