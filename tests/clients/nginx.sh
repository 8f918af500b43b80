#!/bin/sh
# SPDX-License-Identifier: ISC
# nginx behind the gate: pages, ranges, 304s, and 1 GB at bounded memory.
. "$(dirname "$0")/../lib.sh"

# shellcheck disable=SC2046
set -- $(free_ports 2)
port=$1
upstream=$2
mkdir -p "$folder/www/deep"
echo '<p>front</p>' >"$folder/www/index.html"
echo 'deep' >"$folder/www/deep/page.txt"
head -c 1048576 /dev/urandom >"$folder/www/random"
truncate -s 1G "$folder/www/big"
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
	types { text/html html; text/plain txt; }
	sendfile on;
	server { listen 127.0.0.1:$upstream; root $folder/www; }
}
END
chmod -R a+rX "$folder"
serve nginx nginx -e stderr -c "$folder/nginx.conf"
await "$upstream" "$server"
serve_gate "$port" <<END
[site]
listen = 127.0.0.1:$port
upstream = nginx
[upstream nginx]
server = 127.0.0.1:$upstream
[location /]
allow = @read
END
. tests/web.sh
