#!/usr/bin/env bash
# The demonstration, small: every call succeeds, the last line says so, and wrong usage is refused.
. "$(dirname "$0")/testbed.sh"
need_root
clean_at_exit
make_work

"$ROOT/scripts/demo" --calls 60 --rate 30 </dev/null >"$WORK/demo" 2>&1 &
wait $! || die "the demonstration fails: $(cat "$WORK/demo")"
[ "$(tail -n 1 "$WORK/demo")" = "calls attempted=60 successful=60 failed=0" ] ||
	die "the last line is: $(tail -n 1 "$WORK/demo")"
say "ok: 60 calls succeed"
refuse "calls without a number" "$ROOT/scripts/demo" --calls many
refuse "an unknown option" "$ROOT/scripts/demo" --nonsense
