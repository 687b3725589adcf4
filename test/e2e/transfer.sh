#!/usr/bin/env bash
# What arrives through firewall and NAT is, byte for byte, what was sent.
. "$(dirname "$0")/testbed.sh"
testbed_up
pipeline_start "$CONFIG"

head -c 30000000 /dev/urandom >"$WORK/sent"
spawn servers python3 -m http.server --directory "$WORK" --bind 10.2.0.2 8000 >/dev/null 2>&1
spawn servers python3 -m http.server --directory "$WORK" --bind fd00:2::2 8000 >/dev/null 2>&1

fetch() {
	python3 -c 'import sys, urllib.request; urllib.request.urlretrieve(*sys.argv[1:])' "$1" "$2"
}
export -f fetch
for url in http://10.2.0.2:8000/sent "http://[fd00:2::2]:8000/sent"; do
	wait_for 10 clients bash -c "fetch $url $WORK/got" 2>/dev/null || die "$url does not load"
	expect "$url arrives unchanged" cmp "$WORK/sent" "$WORK/got"
done
for i in 1 2 3 4; do
	clients bash -c "fetch http://10.2.0.2:8000/sent $WORK/got$i" &
	fetching+=($!)
done
wait "${fetching[@]}"
for i in 1 2 3 4; do
	expect "one of four at a time arrives unchanged" cmp "$WORK/sent" "$WORK/got$i"
done
