#!/bin/sh
# SPDX-License-Identifier: ISC
# curl moves 1 GB each way through the gate, which holds next to nothing of it,
# and the bytes that go in come out, in the ways in which clients differ.
. "$(dirname "$0")/../lib.sh"

# shellcheck disable=SC2046
set -- $(free_ports 3)
port=$1
demo=$2
static=$3
url=http://127.0.0.1:$port
size=1073741824
mkdir "$folder/www" "$folder/www/in"
head -c 8388608 /dev/urandom >"$folder/www/random"
truncate -s "$size" "$folder/big"
cat >"$folder/nginx.conf" <<END
daemon off;
pid $folder/nginx.pid;
error_log stderr;
events { }
http {
	access_log off;
	client_max_body_size 0;
	client_body_temp_path $folder/www/body;
	proxy_temp_path $folder/proxy;
	fastcgi_temp_path $folder/fastcgi;
	uwsgi_temp_path $folder/uwsgi;
	scgi_temp_path $folder/scgi;
	server {
		listen 127.0.0.1:$static;
		root $folder/www;
		location /static/ { alias $folder/www/; dav_methods PUT; }
	}
}
END
chmod a+rwx "$folder" "$folder/www" "$folder/www/in"
serve demo "$GATE" demo --listen "127.0.0.1:$demo"
await "$demo" "$server"
serve nginx nginx -e stderr -c "$folder/nginx.conf"
await "$static" "$server"
serve_gate "$port" <<END
[gate]
access_log = off
[site]
listen = 127.0.0.1:$port
upstream = demo
[upstream demo]
server = 127.0.0.1:$demo
[upstream static]
server = 127.0.0.1:$static
[location /]
allow = @read PUT
[location /static]
allow = @read PUT
upstream = static
[location /static/deep]
allow = @read
upstream = static
END

# A transfer, after which the gate may have had 2 MB more than before it.
bounded() # pattern command...
{
	before=$(resident "$gate")
	reset_peak "$gate"
	expect_line "$@"
	grown=$(($(peak "$gate") - before))
	shift 2
	echo "$name: $grown kB more than $before kB: $*"
	[ "$grown" -lt 2048 ] || fail "the gate took $grown kB more: $*"
	checks=$((checks + 1))
}

curl_big()
{
	curl -sS -m 50 "$@"
}

# Once small, so that what is allocated only once is there.
expect 200 status "$url/bytes/100000"
bounded "\"body_bytes\": $size" curl_big -T "$folder/big" "$url/up"
bounded "\"body_bytes\": $size" curl_big -T "$folder/big" \
    -H 'Transfer-Encoding: chunked' "$url/up"
bounded "^$size\$" curl_big -o /dev/null -w '%{size_download}' \
    "$url/bytes/$size"

# The bytes of an upload; curl waits for 100 Continue longer than it may take in
# all.
sent=$folder/www/random
kept=$folder/www/in/kept
for way in --http1.1 --http1.0 'H:Transfer-Encoding: chunked' \
    'H:Expect: 100-continue'; do
	case $way in
	H:*) set -- -H "${way#H:}" ;;
	*) set -- "$way" ;;
	esac
	expect 201 status "$@" --expect100-timeout 60 -T "$sent" \
	    "$url/static/in/kept"
	cmp "$sent" "$kept" || fail "other bytes arrived: $way"
	rm -f "$kept"
	checks=$((checks + 1))
done
expect_line '^< HTTP/1\.1 100 Continue' curl -sSv -m 20 --stderr - \
    -H 'Expect: 100-continue' --expect100-timeout 60 -T "$sent" \
    "$url/static/in/kept"
# Refused before it is given.
expect '405 0' curl -sS -m 20 -o /dev/null -w '%{http_code} %{size_upload}' \
    -H 'Expect: 100-continue' --expect100-timeout 60 \
    -T "$sent" "$url/static/deep/kept"

# The bytes of a download, whole and in parts.
for version in --http1.0 --http1.1; do
	curl -sS -m 20 "$version" -o "$folder/copy" "$url/static/random"
	cmp "$folder/copy" "$sent" || fail "other bytes came: $version"
	checks=$((checks + 1))
	for range in 0-0 1000000-4000000 8388607- -100; do
		curl -sS -m 20 "$version" -r "$range" -o "$folder/part" \
		    -w '%{http_code}' "$url/static/random" >"$folder/code"
		curl -sS -m 20 -r "$range" -o "$folder/same" \
		    "http://127.0.0.1:$static/static/random"
		cmp "$folder/part" "$folder/same" || fail "range $range"
		expect 206 cat "$folder/code"
	done
	expect_line '^Content-Length: 8388608$' curl -sS -m 20 -I "$version" \
	    "$url/static/random"
	expect 416 status "$version" -r 8388608- "$url/static/random"
done
# What a HEAD leaves is the next response, on the same connection.
expect '200 1 0 200 0 8388608 ' curl -sS -m 20 -I -o /dev/null \
    -w '%{http_code} %{num_connects} %{size_download} ' "$url/static/random" \
    --next -sS -m 20 -o /dev/null \
    -w '%{http_code} %{num_connects} %{size_download} ' "$url/static/random"
done_here
