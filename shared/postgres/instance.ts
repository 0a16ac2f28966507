import type { Lsn } from './lsn.ts';
import type { SynchronousMode } from './synchronous-mode.ts';

/** A PostgreSQL server as its agent sees it. */
export interface Instance {
  readonly node: string;
  readonly instance: string;
  /** In decimal; empty while PostgreSQL was never reached. */
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly inRecovery: boolean;
  /** As `SHOW server_version_num`. */
  readonly serverVersionNum: number;
  readonly walSegmentBytes: number;
  readonly dataDirectory: string;
  readonly slot: string;
  /** NO_LSN if the slot does not exist or reserves nothing. */
  readonly slotRestartLsn: Lsn;
  readonly flushLsn: Lsn;
  readonly dataChecksums: boolean;
  /** Where coordinators reach the agent, host:port. */
  readonly advertisedAddress: string;
  /** Of a leader, as far as the agent has seen. */
  readonly highestTerm: bigint;
  readonly postgresReachable: boolean;
  /** Why it cannot stream, in words; empty if it can. */
  readonly problem: string;
  readonly synchronous: SynchronousMode;
}
