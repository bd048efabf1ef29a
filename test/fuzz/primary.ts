/**
 * A worker that says anything to a real primary (the world of the model check): nothing throws, no
 * connection is closed twice, and while another worker lives, who comes next is served by it.
 */
import { World, inMemory, type Setting } from '../model/world';
import type { Target } from './fuzz';
import { Dice, clusterMessage, envelope, type Value } from './values';

type Operation = { dialects: Setting['dialects'] } | { says: Value; handle?: boolean } | { step: string };

const LIAR = 'W1';
const steps = ['accept', 'accept', `acknowledge:${LIAR}`, 'acknowledge:W2', 'read:W2', `read:${LIAR}`, `reject:${LIAR}`, `ended:${LIAR}`, `exited:${LIAR}`, `die:${LIAR}`, `cut:${LIAR}`, `disconnect:${LIAR}`];

export const primary: Target<Operation> = {
  name: 'cluster messages to a primary',
  share: 30,
  generate(seed) {
    const dice = new Dice(seed);
    const dialects = dice.pick([['pipelined', 'pipelined'], ['node', 'node'], ['node', 'pipelined']] as const);
    const count = 1 + dice.below(20);
    return [{ dialects }, ...Array.from({ length: count }, (): Operation => (dice.chance(0.4)
      ? { step: dice.pick(steps) } : { says: dice.chance(0.9) ? clusterMessage(dice) : envelope(dice), ...(dice.chance(0.5) ? { handle: true } : {}) }))];
  },
  play(operations) {
    const dialects = operations.map((one) => ('dialects' in one ? one.dialects : undefined)).find((one) => one !== undefined) ?? ['pipelined', 'pipelined'];
    const setting: Setting = { dialects, connections: 20, asks: 1, young: true, listening: true, lenient: true };
    inMemory(setting, () => {
      const world = new World(setting);
      const handles: { closes: number; close(): void }[] = [];
      for (const operation of operations) {
        if ('says' in operation) {
          const handle = operation.handle ? { closes: 0, close() { this.closes++; } } : undefined;
          if (handle !== undefined && (operation.says as { cmd?: unknown } | null)?.cmd === 'NODE_CLUSTER') handles.push(handle);
          world.lie(LIAR, operation.says, handle);
        } else if ('step' in operation && world.enabled().includes(operation.step)) {
          world.step(operation.step);
        }
      }
      // What it was given and did not answer is its own until it ends.
      for (const step of [`die:${LIAR}`, `ended:${LIAR}`, `exited:${LIAR}`]) if (world.enabled().includes(step)) world.step(step);
      while (world.enabled().includes(`read:${LIAR}`)) world.step(`read:${LIAR}`);
      if (world.enabled().includes(`ended:${LIAR}`)) world.step(`ended:${LIAR}`);
      if (!world.serves(LIAR)) throw new Error('nobody serves the next connection, or one was closed twice');
      if (handles.some(({ closes }) => closes > 1)) throw new Error('a handle was closed twice');
    });
  },
};
