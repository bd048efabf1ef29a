/** The steps of a web framework that runs under cluster.fork(). The app answers /pid, /echo (POST), /fail and /file. */
'use strict';
const http = require('node:http');
const { answers, drive, equal, get, port, start, until } = require('./steps');

function request(method, url, { agent, body = '' } = {}) {
  return new Promise((resolve, reject) => {
    const headers = body === '' ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    http.request({ port, host: '127.0.0.1', path: url, method, agent: agent ?? false, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => { text += chunk; }).on('end', () => resolve({ status: response.statusCode, body: text })).on('error', reject);
    }).on('error', reject).end(body);
  });
}

module.exports = (file) => drive(async (step) => {
  const app = start('clustered.js', { args: [file] });
  await step('two workers listen', async () => {
    for (let n = 0; n < 2; n++) await app.line(/^listening \d+$/);
  });
  await step('serves from both', () => until('two pids', async () => (await answers(10, '/pid')).size === 2));
  await step('a JSON body comes back', async () => {
    const body = JSON.stringify({ text: 'ä'.repeat(20_000) });
    const answer = await request('POST', '/echo', { body });
    equal(JSON.parse(answer.body), JSON.parse(body), 'body');
  });
  await step('100 requests on kept connections', async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 5 });
    const all = await Promise.all(Array.from({ length: 100 }, () => request('GET', '/pid', { agent })));
    agent.destroy();
    equal(all.filter(({ status }) => status !== 200).length, 0, 'failed requests');
  });
  await step('an exception in a handler is status 500', async () => equal((await get('/fail')).status, 500, 'status'));
  await step('a file of 1 MiB arrives whole', async () => equal((await get('/file')).body.length, 1 << 20, 'length'));
  await step('a killed worker is replaced by the program', async () => {
    const [victim] = await answers(1, '/pid');
    process.kill(Number(victim), 'SIGKILL');
    await app.line(new RegExp(`^exit ${victim} SIGKILL$`));
    await app.line(/^listening \d+$/);
    await until('two pids', async () => (await answers(10, '/pid')).size === 2);
  });
  await step('SIGTERM: all workers disconnect, and the primary ends', async () => {
    app.child.kill('SIGTERM');
    equal(await app.ended, { code: 0, signal: null }, 'end');
  });
});
