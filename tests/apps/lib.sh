# SPDX-License-Identifier: ISC
# For tests of applications behind the gate. To be sourced after lib.sh.
apps=$PWD/tests/apps

# Packages from the npm registry, as tests/apps/NAME/package-lock.json pins them,
# once for each build folder; $app is where they are.
install_npm() # name
{
	app=${BUILD:-build}/apps/$1
	mkdir -p "$app"
	cmp -s "tests/apps/$1/package-lock.json" "$app/installed" && return
	rm -rf "$app/installed" "$app/node_modules"
	cp "tests/apps/$1/package.json" "tests/apps/$1/package-lock.json" "$app"
	(cd "$app" && npm ci --ignore-scripts --no-audit --no-fund \
	    --no-update-notifier) >"$folder/npm.log" 2>&1 ||
	    fail 'npm ci failed'
	cp "$app/package-lock.json" "$app/installed"
}

# The gate on port $port before the application on port $upstream: /notes takes
# GET, HEAD and POST, all else the methods of REST.
serve_notes_gate()
{
	serve_gate "$port" <<-END
	[site]
	listen = 127.0.0.1:$port
	upstream = app
	[upstream app]
	server = 127.0.0.1:$upstream
	[location /]
	allow = @rest
	[location /notes]
	allow = GET POST
	END
}

judge_notes() # log; cases on standard input
{
	judge "$1" notes=GET,HEAD,POST \
	    other=GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS
}

# The cases on standard input against the application on port $upstream, whose
# log names each request that it sees; see judge.py.
judge() # log resource=METHOD,... ...
{
	log=$folder/$1.log
	shift
	python3 "$apps/judge.py" --direct "127.0.0.1:$upstream" \
	    --gate "127.0.0.1:$port" --seen "$log" "$@" >"$folder/table" || {
		cat "$folder/table" >&2
		fail 'the gate and the application disagree'
	}
	cat "$folder/table"
	checks=$((checks + $(grep -c ' | ' "$folder/table")))
}

# A script of tests/apps/php by php-cgi behind nginx, on port $upstream. Its
# log is php.log.
serve_php() # script port-of-php [option-of-php]
{
	serve php-cgi env PHP_FCGI_CHILDREN=2 php-cgi ${3:+"$3"} -b "127.0.0.1:$2"
	await "$2" "$server"
	cat >"$folder/nginx.conf" <<-END
	daemon off;
	master_process off;
	pid $folder/nginx.pid;
	error_log stderr;
	events { }
	http {
		log_format seen 'seen \$request';
		access_log $folder/php.log seen;
		client_body_temp_path $folder/body;
		proxy_temp_path $folder/proxy;
		fastcgi_temp_path $folder/fastcgi;
		uwsgi_temp_path $folder/uwsgi;
		scgi_temp_path $folder/scgi;
		server {
			listen 127.0.0.1:$upstream;
			location / {
				include /etc/nginx/fastcgi_params;
				fastcgi_param SCRIPT_FILENAME $apps/php/$1;
				fastcgi_pass 127.0.0.1:$2;
			}
		}
	}
	END
	serve nginx nginx -e stderr -c "$folder/nginx.conf"
	await "$upstream" "$server"
}
