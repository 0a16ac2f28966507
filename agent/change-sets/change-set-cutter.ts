import { type Lsn, maxLsn } from '../../shared/postgres/lsn.ts';
import type { ChangeSet } from '../../shared/wal/change-set.ts';
import type { ChangedBlockCollector } from '../../shared/wal/changed-block-collector.ts';
import type { TransactionEvent } from '../../shared/wal/transaction-event.ts';
import { encodeChangedBlocks } from '../../shared/wal-index/changed-blocks-codec.ts';
import type { WalRun } from '../wal-receiver/wal-buffer.ts';

/** What the cutter needs of the WAL parser. */
export interface RecordReader {
  push(bytes: Uint8Array): TransactionEvent[];
  readonly nextRecordLsn: Lsn;
  readonly lastRecordLsn: Lsn;
}

/** A change set before its frame is made. */
export interface CutRun extends Omit<ChangeSet, 'frame' | 'frameCrc32' | 'contentSha256'> {
  /** A view of the run's bytes. */
  readonly content: Uint8Array;
}

export interface ChangeSetCutterOptions {
  readonly timeline: number;
  /** First byte that is wanted. */
  readonly fromLsn: Lsn;
  /** Where the parser starts: before, at or (when only padding or a page header lies between) after `fromLsn`. */
  readonly parseFromLsn: Lsn;
  readonly parser: RecordReader;
  /** The parser's. */
  readonly changedBlocks: ChangedBlockCollector;
  /** Events that no record tells of: go with the first change set. */
  readonly firstEvents: readonly TransactionEvent[];
}

/**
 * Makes change sets of runs. Every byte from `fromLsn` on is in exactly one, every byte from `parseFromLsn` on is parsed exactly once; what
 * lies before `fromLsn` only completes the record that the first change set begins in.
 */
export class ChangeSetCutter {
  readonly #options: ChangeSetCutterOptions;
  #pending: readonly TransactionEvent[];

  constructor(options: ChangeSetCutterOptions) {
    this.#options = options;
    this.#pending = options.firstEvents;
  }

  get fromLsn(): Lsn {
    return this.#options.fromLsn;
  }

  get parseFromLsn(): Lsn {
    return this.#options.parseFromLsn;
  }

  /**
   * The change set of one run; null if it lies before `fromLsn`.
   * @throws TidemarkError TM-WAL-002, TM-WAL-005 if the bytes are not WAL that can be read
   */
  cut(run: WalRun): CutRun | null {
    const { timeline, fromLsn, parseFromLsn, parser, changedBlocks } = this.#options;
    const parsed = parser.push(after(run, parseFromLsn));
    const events = run.startLsn >= fromLsn ? parsed : parsed.filter((event) => event.endLsn > fromLsn);
    const startLsn = maxLsn(run.startLsn, fromLsn);
    if (run.endLsn <= fromLsn) return null;
    const cut: CutRun = {
      timeline,
      startLsn,
      endLsn: run.endLsn,
      nextRecordLsn: parser.nextRecordLsn,
      lastRecordLsn: parser.lastRecordLsn,
      events: this.#pending.length === 0 ? events : [...this.#pending, ...events],
      // Also of records that end before `fromLsn`: more than what changed may be named.
      changedBlocks: encodeChangedBlocks(changedBlocks.take()),
      clocks: [],
      content: after(run, fromLsn),
    };
    this.#pending = [];
    return cut;
  }
}

function after(run: WalRun, position: Lsn): Uint8Array {
  if (run.startLsn >= position) return run.bytes;
  return run.bytes.subarray(Number(position < run.endLsn ? position - run.startLsn : run.endLsn - run.startLsn));
}
