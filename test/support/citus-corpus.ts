import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { loadZstd } from '../../shared/compression/zstd.ts';
import { parseLsn } from '../../shared/postgres/lsn.ts';
import type { TransactionEvent } from '../../shared/wal/transaction-event.ts';
import { WalParser, type WalParserOptions } from '../../shared/wal/wal-parser.ts';

/** WAL of a real Citus cluster and what is true about it; it lies beside the project, not in it, or where TIDEMARK_CITUS_CORPUS says. */
export const CORPUS =
  process.env['TIDEMARK_CITUS_CORPUS'] ??
  path.resolve(fileURLToPath(import.meta.url), '../../../../../shared/testdata/citus-pg15');

interface TruthRecord {
  readonly lsn: string;
  readonly time: string;
}

export interface TruthBranch {
  readonly node: string;
  readonly xid: number;
  readonly gid: string;
  readonly prepare: TruthRecord;
  readonly finish: (TruthRecord & { readonly kind: 'commit' | 'rollback' }) | null;
}

export interface TruthTransaction {
  readonly id: number;
  readonly origin: string;
  readonly database: string;
  readonly xid: number | null;
  readonly outcome: 'committed' | 'aborted' | 'undecided' | 'decision-lost';
  readonly decision: (TruthRecord & { readonly kind: 'commit' | 'abort' }) | null;
  readonly rows: readonly {
    readonly gid: string;
    readonly lsn: string;
    readonly image: 'off' | 'pglz' | 'lz4' | 'zstd' | null;
    readonly tuple_in_record: boolean;
  }[];
  readonly branches: readonly TruthBranch[];
}

export interface TruthNode {
  readonly system_identifier: string;
  readonly timeline: number;
  readonly wal_segment_size: number;
  readonly start_lsn: string;
  readonly end_lsn: string;
  readonly switch_lsn: string;
  readonly databases: Readonly<Record<string, number>>;
  readonly segments: readonly { readonly name: string; readonly sha256: string }[];
  readonly records: number;
  readonly records_sha256: string;
  readonly prepared_at_end: readonly { readonly gid: string; readonly xid: number }[];
}

export interface Truth {
  readonly node_order: readonly string[];
  readonly nodes: Readonly<Record<string, TruthNode>>;
  readonly transactions: readonly TruthTransaction[];
  readonly other_prepared: readonly TruthBranch[];
  /** [t0, t1, t2, A, B] */
  readonly samples: readonly (readonly [string, string, string, readonly string[], readonly string[]])[];
  /** [lsn, end_lsn, xid, kind, time] */
  readonly transaction_ends: Readonly<Record<string, readonly (readonly [string, string, number, string, string])[]>>;
}

/** Null where the corpus is not there. */
export function readTruth(): Truth | null {
  const file = path.join(CORPUS, 'truth.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Truth) : null;
}

export function nodeOf(truth: Truth, name: string): TruthNode {
  const node = truth.nodes[name];
  if (node === undefined) throw new Error(`no node ${name}`);
  return node;
}

/** Prepared transactions that are not Citus's, by their GIDs. */
export function otherTransactions({ other_prepared: branches }: Truth): readonly (readonly TruthBranch[])[] {
  return [...new Set(branches.map(({ gid }) => gid))].map((gid) => branches.filter((branch) => branch.gid === gid));
}

/** Parses all WAL of a node. */
export async function parseNode(
  truth: Truth,
  name: string,
  { pieceBytes, ...more }: Partial<WalParserOptions> & { readonly pieceBytes?: () => number } = {},
): Promise<{ readonly parser: WalParser; readonly events: readonly TransactionEvent[] }> {
  const node = nodeOf(truth, name);
  const zstd = await loadZstd();
  const parser = new WalParser({
    timeline: node.timeline,
    segmentBytes: node.wal_segment_size,
    systemIdentifier: node.system_identifier,
    startLsn: parseLsn(node.start_lsn),
    atRecord: false,
    zstd: (frame, contentBytes) => zstd.decompress(frame, contentBytes),
    ...more,
  });
  const events: TransactionEvent[] = [];
  for (const { name: segment, sha256 } of node.segments) {
    const frame = readFileSync(path.join(CORPUS, 'wal', name, `${segment}.zst`));
    const bytes = zstd.decompress(frame, node.wal_segment_size);
    if (createHash('sha256').update(bytes).digest('hex') !== sha256) throw new Error(`${segment} is damaged`);
    for (let at = 0; at < bytes.length;) {
      const end = at + (pieceBytes?.() ?? bytes.length);
      events.push(...parser.push(bytes.subarray(at, end)));
      at = end;
    }
  }
  return { parser, events };
}
