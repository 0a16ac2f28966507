/**
 * A part of a process that works until it is told to stop. `run` settles when the work has ended: it resolves after
 * `signal` was aborted and everything was put down in order, and rejects when the part cannot go on; then the process ends.
 */
export interface Service {
  readonly name: string;
  run(signal: AbortSignal): Promise<void>;
}
