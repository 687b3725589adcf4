#!/usr/bin/env bash
# --check refuses each file of bad/ with a sentence that holds what its first line expects, and
# accepts every example of config/.
. "$(dirname "$0")/testbed.sh"
clean_at_exit
make_work

# check FILE: it ends with 1 and one line on standard error; that line is the answer.
check() {
	local rc=0
	LC_ALL=C "$BIN" -- --config "$1" --check >"$WORK/out" 2>"$WORK/err" || rc=$?
	[ "$rc" -eq 1 ] || die "$1: status $rc: $(cat "$WORK/out" "$WORK/err")"
	[ "$(wc -l <"$WORK/err")" -eq 1 ] || die "$1: not one sentence: $(cat "$WORK/err")"
	cat "$WORK/err"
}

# refused FILE CONFIG: with the sentence that FILE's first line expects.
refused() {
	local want said
	want=$(sed -n '1s/^# expect: //p' "$1")
	said=$(check "$2")
	grep -Eq -- "${want:?no expectation in $1}" <<<"$said" ||
		die "$1: wanted '$want', got '$said'"
	say "ok: ${said##*"$WORK/"}"
}

for file in "$E2E"/bad/*.yaml; do
	refused "$file" "$file"
done

cp "$CONFIG" "$WORK/config.yaml"
for file in "$E2E"/bad/*.rules; do
	cp "$file" "$WORK/firewall.rules"
	refused "$file" "$WORK/config.yaml"
done

for file in "$ROOT"/config/*.yaml; do
	expect "${file#"$ROOT/"} is in order" "$BIN" -- --config "$file" --check
done
