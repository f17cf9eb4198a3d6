// Runs the quick start's JavaScript client, as written, and watches it from outside.
//
//     node --experimental-websocket quick_start_client.cjs CODE_FILE
//
// The quick start's code stands in the global scope: a socket `ws`, a mirror `snapshot`, and a `store` of the page that
// is told of every mirror. Each line of standard input is a message to send. After each step that the client has
// handled, a line "STEP [root keys of each patch]" and a line "MIRROR {version, snapshot}" tell what it was.
'use strict';

const fs = require('node:fs');
const readline = require('node:readline');
const vm = require('node:vm');

globalThis.store = { commit: (name) => process.stdout.write(`COMMIT ${name}\n`) };
vm.runInThisContext(fs.readFileSync(process.argv[2], 'utf8'), { filename: 'diff_quick_start.md' });
const ws = vm.runInThisContext('ws');

const onMessage = ws.onmessage;
ws.onmessage = (event) => {
    onMessage(event);
    const message = JSON.parse(event.data);
    if (message.aid === 'rtn_data') {
        const snapshot = vm.runInThisContext('snapshot');
        process.stdout.write(`STEP ${JSON.stringify(message.data.map((patch) => Object.keys(patch)))}\n`);
        process.stdout.write(`MIRROR ${JSON.stringify({ version: message.version, snapshot })}\n`);
    }
};
ws.onclose = (event) => process.stdout.write(`CLOSED ${event.code} ${event.reason}\n`);

// The quick start's client peeks for ever: the end of the input ends it.
readline.createInterface({ input: process.stdin })
    .on('line', (line) => ws.send(line))
    .on('close', () => process.exit(0));
