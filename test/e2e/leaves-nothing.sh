#!/usr/bin/env bash
# Neither a demonstration that runs to its end nor one that is interrupted leaves anything behind.
. "$(dirname "$0")/testbed.sh"
need_root
clean_at_exit
make_work

# What could be left: namespaces, links, mounts, folders, huge pages, processes.
trace() {
	ip netns list | sort
	ip -o link | awk '{ print $2 }'
	findmnt -rno TARGET | sort
	find "${TMPDIR:-/tmp}" /run -maxdepth 2 \( -name 'nfv-*' -o -path '/run/dpdk*' \) | sort
	cat /proc/sys/vm/nr_hugepages /proc/sys/vm/nr_overcommit_hugepages
	for name in nfv-pipeline sipp tcpdump; do
		pgrep -x "$name" || :
	done
}
trace >"$WORK/before"
same() { trace >"$WORK/after" && diff "$WORK/before" "$WORK/after"; }

"$ROOT/scripts/demo" --calls 8 --rate 8 >/dev/null 2>&1 </dev/null &
wait $! || die "the demonstration fails"
expect "a whole run leaves nothing" wait_for 5 same

for signal in INT TERM HUP; do
	for after in 0.2 0.7 1.5 4; do
		"$ROOT/scripts/demo" >/dev/null 2>&1 </dev/null &
		demo=$!
		sleep "$after"
		kill -"$signal" "$demo"
		! wait "$demo" || die "SIG$signal after $after s: the demonstration claims success"
		expect "SIG$signal after $after s leaves nothing" wait_for 5 same
	done
done
