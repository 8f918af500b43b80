#!/bin/sh
# SPDX-License-Identifier: ISC
# curl and openssl s_client, by TLS: versions, suites, sessions, names,
# certificates of both sides, bodies, and who gets in nobody's way.
. "$(dirname "$0")/../lib.sh"

# shellcheck disable=SC2046
set -- $(free_ports 6)
port=$1
plain=$2
upstream=$3
sealed=$4
other=$5
quiet=$6
certificates=$folder/certificates
mkdir "$certificates"
tests/certificates "$certificates"
serve demo "$GATE" demo --listen "127.0.0.1:$upstream"
await "$upstream" "$server"

# Upstreams: a second gate, which ends TLS before the demo; openssl's server
# with a certificate that nobody should believe; and one that shakes no hands.
cat >"$folder/behind.ini" <<END
[site]
listen = 127.0.0.1:$sealed tls
certificate = certificates/local.pem
key = certificates/local.key
client_ca = certificates/ca.pem
client_certificate = optional
client_certificate_header = X-Who
upstream = demo
[upstream demo]
server = 127.0.0.1:$upstream
[location /]
allow = @rest
END
serve behind "$GATE" run -c "$folder/behind.ini"
behind=$server
await "$sealed" "$behind"
serve old openssl s_server -accept "127.0.0.1:$other" -www -quiet \
    -cert "$certificates/old.pem" -key "$certificates/old.key"
await "$other" "$server"
serve quiet python3 -c "import socket, time
s = socket.create_server(('127.0.0.1', $quiet))
held = []
while True:
    held.append(s.accept())"
await "$quiet" "$server"

towards() # name port more...
{
	printf '[upstream %s]\nserver = 127.0.0.1:%s\ntls = on\n' "$1" "$2"
	printf 'connect_timeout = 1s\n'
	name=$1
	shift 2
	printf '%s\n' "$@"
	printf '[location /%s]\nallow = @rest\nupstream = %s\n' "$name" "$name"
}
ours='tls_ca = certificates/ca.pem'
serve_gate "$port" <<END
[gate]
head_timeout = 2s
workers = 2
[site]
listen = 127.0.0.1:$port tls
listen = 127.0.0.1:$plain
host = localhost
host = a.example.org
certificate = certificates/local.pem
key = certificates/local.key
certificate = certificates/a-rsa.pem
key = certificates/a-rsa.key
certificate = certificates/a-ec.pem
key = certificates/a-ec.key
upstream = demo
[upstream demo]
server = 127.0.0.1:$upstream
[location /]
allow = @rest
$(towards good "$sealed" "$ours")
$(towards shown "$sealed" "$ours" \
    'tls_certificate = certificates/client.pem' 'tls_key = certificates/client.key')
$(towards evhttp "$sealed" "$ours" 'transport = evhttp')
$(towards named "$sealed" "$ours" 'tls_name = b.example.org')
$(towards stranger "$sealed" 'tls_ca = certificates/other.pem')
$(towards system "$sealed" '')
$(towards expired "$other" "$ours")
$(towards believed "$other" 'tls_verify = off')
$(towards silent "$quiet" "$ours")
$(towards nobody 1 "$ours")
END

url=https://localhost:$port
ask() # curl arguments
{
	curl -sS -m 20 --cacert "$certificates/ca.pem" \
	    --resolve "localhost:$port:127.0.0.1" \
	    --resolve "a.example.org:$port:127.0.0.1" "$@"
}
by_tls() # curl arguments
{
	ask -o /dev/null -w '%{http_code}' "$@"
}
shake() # s_client arguments
{
	openssl s_client -connect "127.0.0.1:$port" "$@" </dev/null 2>&1 || true
}
say() # s_client arguments: a request, and all that is said of it
{
	(
		printf 'GET / HTTP/1.1\r\nHost: localhost\r\n'
		printf 'Connection: close\r\n\r\n'
		sleep 0.3
	) | openssl s_client -connect "127.0.0.1:$port" -ign_eof "$@" 2>&1
}

# versions and suites
expect 200 by_tls --tlsv1.3 "$url/"
expect 200 by_tls --tls-max 1.2 "$url/"
for version in 1.0 1.1; do
	! ask --tls-max "$version" --ciphers 'DEFAULT@SECLEVEL=0' "$url/" \
	    >/dev/null 2>&1 || fail "TLS $version is spoken"
	checks=$((checks + 1))
done
for suite in ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES256-GCM-SHA384 \
    ECDHE-ECDSA-CHACHA20-POLY1305; do
	expect_line "Cipher is $suite" shake -tls1_2 -cipher "$suite"
done
for suite in ECDHE-RSA-AES128-GCM-SHA256 ECDHE-RSA-CHACHA20-POLY1305; do
	expect_line "Cipher is $suite" shake -tls1_2 -cipher "$suite" \
	    -servername a.example.org
