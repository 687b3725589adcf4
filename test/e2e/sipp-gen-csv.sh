#!/usr/bin/env bash
# One scenario, run by SIPp and by sipp-gen: the statistics files have the same columns, and where
# columns mean the same they hold the same.
. "$(dirname "$0")/generator.bash"
generator_up
COMMON=(-sf "$E2E/scenarios/statistics-uac.xml" -r 100 -m 200 -d 20 -fd 1 -trace_stat)

sipp_peer uas -sn uas -i 10.3.0.2 -p 5080
expect "200 calls of sipp-gen's" \
	generate ours "${COMMON[@]}" -stf "$WORK/ours.csv" "${LEFT[@]}" 10.3.0.2:5080
sipp_peer theirs "${COMMON[@]}" -i 10.3.0.2 -p 5090 10.3.0.2:5080
expect "200 calls of SIPp's" wait $!

names() { head -n 1 "$1" | tr ';' '\n'; }
names "$WORK/ours.csv" >"$WORK/ours.names"
names "$WORK/theirs.csv" >"$WORK/theirs.names"
expect "the same columns in the same order" diff "$WORK/theirs.names" "$WORK/ours.names"
fields() { awk -F';' '{ print NF }' "$1" | sort -u; }
same "fields in every line" "$(fields "$WORK/ours.csv")" "$(wc -l <"$WORK/ours.names")"
expect "a line each second" test "$(wc -l <"$WORK/ours.csv")" -ge 3

# Times and the machine's load aside all is equal; the mean rate nearly so.
while read -r column; do
	case $column in
	*Time* | CallRate* | CallLength* | *"(P)" | Retransmissions* | Watchdog* | Warnings*) continue ;;
	esac
	same "$column" "$(value "$WORK/ours.csv" "$column")" "$(theirs theirs "$column")"
done < <(grep . "$WORK/ours.names")
sums() {
	awk -F';' -v of="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if (index($i, of "_") == 1) at[i] }
		{ sum = 0; for (i in at) sum += $i } END { print sum }' "$1"
}
for name in ResponseTimeRepartition1 ResponseTimeRepartitionwhole CallLengthRepartition; do
	same "$name counts every call" "$(sums "$WORK/ours.csv" $name)" 200
	same "of SIPp's" "$(sums "$WORK/theirs.csv" $name)" 200
done
# Of one interval after another: together they are all.
periods() {
	awk -F';' 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "SuccessfulCall(P)") at = i; next }
		{ sum += $at } END { print sum }' "$1"
}
same "intervals add up" "$(periods "$WORK/ours.csv")" 200
