/** execa's IPC: messages both ways, exchange in strict mode, each message, an end without an answer, a cancelled child. */
'use strict';
const path = require('node:path');
const { drive, equal, rejection } = require('./steps');

drive(async (step) => {
  const { execaNode } = await import('execa');
  const child = (what, options) => execaNode(path.join(__dirname, 'execa_child.mjs'), [what], options);
  await step('a message and its answer', async () => {
    const one = child('square', { ipc: true });
    await one.sendMessage(12);
    equal(await one.getOneMessage(), 144, 'answer');
    await one;
  });
  await step('ipcInput and ipcOutput', async () => {
    const { ipcOutput } = await child('square', { ipcInput: 5 });
    equal(ipcOutput, [25], 'ipcOutput');
  });
  await step('each of 500 messages, in order', async () => {
    const seen = [];
    for await (const message of child('count', { ipc: true }).getEachMessage()) seen.push(message);
    equal(seen, Array.from({ length: 500 }, (nothing, n) => n), 'messages');
  });
  await step('serialization advanced and json', async () => {
    for (const serialization of ['advanced', 'json']) {
      const one = child('echo', { ipc: true, serialization });
      await one.sendMessage({ a: [1, 'ä'] });
      equal(await one.getOneMessage(), { a: [1, 'ä'] }, serialization);
      await one;
    }
  });
  await step('strict: true is acknowledged', async () => {
    const one = child('square', { ipc: true });
    await one.sendMessage(3, { strict: true });
    equal(await one.getOneMessage(), 9, 'answer');
    await one;
  });
  await step('a child that ends without an answer rejects', async () => {
    const one = child('nothing', { ipc: true, reject: false });
    await rejection(one.getOneMessage());
    await one;
  });
  await step('a cancelled child rejects as cancelled', async () => {
    const controller = new AbortController();
    const one = child('wait', { ipc: true, cancelSignal: controller.signal });
    equal(await one.getOneMessage(), 'ready', 'message');
    controller.abort();
    equal((await rejection(one)).isCanceled, true, 'isCanceled');
  });
});
