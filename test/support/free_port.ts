/** A port for one test: that of own_port.js, until the test has finished. */
import { onTestFinished as whenTheTestHasFinished, type TestContext } from 'vitest';
import { claimPort } from './own_port';

/** A free port that nobody else gets during the test. A concurrent test gives the `onTestFinished` of its context. */
export async function freePort(onTestFinished: TestContext['onTestFinished'] = whenTheTestHasFinished, claim = claimPort): Promise<number> {
  const { port, release } = await claim();
  onTestFinished(release);
  return port;
}
