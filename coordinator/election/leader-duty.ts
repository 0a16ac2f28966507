import type { Leadership } from '../coordination/coordination.ts';

/**
 * What only the leader does: ingest, snapshots, and so on. It is started anew for every leadership, and all duties run side by
 * side.
 */
export interface LeaderDuty {
  readonly name: string;
  /**
   * Works until `signal` is aborted, then puts everything down in order and resolves. `signal` is aborted with the leadership or
   * when the process stops. A rejection before that, or an early end, gives the leadership up, so that a coordinator where the
   * duty works can take it: a duty must retry by itself what may pass.
   */
  run(leadership: Leadership, signal: AbortSignal): Promise<void>;
}
