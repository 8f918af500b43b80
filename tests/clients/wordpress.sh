#!/bin/sh
# SPDX-License-Identifier: ISC
# The rules by which WordPress's REST server finds method and route, in PHP on
# php-cgi behind nginx behind the gate. A route stands in the path after
# /wp-json, or in `rest_route`, so users has two locations.
. "$(dirname "$0")/../lib.sh"
. tests/apps/lib.sh

# shellcheck disable=SC2046
set -- $(free_ports 3)
port=$1
upstream=$2
serve_php wordpress.php "$3"
serve_gate "$port" <<END
[site]
listen = 127.0.0.1:$port
upstream = wordpress
path_params = rest_route
[upstream wordpress]
server = 127.0.0.1:$upstream
[location /]
allow = @rest
[location /wp-json/wp/v2/users]
allow = GET
[location /wp/v2/users]
allow = GET
END

all=GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS
judge php users=GET,HEAD posts=$all page=$all <<'END'
# What is allowed, and what names no other method
pass GET /wp-json/wp/v2/users/1
pass HEAD /wp-json/wp/v2/users/1
pass GET /?rest_route=/wp/v2/users/1
pass GET /wp-json/wp/v2/users?method=DELETE&route=/x
pass GET /wp-json/wp/v2/users?_method=get
pass POST /wp-json/wp/v2/posts | form text=_method
pass GET /wp-json/wp/v2/posts/1?_method=DELETE
pass POST /wp-json/wp/v2/posts/1 | X-HTTP-Method-Override: PATCH
pass DELETE /?rest_route=/wp/v2/posts/1
pass GET /?_method=DELETE&rest_route=/wp/v2/posts/1
pass POST / | form page=1
# The request line
stop DELETE /wp-json/wp/v2/users/1
stop POST /wp-json/wp/v2/users
stop PUT //wp-json/wp/v2/users/1
stop DELETE /wp-json/wp/v2/USERS/1
stop DELETE /wp-json/wp/v2/users/1/
stop DELETE /%77p-json/wp/v2/%75sers/1
stop DELETE /%77p-json/wp/v2/users%0a
stop DELETE /wp-json%2fwp/v2/users%0ax
# The query, whatever the method
stop GET /wp-json/wp/v2/users/1?_method=DELETE
stop HEAD /wp-json/wp/v2/users/1?_method=DELETE
stop POST /wp-json/wp/v2/users/1?_method=DELETE
stop GET /wp-json/wp/v2/users/1?_method=delete
stop GET /wp-json/wp/v2/users/1?%5Fmethod=DELETE
stop GET /wp-json/wp/v2/users/1?_%6dethod=%64elete
stop GET /wp-json/wp/v2/users/1?+_method=DELETE
stop GET /wp-json/wp/v2/users/1?.method=DELETE
stop GET /wp-json/wp/v2/users/1?_method=GET&_method=DELETE
stop GET /wp-json/wp/v2/users/1?_method[]=GET&_method=PUT
stop GET /wp-json/wp/v2/users/1?_method%00=PATCH
stop GET /wp-json/wp/v2/users/1?_method=DELETE | X-HTTP-Method-Override: GET
stop GET /wp-json/wp/v2/USERS/1?_method=DELETE
# The header field
stop GET /wp-json/wp/v2/users/1 | X-HTTP-Method-Override: DELETE
stop HEAD /wp-json/wp/v2/users/1 | X-HTTP-Method-Override: PUT
stop GET /wp-json/wp/v2/users/1 | x-http-method-override: delete
stop GET /wp-json/wp/v2/users/1 | X-HTTP-Method-Override: GET | X-HTTP-Method-Override: PATCH
# The route in the query
stop DELETE /?rest_route=/wp/v2/users/1
stop POST /index.php?rest_route=/wp/v2/users
stop DELETE /anything?rest_route=/wp/v2/users/1
stop DELETE /?rest_route=%2Fwp%2Fv2%2Fusers%2F1
stop DELETE /?%72est_route=/wp/v2/users/1
stop DELETE /?rest%5froute=/wp/v2/users/1
stop DELETE /?rest_route=/WP/v2/Users/1
stop DELETE /?rest_route=/wp/v2/users/1/
stop DELETE /?rest_route=/wp/v2/users/1%5c
stop POST /?rest_route=/wp/v2/users%0a
stop DELETE /?rest_route=/wp/v2/posts&rest_route=/wp/v2/users/1
stop DELETE /wp-json/wp/v2/posts/1?rest_route=/wp/v2/users/1
stop DELETE /?a=b&rest_route=/wp/v2/users/1&c
stop DELETE /?rest.route=/wp/v2/users/1
stop DELETE /?rest+route=/wp/v2/users/1
stop DELETE /?rest%20route=/wp/v2/users/1
stop DELETE /?%20rest_route=/wp/v2/users/1
stop DELETE /?rest_route%00=/wp/v2/users/1
stop DELETE /?rest_route%00x=/wp/v2/users/1
stop DELETE /?rest[route=/wp/v2/users/1
stop GET /?rest_route=/wp/v2/users/1&_method=DELETE
stop GET /?rest.route=/wp/v2/users/1&_method=DELETE
stop GET /?rest_route=/wp/v2/users/1 | X-HTTP-Method-Override: DELETE
# The route in a form
stop POST / | form rest_route=/wp/v2/users
stop POST /?_method=DELETE | form rest_route=/wp/v2/users/1
stop POST /wp-json/wp/v2/posts/1 | form rest_route=/wp/v2/users/1
stop POST / | part name="rest_route" > /wp/v2/users
# What WordPress leaves alone, and others do not
wary:others_routers DELETE /wp-json/wp/v2/%75sers/1
wary:others_routers DELETE /wp-json//wp/v2/users/1
wary:Laravel POST /wp-json/wp/v2/posts/1 | form _method=BREW
wary:OData GET /wp-json/wp/v2/users/1 | X-HTTP-Method: DELETE
wary:Symfony GET /wp-json/wp/v2/users/1?_method=BREW
END
done_here
