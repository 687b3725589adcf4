# shellcheck shell=bash
# A container engine of a script's own, where none runs. Sourced, behind lib.sh.

ENGINE=        # its process
ENGINE_DIRS=() # that it made outside of $WORK

took() { awk "BEGIN { printf \"%7.1f s\\n\", $EPOCHREALTIME - $1 }"; }

# gone PID SECONDS: whether it ends in time.
gone() {
	local i
	for ((i = 0; i < $2 * 10; i++)); do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.1
	done
	return 1
}

# It changes neither the machine's packet filter nor its forwarding, and has no bridge but ours.
engine_up() {
	local i dir start=$EPOCHREALTIME
	printf '%-34s' "starting a container engine"
	# Images that are thrown away need no disk, where there is memory enough.
	mkdir "$WORK/data"
	[ "$(awk '/^MemAvailable/ { print $2 }' /proc/meminfo)" -lt 6000000 ] ||
		mount -t tmpfs -o size=3g,mode=711 "$PREFIX" "$WORK/data"
	export DOCKER_HOST=unix://$WORK/docker.sock
	# Whoever configured the machine's engine did not mean this one.
	echo '{}' >"$WORK/daemon.json"
	for dir in /etc/docker /opt/containerd /run/containerd /run/docker; do
		[ -e "$dir" ] || ENGINE_DIRS+=("$dir")
	done
	dockerd --config-file "$WORK/daemon.json" --data-root "$WORK/data" --exec-root "$WORK/exec" \
		--pidfile "$WORK/docker.pid" -H "$DOCKER_HOST" \
		--exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$PREFIX" \
		--bridge=none --iptables=false --ip6tables=false \
		--ip-forward=false --ip-masq=false --userland-proxy=false --shutdown-timeout 1 \
		>"$WORK/dockerd" 2>&1 </dev/null &
	ENGINE=$!
	disown "$ENGINE" # it ends last
	for ((i = 0; i < 300; i++)); do
		docker info >/dev/null 2>&1 && took "$start" && return
		kill -0 "$ENGINE" 2>/dev/null || break
		sleep 0.1
	done
	say "no container engine can run here: $(tail -n 1 "$WORK/dockerd")"
	exit 77
}

# What an engine that was killed has left: containers go on without it, and so do who minds them.
engine_bury() {
	local dev
	# shellcheck disable=SC2046
	kill -KILL $(pgrep -f -- "-address $WORK/exec/") 2>/dev/null
	# shellcheck disable=SC2046
	kill -KILL $(find /sys/fs/cgroup -path "*/$PREFIX/*" -name cgroup.procs -exec sort -u {} +) 2>/dev/null
	while read -r dev; do ip link del "$dev"; done 2>/dev/null <"$WORK/bridges"
	sleep 0.5
	findmnt -rno TARGET | grep "^$WORK/" | sort -r | while read -r at; do umount -l "$at"; done
}

engine_down() {
	[ -n "$ENGINE" ] || return 0
	kill -TERM "$ENGINE" 2>/dev/null || engine_bury
	gone "$ENGINE" 30 || say "the container engine $ENGINE does not end" >&2
	findmnt -rno TARGET | grep "^$WORK/" | sort -r | while read -r at; do umount "$at"; done
	find /sys/fs/cgroup -depth -type d -path "*/$PREFIX*" -exec rmdir {} + 2>/dev/null
	[ ${#ENGINE_DIRS[@]} -eq 0 ] || rm -rf "${ENGINE_DIRS[@]}"
}
