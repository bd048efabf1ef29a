'use strict';
require('reflect-metadata');
const { createReadStream, writeFileSync } = require('node:fs');
const path = require('node:path');
const { Body, Controller, Get, HttpCode, Module, Post, StreamableFile } = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');

const file = path.join(process.env.TMPDIR, `file-${process.pid}`);
writeFileSync(file, 'x'.repeat(1 << 20));

class App {
  pid() { return String(process.pid); }
  echo(body) { return body; }
  fail() { throw new Error('as asked'); }
  file() { return new StreamableFile(createReadStream(file)); }
}
/** Decorators by hand: this file is not compiled. */
const decorate = (name, ...decorators) => {
  for (const one of decorators) one(App.prototype, name, Object.getOwnPropertyDescriptor(App.prototype, name));
};
decorate('pid', Get('pid'));
decorate('echo', Post('echo'), HttpCode(200));
Body()(App.prototype, 'echo', 0);
decorate('fail', Get('fail'));
decorate('file', Get('file'));
Controller()(App);
class Root {}
Module({ controllers: [App] })(Root);

NestFactory.create(Root, { logger: false }).then((app) => app.listen(Number(process.env.PORT), '127.0.0.1'));
