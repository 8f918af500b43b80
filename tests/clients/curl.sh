#!/bin/sh
# SPDX-License-Identifier: ISC
# curl, before the gate and its demo upstream: what a newcomer tries, and the
# ways in which clients differ.
. "$(dirname "$0")/../lib.sh"

# shellcheck disable=SC2046
set -- $(free_ports 2)
port=$1
upstream=$2
url=http://127.0.0.1:$port
serve demo "$GATE" demo --listen "127.0.0.1:$upstream"
await "$upstream" "$server"
serve_gate "$port" <<END
[site]
listen = 127.0.0.1:$port
upstream = demo
[upstream demo]
server = 127.0.0.1:$upstream
[location /]
allow = @read
[location /api]
allow = @rest @webdav
[location /reports]
allow = GET
[upstream old]
server = 127.0.0.1:$upstream
transport = evhttp
[location /old]
allow = @rest @webdav
upstream = old
END

expect_line '"method": "GET"' curl -sS "$url/hello?x=1"
expect_line '"target": "/hello\?x=1"' curl -sS "$url/hello?x=1"
expect_line '"Via": "1\.1 methodgate"' curl -sS "$url/"
expect_line '"X-Forwarded-For": "127\.0\.0\.1"' curl -sS "$url/"
expect_line '"version": "1\.1"' curl -sS --http1.0 "$url/"
expect_line '^HTTP/1\.1 200' curl -sS -I "$url/"
expect_line '^HTTP/1\.1 405' curl -sS -i -X DELETE "$url/reports"
expect_line '^Allow: GET, HEAD$' curl -sS -i -X DELETE "$url/reports"
expect_line '^HTTP/1\.1 501' curl -sS -i -X BREW "$url/"
expect_line '"reason": ?"method_case"' \
    curl -sS -X get -H 'Accept: application/json' "$url/"
expect_line '"body_bytes": 3' curl -sS -X PUT -d new "$url/api/1"
expect_line '"body_bytes": 5' curl -sS -d hello "$url/api"
expect_line '"method": "PROPFIND"' curl -sS -X PROPFIND "$url/api"
expect_line '"body_bytes": 3' curl -sS -X PROPPATCH -d new "$url/api"
expect 405 status -X PROPFIND "$url/"

# Over evhttp goes what evhttp carries, and the rest goes natively by itself.
expect_line '"method": "DELETE"' curl -sS -X DELETE "$url/old/1"
expect_line '"method": "PROPFIND"' curl -sS -X PROPFIND "$url/old/2"
expect_line '"body_bytes": 5' curl -sS -d hello \
    -H 'Transfer-Encoding: chunked' "$url/old/3"

# curl waits for 100 Continue, gets it, and gives the body.
head -c 500000 /dev/zero >"$folder/half"
expect_line '"body_bytes": 500000' curl -sS -T "$folder/half" \
    -H 'Expect: 100-continue' --expect100-timeout 30 "$url/api/up"
expect_line '^> Expect: 100-continue|HTTP/1\.1 100 Continue' \
    sh -c "curl -sSv -o /dev/null -T '$folder/half' \
    -H 'Expect: 100-continue' --expect100-timeout 30 '$url/api/up' 2>&1"
# and is refused without having to give it.
expect '405 0' curl -s -o /dev/null -m 20 -T "$folder/half" \
    -w '%{http_code} %{size_upload}' -H 'Expect: 100-continue' \
    --expect100-timeout 30 "$url/reports"

# Refusals leave the connection usable: one connection for all four.
expect '1 0 0 0 ' curl -s -m 20 \
    -o /dev/null -w '%{num_connects} ' -X DELETE "$url/reports" \
    --next -s -o /dev/null -w '%{num_connects} ' "$url/" \
    --next -s -o /dev/null -w '%{num_connects} ' -X BREW "$url/" \
    --next -s -o /dev/null -w '%{num_connects} ' -d some "$url/reports"

# The body in the form that is asked for; a body with each refusal.
expect_line '^Content-Type: application/problem\+json' curl -sS -i -X DELETE \
    -H 'Accept: application/problem+json' "$url/reports"
expect_line '^Content-Type: text/html' curl -sS -i -X DELETE \
    -H 'Accept: text/html' "$url/reports"
expect_line '^Content-Type: text/plain' curl -sS -i -X DELETE "$url/reports"

# Both sides at once, many times.
i=0
while [ "$i" -lt 50 ]; do
	echo "url = $url/bytes/$((i * 1000))"
	echo "output = /dev/null"
	i=$((i + 1))
done >"$folder/many"
expect '50' sh -c "curl -sS --no-progress-meter -m 60 -Z -K '$folder/many' -w '%{http_code}\n' |
    grep -c 200"

# A graceful stop writes all access lines.
kill "$gate"
wait "$gate"
carried() # path transport
{
	expect_line "\"url.path\":\"$1\".*transport\":\"$2\"" \
	    cat "$folder/gate.log"
}
carried /api/1 native
carried /old/1 evhttp
carried /old/2 native
carried /old/3 native
done_here
