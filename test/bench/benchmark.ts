import type { DebianProgram } from '../support/debian-packages.ts';

/** What a benchmark is told. */
export interface BenchSettings {
  /** How much WAL or data it works on, where that is not a matter of the benchmark's own. */
  readonly bytes: number;
  readonly seed: number;
  /** Tells what happens meanwhile. */
  readonly say: (line: string) => void;
}

/** What a benchmark found. */
export interface BenchReport {
  /** A table for people. */
  readonly text: string;
  /** For programs: one object a measured tool. */
  readonly rows: readonly object[];
  /** Requirements that were not kept, in words; with any, the run fails. */
  readonly failures?: readonly string[];
}

/** One measurement beside the tool that people know, in the same run. */
export interface Benchmark {
  readonly name: string;
  /** For `--help`, in a few words. */
  readonly summary: string;
  /** What it needs that does not come from npm. */
  readonly programs: readonly DebianProgram[];
  run(settings: BenchSettings): Promise<BenchReport>;
}
