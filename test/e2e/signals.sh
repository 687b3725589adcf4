#!/usr/bin/env bash
# SIGINT and SIGTERM end the pipeline in order: status 0, and a final summary as the last line.
. "$(dirname "$0")/testbed.sh"
testbed_up

final() { tail -n 1 "$WORK/pipeline.json" | jq -e '.final == true and (.ports | length) == 2'; }

for signal in INT TERM; do
	pipeline_start "$CONFIG"
	expect "it forwards" clients ping -c 3 -i 0.2 -W 2 10.2.0.2
	expect "SIG$signal: status 0" pipeline_stop "$signal"
	expect "SIG$signal: a final summary" final
	expect "SIG$signal: the summary counts what was forwarded" \
		test "$(stats .ports.inside.rx)" -ge 3 -a "$(stats .ports.outside.tx)" -ge 3
done

# Before main has begun there is nobody to notice; from then on it ends in order.
ended() { pipeline_stop TERM || [ $? -eq 143 ]; }
pipeline_spawn "$CONFIG"
sleep 0.1
expect "SIGTERM while it starts" ended
