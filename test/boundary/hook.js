// Loaded before anything else where a fault is to happen (`--require` in NODE_OPTIONS, or by program.js):
// waits for the first message that FAULT names, and acts just before or just after it.
const diagnostics = require('node:diagnostics_channel');

/** `act(message)` at the message of the fault; once. */
exports.watch = function watch({ name, act: wanted, field, way, moment, worker }, act) {
  let done = false;
  diagnostics.subscribe('cluster-internals:message', (trace) => {
    const { message } = trace;
    if (done || trace.way !== way || !is(message, name, wanted, field)) return;
    if (worker !== undefined && trace.from !== worker && trace.to !== worker) return;
    done = true;
    // It is traced right before it is written, and right before it is looked at.
    if (moment === 'before') act();
    else process.nextTick(act);
  });
};

function is(message, name, wanted, field) {
  if (wanted !== null) return message.act === wanted && (field === undefined || message[field] !== undefined);
  if (message.ack === undefined) return false;
  switch (name) {
    case 'ServerReply': return 'errno' in message;
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
