import type { ChangeSet } from '../../shared/wal/change-set.ts';
import type { WalStream } from '../change-sets/wal-stream.ts';

/** Hears what happens to the stream of WAL; for metrics and the log. */
export interface StreamObserver {
  /** A leader began to pull. */
  started(stream: WalStream, coordinatorId: string, term: bigint): void;
  /** A change set was handed to the connection. */
  sent(changeSet: ChangeSet): void;
  /** The call ended, for this reason. */
  ended(reason: unknown): void;
}
