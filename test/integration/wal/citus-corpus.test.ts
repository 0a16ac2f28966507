import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadZstd } from '../../../shared/compression/zstd.ts';
import { formatLsn, lsn, parseLsn, type Lsn } from '../../../shared/postgres/lsn.ts';
import type { TransactionEvent } from '../../../shared/wal/transaction-event.ts';
import { WalParser } from '../../../shared/wal/wal-parser.ts';
import { applyEvents, listOpen, NOTHING_OPEN } from '../../../shared/wal-index/open-transactions.ts';

/** WAL of a real Citus cluster and what is true about it; it lies beside the project, not in it. */
const CORPUS = path.resolve(fileURLToPath(import.meta.url), '../../../../../../shared/testdata/citus-pg15');

interface Truth {
  readonly nodes: Readonly<Record<string, TruthNode>>;
  /** [lsn, end_lsn, xid, kind, time] */
  readonly transaction_ends: Readonly<Record<string, readonly (readonly [string, string, number, string, string])[]>>;
}

interface TruthNode {
  readonly system_identifier: string;
  readonly timeline: number;
  readonly wal_segment_size: number;
  readonly start_lsn: string;
  readonly switch_lsn: string;
  readonly segments: readonly { readonly name: string; readonly sha256: string }[];
  readonly records: number;
  readonly records_sha256: string;
  readonly prepared_at_end: readonly { readonly gid: string; readonly xid: number }[];
}

/** By number, as in `records_sha256`. */
const MANAGERS =
  'XLOG Transaction Storage CLOG Database Tablespace MultiXact RelMap Standby Heap2 Heap Btree Hash Gin Gist Sequence SPGist BRIN CommitTs ReplicationOrigin Generic LogicalMessage'.split(
    ' ',
  );

if (existsSync(CORPUS)) {
  defineTests(JSON.parse(readFileSync(path.join(CORPUS, 'truth.json'), 'utf8')) as Truth);
} else {
  console.log(`Not tested: the parser on WAL of a real Citus cluster. ${CORPUS} is absent.`);
}

function defineTests(truth: Truth): void {
  describe('WalParser, on WAL of a real Citus cluster,', () => {
    for (const [name, node] of Object.entries(truth.nodes)) {
      it(`finds every record and every transaction end of ${name}`, async () => {
        const records = createHash('sha256');
        let count = 0;
        const parser = new WalParser({
          timeline: node.timeline,
          segmentBytes: node.wal_segment_size,
          systemIdentifier: node.system_identifier,
          startLsn: parseLsn(node.start_lsn),
          atRecord: false,
          onRecord: ({ lsn, xid, resourceManager, totalLength }) => {
            records.update(`${formatLsn(lsn)} ${xid} ${MANAGERS[resourceManager]} ${totalLength}\n`);
            count++;
          },
        });
        const events: TransactionEvent[] = [];
        for await (const segment of segments(name, node)) events.push(...parser.push(segment));
        assert.equal(count, node.records);
        assert.equal(records.digest('hex'), node.records_sha256);
        assert.equal(formatLsn(parser.lastRecordLsn), node.switch_lsn);
        assert.deepEqual(
          events.map(({ lsn, endLsn, xid, kind, timeUs }) => [
            formatLsn(lsn),
            formatLsn(alignedUp(endLsn)),
            xid,
            kind,
            timeText(timeUs),
          ]),
          truth.transaction_ends[name],
        );
        assert.deepEqual(
          listOpen(applyEvents(NOTHING_OPEN, events)).map(({ gid, xid }) => ({ gid, xid })),
          node.prepared_at_end.map(({ gid, xid }) => ({ gid, xid })),
        );
      });
    }
  });
}

async function* segments(name: string, node: TruthNode): AsyncIterable<Buffer> {
  const zstd = await loadZstd();
  for (const { name: segment, sha256 } of node.segments) {
    const frame = readFileSync(path.join(CORPUS, 'wal', name, `${segment}.zst`));
    const bytes = zstd.decompress(frame, node.wal_segment_size);
    assert.equal(createHash('sha256').update(bytes).digest('hex'), sha256);
    yield bytes;
  }
}

/** The truth names where the next record could begin. */
function alignedUp(position: Lsn): Lsn {
  return lsn((position + 7n) & ~7n);
}

function timeText(timeUs: bigint): string {
  const seconds = new Date(Number(timeUs / 1000n)).toISOString().slice(0, 19);
  return `${seconds}.${(timeUs % 1_000_000n).toString().padStart(6, '0')}Z`;
}
