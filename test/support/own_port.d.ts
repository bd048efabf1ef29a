/** Finds a free port. No other test gets it until `release` is called, or until this process ends. */
export function claimPort(): Promise<{ readonly port: number; release(): Promise<void> }>;
