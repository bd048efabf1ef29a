/** The types of control.js. */
export function answerWith(commands: Record<string, (argument: never) => unknown>): void;
export function ready(facts: object): void;
