#!/bin/sh
# SPDX-License-Identifier: ISC
# The PROXY protocol with others who speak it: curl and HAProxy in front, nginx
# and HAProxy behind.
. "$(dirname "$0")/../lib.sh"

# shellcheck disable=SC2046
set -- $(free_ports 8)
port=$1
plain=$2
nginx=$3
haproxy=$4
v1=$5
v2=$6
summed=$7
unix=$8
cat >"$folder/nginx.conf" <<END
daemon off;
pid $folder/nginx.pid;
error_log stderr;
events { }
http {
	access_log off;
	client_body_temp_path $folder/body;
	proxy_temp_path $folder/proxy;
	fastcgi_temp_path $folder/fastcgi;
	uwsgi_temp_path $folder/uwsgi;
	scgi_temp_path $folder/scgi;
	default_type text/plain;
	set_real_ip_from 127.0.0.1;
	real_ip_header proxy_protocol;
	server {
		listen 127.0.0.1:$nginx proxy_protocol;
		return 200 "\$proxy_protocol_addr \$proxy_protocol_server_addr \$proxy_protocol_server_port \$remote_addr \$http_x_forwarded_for\n";
	}
}
END
# What balances connections, and a server that takes the header.
cat >"$folder/haproxy.cfg" <<END
defaults
	timeout connect 5s
	timeout client 20s
	timeout server 20s
listen v1
	mode tcp
	bind 127.0.0.1:$v1
	server gate 127.0.0.1:$port send-proxy check check-send-proxy inter 200ms
listen v2
	mode tcp
	bind 127.0.0.1:$v2
	server gate 127.0.0.1:$port send-proxy-v2
listen summed
	mode tcp
	bind 127.0.0.1:$summed
	unique-id-format %pid-%rt
	server gate 127.0.0.1:$port send-proxy-v2 proxy-v2-options crc32c,unique-id,ssl
listen unix
	mode tcp
	bind 127.0.0.1:$unix
	server gate $folder/door send-proxy-v2
frontend behind
	mode http
	bind 127.0.0.1:$haproxy accept-proxy
	http-request return status 200 content-type text/plain lf-string "%[src] %[dst] %[dst_port] %[req.hdr(x-forwarded-for)]\n"
END
chmod -R a+rX "$folder"
serve nginx nginx -e stderr -c "$folder/nginx.conf"
await "$nginx" "$server"
serve_gate "$port" <<END
[gate]
trusted_proxies = 127.0.0.1 unix
access_log = $folder/access.json
[site]
listen = 127.0.0.1:$port proxy
listen = unix:$folder/door proxy
listen = 127.0.0.1:$plain
upstream = nginx-v1
[upstream nginx-v1]
server = 127.0.0.1:$nginx send-proxy
[upstream nginx-v2]
server = 127.0.0.1:$nginx send-proxy-v2
[upstream haproxy-v1]
server = 127.0.0.1:$haproxy send-proxy
[upstream haproxy-v2]
server = 127.0.0.1:$haproxy send-proxy-v2
health = /
[location /]
allow = GET
[location /nginx-v2]
allow = GET
upstream = nginx-v2
[location /haproxy-v1]
allow = GET
upstream = haproxy-v1
[location /haproxy-v2]
allow = GET
upstream = haproxy-v2
END
serve haproxy haproxy -db -f "$folder/haproxy.cfg"
await "$haproxy" "$server"

get() # curl arguments
{
	curl -s -f -m 20 "$@"
}

# curl says it is itself.
for target in '' nginx-v2; do
	expect "127.0.0.1 127.0.0.1 $port 127.0.0.1 127.0.0.1" \
	    get --haproxy-protocol "http://127.0.0.1:$port/$target"
done
# The client comes through HAProxy and the gate to nginx and HAProxy.
for door in "$v1" "$v2" "$summed"; do
	for target in '' nginx-v2; do
		expect "127.0.0.7 127.0.0.1 $port 127.0.0.7 127.0.0.7" \
		    get --interface 127.0.0.7 "http://127.0.0.1:$door/$target"
	done
	for target in haproxy-v1 haproxy-v2; do
		expect "127.0.0.7 127.0.0.1 $port 127.0.0.7" \
		    get --interface 127.0.0.7 "http://127.0.0.1:$door/$target"
	done
done
# The gate's end is a unix socket, and no address; nginx leaves port 0 out.
expect "127.0.0.7 0.0.0.0  127.0.0.7 127.0.0.7" \
    get --interface 127.0.0.7 "http://127.0.0.1:$unix/"
# Many connections, and many requests of one; each is told its own client.
for host in 11 12 13 14; do
	expect "127.0.0.$host 127.0.0.1 $port 127.0.0.$host 127.0.0.$host" \
	    get --interface "127.0.0.$host" "http://127.0.0.1:$v2/"
done
expect "$(yes "127.0.0.7 127.0.0.1 $port 127.0.0.7" | head -n 20)" \
    get --interface 127.0.0.7 "http://127.0.0.1:$v1/haproxy-v2?[1-20]"
# What X-Forwarded-For of a client says counts only if he is trusted.
expect "127.0.0.7 127.0.0.1 $port 127.0.0.7 127.0.0.7" \
    get --interface 127.0.0.7 -H 'X-Forwarded-For: 192.0.2.1' \
    "http://127.0.0.1:$v2/"
expect "192.0.2.1 127.0.0.1 $port 192.0.2.1 192.0.2.1, 127.0.0.1" \
    get -H 'X-Forwarded-For: 192.0.2.1' "http://127.0.0.1:$v2/"
# No header, and one from somebody else.
expect 000 sh -c "curl -s -m 20 -o /dev/null -w '%{http_code}' http://127.0.0.1:$port/ || true"
expect 000 sh -c "curl -s -m 20 -o /dev/null -w '%{http_code}' --interface 127.0.0.7 --haproxy-protocol http://127.0.0.1:$port/ || true"
expect 400 status --haproxy-protocol "http://127.0.0.1:$plain/"
expect_line 'reason=proxy\.untrusted' cat "$folder/gate.log"
expect_line 'reason=proxy\.malformed' cat "$folder/gate.log"
# HAProxy's checks, with a header and nothing behind it, are no request, and
# both find their servers well.
! grep -q -E 'server down|is DOWN' "$folder/gate.log" "$folder/haproxy.log" ||
    fail 'a server is down'
done_here
