#!/usr/bin/env bash
# Where huge pages may not be had, the demonstration says so and goes on: hugeadm that refuses
# everything, and one that tells what there is but reserves nothing. A pipeline that is to have some
# says that there is none.
. "$(dirname "$0")/testbed.sh"
need_root
clean_at_exit
make_work

# hugeadm_is SCRIPT: what the demonstration finds under that name.
hugeadm_is() {
	printf '#!/bin/sh\n%s\n' "$1" >"$WORK/hugeadm"
	chmod +x "$WORK/hugeadm"
}

goes_on() {
	PATH=$WORK:$PATH "$ROOT/scripts/demo" --calls 8 --rate 8 >"$WORK/demo" 2>&1 &&
		grep -q "going on without" "$WORK/demo" &&
		[ "$(tail -n 1 "$WORK/demo")" = "calls attempted=8 successful=8 failed=0" ]
}

[ "$(huge_free)" -eq 0 ] || {
	echo "huge pages are free on this machine, so none need to be reserved"
	exit 77
}
hugeadm=$(command -v hugeadm)
hugeadm_is 'exit 1'
expect "hugeadm refuses everything" goes_on
hugeadm_is "case \$1 in --pool-list) exec $hugeadm \"\$@\" ;; esac; exit 1"
expect "hugeadm reserves nothing" goes_on

refuse "--in-memory without a huge page" env RUNTIME_DIRECTORY="$WORK" "$BIN" --no-pci \
	--in-memory --lcores "0@${CPUS[0]},1@${CPUS[-1]}" -- --config "$CONFIG"
grep -q "EAL does not start: no huge page is free" "$WORK/said" || die "not said so: $(cat "$WORK/said")"
