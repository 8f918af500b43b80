# SPDX-License-Identifier: ISC
# What a web server's pages must look like through the gate. To be sourced
# after lib.sh, with the gate on $port before a server of $folder/www.
url=http://127.0.0.1:$port
direct=http://127.0.0.1:$upstream

expect '<p>front</p>' curl -sS "$url/"
expect 'deep' curl -sS "$url/deep/page.txt"
expect 404 status "$url/missing"
expect 301 status "$url/deep"
expect_line '^Content-Length: 13$' curl -sS -I "$url/"
expect_line '^Content-Type: text/html' curl -sS -I "$url/"
expect 501 status -X DELETE "$url/"
expect 501 status -X PROPFIND "$url/"

# The same bytes, whole and in parts.
curl -sS -o "$folder/copy" "$url/random"
cmp "$folder/copy" "$folder/www/random" || fail 'the bytes differ'
checks=$((checks + 1))
for range in 0-0 100-199 1048000- -17 0-9,100-109; do
	curl -sS -o "$folder/part" -r "$range" "$url/random"
	curl -sS -o "$folder/same" -r "$range" "$direct/random"
	case $range in
	*,*) # the boundary differs each time
		[ "$(wc -c <"$folder/part")" -gt 20 ] ||
		    fail "range $range is too short" ;;
	*)
		cmp "$folder/part" "$folder/same" || fail "range $range" ;;
	esac
	expect 206 status -r "$range" "$url/random"
done
expect 416 status -r 2000000- "$url/random"

# Not modified, by date and by entity tag.
etag=$(curl -sS -I "$url/" | tr -d '\r' | sed -n 's/^ETag: //p')
date=$(curl -sS -I "$url/" | tr -d '\r' | sed -n 's/^Last-Modified: //p')
[ -n "$etag" ] && [ -n "$date" ] || fail 'no ETag or no Last-Modified'
expect 304 status -H "If-None-Match: $etag" "$url/"
expect 304 status -H "If-Modified-Since: $date" "$url/"
expect 200 status -H 'If-None-Match: "other"' "$url/"
expect 412 status -H 'If-Match: "other"' "$url/random"

# Several on one connection, then the same after a 304.
expect '200 206 304 200 ' curl -s -m 20 -o /dev/null -w '%{http_code} ' \
    "$url/" --next -s -o /dev/null -w '%{http_code} ' -r 0-9 "$url/random" \
    --next -s -o /dev/null -w '%{http_code} ' -H "If-None-Match: $etag" \
    "$url/" --next -s -o /dev/null -w '%{http_code} ' "$url/"

# 1 GB, fast and then read slowly for a while: the gate holds next to nothing.
before=$(resident "$gate")
reset_peak "$gate"
expect 1073741824 curl -sS -o /dev/null -m 120 -w '%{size_download}' "$url/big"
curl -s -o /dev/null -m 2 --limit-rate 64k "$url/big" || true
grown=$(($(peak "$gate") - before))
[ "$grown" -lt 2048 ] || fail "1 GB took $grown kB more"
checks=$((checks + 1))
echo "$name: 1 GB took $grown kB more than the $before kB before"
done_here
