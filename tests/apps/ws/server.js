// SPDX-License-Identifier: ISC
// A WebSocket echo: each message comes back as it came. It says which upgrades
// and closes it sees, and answers plain requests with "plain". On "leave" it
// closes with 4001.
"use strict";
const http = require("http");
const { WebSocketServer } = require("ws");

const [host, port] = process.argv[2].split(":");
const server = http.createServer((request, response) => {
	response.end("plain");
});
const echo = new WebSocketServer({ server, perMessageDeflate: true });

echo.on("connection", (socket, request) => {
	console.log(`upgraded ${request.method} ${request.url}`);
	socket.on("message", (message, isBinary) => {
		if (!isBinary && message.toString() === "leave")
			socket.close(4001, "left");
		else
			socket.send(message, { binary: isBinary });
	});
	socket.on("close", (code, reason) => {
		console.log(`closed ${code} ${reason}`);
	});
	socket.on("error", (error) => console.log(`error ${error.code}`));
});
server.listen(Number(port), host);
