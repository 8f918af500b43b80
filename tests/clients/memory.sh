#!/bin/sh
# SPDX-License-Identifier: ISC
# What the gate holds for those who want it to hold much: one chunk of 64 MB each
# way, 50 clients that hardly read, a server that never does, 2,000 idle clients.
. "$(dirname "$0")/../lib.sh"

# shellcheck disable=SC2046
set -- $(free_ports 2)
port=$1
upstream=$2
serve_gate "$port" <<END
[gate]
workers = 1
access_log = off
[site]
listen = 127.0.0.1:$port
upstream = app
[upstream app]
server = 127.0.0.1:$upstream
[location /]
allow = GET PUT
END
python3 tests/apps/memory.py "$port" "$gate" "$upstream" >"$folder/table" || {
	cat "$folder/table" >&2
	fail 'the gate took too much'
}
sed "s/^/$name: /" "$folder/table"
checks=$((checks + $(wc -l <"$folder/table")))
[ "$checks" -eq 5 ] || fail "only $checks cases ran"
done_here
