/** Whether commits on a server wait until the agent's leader has acknowledged them. */
export interface SynchronousMode {
  /** The agent is told to be a synchronous standby. */
  readonly configured: boolean;
  /** What lets a commit return without an acknowledgement, in words; empty if nothing was found. Means something only if `configured`. */
  readonly problem: string;
}

export const ASYNCHRONOUS: SynchronousMode = { configured: false, problem: '' };

/** The server's settings, as last read, let no commit return before its WAL is acknowledged. */
export function isConfirmed({ configured, problem }: SynchronousMode): boolean {
  return configured && problem === '';
}
