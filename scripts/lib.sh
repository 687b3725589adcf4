# shellcheck shell=bash disable=SC2034 # what it sets is for those who source it
# What the scripts share: building, huge pages, and leaving nothing behind. Sourced, never run.
# Whatever is made carries this process's id in its name and is found again by that name, so an
# interruption at any point leaves no trace. With NFV_KEEP=1 in the environment the logs stay.

# A script that is started in the background inherits SIGINT ignored, and bash cannot trap that.
case $(trap -p INT) in
*"''"*) exec env --default-signal=INT "$0" "$@" ;;
esac

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=${NFV_BUILD:-$ROOT/build}
BIN=$BUILD/apps/nfv-pipeline/nfv-pipeline
PREFIX=nfv-$$ # of the names of namespaces
WORK=         # a folder for logs, made by make_work
HUGE_BY=0     # huge pages added

say() { printf '%s\n' "$*"; }
die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}
need_root() { [ "$(id -u)" -eq 0 ] || die "needs root for namespaces and raw sockets: sudo $0"; }

# --- building -------------------------------------------------------------------------------------

# Builds as the owner of the tree, so that sudo leaves no files of root's in it.
as_owner() {
	local owner
	owner=$(stat -c %U "$ROOT")
	if [ "$(id -u)" -eq 0 ] && [ "$owner" != root ] && id "$owner" >/dev/null 2>&1; then
		runuser -u "$owner" -- "$@"
	else
		"$@"
	fi
}

# build DIR [MESON OPTION…]: configure if it is new, then compile. Quiet unless it fails; then it
# shows the first mistake and returns 1.
build() {
	local dir=$1 log
	shift
	if ! log=$({
		{ [ -f "$dir/build.ninja" ] || as_owner meson setup "$dir" "$ROOT" "$@"; } &&
			as_owner ninja -C "$dir"
	} 2>&1); then
		{ grep -A 30 -m 1 '^FAILED:' || tail -n 30; } <<<"$log" >&2
		say "the build in $dir failed" >&2
		return 1
	fi
}

# build_fuzz DIR [MESON OPTION…]: everything by clang, with sanitizers and the fuzz targets.
build_fuzz() {
	CC=clang build "$@" -Dfuzz=true -Db_lundef=false -Db_sanitize=address,undefined \
		-Dc_args=-fsanitize=fuzzer-no-link
}

# --- counting cases -------------------------------------------------------------------------------

PASSED=0 FAILED=0 SKIPPED=0
tally() { PASSED=$((PASSED + $1)) FAILED=$((FAILED + $2)) SKIPPED=$((SKIPPED + $3)); }

# The sum is the last line, and whether all is well the exit status. For a script that runs another
# the other's sum goes into the file that NFV_TALLY names, to be added to its own.
tally_end() {
	if [ -n "${NFV_TALLY:-}" ]; then
		say "$PASSED $FAILED $SKIPPED" >"$NFV_TALLY"
	else
		say "$PASSED passed, $FAILED failed, $SKIPPED skipped"
	fi
	[ "$FAILED" -eq 0 ]
}

# --- leaving nothing behind -----------------------------------------------------------------------

# stop PID…: ask, wait five seconds at most, insist.
stop() {
	local pid i
	[ $# -gt 0 ] || return 0
	kill -TERM "$@" 2>/dev/null || :
	for pid; do
		for ((i = 0; i < 50; i++)); do
			kill -0 "$pid" 2>/dev/null || continue 2
			sleep 0.1
		done
		kill -KILL "$pid" 2>/dev/null || :
	done
}

cleanup() {
	local rc=$? ns
	trap '' INT TERM HUP
	set +e
	# shellcheck disable=SC2046
	stop $(jobs -rp)
	for ns in $(ip netns list 2>/dev/null | awk -v p="$PREFIX-" 'index($1, p) == 1 { print $1 }'); do
		# shellcheck disable=SC2046
		stop $(ip netns pids "$ns")
		ip netns del "$ns"
	done
	[ -n "${NETNS_MOUNT_NEW:-}" ] && umount /run/netns 2>/dev/null && rmdir /run/netns
	huge_restore
	if [ -n "$WORK" ] && [ -n "${NFV_KEEP:-}" ]; then
		say "the logs are in $WORK"
	elif [ -n "$WORK" ]; then
		rm -rf "$WORK"
	fi
	exit "$rc"
}

# From here on the script leaves through cleanup, whatever ends it.
clean_at_exit() {
	trap cleanup EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	# The first `ip netns add` of a machine's life mounts this folder.
	findmnt -n /run/netns >/dev/null || NETNS_MOUNT_NEW=yes
}

make_work() {
	WORK=${TMPDIR:-/tmp}/$PREFIX
	mkdir -m 700 "$WORK" || {
		WORK=
		die "cannot make a folder for logs"
	}
}

# --- huge pages -----------------------------------------------------------------------------------

# Nothing, rather than an end, where hugeadm is not allowed to tell.
huge_field() { (hugeadm --pool-list 2>/dev/null || :) | awk -v f="$1" '$1 == 2097152 { print $f }'; }

# huge_reserve N: see to it that N pages of 2 MB are free; goes on without where that is not allowed.
huge_reserve() {
	local most
	[ "$(huge_free)" -lt "$1" ] || return 0
	most=$(huge_field 4)
	[ -n "$most" ] || {
		say "huge pages: none on this machine, going on without"
		return 0
	}
	HUGE_BY=$1
	# An interruption waits until the change is whole. hugeadm may raise the most there may be, too.
	(
		trap '' INT TERM HUP
		hugeadm --pool-pages-min "2MB:+$1"
		echo $(($(huge_field 4) - most)) >"$WORK/huge-most"
	) >/dev/null 2>&1 || :
	[ "$(huge_free)" -ge "$1" ] || {
		huge_restore
		say "huge pages: $1 of 2 MB could not be reserved, going on without"
	}
}

huge_free() { awk '/^HugePages_Free/ { n = $2 } END { print n + 0 }' /proc/meminfo; }

huge_restore() {
	local most=0
	[ "$HUGE_BY" -gt 0 ] && [ -s "$WORK/huge-most" ] || return 0
	most=$(cat "$WORK/huge-most")
	hugeadm --pool-pages-min "2MB:-$HUGE_BY" >/dev/null 2>&1 || :
	[ "$most" -eq 0 ] || hugeadm --pool-pages-max "2MB:-$most" >/dev/null 2>&1 || :
	HUGE_BY=0
}
