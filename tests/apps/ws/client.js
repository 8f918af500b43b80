// SPDX-License-Identifier: ISC
// Sends COUNT messages of many sizes, text and binary, to an echo at URL, at
// most 64 under way, and checks that each comes back as it was and in order;
// then pings, and closes with 4000 or, where asked, is left by the server.
// Prints one line. usage: client.js URL COUNT [leave]
"use strict";
const crypto = require("crypto");
const WebSocket = require("ws");

const [url, count, leave] = process.argv.slice(2);
const total = Number(count);
const under = [];
let sent = 0;
let heard = 0;
let bytes = 0;
let ponged = false;

const socket = new WebSocket(url);

function message(i)
{
	// mostly small; every thousandth is 300 KB
	const size = i % 1000 === 999 ? 300000 : (i * 37) % 1500;
	const data = crypto.randomBytes(size);

	return i % 2 === 0 ? data : data.toString("hex");
}

function fill()
{
	while (sent < total && under.length < 64) {
		const data = message(sent++);

		under.push(data);
		socket.send(data);
	}
	if (heard < total)
		return;
	if (leave)
		socket.send("leave");
	else
		socket.ping("are you there");
}

socket.on("open", fill);
socket.on("message", (data, isBinary) => {
	const wanted = under.shift();
	const same = isBinary ? data.equals(wanted)
			      : data.toString() === wanted;

	if (!same) {
		console.log(`message ${heard} came back as another`);
		process.exit(1);
	}
	heard++;
	bytes += data.length;
	fill();
});
socket.on("pong", (data) => {
	ponged = data.toString() === "are you there";
	socket.close(4000, "bye");
});
socket.on("close", (code, reason) => {
	console.log(`echoed=${heard} ponged=${ponged} close=${code} ${reason}`);
});
socket.on("error", (error) => {
	console.log(`error: ${error.message}`);
	process.exitCode = 0;
});
