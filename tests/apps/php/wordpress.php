<?php
// SPDX-License-Identifier: ISC
// Reads method and route as the REST server of WordPress does. The method: the
// request line's, whatever it is, unless the query has `_method`, else
// X-HTTP-Method-Override. The route: `rest_route` of the body, else of the
// query, else what follows /wp-json in the path.
declare(strict_types=1);

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
const ROUTES = [
    '/wp/v2/users(?:/\d+)?' => 'users',
    '/wp/v2/posts(?:/\d+)?' => 'posts',
];

function refuse(int $status, string $why): never
{
    http_response_code($status);
    exit($why);
}

function method(): string
{
    $method = $_GET['_method'] ?? $_SERVER['HTTP_X_HTTP_METHOD_OVERRIDE']
        ?? $_SERVER['REQUEST_METHOD'];
    if (!is_string($method)) {
        refuse(500, 'the method is an array');
    }
    $method = strtoupper($method);
    if (!in_array($method, METHODS, true)) {
        refuse(404, 'No route was found matching the URL and request method.');
    }
    return $method;
}

function route(): ?string
{
    $get = $_GET['rest_route'] ?? null;
    $post = $_POST['rest_route'] ?? null;
    if ($get !== null && $post !== null && $get !== $post) {
        refuse(400, 'A variable mismatch has been detected.');
    }
    $path = trim(strtok($_SERVER['REQUEST_URI'], '?'), '/');
    foreach ([$path, urldecode($path)] as $reading) {
        if (preg_match('#^wp-json(?:/?$|/(.*)?)#', $reading, $found)) {
            return $post ?? $get ?? '/' . ($found[1] ?? '');
        }
    }
    return $post ?? $get;
}

function resource(string $route): string
{
    foreach (ROUTES as $pattern => $name) {
        if (preg_match("@^$pattern$@i", rtrim($route, '/\\'))) {
            return $name;
        }
    }
    refuse(404, 'No route was found matching the URL and request method.');
}

$route = route();
if (is_array($route)) {
    refuse(500, 'the route is an array');
}
$resource = $route === null || $route === '' ? 'page' : resource($route);
$method = $resource === 'page' ? $_SERVER['REQUEST_METHOD'] : method();
header("Ran: $method $resource");
