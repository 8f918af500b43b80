<?php
// SPDX-License-Identifier: ISC
// Reads the method as FlightPHP does, of any method on the request line: the
// header, else `_method` of $_REQUEST. That is query and form, and where there
// is no php.ini (as in PHP's container images) cookies too.
declare(strict_types=1);

$method = $_SERVER['HTTP_X_HTTP_METHOD_OVERRIDE'] ?? $_REQUEST['_method']
    ?? $_SERVER['REQUEST_METHOD'];
if (!is_string($method)) {
    http_response_code(500);
    exit('the method is an array');
}
$path = urldecode(strtok($_SERVER['REQUEST_URI'], '?'));
$notes = preg_match('#^/notes(?:/|$)#i', $path);
header('Ran: ' . strtoupper($method) . ' ' . ($notes ? 'notes' : 'other'));
