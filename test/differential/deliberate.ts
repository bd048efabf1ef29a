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
      { of: 'W1 self', matches: /^received reply to exitedAfterDisconnect/ },
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
];
