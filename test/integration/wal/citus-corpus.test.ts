import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import process from 'node:process';
import { BranchHistory, FIRST_BARRIER } from '../../../shared/cuts/branch-history.ts';
import { citusMatcher, sameGidMatcher } from '../../../shared/cuts/branch-matcher.ts';
import { greatestClosedCut } from '../../../shared/cuts/closed-cut.ts';
import { computeCut, type Cut } from '../../../shared/cuts/cut.ts';
import { groupBranches } from '../../../shared/cuts/distributed-transaction.ts';
import { resolveInDoubt } from '../../../shared/cuts/resolution.ts';
import { formatLsn, lsn, parseLsn, type Lsn } from '../../../shared/postgres/lsn.ts';
import type { InDoubtDecision } from '../../../shared/repository/snapshot-manifest.ts';
import type { TransactionEvent } from '../../../shared/wal/transaction-event.ts';
import { applyEvents, listOpen, NOTHING_OPEN } from '../../../shared/wal-index/open-transactions.ts';
import { CORPUS, nodeOf, otherTransactions, parseNode, readTruth, type Truth } from '../../support/citus-corpus.ts';
import { CitusOracle } from '../../support/citus-oracle.ts';
import { SeededRandom } from '../../support/seeded-random.ts';

/** By number, as in `records_sha256`. */
const MANAGERS =
  'XLOG Transaction Storage CLOG Database Tablespace MultiXact RelMap Standby Heap2 Heap Btree Hash Gin Gist Sequence SPGist BRIN CommitTs ReplicationOrigin Generic LogicalMessage'.split(
    ' ',
  );
const MATCHERS = [citusMatcher, sameGidMatcher];

const truth = readTruth();
if (truth === null) {
  console.log(`Not tested: the WAL of a real Citus cluster. ${CORPUS} is absent.`);
} else {
  describe('WalParser, on WAL of a real Citus cluster,', () => testParser(truth));
  describe('the cut engine, on WAL of a real Citus cluster,', () => testCuts(truth));
}

