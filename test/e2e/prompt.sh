#!/usr/bin/env bash
# The prompt: counters, tables, stop and start, captures, mistakes, quit.
. "$(dirname "$0")/testbed.sh"
testbed_up

mkfifo "$WORK/in"
exec 3<>"$WORK/in" # so that neither end waits for the other
PIPELINE_IN=$WORK/in
pipeline_start "$CONFIG" --interactive
answer=$WORK/pipeline.json

# ask LINE PATTERN: what is printed after LINE was typed holds PATTERN.
ask() {
	local from
	from=$(wc -c <"$answer")
	printf '%s\n' "$1" >&3
	wait_for 5 said "$from" "$2" || die "$1: wanted '$2', got: $(tail -c +$((from + 1)) "$answer")"
	say "ok: $1"
}
said() { tail -c +$(($1 + 1)) "$answer" | grep -Eq -- "$2"; }

ask help 'show chain'
ask "capture start edge:0 $WORK/seam.pcapng icmp" 'nfv-pipeline>'
expect "it forwards" clients ping -c 5 -i 0.2 -W 2 10.2.0.2
ask "show port all" 'port outside .*mac'
ask "show chain edge" '^ +nat +[1-9]'
ask "show stage firewall" 'inside out'
ask "show stage nat" '10\.1\.0\.2'
ask "show flows all" '10\.1\.0\.2'
ask "show l3 edge" '10\.2\.0\.2'
ask "show captures" 'seam\.pcapng'
ask "capture stop edge:0" 'nfv-pipeline>'
ask "stop" stopped
refuse "stopped, it does not forward" clients ping -c 2 -i 0.2 -W 1 10.2.0.2
ask "start" receiving
expect "it forwards again" clients ping -c 2 -i 0.2 -W 2 10.2.0.2
ask "show stage absent" 'absent'
ask "show chain absent" 'absent'
ask "capture start nowhere $WORK/x.pcapng" 'nowhere'
ask "clear" 'nfv-pipeline>'
ask "nonsense" 'nfv-pipeline>'
printf 'quit\n' >&3
wait_for 10 pipeline_gone || die "quit does not end it"
expect "quit: status 0" wait "$PIPELINE"
expect "the capture holds both ways of five echoes" \
	test "$(tshark -n -r "$WORK/seam.pcapng" -Y icmp 2>/dev/null | wc -l)" -eq 10
