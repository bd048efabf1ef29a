/** Everything that is fuzzed. */
import { channel } from './channel';
import type { Target } from './fuzz';
import { framing } from './framing';
import { primary } from './primary';
import { worker } from './worker';

export const targets = [framing, primary, channel, worker] as unknown as Target<unknown>[];
