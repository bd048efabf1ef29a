/** A port of our own until `release`, or the end of this process. */
export function claimPort(): Promise<{ readonly port: number; release(): Promise<void> }>;
