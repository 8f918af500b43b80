#!/bin/sh
# SPDX-License-Identifier: ISC
# A Rack application with Rack::MethodOverride, on Puma, behind the gate.
. "$(dirname "$0")/../lib.sh"
. tests/apps/lib.sh

# shellcheck disable=SC2046
set -- $(free_ports 2)
port=$1
upstream=$2
serve rack puma -e production -t 1:2 -b "tcp://127.0.0.1:$upstream" \
    tests/apps/rack/config.ru
await "$upstream" "$server"
serve_notes_gate

judge_notes rack <<'END'
# What is allowed, and what names no other method
pass GET /notes/1
pass HEAD /notes/1
pass POST /notes | form text=_method
pass POST /notes | form text=a%26_method=DELETE
pass POST /notes | json {"deep": {"_method": "DELETE"}}
pass POST /notes | part name="text" > _method=DELETE
pass POST /notes | X-HTTP-Method-Override: POST
pass POST /notes | form _method=get
pass DELETE /open/1
pass POST /open/1 | form _method=DELETE
pass POST /open/1 | X-HTTP-Method-Override: PATCH
pass POST /open/1 | part name="_method" > PUT
# The request line, in the readings of Rack's router
stop DELETE /notes/1
stop DELETE /notes/
stop PUT //notes
stop PATCH ///notes//1
# Header fields
stop POST /notes/1 | X-HTTP-Method-Override: DELETE
stop POST /notes/1 | x-http-method-override: delete
stop POST /notes/1 | X-HTTP-Method-Override:   Put \x20
stop POST /notes/1 | X_HTTP_METHOD_OVERRIDE: DELETE
stop POST /notes/1 | X-HTTP_Method-OVERRIDE: LINK
# A form; a POST without a type is one
stop POST /notes/1 | form _method=DELETE
stop POST /notes/1 | form _method=delete
stop POST /notes/1 | form %5Fmethod=DELETE
stop POST /notes/1 | form _%6Dethod=%44elete
stop POST /notes/1 | form a=b&_method=PATCH&c=d
stop POST /notes/1 | form [_method]=DELETE
stop POST /notes/1 | form _method=POST&_method=DELETE
stop POST /notes/1 | form _method=DELETE\x00
stop POST /notes/1 | form _method=UNLINK
stop POST /notes/1 | form _method=DELETE | X-HTTP-Method-Override: GET
stop POST /notes/1 | body _method=DELETE
stop POST /notes/1 | Content-Type: application/x-www-form-urlencoded;charset=utf-16 | body _method=DELETE
stop POST /notes/1 | Content-Type: | body _method=DELETE
# Multipart
stop POST /notes/1 | part name="_method" > DELETE
stop POST /notes/1 | part name=_method > delete
stop POST /notes/1 | part name="text" > some | part name="_method" > PUT
stop POST /notes/1 | part name="_method"; x=y > DELETE
stop POST /notes/1 | part x="name=text"; name="_method" > DELETE
stop POST /notes/1 | part name="\\_method" > DELETE
stop POST /notes/1 | part name="_method"\r\nContent-Type: text/plain; charset=utf-8 > DELETE
stop POST /notes/1 | part x\r\nContent-ID: _method > DELETE
stop POST /notes/1 | Content-Type: multipart/form-data; boundary="x" | body --x\r\nContent-Disposition: form-data; name="_method"\r\n\r\nDELETE\r\n--x--\r\n
stop POST /notes/1 | Content-Type: multipart/mixed; boundary=x | body --x\r\nContent-Disposition: form-data; name="_method"\r\n\r\nDELETE\r\n--x--\r\n
# What Rack leaves alone, and others do not
wary:Symfony POST /notes/1?_method=DELETE
wary:WordPress GET /notes/1?_method=DELETE
wary:Yii2 GET /notes/1 | X-HTTP-Method-Override: DELETE
wary:OData POST /notes/1 | X-HTTP-Method: DELETE
wary:ODM POST /notes/1 | X-Method-Override: DELETE
wary:Express POST /notes/1 | X-HTTP-Method-Override: DELETE, GET
wary:Laravel POST /notes/1 | json {"_method": "DELETE"}
wary:Express POST /notes/1 | form _method[]=DELETE
wary:PHP POST /notes/1 | form .method=DELETE
wary:Slim POST /notes/1 | form _METHOD=DELETE
wary:Symfony POST /notes/1 | form _method=BREW
wary:Rack_2.0 POST /notes/1 | form a=b;_method=DELETE
wary:Express POST /notes/1 | form _method=DELETE&_method=POST
wary:Express POST /notes/1 | gzip | form _method=DELETE
END
done_here
