'use strict';
const { createReadStream, writeFileSync } = require('node:fs');
const path = require('node:path');

const file = path.join(process.env.TMPDIR, `file-${process.pid}`);
writeFileSync(file, 'x'.repeat(1 << 20));
const app = require('fastify')();
app.get('/pid', async () => String(process.pid));
app.post('/echo', async (request) => request.body);
app.get('/fail', async () => { throw new Error('as asked'); });
app.get('/file', (request, reply) => reply.type('text/plain').send(createReadStream(file)));
app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' });
