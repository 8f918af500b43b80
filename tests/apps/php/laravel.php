<?php
// SPDX-License-Identifier: ISC
// Reads the method as Laravel does, and so Symfony with its parameter override:
// of a POST, the header, else `_method` of the body, else of the query. It says
// which method it would run on which resource.
declare(strict_types=1);

function has_json(): bool
{
    $type = strtolower($_SERVER['CONTENT_TYPE'] ?? '');
    return str_contains($type, '/json') || str_contains($type, '+json');
}

function body(): array
{
    if (!has_json()) {
        return $_POST;
    }
    $body = json_decode(file_get_contents('php://input'), true);
    return is_array($body) ? $body : [];
}

function refuse(string $why): never
{
    http_response_code(400);
    exit($why);
}

// Symfony's InputBag gives no array where a scalar is asked for.
function scalar(array $bag, string $name): ?string
{
    if (is_array($bag[$name] ?? null)) {
        refuse("$name is an array");
    }
    return isset($bag[$name]) ? (string) $bag[$name] : null;
}

function method(): string
{
    $method = strtoupper($_SERVER['REQUEST_METHOD']);
    if ($method !== 'POST') {
        return $method;
    }
    $other = $_SERVER['HTTP_X_HTTP_METHOD_OVERRIDE'] ?? '';
    if ($other === '') {
        $other = scalar(body(), '_method') ?? scalar($_GET, '_method')
            ?? $method;
    }
    $other = strtoupper($other);
    if (!preg_match('/^[A-Z]++$/D', $other)) {
        refuse('not a method');
    }
    return $other;
}

function resource(): string
{
    $path = rawurldecode(strtok($_SERVER['REQUEST_URI'], '?'));
    $first = explode('/', trim($path, '/'))[0];
    return $first === 'notes' ? 'notes' : 'other';
}

header('Ran: ' . method() . ' ' . resource());
