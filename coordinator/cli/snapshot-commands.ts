import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { snapshotFromMessage } from '../../shared/rpc/admin-codec.ts';
import { callUnary } from '../../shared/rpc/streams.ts';
import { onlyArgument, textOption, type CommandSpec } from './command.ts';
import { parsePastTime } from './past-time.ts';
import { renderSnapshot, renderSnapshots } from './snapshot-view.ts';

/** A snapshot waits until it is durable on the required copies. */
const CREATE_DEADLINE_MS = 120_000;
const READ_DEADLINE_MS = 30_000;

export const snapshotCommands: readonly CommandSpec[] = [
  {
    path: 'snapshot create',
    summary: 'take a snapshot now',
    options: [{ flags: '--label <text>', summary: 'a name for people' }],
    run: async ({ coordinator, output, signal }, _args, options) => {
      const { admin } = await coordinator();
      const request = { label: textOption(options, 'label') ?? '' };
      const settings = { deadlineMs: CREATE_DEADLINE_MS, signal };
      const snapshot = snapshotFromMessage(await callUnary(admin, 'CreateSnapshot', request, settings));
      output.result(snapshot, () => renderSnapshot(snapshot));
      if (!snapshot.complete) {
        throw new TidemarkError('TM-SNAP-003', `snapshot ${snapshot.id} does not hold all nodes as they were`);
      }
    },
  },
  {
    path: 'snapshot list',
    summary: 'list snapshots, newest first',
    options: [{ flags: '--limit <count>', summary: 'at most this many; 0: all', default: '20' }],
    run: async ({ coordinator, output, signal }, _args, options) => {
      const limit = countOf(textOption(options, 'limit') ?? '0');
      const { admin } = await coordinator();
      const answer = await callUnary(admin, 'ListSnapshots', { limit }, { deadlineMs: READ_DEADLINE_MS, signal });
      const snapshots = answer.snapshots.map(snapshotFromMessage);
      output.result({ snapshots }, () => renderSnapshots(snapshots));
    },
  },
  {
    path: 'snapshot show',
    summary: 'show one snapshot: its cut, its guarantee, what is in doubt',
    arguments: [{ name: 'id', summary: 'a snapshot, or latest' }],
    run: async ({ coordinator, output, signal }, args) => {
      const { admin } = await coordinator();
      const settings = { deadlineMs: READ_DEADLINE_MS, signal };
      const snapshot = snapshotFromMessage(await callUnary(admin, 'GetSnapshot', { id: onlyArgument(args) }, settings));
      output.result(snapshot, () => renderSnapshot(snapshot));
    },
  },
  {
    path: 'snapshot at',
    summary: 'show the state at any time: its cut, its guarantee, what is in doubt; nothing is written',
    arguments: [{ name: 'time', summary: "by the leader's clock, RFC 3339 with its zone: 2026-11-22T12:15:30.123Z" }],
    run: async ({ coordinator, output, clock, signal }, args) => {
      const timeUs = parsePastTime(onlyArgument(args), clock).toString();
      const { admin } = await coordinator();
      const settings = { deadlineMs: CREATE_DEADLINE_MS, signal };
      const snapshot = snapshotFromMessage(await callUnary(admin, 'SnapshotAt', { timeUs }, settings));
      output.result(snapshot, () => renderSnapshot(snapshot));
    },
  },
];

function countOf(text: string): number {
  if (!/^\d{1,9}$/.test(text)) {
    throw new TidemarkError('TM-USAGE-001', `--limit ${JSON.stringify(text)} is not a count`);
  }
  return Number(text);
}