function testParser(truth: Truth): void {
  for (const name of truth.node_order) {
    it(`finds every record, transaction end and deciding row of ${name}, and nothing else`, async () => {
      const node = nodeOf(truth, name);
      const records = createHash('sha256');
      let count = 0;
      const { parser, events } = await parseNode(truth, name, {
        onRecord: ({ lsn, xid, resourceManager, totalLength }) => {
          records.update(`${formatLsn(lsn)} ${xid} ${MANAGERS[resourceManager]} ${totalLength}\n`);
          count++;
        },
      });
      assert.equal(count, node.records);
      assert.equal(records.digest('hex'), node.records_sha256);
      assert.equal(formatLsn(parser.lastRecordLsn), node.switch_lsn);
      assert.deepEqual(
        events
          .filter(({ kind }) => kind !== 'decision-row' && kind !== 'restart')
          .map(({ lsn, endLsn, xid, kind, timeUs }) => [
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
      const rows = truth.transactions
        .filter(({ origin }) => origin === name)
        .flatMap(({ xid, database, rows: own }) => own.map((row) => ({ ...row, xid, oid: node.databases[database] })));
      assert.deepEqual(
        events
          .filter(({ kind }) => kind === 'decision-row')
          .map(({ lsn, gid, xid, databaseOid }) => `${formatLsn(lsn)} ${gid} ${xid} ${databaseOid}`),
        rows.map(({ lsn, gid, xid, oid }) => `${lsn} ${gid} ${xid} ${oid}`).sort(byLsn),
      );
      const images = rows.map(({ image, tuple_in_record: there }) => `${image}${there ? ' and the row' : ''}`);
      if (name === 'coord')
        assert(new Set(images).size === 6, `each kind of image: ${[...new Set(images)].join(', ')}`);
    });
  }

  it('finds the same, however the bytes are cut', async () => {
    const whole = await parseNode(truth, 'w2');
    const random = new SeededRandom(1);
    const pieces = await parseNode(truth, 'w2', { pieceBytes: () => 1 + random.below(3000) });
    assert.deepEqual(pieces.events, whole.events);
  });
}

function testCuts(truth: Truth): void {
  const events = new Map<string, readonly TransactionEvent[]>();
  const oracle = new CitusOracle(truth);

  before(async () => {
    for (const name of truth.node_order) events.set(name, (await parseNode(truth, name)).events);
  });

  const read = () =>
    truth.node_order.map((node) => {
      const history = new BranchHistory(node, 1);
      for (const event of events.get(node) ?? []) history.apply(event);
      return history.forCut();
    });
  const group = (nodes: ReturnType<typeof read>) =>
    groupBranches(
      nodes.flatMap(({ branches }) => branches),
      MATCHERS,
      new Map(),
      nodes.flatMap(({ decisions = [] }) => decisions),
    );

  it('finds every transaction with its branches and its decision, GIDs that were used twice too, and nothing else', () => {
    const expected = [
      ...truth.transactions.map(({ origin, decision, branches }) =>
        describeTransaction(
          branches.map(({ node, xid, prepare }) => [node, xid, prepare.lsn]),
          decision?.kind === 'commit' ? `${origin} ${decision.lsn}` : null,
        ),
      ),
      ...otherTransactions(truth).map((branches) =>
        describeTransaction(
          branches.map(({ node, xid, prepare }) => [node, xid, prepare.lsn]),
          null,
        ),
      ),
    ];
    const found = group(read()).map(({ branches, decision }) =>
      describeTransaction(
        branches.map(({ node, xid, prepareLsn }) => [node, xid, formatLsn(prepareLsn)]),
        decision === null ? null : `${decision.node} ${formatLsn(decision.lsn)}`,
      ),
    );
    assert.deepEqual(found.sort(), expected.sort());
    assert.equal(found.length, 1916 + otherTransactions(truth).length);
  });

  it('gives a cut at or above the first reading for each double collect, as a running leader would', () => {
    const cuts = followSamples(truth, events);
    assert.equal(cuts.length, 499);
    const last = cuts.at(-1);
    assert(last !== undefined);
    const lost = truth.transactions.filter(({ outcome }) => outcome === 'decision-lost');
    const reported = cuts.flatMap(({ broken }) => broken);
    for (const { branches } of lost) {
      const own = reported.filter(({ branches: named }) =>
        named.some(({ node, xid }) => branches.some((branch) => branch.node === node && branch.xid === xid)),
      );
      assert(
        own.some(({ reason }) => reason.includes('its decision is not in the WAL of coord')),
        `${branches[0]?.gid}: ${own.map(({ reason }) => reason).join('; ')}`,
      );
      if (branches.some(({ finish }) => finish?.kind === 'rollback')) {
        assert(own.some(({ reason }) => reason.includes('rolled back on w2')));
      }
    }
    const names = new Set(lost.flatMap(({ branches }) => branches.map(({ gid }) => gid)));
    assert.deepEqual(
      reported.filter(({ gid }) => !names.has(gid)),
      [],
    );
    const end = new Map(last.nodes.map(({ node, limitLsn }) => [node, limitLsn]));
    assert.deepEqual(last.inDoubt.map(describeInDoubt).sort(), oracle.inDoubt(end));
  });

  it('needs no collects before: for each double collect the cut below the second reading holds the first', () => {
    const transactions = group(read());
    for (const [, , , first, second] of truth.samples) {
      const cut = greatestClosedCut(transactions, vector(truth, second));
      for (const [node, position] of vector(truth, first)) {
        assert((cut.get(node) ?? 0n) >= position, `${node} at ${formatLsn(position)}`);
      }
    }
  });

  it('gives the greatest closed cut and its decisions for any vector, as the definition does', () => {
    const seed = Number(process.env['TIDEMARK_TEST_SEED'] ?? Date.now() % 1_000_000);
    const vectors = Number(process.env['TIDEMARK_VECTORS'] ?? 300);
    console.log(`      ${vectors} vectors, seed ${seed}`);
    const random = new SeededRandom(seed);
    const transactions = group(read());
    let shrunk = 0;
    for (let count = 0; count < vectors; count++) {
      const wish = randomVector(truth, random);
      const expected = oracle.greatestClosed(wish);
      const cut = greatestClosedCut(transactions, wish);
      assert.deepEqual(cut, expected, `seed ${seed}, vector ${count}`);
      assert.deepEqual(
        resolveInDoubt(transactions, cut).map(describeInDoubt).sort(),
        oracle.inDoubt(expected),
        `seed ${seed}, vector ${count}`,
      );
      if ([...wish].some(([node, position]) => cut.get(node) !== position)) shrunk++;
    }
    assert(shrunk > vectors / 4, `only ${shrunk} vectors were not closed`);
  });
}

/**
 * Reads on from sample to sample, and forgets what is settled, as a leader does. The wish is the second reading of a sample, so that the next
 * sample is what was taken after everything below the wish was written.
 */
function followSamples(truth: Truth, events: ReadonlyMap<string, readonly TransactionEvent[]>): Cut[] {
  const nodes = truth.node_order.map((node) => ({
    node,
    history: new BranchHistory(node, 1),
    events: events.get(node) ?? [],
    next: 0,
  }));
  const at = (positions: ReadonlyMap<string, Lsn>, node: string) => positions.get(node) ?? lsn(0n);
  return truth.samples.map(([, , , first, second], index) => {
    const before = vector(truth, first);
    const after = vector(truth, second);
    const next = vector(truth, truth.samples[index + 1]?.[4] ?? truth.node_order.map(() => 'F/0'));
    for (const known of nodes) {
      for (let event = known.events[known.next]; event !== undefined; event = known.events[known.next]) {
        if (event.lsn >= at(next, known.node)) break;
        known.history.apply(event);
        known.next++;
      }
    }
    const cut = computeCut(
      nodes.map(({ node, history }) => {
        const wishLsn = at(after, node);
        const wishPosition = { targetLsn: lsn(wishLsn - 1n), walEndLsn: wishLsn };
        const readLsn = at(next, node);
        return { node, wishLsn, wishPosition, decidedByLsn: readLsn, readLsn, ...history.forCut() };
      }),
      MATCHERS,
    );
    for (const { node, limitLsn } of cut.nodes) {
      assert(limitLsn >= at(before, node), `sample ${index}: ${node} at ${formatLsn(limitLsn)}`);
    }
    for (const { node, history } of nodes) {
      history.markBarrier(FIRST_BARRIER + index, at(before, node), at(after, node));
      history.drop(cut.settled);
    }
    return cut;
  });
}

function vector(truth: Truth, positions: readonly string[]): Map<string, Lsn> {
  return new Map(truth.node_order.map((node, index) => [node, parseLsn(positions[index] ?? '0/0')]));
}

/** Half of them anywhere, half of them close to what a collect saw, where much is under way. */
function randomVector(truth: Truth, random: SeededRandom): Map<string, Lsn> {
  const sample = truth.samples[random.below(truth.samples.length)];
  const anywhere = sample === undefined || random.next() < 0.5;
  return new Map(
    truth.node_order.map((node, index) => {
      const { start_lsn: start, end_lsn: end } = nodeOf(truth, node);
      const position = anywhere
        ? between(parseLsn(start), parseLsn(end), random)
        : between(
            lsn(parseLsn(sample[3][index] ?? start) - 4000n),
            lsn(parseLsn(sample[4][index] ?? end) + 4000n),
            random,
          );
      return [node, position];
    }),
  );
}

function between(from: Lsn, to: Lsn, random: SeededRandom): Lsn {
  return lsn(from + BigInt(random.below(Number(to - from + 1n))));
}

function describeTransaction(
  branches: readonly (readonly [node: string, xid: number, prepare: string])[],
  decision: string | null,
): string {
  return `${branches
    .map((branch) => branch.join(' '))
    .sort()
    .join(', ')}: ${decision ?? 'none'}`;
}

function describeInDoubt({ node, gid, prepareLsn, decision }: InDoubtDecision): string {
  return `${node} ${gid} ${prepareLsn} ${decision}`;
}

function byLsn(a: string, b: string): number {
  const [first = '', second = ''] = [a, b].map((text) => text.split(' ')[0]);
  return parseLsn(first) < parseLsn(second) ? -1 : 1;
}

/** The truth names where the next record could begin. */
function alignedUp(position: Lsn): Lsn {
  return lsn((position + 7n) & ~7n);
}

function timeText(timeUs: bigint): string {
  const seconds = new Date(Number(timeUs / 1000n)).toISOString().slice(0, 19);
  return `${seconds}.${(timeUs % 1_000_000n).toString().padStart(6, '0')}Z`;
}
