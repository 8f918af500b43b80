#!/bin/sh
# SPDX-License-Identifier: ISC
# Apache behind the gate: pages, ranges, 304s, and 1 GB at bounded memory.
. "$(dirname "$0")/../lib.sh"

# shellcheck disable=SC2046
set -- $(free_ports 2)
port=$1
upstream=$2
modules=/usr/lib/apache2/modules
mkdir -p "$folder/www/deep"
echo '<p>front</p>' >"$folder/www/index.html"
echo 'deep' >"$folder/www/deep/page.txt"
head -c 1048576 /dev/urandom >"$folder/www/random"
truncate -s 1G "$folder/www/big"
cat >"$folder/apache.conf" <<END
ServerName localhost
ServerRoot $folder
PidFile $folder/apache.pid
Listen 127.0.0.1:$upstream
ErrorLog $folder/apache-error.log
LoadModule mpm_event_module $modules/mod_mpm_event.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule dir_module $modules/mod_dir.so
LoadModule mime_module $modules/mod_mime.so
TypesConfig /dev/null
AddType text/html .html
AddType text/plain .txt
DocumentRoot $folder/www
DirectoryIndex index.html
<Directory $folder/www>
	Require all granted
</Directory>
User www-data
Group www-data
END
chmod -R a+rX "$folder"
serve apache apache2 -X -f "$folder/apache.conf"
await "$upstream" "$server"
serve_gate "$port" <<END
[site]
listen = 127.0.0.1:$port
upstream = apache
[upstream apache]
server = 127.0.0.1:$upstream
[location /]
allow = @read
END
. tests/web.sh
