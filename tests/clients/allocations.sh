#!/bin/sh
# SPDX-License-Identifier: ISC
# In steady state a request takes no memory: over 100,000 keep-alive requests of
# each kind by wrk, malloc and its kin are not called, but for what more requests
# at once than ever before take.
. "$(dirname "$0")/../lib.sh"

cc -O2 -shared -fPIC -o "$folder/count.so" tests/apps/count_malloc.c ||
    fail 'the counter does not build'
# shellcheck disable=SC2046
set -- $(free_ports 3)
port=$1
quiet=$2
demo=$3
serve demo "$GATE" demo --listen "127.0.0.1:$demo"
await "$demo" "$server"

configure() # port access_log
{
	cat <<-END
	[gate]
	workers = 1
	access_log = $2
	[site]
	listen = 127.0.0.1:$1
	upstream = demo
	[upstream demo]
	server = 127.0.0.1:$demo
	idle_timeout = 60s
	[location /]
	allow = GET POST PUT
	[location /read]
	allow = GET
	END
}

serve_counted() # port name
{
	serve "$2" env "LD_PRELOAD=$folder/count.so" \
	    "COUNT_MALLOC=$folder/$2.count" "$GATE" run -c "$folder/$2.ini"
	await "$1" "$server"
	[ "$(counted "$2")" -gt 100 ] || fail 'nothing is counted'
}

counted() # name
{
	od -A n -t u8 -N 8 "$folder/$1.count" | tr -d ' '
}

load() # port seconds script
{
	printf '%s\n' "$3" >"$folder/load.lua"
	wrk -t1 -c32 "-d${2}s" -s "$folder/load.lua" "http://127.0.0.1:$1/read/x" \
	    >"$folder/wrk.log" 2>&1 || fail "wrk: $(cat "$folder/wrk.log")"
	! grep 'Socket errors' "$folder/wrk.log" || fail 'wrk saw errors'
	sed -n 's/^ *\([0-9]*\) requests in.*/\1/p' "$folder/wrk.log"
}

# The connections of wrk come and go with each call: theirs are among those that
# must not be there.
steady() # name port what script
{
	load "$2" 1 "$4" >/dev/null # all that is made once
	load "$2" 1 "$4" >/dev/null
	done=0
	before=$(counted "$1")
	while [ "$done" -lt 100000 ]; do
		done=$((done + $(load "$2" 2 "$4")))
	done
	after=$(counted "$1")
	echo "$name: $1: $3: $((after - before)) allocations in $done requests"
	# More of the 32 clients may be served at once than ever before: a
	# connection to the server and its place in libevent's table, each once.
	[ $((after - before)) -le 64 ] ||
	    fail "$((after - before)) allocations in $done requests: $3"
	checks=$((checks + 1))
}

configure "$port" "$folder/access.log" >"$folder/logged.ini"
configure "$quiet" off >"$folder/quiet.ini"
serve_counted "$port" logged
serve_counted "$quiet" quiet
for each in "logged $port" "quiet $quiet"; do
	# shellcheck disable=SC2086
	set -- $each
	steady "$1" "$2" GET 'wrk.method = "GET"'
	steady "$1" "$2" 'a refused PUT' 'wrk.method = "PUT"'
	steady "$1" "$2" 'a small form' 'wrk.method = "POST"
wrk.path = "/up"
wrk.body = "a=1&b=2"
wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"'
	steady "$1" "$2" 'a small body' 'wrk.method = "POST"
wrk.path = "/up"
wrk.body = "hello"
wrk.headers["Content-Type"] = "text/plain"'
done
done_here
