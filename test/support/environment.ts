/**
 * The environment for a program under test: this process's, without what a test runner or a tool has put there.
 *
 * Used by  children.ts, program.ts, scenario_run.ts, ecosystem/play.ts
 */
const RUNNERS_OWN = /^(VITEST|TINYPOOL|NODE_|TEST$|MODE$|PROD$|DEV$|SSR$|DIFF_)/;

/** @param more  variables to add, also such as would be taken out */
export function cleanEnvironment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return { ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !RUNNERS_OWN.test(name))), ...more };
}
