#!/bin/sh
# SPDX-License-Identifier: ISC
# PHP on php-cgi behind nginx behind the gate: method overrides as Laravel and
# Symfony read them.
. "$(dirname "$0")/../lib.sh"
. tests/apps/lib.sh

# shellcheck disable=SC2046
set -- $(free_ports 3)
port=$1
upstream=$2
serve_php laravel.php "$3"
serve_notes_gate

judge_notes php <<'END'
# What is allowed, and what names no other method
pass GET /notes/1
pass HEAD /notes/1
pass POST /notes | form text=_method
pass POST /notes | form text=a%26_method=DELETE
pass POST /notes | json {"text": "_method", "deep": {"_method": "DELETE"}}
pass POST /notes | part name="text" > _method=DELETE
pass POST /notes | X-HTTP-Method-Override: POST
pass POST /notes?_method=get
pass POST /notes?x[_method]=DELETE
pass DELETE /open/1
pass POST /open/1?_method=DELETE
pass POST /open/1 | form _method=PUT
pass POST /open/1 | X-HTTP-Method-Override: PATCH
pass POST /open/1 | json {"_method": "DELETE"}
pass POST /open/1 | part name="_method" > DELETE
# The request line, in Laravel's readings of a path
stop DELETE /notes/1
stop DELETE /notes/
stop DELETE /%6eotes/1
stop PUT //notes
stop PUT /notes%2f1
# Header fields
stop POST /notes/1 | X-HTTP-Method-Override: DELETE
stop POST /notes/1 | x-http-method-override: delete
stop POST /notes/1 | X-HTTP-Method-Override:   Delete \x20
stop POST /notes/1 | X-HTTP-Method-Override: BREW
stop POST /notes/1 | X-HTTP-Method-Override: TRACE
# The query
stop POST /notes/1?_method=DELETE
stop POST /notes/1?_method=delete
stop POST /notes/1?%5Fmethod=DELETE
stop POST /notes/1?_%6dethod=%44ELETE
stop POST /notes/1?+_method=DELETE
stop POST /notes/1?%20%20_method=DELETE
stop POST /notes/1?.method=DELETE
stop POST /notes/1?%20.method=DELETE
stop POST /notes/1?_method%00x=DELETE
stop POST /notes/1?_method=GET&_method=DELETE
stop POST /notes/1?_method[]=GET&_method=DELETE
stop POST /%6eotes?_method=DELETE
# A form
stop POST /notes/1 | form _method=DELETE
stop POST /notes/1 | form %5Fmethod=delete
stop POST /notes/1 | form a=b&_method=PATCH&c=d
stop POST /notes/1 | form +_method=DELETE
stop POST /notes/1 | form .method=DELETE
stop POST /notes/1 | form %2emethod=DELETE
stop POST /notes/1 | form _method%00=DELETE
stop POST /notes/1 | form _method=POST&_method=DELETE
stop POST /notes/1?_method=GET | form _method=DELETE
stop POST /notes/1 | Content-Type: application/x-www-form-urlencoded, text/plain | body _method=DELETE
stop POST /notes/1 | Content-Type: APPLICATION/X-WWW-FORM-URLENCODED;charset=utf-16 | body _method=DELETE
# JSON
stop POST /notes/1 | json {"_method": "DELETE"}
stop POST /notes/1 | json {"text": "}", "\u005fmethod": "del\u0065te"}
stop POST /notes/1 | json {"_method": "GET", "_method": "DELETE"}
stop POST /notes/1 | Content-Type: application/problem+json | body {"_method":"PUT"}
stop POST /notes/1 | Content-Type: text/json-like | body {"_method":"PUT"}
# Multipart
stop POST /notes/1 | part name="_method" > DELETE
stop POST /notes/1 | part name=_method > delete
stop POST /notes/1 | part name='_method' > DELETE
stop POST /notes/1 | part name=" _method" > DELETE
stop POST /notes/1 | part name=".method" > DELETE
stop POST /notes/1 | part name="text" > some | part name="_method" > PUT
stop POST /notes/1 | part name="x"; name="_method" > DELETE
stop POST /notes/1 | part NAME="_method" > DELETE
stop POST /notes/1 | part name="_method"\r\nContent-Type: text/plain > DELETE
stop POST /notes/1 | Content-Type: multipart/form-data; boundary="x" | body --x\r\nContent-Disposition: form-data; name="_method"\r\n\r\nDELETE\r\n--x--\r\n
stop POST /notes/1 | Content-Type: multipart/form-data; boundary=x, y | body --x\r\nContent-Disposition: form-data; name="_method"\r\n\r\nDELETE\r\n--x--\r\n
stop POST /notes/1 | Content-Type: multipart/form-data; boundary=x | body --x\nContent-Disposition: form-data; name="_method"\n\nDELETE\n--x--\n
# What Laravel leaves alone, and others do not
wary:WordPress GET /notes/1?_method=DELETE
wary:Yii2 GET /notes/1 | X-HTTP-Method-Override: DELETE
wary:OData POST /notes/1 | X-HTTP-Method: DELETE
wary:Puma POST /notes/1 | X_HTTP_METHOD_OVERRIDE: DELETE
wary:Rack POST /notes/1 | form [_method]=DELETE
wary:Express POST /notes/1 | form _method[]=DELETE
wary:Rack_2.0 POST /notes/1?a;_method=DELETE
wary:Express POST /notes/1?_method=DELETE&_method=GET
wary:Slim POST /notes/1?_METHOD=DELETE
wary:Rack POST /notes/1 | part name="\\_method" > DELETE
wary:Rack POST /notes/1 | body _method=DELETE
wary:Express POST /notes/1 | gzip | form _method=DELETE
END
done_here
