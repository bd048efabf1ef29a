'use strict';
const { writeFileSync } = require('node:fs');
const path = require('node:path');
const express = require('express');

const file = path.join(process.env.TMPDIR, `file-${process.pid}`);
writeFileSync(file, 'x'.repeat(1 << 20));
const app = express();
app.use(express.json({ limit: '1mb' }));
app.get('/pid', (request, response) => response.type('text').send(String(process.pid)));
app.post('/echo', (request, response) => response.json(request.body));
app.get('/fail', () => { throw new Error('as asked'); });
app.get('/file', (request, response) => response.sendFile(file));
app.use((error, request, response, next) => response.headersSent ? next(error) : response.status(500).send('failed'));
app.listen(Number(process.env.PORT), '127.0.0.1');
