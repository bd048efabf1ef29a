/**
 * A client of a control socket that is about to be there.
 *
 * Used by  unit/upgrade_places.test.ts, upgrade/operated.test.ts
 */
import { ControlClient } from '../../internal/operate/control/client';
import { untilNextLook } from './live';

/** Resolves to a client once somebody listens at this socket. */
export async function connected(socket: string): Promise<ControlClient> {
  const end = performance.now() + 10_000;
  for (;;) {
    try {
      return await ControlClient.connect(socket);
    } catch (error) {
      if (performance.now() > end) throw error;
      await untilNextLook();
    }
  }
}
