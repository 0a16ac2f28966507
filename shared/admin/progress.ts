/** How far long work has come. */
export interface Progress {
  /** What is being done, in a word or two: backup, files, wal, recovery. */
  readonly phase: string;
  /** Empty when it is about all of them. */
  readonly node: string;
  readonly bytesDone: bigint;
  /** 0 when not known. */
  readonly bytesTotal: bigint;
  /** For people; may be empty. */
  readonly message: string;
}
