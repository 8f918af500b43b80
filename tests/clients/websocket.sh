#!/bin/sh
# SPDX-License-Identifier: ISC
# WebSocket through the gate by npm's ws at both ends: a session of 10,000
# messages, closes by either side, and locations where nothing is tunnelled.
. "$(dirname "$0")/../lib.sh"
. tests/apps/lib.sh

install_npm ws
cp tests/apps/ws/server.js tests/apps/ws/client.js "$app"

# shellcheck disable=SC2046
set -- $(free_ports 2)
port=$1
upstream=$2
serve echo node "$app/server.js" "127.0.0.1:$upstream"
await "$upstream" "$server"
serve_gate "$port" <<-END
[gate]
access_log = $folder/access.log
tunnel_drain = 1s
[site]
listen = 127.0.0.1:$port
upstream = app
[upstream app]
server = 127.0.0.1:$upstream
[location /]
allow = GET
upgrade = websocket
[location /plain]
allow = GET
[location /closed]
allow = POST
upgrade = websocket
END

ws()
{
	timeout 120 node "$app/client.js" "ws://127.0.0.1:$port$@"
}

before=$(resident "$gate")
expect 'echoed=10000 ponged=true close=4000 bye' ws /echo 10000
after=$(resident "$gate")
[ $((after - before)) -lt 2048 ] ||
    fail "a session costs $((after - before)) kB"
expect 'echoed=3 ponged=false close=4001 left' ws /echo 3 leave
grep -q '^closed 4000 bye$' "$folder/echo.log" || fail 'a close got lost'
expect 'error: Unexpected server response: 200
echoed=0 ponged=false close=1006 ' ws /plain/echo 1
expect 'error: Unexpected server response: 405
echoed=0 ponged=false close=1006 ' ws /closed/echo 1
expect plain curl -s -m 20 "http://127.0.0.1:$port/echo"

# Ten sessions at once
for i in 1 2 3 4 5 6 7 8 9 10; do
	ws /many 500 >"$folder/many.$i" &
	pids="$! $pids"
	eval "session$i=$!"
done
for i in 1 2 3 4 5 6 7 8 9 10; do
	eval "wait \$session$i" || fail "session $i ended badly"
	expect 'echoed=500 ponged=true close=4000 bye' cat "$folder/many.$i"
done
kill "$gate"
wait "$gate" || fail "the gate ended with $?"
expect 12 sh -c "grep -c '\"http.response.status_code\":101' $folder/access.log"
done_here
