// Runs the guide's JavaScript client, as written, and watches it from outside.
//
//     node --experimental-websocket guide_client.cjs CODE_FILE
//
// Each line of standard input is a message that the client sends by its own `send`. After each message that the client
// has handled, a line "MIRROR {version, snapshot}" tells its mirror; other lines are the client's own.
'use strict';

const fs = require('node:fs');
const readline = require('node:readline');
const vm = require('node:vm');

// As one script in the global scope, so that its class can be named by the next one.
vm.runInThisContext(fs.readFileSync(process.argv[2], 'utf8'), { filename: 'websocket_guide.md' });
const Client = vm.runInThisContext('QAWebSocketClient');

let client = null;
const handleMessage = Client.prototype.handleMessage;
Client.prototype.handleMessage = function (data) {
    handleMessage.call(this, data);
    client = this;
    process.stdout.write(`MIRROR ${JSON.stringify({ version: data.version, snapshot: this.snapshot })}\n`);
};

// The guide's client peeks for ever: the end of the input ends it.
readline.createInterface({ input: process.stdin })
    .on('line', (line) => client.send(JSON.parse(line)))
    .on('close', () => process.exit(0));
