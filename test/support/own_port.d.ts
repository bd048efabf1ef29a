/** One port or several, which no other test of this machine gets until `release` is called or this process ends. */
export interface Claim {
  /** The port, or the first of them. */
  readonly port: number;
  release(): Promise<void>;
}

/** Finds a free port for TCP, of 10000 to 19999. */
export function claimPort(): Promise<Claim>;

/** Finds a free port for TCP that only root may bind, of 900 to 989. */
export function claimPrivilegedPort(): Promise<Claim>;

/** Finds ten ports in a row that are free for TCP and UDP, of 20000 to 31999. */
export function claimTenPorts(): Promise<Claim>;
