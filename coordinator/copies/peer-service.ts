import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { NO_LSN, lsn, type Lsn } from '../../shared/postgres/lsn.ts';
import { changeSetToMessage, walStreamFromMessage, walStreamToMessage } from '../../shared/rpc/change-set-codec.ts';
import type { FollowObjectsRequest__Output } from '../../shared/rpc/generated/tidemark/v1/FollowObjectsRequest.ts';
import type { FollowObjectsResponse } from '../../shared/rpc/generated/tidemark/v1/FollowObjectsResponse.ts';
import type {
  FollowWalRequest__Output,
  _tidemark_v1_FollowWalRequest_Open__Output,
} from '../../shared/rpc/generated/tidemark/v1/FollowWalRequest.ts';
import type { FollowWalResponse } from '../../shared/rpc/generated/tidemark/v1/FollowWalResponse.ts';
import type { PeerHandlers } from '../../shared/rpc/generated/tidemark/v1/Peer.ts';
import { duplexHandler, unaryHandler, type Duplex } from '../../shared/rpc/handlers.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import type { ObjectEntry } from '../../shared/repository/repository.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import { rejectOnAbort } from '../../shared/lifecycle/reject-on-abort.ts';
import { Wakeup } from '../journal/wakeup.ts';
import { streamId } from '../journal/wal-positions.ts';
import type { WalStore } from '../journal/wal-store.ts';
import type { TermStore } from '../../shared/term/term-store.ts';
import type { UnfinishedBackups } from '../backups/unfinished-backups.ts';
import type { AcknowledgementTracker } from './acknowledgement-tracker.ts';
import { LatestPosition } from './latest-position.ts';
import { MESH_PREFIXES, backupOf, isMeshObject } from './mesh-objects.ts';
import type { ObservedRepository } from './observed-repository.ts';

/** What is acknowledged is told to a follower for its own information: more often would cost both as much as the WAL. */
const ACKNOWLEDGED_INTERVAL_MS = 100;

export interface PeerServiceOptions {
  readonly coordinatorId: string;
  readonly dataCenter: string;
  readonly repositoryId: string;
  readonly store: WalStore;
  readonly repository: ObservedRepository;
  readonly unfinished: UnfinishedBackups;
  readonly tracker: AcknowledgementTracker;
  readonly terms: TermStore;
  /** What this coordinator, as a follower, was told to be acknowledged (`Follower.acknowledged`). */
  readonly heardAcknowledged: (stream: WalStreamKey) => Lsn;
  readonly clock: Clock;
  /** Why the repository cannot be written, and what to do, in words. */
  readonly storageProblems: () => readonly string[];
  /** The server's: ends calls that would go on for ever. */
  readonly stopping: AbortSignal;
}

/**
 * The rpc service Peer. What a follower says to be durable counts only in a call whose term is the one in which this coordinator
 * leads at that moment. A caller with a higher term makes it known here before anything is answered.
 */
export function peerService(options: PeerServiceOptions): PeerHandlers {
  const repositories = new Map<string, string>();
  return {
    GetPeerState: unaryHandler(async ({ fence }) => {
      const term = BigInt(fence?.term ?? 0);
      if (term !== 0n) await options.terms.admit(term, fence?.coordinatorId ?? '');
      return {
        coordinatorId: options.coordinatorId,
        dataCenter: options.dataCenter,
        repositoryId: options.repositoryId,
        highestTerm: options.terms.highest.toString(),
        storageProblems: [...options.storageProblems()],
        backupsTaken: [...options.unfinished.taken],
        positions: options.store.positions().map((position) => ({
          stream: walStreamToMessage(position.stream),
          firstLsn: position.firstLsn.toString(),
          durableLsn: position.durableLsn.toString(),
          nextRecordLsn: position.nextRecordLsn.toString(),
          walSegmentBytes: position.segmentBytes,
          acknowledgedLsn: acknowledgedOf(options, position.stream).toString(),
          runs: position.runs.map(({ startLsn, endLsn }) => ({
            startLsn: startLsn.toString(),
            endLsn: endLsn.toString(),
          })),
        })),
      };
    }),
    FollowWal: duplexHandler((duplex) => serveWal(options, duplex)),
    FollowObjects: duplexHandler((duplex) => serveObjects(options, repositories, duplex)),
  };
}

function acknowledgedOf({ tracker, heardAcknowledged }: PeerServiceOptions, stream: WalStreamKey): Lsn {
  const own = tracker.acknowledged(stream);
  const heard = heardAcknowledged(stream);
  return own > heard ? own : heard;
}

