// Loaded before anything else where a fault is to happen (`--require` in NODE_OPTIONS, or by program.js):
// waits for the first message that FAULT names, and acts just before or just after it.
const diagnostics = require('node:diagnostics_channel');

/** `act(message)` at the message of the fault; once. */
exports.watch = function watch({ name, act: wanted, way, moment, worker }, act) {
  let done = false;
  const ofMove = name.endsWith(' of a move') ? new Moves() : null;
  diagnostics.subscribe('cluster-internals:message', (trace) => {
    const { message } = trace;
    const isOfMove = ofMove?.see(trace) ?? true;
    if (done || trace.way !== way || !isOfMove || !is(message, name, wanted)) return;
    if (worker !== undefined && trace.from !== worker && trace.to !== worker) return;
    done = true;
    // It is traced right before it is written, and right before it is looked at.
    if (moment === 'before') act();
    else process.nextTick(act);
  });
};

/** Which hand-offs and acknowledgements are those of connections that another worker has given back. */
class Moves {
  /** The keys for which workers have given connections back. Each connection there has been handed off once before. */
  #keys = new Set();
  /** The numbers of the hand-offs, by the process that gets them. */
  #seqs = new Map();

  see({ message, from, to }) {
    if (message.act === 'returned') this.#keys.add(message.key);
    if (message.act === 'newconn') {
      // A stock worker is not told that it is a move.
      if (message.moved !== true && !this.#keys.has(message.key)) return false;
      this.#seqs.set(to, [...this.#seqs.get(to) ?? [], message.seq]);
      return true;
    }
    const seqs = this.#seqs.get(from) ?? [];
    return message.act === 'accepted' ? seqs.some((seq) => seq <= message.upTo) : seqs.includes(message.ack);
  }
}

function is(message, name, wanted) {
  if (wanted !== null) return message.act === wanted;
  if (message.ack === undefined) return false;
  switch (name) {
    case 'ServerReply': return 'errno' in message;
    case 'NewConnectionReply of a move':
    case 'NewConnectionReply': return 'accepted' in message;
    case 'ReturnReply': return 'taken' in message;
    default: return !('errno' in message) && !('accepted' in message) && !('taken' in message);
  }
}

if (process.env.FAULT !== undefined) {
  const fault = JSON.parse(process.env.FAULT);
  exports.watch(fault, () => {
    switch (fault.action) {
      case 'kill': return process.kill(process.pid, 'SIGKILL');
      case 'stop': return process.kill(process.pid, 'SIGSTOP');
      case 'close': return process.disconnect();
      case 'exit': return process.exit(3);
    }
  });
}
