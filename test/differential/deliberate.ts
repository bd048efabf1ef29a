/**
 * Every intended difference from Node's cluster that a scenario shows. A rule names the lines that
 * only one of the two has; they must be there, so that no rule outlives what it describes.
 *
 * D2 has no lines here: the acknowledgement of hand-offs is brought to one form for both, where
 * messages are normalised (test/support/differential.ts).
 */
import type { Rule } from '../support/differential';

export const rules: readonly Rule[] = [
  {
    number: 'D3', clause: 'R-8', scenario: 'killed-with-a-connection-in-flight',
    what: 'A connection on its way to a worker that dies goes to another worker; in Node its client hangs.',
    stockOnly: [{ of: 'P client', matches: /^first one 'hangs'/ }],
    oursOnly: [{ of: 'P client', matches: /^first one 'worker 2'/ }],
    // Worker 2 has one connection more, in the primary's view and in its own.
    cut: [/^accepted by (W2|us) .*/],
  },
  {
    number: 'D4', clause: 'P-6', scenario: 'killed-with-a-connection-in-flight',
    what: "A worker that dies while a handle is on its way to it gets its 'disconnect' like any other.",
    oursOnly: [{ of: 'P W1', matches: /^worker 'disconnect'/ }],
  },
  {
    number: 'D6', clause: 'P-31', scenario: 'forged-act-of-object',
    what: "An act like 'hasOwnProperty' is unknown and ignored; in Node the primary dies of it.",
    stockOnly: [{ of: 'P main', matches: /^uncaught 'TypeError'/ }, { of: 'P self', matches: /exits with 1/ }],
    oursOnly: [
      { of: 'P self', matches: /exits with 0/ }, { of: 'P W1', matches: /still here|exitedAfterDisconnect|'disconnect'|'exit'/ },
      { of: 'W1 self', matches: /^(sent|received reply to) exitedAfterDisconnect/ },
    ],
    exit: true,
  },
  {
    number: 'D8', clause: 'W-24', scenario: 'worker-sends-its-server',
    what: 'A server without a socket of its own cannot be sent: an error, in Node a segmentation fault.',
    stockOnly: [{ of: 'P W1', matches: /'exit'.*SIGSEGV/ }],
    oursOnly: [
      { of: 'P W1', matches: /'exit'.* 0 null/ }, { of: 'P W1', matches: /^(received close|received exited|sent reply to exited)/ },
      { of: 'W1 self', matches: /^(threw|sent close|sent exited|received reply to exited|exits)/ },
    ],
  },
  {
    number: 'D9', clause: 'I-24', scenario: 'message-lost-by-disconnect',
    what: 'The callback of a message that was never written gets an error.',
    stockOnly: [{ of: 'P W1', matches: /^callback null/ }],
    oursOnly: [{ of: 'P W1', matches: /^callback '/ }],
  },
  {
    number: 'D12', clause: 'W-25', scenario: 'close-while-asking-in-vain',
    what: 'A bind that failed after its server was closed is no TypeError: in Node the worker dies of it.',
    stockOnly: [{ of: 'W1 self', matches: /exits with 1/ }, { of: 'P W1', matches: /'exit'.* 1 null/ }],
    oursOnly: [
      { of: 'P W1', matches: /'exit'.* 0 null/ }, { of: 'P W1 received', matches: /^received (close|exitedAfterDisconnect)/ },
      { of: 'P W1 sent', matches: /reply to exitedAfterDisconnect/ },
      { of: 'W1 self', matches: /^(received reply to (queryServer 2|exited)|sent (close|exited)|goes on|other closed|exits with 0)/ },
    ],
  },
  {
    number: 'D13', clause: 'R-9', scenario: 'closed-with-a-connection-in-flight',
    what: 'A connection that the last worker refused is closed; in Node its client hangs.',
    stockOnly: [{ of: 'P client', matches: /^connection 'hangs'/ }],
    oursOnly: [{ of: 'P client', matches: /^connection 'closed'/ }],
  },
  {
    number: 'D18', clause: 'C-63', scenario: 'sent-between-disconnect-and-exit',
    what: "A message to a worker that has died, and whose 'exit' is still to come, does not end a primary that does not listen for 'error'.",
    stockOnly: [{ of: 'P self', matches: /exits with 1/ }],
    oursOnly: [{ of: 'P self', matches: /exits with 0/ }, { of: 'P main', matches: /^goes on/ }, { of: 'P W1', matches: /^worker 'exit'/ }],
    exit: true,
  },
  {
    number: 'D4', clause: 'I-45', scenario: 'sockets-for-killed-workers',
    what: "A worker that dies with a socket on its way gets its 'disconnect', and the client of that socket is closed; in Node it hangs.",
    stockOnly: ['P W1 client', 'P W3 client'].map((of) => ({ of, matches: /^\d 'nothing'/ })),
    oursOnly: [
      ...['P W1 client', 'P W3 client'].map((of) => ({ of, matches: /^\d 'end'/ })),
      ...['P W1', 'P W3'].map((of) => ({ of, matches: /^worker 'disconnect'/ })),
    ],
  },
  {
    number: 'D9', clause: 'I-29', scenario: 'sockets-for-killed-workers',
    what: 'The callbacks of all messages are called, and get an error if it was not written; in Node the first gets null, the others wait for ever.',
    stockOnly: [{ of: 'P W1 callback', matches: /^socket 0 null/ }],
    oursOnly: [{ of: 'P W1 callback', matches: /^(socket \d|message) Error/ }, { of: 'P W3 callback', matches: /^(socket [12]|message) null/ }],
  },
  {
    number: 'D20', clause: 'Q-5', scenario: ['port-in-use', 'path-in-use'],
    what: 'A failed listen gives its index back; in Node the next server of that address gets the next one.',
    cut: [/"index":\d+,/],
  },
  {
    number: 'D20', clause: 'Q-6', scenario: ['port-in-use', 'path-in-use'], versions: [20],
    what: 'The same, where the index is part of the key.',
    cut: [/(?<=undefined):\d\b/],
  },
  {
    number: 'D20', clause: 'Q-10', scenario: 'two-udp-sockets-on-one-port', versions: [22, 24, 26],
    what: 'The second UDP socket of a worker on one port has a key of its own; in Node the worker dies of an assertion.',
    cut: [/(?<=udp4:-1):1(?=")/, /^(worker|cluster) 'listening' .*/],
    stockOnly: [{ of: 'W1 self', matches: /exits with 1/ }, { of: 'P W1', matches: /'exit'.* 1 null/ }],
    oursOnly: [
      { of: 'W1 self', matches: /^(sent listening {"index":1|second|sent close|sent exited|received reply to exited|exits with 0)/ },
      { of: 'P W1', matches: /^(received listening {"index":1|received close|received exited|sent reply to exited)|'exit'.* 0 null/ },
    ],
  },
  {
    number: 'D22', clause: 'I-57', scenario: 'connected-and-dead-at-each-event',
    what: "A ChildProcess whose channel this side closed gets its 'close'; in Node it never does.",
    oursOnly: [{ of: 'P W3', matches: /process 'close'/ }],
  },
  {
    number: 'D5', clause: 'P-8', scenario: 'wire-close-behind-the-query',
    what: 'A worker may leave an address that is still being bound; in Node the primary dies of it.',
    stockOnly: [{ of: 'P main', matches: /^uncaught 'TypeError'/ }, { of: 'P self', matches: /exits with 1/ }],
    oursOnly: [
      { of: 'P self', matches: /exits with 0/ }, { of: 'P client', matches: /^got 'ECONNREFUSED'/ }, { of: 'R1 wire', matches: /^"leave"/ },
      { of: 'P W1', matches: /^worker '(message|disconnect|exit)'/ },
    ],
    exit: true,
  },
  {
    number: 'D6', clause: 'M-3', scenario: 'wire-same-query-twice', versions: [20],
    what: 'Who asks twice for one address is told that it is in use; in Node 20 the primary dies of an assertion.',
    stockOnly: [{ of: 'P main', matches: /^uncaught 'Error' 'ERR_INTERNAL_ASSERTION'/ }, { of: 'P self', matches: /exits with 1/ }],
    oursOnly: [
      { of: 'P self', matches: /exits with 0/ }, { of: 'R1 wire', matches: /"errno":-98/ },
      { of: 'P W1', matches: /^(sent reply to queryServer 2 {"errno":-98|worker '(disconnect|exit)')/ },
    ],
    exit: true,
  },
  {
    number: 'D7', clause: 'P-32', scenario: 'wire-numbers',
    what: 'The messages to each worker are counted by themselves; in Node all workers share one count.',
    stockOnly: [{ of: 'R2 number', matches: /^of the answer 1/ }],
    oursOnly: [{ of: 'R2 number', matches: /^of the answer 0/ }],
  },
  {
    number: 'D26', clause: 'P-20', scenario: 'disconnected-twice',
    what: 'A worker that is told twice to leave leaves once, with 0; in Node it ends its channel twice and dies of that.',
    stockOnly: [{ of: 'P W1', matches: /'exit' (Worker\(1\) )?1 null/ }, { of: 'W1 self', matches: /exits with 1/ }],
    oursOnly: [{ of: 'P W1', matches: /'exit' (Worker\(1\) )?0 null/ }, { of: 'W1 self', matches: /exits with 0/ }],
  },
  {
    number: 'D20', clause: 'Q-10', scenario: 'scheduling-none-same-port-twice', versions: [22, 24, 26],
    what: 'SCHED_NONE: the second server of a worker on its own port gets EADDRINUSE; in Node the worker dies of an assertion.',
    stockOnly: [
      { of: 'P W1', matches: /^(sent reply to queryServer 2 {"errno":0|(worker|cluster) 'exit' (Worker\(1\) )?1 null)/ },
      { of: 'W1 self', matches: /^(received reply to queryServer 2 {"errno":0|exits with 1)/ },
    ],
    oursOnly: [
      { of: 'P W1', matches: /^(sent reply to queryServer 2 {"errno":-98|received (close|exited)|sent reply to exited|(worker|cluster) 'exit' (Worker\(1\) )?0 null)/ },
      { of: 'W1 self', matches: /^(received reply to (queryServer 2 {"errno":-98|exited)|second|sent (close|exited)|exits with 0)/ }, { of: 'W1 client', matches: /^got 'first'/ },
    ],
  },
  {
    number: 'D51', clause: 'S-4', scenario: 'scheduling-none-port-in-use',
    what: 'SCHED_NONE: that a port is taken the primary says; in Node the worker gets a socket that is not bound, and the port can never be listened on again.',
    stockOnly: [
      { of: 'P W1', matches: /^(sent reply to queryServer 1 {"errno":0|received close)/ }, { of: 'W1 self', matches: /^(received reply to queryServer 1 {"errno":0|sent close)/ },
    ],
    oursOnly: [
      { of: 'P W1', matches: /^sent reply to queryServer 1 {"errno":-98/ }, { of: 'W1 self', matches: /^received reply to queryServer 1 {"errno":-98/ },
    ],
  },
  {
    number: 'D51', clause: 'S-4', scenario: 'scheduling-none-same-port-twice', versions: [20],
    what: 'The same, where each server of a worker has a key of its own.',
    stockOnly: [
      { of: 'P W1', matches: /^(sent reply to queryServer 2 {"errno":0|received close.*:1"})/ }, { of: 'W1 self', matches: /^(received reply to queryServer 2 {"errno":0|sent close.*:1"})/ },
    ],
    oursOnly: [
      { of: 'P W1', matches: /^sent reply to queryServer 2 {"errno":-98/ }, { of: 'W1 self', matches: /^received reply to queryServer 2 {"errno":-98/ },
    ],
  },
  {
    number: 'D56', clause: 'Q-5', scenario: 'udp-bound-by-sending',
    what: 'A UDP socket whose first bind failed tells where it listens once; in Node also where it was not bound.',
    stockOnly: [
      { of: 'P W3', matches: /^(received listening.*"192\.0\.2\.1"|worker 'listening'.*'192\.0\.2\.1')/ }, { of: 'W3 self', matches: /^sent listening.*"192\.0\.2\.1"/ },
    ],
  },
  // ── child_process.fork ─────────────────────────────────────────────────────────────────────────
  {
    number: 'D1', clause: 'I-11', scenario: 'fork/bytes-that-are-no-message',
    what: "Bytes of a child that are no message are an 'error' of its ChildProcess, and end the channel; in Node the parent throws.",
    stockOnly: [{ of: 'P C1', matches: /^(uncaught|message 'after')/ }, { of: 'C1 self', matches: /^got 'go on'/ }],
    oursOnly: [{ of: 'P C1', matches: /^'error' 'SyntaxError'/ }],
  },
  {
    number: 'D2', clause: 'I-23', scenario: 'fork/handles-among-messages',
    what: 'Nothing waits for a handle to be acknowledged, so `send` has no such reason to give false.',
    cut: [/^(message|socket|server) \d (true|false)$/],
  },
  {
    number: 'D4', clause: 'I-45', scenario: 'fork/killed-with-a-socket-under-way',
    what: "A child that dies before it has taken a handle gets its 'disconnect', and the handle is closed.",
    stockOnly: [{ of: 'P client', matches: /^hangs/ }],
    oursOnly: [{ of: 'P C1', matches: /^child 'disconnect'/ }, { of: 'P client', matches: /^closed/ }],
  },
  {
    number: 'D9', clause: 'I-24', scenario: 'fork/never-reads',
    what: 'The callback of a message that was never written gets an error.',
    stockOnly: [{ of: 'P C1 large', matches: /^callback null/ }],
    oursOnly: [{ of: 'P C1 large', matches: /^callback '/ }],
  },
  {
    number: 'D9', clause: 'I-56', scenario: 'fork/lost-by-disconnect',
    what: 'The same where this side closes the channel.',
    stockOnly: [{ of: 'P C1', matches: /^callback null/ }],
    oursOnly: [{ of: 'P C1', matches: /^callback '/ }],
  },
  {
    number: 'D11', clause: 'I-43', scenario: 'fork/forged-internal-messages',
    what: 'A forged message of the channel itself is ignored; in Node an assertion fails here or there.',
    stockOnly: [{ of: 'P uncaught', matches: /ERR_INTERNAL_ASSERTION/ }, { of: 'C2 uncaught', matches: /ERR_INTERNAL_ASSERTION/ }, { of: 'C3 uncaught', matches: /ERR_INTERNAL_ASSERTION/ }],
  },
  {
    number: 'D14', clause: 'I-31', scenario: 'fork/waiting-messages-and-disconnect',
    what: 'Messages that wait for a listener survive the end of the channel; in Node they are lost, or a TypeError.',
    stockOnly: [{ of: 'P uncaught', matches: /^TypeError/ }],
    oursOnly: [{ of: 'P C1', matches: /^got / }],
  },
  {
    number: 'D14', clause: 'I-31', scenario: 'fork/messages-before-a-listener',
    what: 'Of several waiting messages a `once` listener takes one, and the others wait for the next listener; in Node they are lost.',
    oursOnly: [{ of: 'P C2', matches: /^got [23]$/ }],
  },
  {
    number: 'D19', clause: 'I-60b', scenario: 'fork/parent-alive-after-a-large-message',
    what: 'A large message leaves the channel of a parent ref-ed; in Node the parent ends while it waits for the answer.',
    oursOnly: [{ of: 'P answers', matches: /^got 'answer'/ }],
  },
  {
    number: 'D21', clause: 'I-53', scenario: 'fork/server-after-its-children',
    what: 'A server whose sent sockets are gone with their children counts and closes; in Node neither calls back.',
    oursOnly: [{ of: 'P main', matches: /^(getConnections|close) / }],
  },
  {
    number: 'D23', clause: 'I-28', scenario: 'fork/message-that-cannot-be-sent-with-a-socket',
    what: 'A message that cannot be encoded leaves its socket with the sender; in Node nobody has it any more.',
    stockOnly: [{ of: 'P main', matches: /^kept false/ }],
    oursOnly: [{ of: 'P main', matches: /^kept true/ }, { of: 'P client', matches: /^got 'from the parent'/ }],
  },
  {
    number: 'D22', clause: 'I-57', scenario: 'fork/closed-by-the-parent',
    what: "A ChildProcess whose channel this side closed gets its 'close'; in Node it never does.",
    oursOnly: [{ of: 'P C1', matches: /^child 'close'/ }],
  },
  {
    number: 'D24', clause: 'I-14', scenario: 'fork/length-of-two-gigabytes', versions: [20],
    what: 'The length of an advanced message is unsigned, as in Node from 22 on.',
    stockOnly: [{ of: 'C1 self', matches: /^(uncaught 'Error'|exits with 9)/ }],
    oursOnly: [{ of: 'C1 self', matches: /^(disconnected|exits with 0)/ }],
  },
  {
    number: 'D25', clause: 'I-3', scenario: 'fork/members-beside-the-documented',
    what: 'What Node keeps in undocumented members of `process` and ChildProcess is private here.',
    cut: [/^members .*/],
  },
  {
    number: 'D25', clause: 'I-2', scenario: 'fork/seen-of-a-fork',
    what: 'The channel does not listen to its own messages as events.',
    stockOnly: [{ of: 'P child', matches: /'newListener' 'internalMessage'/ }],
  },
  {
    number: 'D25', clause: 'I-2', scenario: 'fork/internal-listeners-of-the-process',
    what: 'The channel does not listen to its own messages as events.',
    cut: [/^(internalMessage|newListener) \d/],
  },
  {
    number: 'D22', clause: 'I-57', scenario: 'fork/spawn-fails',
    what: "'close' comes after 'disconnect' also where no process was started.",
    cut: [/^child '(disconnect|close)'/],
  },
  {
    number: 'D32', clause: 'I-11', scenario: 'long-message',
    what: 'A message has a greatest length, beyond which its worker is cut off; in Node it may have any.',
    stockOnly: [{ of: 'P W1', matches: /^message of 2097152/ }],
    oursOnly: [{ of: 'P W1', matches: /^error 'ERR_IPC_MESSAGE_TOO_LONG'/ }],
  },
  {
    number: 'D33', clause: 'R-4', scenario: 'more-clients-than-may-wait',
    what: 'A primary holds a limited number of connections that wait; in Node all that come.',
    stockOnly: [{ of: 'P main', matches: /^holds all true/ }],
    oursOnly: [{ of: 'P main', matches: /^holds all false/ }],
  },
  {
    number: 'D34', clause: 'R-12', scenario: 'more-clients-than-descriptors',
    what: 'Without a free descriptor nothing is accepted, and clients wait; in Node they are accepted and closed.',
    stockOnly: [{ of: 'P client', matches: /^all are served false/ }],
    oursOnly: [{ of: 'P client', matches: /^all are served true/ }],
    // Of those that are served each is one more, in the primary's view and in the worker's.
    cut: [/^accepted by (W1|us) .*/],
  },
  {
    number: 'D35', clause: 'I-23', scenario: 'worker-that-does-not-read',
    what: 'What a worker does not read is queued up to a limit, and then refused; in Node without end.',
    stockOnly: [{ of: 'P main', matches: /^told \[ undefined \]/ }, { of: 'P W1', matches: /^received all true/ }],
    oursOnly: [{ of: 'P main', matches: /^told \[ 'ERR_IPC_NOT_READ', undefined \]/ }, { of: 'P W1', matches: /^received all false/ }],
  },
  {
    number: 'D36', clause: 'R-7', scenario: 'address-kept-for-the-next-worker',
    what: '`keepListening` lets a client wait for the next worker; in Node it is refused.',
    stockOnly: [{ of: 'P client', matches: /^got 'ECONNREFUSED'/ }],
    oursOnly: [{ of: 'P client', matches: /^got 'hello'/ }, { of: 'P W2 newconn', matches: /^accepted by W2/ }, { of: 'W2 self newconn', matches: /^accepted by us/ }],
  },
  {
    number: 'D38', clause: 'I-26', scenario: 'socket-for-nobody',
    what: 'A socket for which nobody listens is closed when its client ends it, also when the client had sent something: Node keeps that one for good.',
    stockOnly: [{ of: 'P client', matches: /^speaking 'closed' false/ }],
    oursOnly: [{ of: 'P client', matches: /^speaking 'closed' true/ }],
  },
  {
    number: 'D41', clause: 'P-30', scenario: 'wire-answers-to-nothing',
    what: 'A worker that answers what it was never asked is cut off; in Node it is ignored.',
    stockOnly: [{ of: 'P W1', matches: /^sent reply to exitedAfterDisconnect/ }, { of: 'R1 number', matches: /^was answered/ }, { of: 'R1 wire', matches: /"ack":41/ }],
    oursOnly: [{ of: 'P main', matches: /^error 'ERR_IPC_SENSELESS_ANSWER'/ }],
  },
];
