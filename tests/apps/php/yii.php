<?php
// SPDX-License-Identifier: ISC
// Reads the method as Yii2 and Slim do: `_method` of a form that was posted,
// else X-HTTP-Method-Override, which counts on any method, GET too.
declare(strict_types=1);

$method = $_POST['_method'] ?? $_SERVER['HTTP_X_HTTP_METHOD_OVERRIDE']
    ?? $_SERVER['REQUEST_METHOD'];
if (!is_string($method)) {
    http_response_code(500);
    exit('the method is an array');
}
$path = rawurldecode(strtok($_SERVER['REQUEST_URI'], '?'));
$first = explode('/', trim($path, '/'))[0];
$resource = $first === 'notes' ? 'notes' : 'other';
header('Ran: ' . strtoupper($method) . ' ' . $resource);
