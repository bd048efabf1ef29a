/**
 * A primary that says anything to a real worker: nothing throws, each connection that came is given to
 * a server once or closed once, and only after it was acknowledged; unless the primary told it to, the
 * worker does not exit.
 */
import { EventEmitter } from 'node:events';
import { dist } from '../support/program';
import type { Target } from './fuzz';
import { Dice, clusterMessage, envelope, type Value } from './values';

type Operation = { says: Value; handle: boolean } | { listens: number } | { turn: true } | { closes: true };

class Handle {
  closes = 0;
  delivered = 0;
  close(): void { this.closes++; }
  ref(): void {}
  unref(): void {}
}

interface WorkerCluster extends EventEmitter {
  _getServer(asker: EventEmitter, query: object, answer: (errno: number, handle: { close(): void; onconnection?: unknown } | null) => void): void;
}

const { installWorker } = require(dist('internal/child/index.js')) as typeof import('../../internal/child/index');

export const worker: Target<Operation> = {
  name: 'cluster messages to a worker',
  share: 10,
  generate(seed) {
    const dice = new Dice(seed);
    return Array.from({ length: 1 + dice.below(20) }, (): Operation => {
      if (dice.chance(0.15)) return { listens: dice.pick([80, 0, 8080]) };
      if (dice.chance(0.2)) return { turn: true };
      if (dice.chance(0.05)) return { closes: true };
      return { says: dice.chance(0.9) ? clusterMessage(dice) : envelope(dice), handle: dice.chance(0.4) };
    });
  },
  play(operations) {
    const face = new EventEmitter();
    const before: Record<string, unknown> = {};
    const turns: (() => void)[] = [];
    const put = (name: string, what: unknown): void => {
      before[name] = Object.getOwnPropertyDescriptor(process, name);
      Object.defineProperty(process, name, { value: what, configurable: true, writable: true });
    };
    const { setImmediate: immediate } = globalThis;
    let told: ((error: Error | null) => void)[] = [];
    put('on', face.on.bind(face));
    put('once', face.once.bind(face));
    put('connected', true);
    put('send', (_message: unknown, _handle: unknown, _options: unknown, written?: (error: Error | null) => void) => { if (written) told.push(written); return true; });
    put('disconnect', () => { (process as { connected: boolean }).connected = false; face.emit('disconnect'); });
    put('exit', () => undefined);
    globalThis.setImmediate = ((call: () => void) => void turns.push(call)) as never;
    const handles: Handle[] = [];
    const left: { close(): void }[] = [];
    const turn = (): void => {
      for (const call of turns.splice(0)) call();
      for (const written of told.splice(0)) written(null);
    };
    try {
      const cluster = new EventEmitter() as WorkerCluster;
      installWorker(cluster, { id: 1, announced: false });
      for (const operation of operations) {
        if ('listens' in operation) {
          cluster._getServer(new EventEmitter(), { address: null, port: operation.listens, addressType: 4, fd: -1, flags: 0 }, (_errno, handle) => {
            if (handle === null) return;
            left.push(handle);
            if (handle instanceof Handle) handle.delivered++;
            else handle.onconnection = (_: number, connection: Handle) => connection.delivered++;
          });
        } else if ('says' in operation) {
          const cluster = (operation.says as { cmd?: unknown } | null)?.cmd === 'NODE_CLUSTER';
          const handle = operation.handle ? new Handle() : undefined;
          if (handle !== undefined && cluster) handles.push(handle);
          face.emit('internalMessage', operation.says, handle);
        } else if ('closes' in operation) {
          left.pop()?.close();
        } else {
          turn();
        }
      }
      for (let count = 0; count < 3; count++) turn();
      for (const handle of handles) {
        // What the app has got is the app's to close.
        if (handle.delivered > 1 || (handle.delivered === 0 && handle.closes > 1)) throw new Error(`a handle was delivered ${handle.delivered} times and closed ${handle.closes} times`);
      }
    } finally {
      told = [];
      for (const handle of left) handle.close();
      globalThis.setImmediate = immediate;
      for (const [name, descriptor] of Object.entries(before)) {
        if (descriptor === undefined) Reflect.deleteProperty(process, name);
        else Object.defineProperty(process, name, descriptor as PropertyDescriptor);
      }
    }
  },
};