done
for suite in AES128-SHA ECDHE-ECDSA-AES128-SHA256 DHE-RSA-AES128-GCM-SHA256; do
	expect_line 'handshake failure' shake -tls1_2 \
	    -cipher "$suite@SECLEVEL=0" -servername a.example.org
done
expect_line 'Server Temp Key: X25519' shake
expect_line 'Secure Renegotiation IS supported' shake -tls1_2
expect_line 'Compression: NONE' shake
expect_line 'ALPN protocol: http/1.1' shake -alpn h2,http/1.1
expect_line 'no application protocol' shake -alpn h2

# names: curl believes each, and shows it
expect 200 by_tls "https://a.example.org:$port/"
expect_line 'CN = a.example.org' shake -servername a.example.org
expect_line 'CN = localhost' shake -servername nobody.example.org
expect_line 'CN = localhost' shake -noservername
expect 421 by_tls -H 'Host: nobody.example.org' "$url/"

# sessions
for version in -tls1_2 -tls1_3; do
	expect_line '^New, TLSv1' say "$version" -sess_out "$folder/kept"
	expect_line '^Reused, TLSv1' say "$version" -sess_in "$folder/kept"
done

# one connection for all
expect '1 0 0 ' ask -o /dev/null -w '%{num_connects} ' "$url/" \
    --next -sS -m 20 --cacert "$certificates/ca.pem" -o /dev/null \
    -w '%{num_connects} ' -X BREW "$url/" \
    --next -sS -m 20 --cacert "$certificates/ca.pem" -o /dev/null \
    -w '%{num_connects} ' -d some "$url/"

# a megabyte both ways, and back through a second gate
head -c 1000000 /dev/urandom >"$folder/body"
expect_line '"body_bytes": 1000000' ask -T "$folder/body" "$url/up"
expect_line '"body_bytes": 1000000' ask -T "$folder/body" \
    -H 'Transfer-Encoding: chunked' "$url/up"
expect 1000000 sh -c "curl -sS -m 20 --cacert '$certificates/ca.pem' \
    --resolve 'localhost:$port:127.0.0.1' '$url/bytes/1000000' | wc -c"
expect_line '"body_bytes": 1000000' ask -T "$folder/body" "$url/good/up"
expect_line '"body_bytes": 1000000' ask -T "$folder/body" "$url/evhttp/up"

# what upstreams hear
expect_line '"X-Forwarded-Proto": "https"' ask "$url/"
expect_line '"X-Who": "CN=Ann .*O=Clients"' ask "$url/shown" -H 'X-Who: me'
expect 0 sh -c "curl -sS -m 20 --cacert '$certificates/ca.pem' \
    --resolve 'localhost:$port:127.0.0.1' -H 'X-Who: me' '$url/good' |
    grep -c X-Who || true"

# upstreams that are believed, or not, each for its reason
refused() # location status reason words
{
	expect "$2" by_tls "$url/$1"
	expect_line "details=\"$3\"" ask -i "$url/$1"
	[ -z "$4" ] || {
		sleep 1 # the log tells one a second
		by_tls "$url/$1" >/dev/null
		expect_line "tls handshake failed server=.*$4" \
		    cat "$folder/gate.log"
	}
}
expect 200 by_tls "$url/good"
expect 200 by_tls "$url/evhttp"
expect 200 by_tls "$url/believed"
refused named 502 upstream.tls 'hostname mismatch'
refused stranger 502 upstream.tls 'unable to get local issuer certificate'
refused system 502 upstream.tls 'unable to get local issuer certificate'
refused expired 502 upstream.tls 'certificate has expired'
expect 504 by_tls "$url/silent"
expect 502 by_tls "$url/nobody"
expect_line 'details="upstream.connect_refused"|upstream.unavailable' \
    ask -i "$url/nobody"

# Plain HTTP, half a handshake and nothing at all get in nobody's way.
expect 400 status "http://127.0.0.1:$port/"
expect_line 'details="tls.plain_http"' curl -sS -i "http://127.0.0.1:$port/"
expect 200 status "http://127.0.0.1:$plain/" -H 'Host: localhost'
serve slow python3 -c "import socket, time
held = [socket.create_connection(('127.0.0.1', $port)) for _ in range(200)]
for each in held[:100]:
    each.sendall(bytes.fromhex('16030102000100'))
begun = time.monotonic()
for each in held:
    while each.recv(100):
        pass
print('gone after', time.monotonic() - begun, flush=True)"
slow=$server
expect 200 by_tls "$url/"
wait "$slow" || fail 'the slow ones'
expect_line 'gone after [23]\.' cat "$folder/slow.log"
expect 200 by_tls "$url/"

# a stop is graceful
kill "$gate"
wait "$gate" || fail "the gate ended with $?"
kill "$behind"
wait "$behind" || fail "the gate behind ended with $?"
done_here
