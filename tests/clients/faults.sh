#!/bin/sh
# SPDX-License-Identifier: ISC
# Every read and write of the gate's connections made to take one byte, to find
# nothing, or to fail, in turn, under AddressSanitizer: no session hears or sends
# what is another's, none hangs, and nothing is left at the end.
. "$(dirname "$0")/../lib.sh"

cc -O2 -shared -fPIC -D_GNU_SOURCE -o "$folder/faults.so" \
    tests/apps/fault_calls.c || fail 'the library does not build'
# shellcheck disable=SC2046
set -- $(free_ports 2)
port=$1
upstream=$2
head -c 4096 /dev/zero >"$folder/order"
cat >"$folder/gate.ini" <<END
[gate]
workers = 1
access_log = off
[site]
listen = 127.0.0.1:$port
upstream = app
[upstream app]
server = 127.0.0.1:$upstream
idle_timeout = 1s
health_fall = 100
[location /]
allow = @read POST PUT
upgrade = echo
END
serve gate env "LD_PRELOAD=$folder/faults.so" "FAULT_CALLS=$folder/order" \
    ASAN_OPTIONS=verify_asan_link_order=0:detect_stack_use_after_return=1 \
    "${BUILD:-build}/asan/methodgate" run -c "$folder/gate.ini"
gate=$server
await "$port" "$gate"
descriptors()
{
	ls "/proc/$gate/fd" | wc -l
}
before=$(descriptors)
timeout 300 python3 tests/apps/faults.py "$port" "$upstream" "$folder/order" \
    >"$folder/table" 2>&1 || {
	cat "$folder/table" >&2
	fail 'a session went wrong'
}
sed "s/^/$name: /" "$folder/table"
checks=$((checks + $(wc -l <"$folder/table")))
[ "$checks" -eq 13 ] || fail "only $checks sessions"
# Kept connections close after a second; pipes are kept.
for _ in $(seq 100); do
	[ "$(descriptors)" -gt $((before + 32)) ] || break
	sleep 0.1
done
[ "$(descriptors)" -le $((before + 32)) ] || fail 'descriptors are left'
kill "$gate"
wait "$gate" || fail "the gate ended with $?"
! grep -i sanitizer "$folder/gate.log" || fail 'it left something'
done_here
