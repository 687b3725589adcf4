#!/usr/bin/env bash
# sipsak registers at sipp-gen.
. "$(dirname "$0")/generator.bash"
generator_up

# registers USER: by sipsak, with success.
registers() {
	in_ns peer timeout 8 sipsak -U -C "sip:$1@10.3.0.2:5070" -s "sip:$1@10.3.0.1" -v \
		>"$WORK/sipsak.$1" 2>&1
}

generator registrar -sn registrar -m 3 "${LEFT[@]}"
gen=$!
wait_for 10 in_ns peer ping -c 1 -W 1 10.3.0.1 >/dev/null || die "sipp-gen does not start"
for user in alice bob carol; do
	expect "sipsak registers $user" registers "$user"
done
expect "sipp-gen ends well" wait "$gen"
same "registrations" "$(ours registrar '"\(.attempts_in) \(.successful) \(.failed)"')" "3 3 0"
