#!/usr/bin/env bash
# A trace becomes a plan, as text, as JSON and as a picture; what cannot be planned is told in a
# sentence and by the exit status. Needs no privilege.
. "$(dirname "$0")/testbed.sh"
need_root
clean_at_exit
make_work

color=$BUILD/mempool-color/mempool-color

# A hot table of 100 pages, looked into at random, beside 400 pages of packets that stream.
awk 'BEGIN {
	srand(7)
	for (i = 0; i < 60000; i++) {
		printf "edge/table %d\n", 268435456 + 64 * int(6400 * rand())
		printf "edge/packets %d\n", 536870912 + 64 * (2 * i % 25600)
		printf "edge/packets %d\n", 536870912 + 64 * ((2 * i + 1) % 25600)
	}
}' >"$WORK/profile"
cat >"$WORK/machine.json" <<'END'
{"level": 2, "line": 64, "ways": 16, "sets": 512, "miss": 1, "pages": 512}
END

plan() { "$color" plan "$@" >"$WORK/out" 2>"$WORK/err"; }
field() { jq -r "$1" "$WORK/out"; }

# refused STATUS TEXT ARGUMENTS
refused() {
	local status=$1 text=$2 rc=0
	shift 2
	plan "$@" || rc=$?
	[ "$rc" -eq "$status" ] && [ "$(wc -l <"$WORK/err")" -eq 1 ] && grep -q -- "$text" "$WORK/err"
}

within_5_percent() {
	jq -e '[.classes[] | select(.simulated.mcmf > 1000 and .accesses / .simulated.mcmf < 10)
		| .predicted.mcmf / .simulated.mcmf | . > 0.95 and . < 1.05] | all' "$WORK/out"
}

expect "a trace becomes a plan" plan "$WORK/profile" --machine "$WORK/machine.json"
for word in edge/table edge/packets alone intra-flow inter-flow remote total "the plan is mcmf"; do
	expect "the table tells of $word" grep -q -- "$word" "$WORK/out"
done
expect "the same as JSON, with a picture" plan "$WORK/profile" --machine "$WORK/machine.json" --json \
	--simulate --svg "$WORK/plan.svg"
expect "version, level, colours" [ "$(field '"\(.version) \(.level) \(.colours)"')" = "1 2 8" ]
expect "all pages are given out" [ "$(field '[.classes[].pages | add] | @csv')" = "100,400" ]
expect "each class has a number for each colour" [ "$(field '[.classes[].pages | length] | @csv')" = "8,8" ]
expect "mcmf costs less than off" [ "$(field '.cost.mcmf.total < .cost.off.total')" = true ]
expect "predicted is what is simulated, within 5 %" within_5_percent
expect "the picture is one" grep -q "</svg>" "$WORK/plan.svg"
expect "the same again is the same" [ "$(field '.classes[0].pages | @csv')" = \
	"$(plan "$WORK/profile" --machine "$WORK/machine.json" --json && field '.classes[0].pages | @csv')" ]

: >"$WORK/empty"
expect "an empty profile is told" refused 1 "it is empty" "$WORK/empty" --machine "$WORK/machine.json"
expect "no profile is told" refused 1 "No such file" "$WORK/none" --machine "$WORK/machine.json"
expect "too few pages are told" refused 1 "want 500 pages" "$WORK/profile" \
	--machine "$WORK/machine.json" --memory 1M
echo '{"ways": 16, "sets": 512, "line": 128}' >"$WORK/other.json"
expect "lines of another size are told" refused 1 "lines of 64 bytes" "$WORK/profile" \
	--machine "$WORK/other.json"
echo '{"ways": 16}' >"$WORK/other.json"
expect "half a machine is told" refused 1 'lacks "sets"' "$WORK/profile" --machine "$WORK/other.json"
expect "wrong usage is told" refused 2 "--help" "$WORK/profile" --colour
expect "a picture that cannot be written is told" refused 1 "No such file" "$WORK/profile" \
	--machine "$WORK/machine.json" --svg /nowhere/plan.svg
