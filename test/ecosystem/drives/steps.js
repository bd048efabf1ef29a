/**
 * What the drives share. A drive uses one program as its users do, in steps. Each step prints `ok <step>` or
 * `not ok <step>: <reason>`; the first that fails ends the drive with exit code 1.
 *
 * A drive runs in the directory where its program is installed, so it requires the program by its name. PORT is a port
 * that nobody else uses.
 */
'use strict';
const { spawn } = require('node:child_process');
const http = require('node:http');
const path = require('node:path');
const { createInterface } = require('node:readline');

/** Milliseconds for one step. */
const DEADLINE = 120_000;
/** Milliseconds for the answer to a request. */
const ANSWER = 15_000;
/** Milliseconds between two looks at what a program has no event for. */
const AGAIN = 50;

const port = Number(process.env.PORT);
const started = new Set();

/** Runs a drive. `body` gets `step(name, what)`. */
async function drive(body) {
  const step = async (name, what) => {
    try {
      const value = await within(DEADLINE, what());
      console.log(`ok ${name}`);
      return value;
    } catch (error) {
      console.log(`not ok ${name}: ${String(error?.message ?? error).split('\n')[0]}`);
      for (const { child, output } of started) {
        if (output.length > 0) console.error(`${child.spawnfile} ${child.spawnargs.slice(1).join(' ')} printed:\n${output.slice(-30).join('\n')}`);
      }
      process.exit(1);
    }
  };
  await body(step);
  process.exit(0);
}

function within(milliseconds, promise) {
  let timer;
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`took more than ${milliseconds} ms`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Calls `look` until it returns something true. What it throws counts as "not yet"; the last reason is kept for the report. */
async function until(what, look) {
  const end = Date.now() + DEADLINE - 5000;
  let reason = '';
  for (;;) {
    try {
      const value = await look();
      if (value) return value;
      reason = `last seen: ${JSON.stringify(value)}`;
    } catch (error) {
      reason = error.message;
    }
    if (Date.now() > end) throw new Error(`${what}: not within ${DEADLINE - 5000} ms (${reason})`);
    await new Promise((resolve) => setTimeout(resolve, AGAIN));
  }
}

/** One request on a connection of its own. */
function get(url = '/', { at = port, headers = {} } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.get({ port: at, host: '127.0.0.1', path: url, agent: false, headers, timeout: ANSWER }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text) => { body += text; }).on('end', () => resolve({ status: response.statusCode, body })).on('error', reject);
    }).on('error', reject).on('timeout', () => request.destroy(new Error(`no answer within ${ANSWER} ms`)));
  });
}

/** The different bodies that `count` requests got. Throws if one of them failed. */
async function answers(count, url) {
  const bodies = new Set();
  for (let n = 0; n < count; n++) {
    const { status, body } = await get(url);
    if (status !== 200) throw new Error(`status ${status}: ${body.slice(0, 200)}`);
    bodies.add(body);
  }
  return bodies;
}

/** Waits until `count` workers answer, one of them at least not from `before`: a set of pids, as their bodies say. */
function replaced(before, count, url) {
  return until(`${count} workers, one of them new`, async () => {
    const now = await answers(count * 5, url);
    return now.size === count && [...now].some((pid) => !before.has(pid));
  });
}

/** Starts a program of this directory with Node. `line(pattern)` resolves with the next line of its output that matches. */
function start(file, { args = [], env = {} } = {}) {
  const child = spawn(process.execPath, [path.resolve(__dirname, file), ...args], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = [];
  const waiting = new Set();
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      output.push(line);
      for (const one of waiting) one();
    });
  }
  const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve({ code, signal })));
  let read = 0;
  const line = (pattern) => new Promise((resolve, reject) => {
    const look = () => {
      while (read < output.length) {
        const match = pattern.exec(output[read++]);
        if (match === null) continue;
        waiting.delete(look);
        return resolve(match);
      }
    };
    waiting.add(look);
    ended.then(({ code, signal }) => setImmediate(() => waiting.has(look) && reject(new Error(`ended with ${signal ?? code} before it printed ${pattern}`))));
    look();
  });
  const program = { child, line, ended, output, stop: (signal = 'SIGTERM') => { child.kill(signal); return ended; } };
  started.add(program);
  return program;
}

/** Runs a program to its end, and returns what it printed. Throws if its exit code is not `code`. */
async function run(command, args, { env = {}, code: wanted = 0 } = {}) {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => { output += text; });
  const code = await new Promise((resolve, reject) => child.on('error', reject).on('close', (status, signal) => resolve(signal ?? status)));
  if (code !== wanted) throw new Error(`${path.basename(args[0] ?? command)} ended with ${code}: ${output.trim().split('\n').slice(-6).join(' | ').slice(-600)}`);
  return output;
}

/** Throws unless `actual` equals `wanted`, compared as JSON. */
function equal(actual, wanted, what = 'value') {
  if (JSON.stringify(actual) !== JSON.stringify(wanted)) throw new Error(`${what} is ${JSON.stringify(actual)}, not ${JSON.stringify(wanted)}`);
}

/** What `promise` rejects with. Throws if it does not reject. */
async function rejection(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('it did not reject');
}

/** A pause between two requests of a drive, so that it leaves the CPUs to the program. */
const pause = () => new Promise((resolve) => setTimeout(resolve, AGAIN));

module.exports = { answers, drive, equal, get, pause, port, rejection, replaced, run, start, until };