async function serveWal(
  options: PeerServiceOptions,
  duplex: Duplex<FollowWalRequest__Output, FollowWalResponse>,
): Promise<void> {
  const { tracker } = options;
  const requests = duplex.requests[Symbol.asyncIterator]();
  const first = await requests.next();
  const open = first.done === true ? null : first.value.open;
  if (!open) throw new TidemarkError('TM-USAGE-001', 'FollowWal begins with Open');
  const stream = walStreamFromMessage(open.stream);
  const term = await admittedTerm(options, open);
  const position = options.store.position(stream);
  if (position === null) {
    throw new TidemarkError('TM-WAL-003', `${options.coordinatorId} holds nothing of ${streamId(stream)}`, {
      retryable: true,
    });
  }
  const asked = lsn(BigInt(open.fromLsn));
  const fromLsn = asked === NO_LSN ? position.firstLsn : asked;
  await duplex.send({
    opened: {
      term: term.toString(),
      fromLsn: fromLsn.toString(),
      walSegmentBytes: position.segmentBytes,
      nextRecordLsn: (fromLsn === position.durableLsn ? position.nextRecordLsn : NO_LSN).toString(),
    },
  });
  const acknowledged = new LatestPosition();
  acknowledged.offer(acknowledgedOf(options, stream));
  const id = streamId(stream);
  const endListening = tracker.onAcknowledged((other, acknowledgedLsn) => {
    if (streamId(other) === id) acknowledged.offer(acknowledgedLsn);
  });
  const copy = term === 0n ? null : tracker.followed(stream, open, asked, term);
  try {
    await untilOneEnds(duplex.signal, options.stopping, [
      async (signal) => {
        let heldLsn = fromLsn;
        for await (const changeSet of options.store.read(stream, fromLsn, signal)) {
          if (changeSet.startLsn > heldLsn) {
            const hole = { fromLsn: heldLsn.toString(), toLsn: changeSet.startLsn.toString() };
            await rejectOnAbort(duplex.send({ hole }), signal);
          }
          heldLsn = changeSet.endLsn;
          await rejectOnAbort(duplex.send({ changeSet: changeSetToMessage(changeSet) }), signal);
        }
      },
      (signal) =>
        acknowledged.sendAll(async (lsn) => {
          await duplex.send({ acknowledged: { acknowledgedLsn: lsn.toString() } });
          await options.clock.sleep(ACKNOWLEDGED_INTERVAL_MS, signal).catch(() => undefined);
        }, signal),
      async () => {
        for await (const { durable } of rest(requests)) {
          if (durable) copy?.durable(lsn(BigInt(durable.durableLsn)));
        }
      },
    ]);
  } finally {
    endListening();
    copy?.ended();
  }
}

/** The term that the follower counts in; 0 for one that only reads. */
async function admittedTerm(
  { terms, tracker, coordinatorId }: PeerServiceOptions,
  open: _tidemark_v1_FollowWalRequest_Open__Output,
): Promise<bigint> {
  const term = BigInt(open.fence?.term ?? 0);
  if (term === 0n) return term;
  if (open.coordinatorId === '' || open.coordinatorId === coordinatorId || open.dataCenter === '') {
    throw new TidemarkError('TM-USAGE-001', `${coordinatorId} cannot be followed by ${open.coordinatorId || 'nobody'}`);
  }
  await terms.admit(term, open.coordinatorId);
  if (tracker.term !== term) {
    throw new TidemarkError('TM-LEAD-002', `${coordinatorId} does not lead in term ${term}`);
  }
  return term;
}

/** @param repositories of each coordinator that followed, the id of its repository */
async function serveObjects(
  { repository, unfinished, tracker, stopping }: PeerServiceOptions,
  repositories: Map<string, string>,
  duplex: Duplex<FollowObjectsRequest__Output, FollowObjectsResponse>,
): Promise<void> {
  const requests = duplex.requests[Symbol.asyncIterator]();
  const first = await requests.next();
  const open = first.done === true ? null : first.value.open;
  if (!open || open.dataCenter === '') throw new TidemarkError('TM-USAGE-001', 'FollowObjects begins with Open');
  const { coordinatorId, dataCenter, repositoryId } = open;
  const known = repositories.get(coordinatorId);
  // Every object is offered below, so what it has is said again.
  if (known !== undefined && known !== repositoryId) tracker.objectsLost(coordinatorId);
  repositories.set(coordinatorId, repositoryId);
  const send = async (object: ObjectEntry, signal: AbortSignal): Promise<void> => {
    // What nobody finishes is not spread: a copy that has removed it would get it again.
    const backup = backupOf(object.path);
    if (backup === null || (await unfinished.areWanted(backup))) await rejectOnAbort(duplex.send({ object }), signal);
  };
  const created: string[] = [];
  const grown = new Wakeup();
  const endListening = repository.onCreated((path) => {
    if (!isMeshObject(path)) return;
    created.push(path);
    grown.wake();
  });
  try {
    await untilOneEnds(duplex.signal, stopping, [
      async (signal) => {
        for (const prefix of MESH_PREFIXES) {
          for await (const object of repository.list(prefix)) {
            if (isMeshObject(object.path)) await send(object, signal);
          }
        }
        while (!signal.aborted) {
          for (let path = created.shift(); path !== undefined; path = created.shift()) {
            const object = await repository.stat(path);
            if (object !== null) await send(object, signal);
          }
          await grown.wait(signal);
        }
      },
      async () => {
        for await (const { stored } of rest(requests)) {
          if (stored && isMeshObject(stored.path)) {
            tracker.objectStored(stored.path, { coordinatorId, dataCenter });
          }
        }
      },
    ]);
  } finally {
    endListening();
  }
}

/** Runs a call's parts side by side; when one ends or fails, or the caller goes away, so do the others. */
async function untilOneEnds(
  caller: AbortSignal,
  stopping: AbortSignal,
  parts: readonly ((signal: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const ended = new AbortController();
  const end = (): void => ended.abort(new TidemarkError('TM-RPC-001', 'the call has ended'));
  for (const signal of [caller, stopping]) {
    if (signal.aborted) end();
    signal.addEventListener('abort', end, { once: true });
  }
  try {
    const stopped = new Promise<void>((resolve) => {
      if (ended.signal.aborted) resolve();
      ended.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await Promise.race([stopped, ...parts.map((part) => part(ended.signal))]);
    if (stopping.aborted) throw stopping.reason as Error;
  } finally {
    end();
    for (const signal of [caller, stopping]) signal.removeEventListener('abort', end);
  }
}

async function* rest<T>(iterator: AsyncIterator<T>): AsyncGenerator<T, void> {
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
}
