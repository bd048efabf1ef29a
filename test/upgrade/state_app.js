/**
 * As app.js, with a shared state. Its workers answer GET /increment with { value, version } of a counter, /lock with the { token }
 * of a lock that is held for a moment, and that moment, and /watched with { missed }: the values of the counter that a watch did not see, or saw twice.
 */
'use strict';
const http = require('node:http');
const path = require('node:path');
process.env.SUCCESSOR = process.env.CLUSTER_INTERNALS_UPGRADE === undefined ? 'no' : 'yes'; // The cluster deletes that variable before app.js can read it.
const dist = process.env.LIBRARY ?? path.join(__dirname, '../../dist');
const cluster = require(path.join(dist, 'lib/cluster.js'));
const { sharedState } = require(path.join(dist, 'lib/shared_state.js'));
const { limits } = JSON.parse(process.env.STATE ?? '{}');
const state = sharedState(cluster.isPrimary && limits ? { limits } : {});

if (cluster.isPrimary) {
  process.env.EXEC = __filename;
  require('./app.js');
} else {
  const missed = [];
  let last = null;
  let wake = () => undefined;
  void (async () => {
    for await (const event of state.watch('hits')) {
      if (event.value === undefined) continue;
      if (last !== null && event.value !== last + 1) missed.push([last, event.value]);
      last = event.value;
      wake();
    }
  })().catch((error) => missed.push(error.message));
  const server = http.createServer(async (request, response) => {
    const answer = (what) => response.end(JSON.stringify({ ...what, worker: cluster.worker.id }));
    try {
      if (request.url === '/increment') return answer(await state.increment('hits'));
      if (request.url === '/watched') {
        const { value } = await state.get('hits');
        while (last === null || last < value) await new Promise((resolve) => { wake = resolve; });
        return answer({ missed, last });
      }
      const lease = await state.lock('turn', { ttlMs: 5000 });
      const from = Number(process.hrtime.bigint()) / 1e6;
      await new Promise((resolve) => setTimeout(resolve, 2));
      const to = Number(process.hrtime.bigint()) / 1e6;
      await lease.release();
      answer({ token: lease.token, from, to });
    } catch (error) {
      answer({ code: error.code, message: error.message });
    }
  });
  server.keepAliveTimeout = 120_000;
  server.listen(0, '127.0.0.1');
}
