import { once } from 'node:events';
import type { LeaderView } from '../../shared/admin/status.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { withDeadline } from '../../shared/lifecycle/with-deadline.ts';
import * as codec from '../../shared/rpc/admin-codec.ts';
import type { AdminClient, AdminHandlers } from '../../shared/rpc/generated/tidemark/v1/Admin.ts';
import { serverStreamHandler, unaryHandler, type CallContext } from '../../shared/rpc/handlers.ts';
import * as restoreCodec from '../../shared/rpc/restore-codec.ts';
import { leaderToMessage, statusToMessage } from '../../shared/rpc/status-codec.ts';
import type { CallSettings } from '../../shared/rpc/streams.ts';
import { callStream, callUnary } from '../../shared/rpc/streams.ts';
import type { Coordination, Leadership } from '../coordination/coordination.ts';
import type { AdminBackends } from './admin-backends.ts';
import type { LeaderRoute } from './leader-route.ts';

/** A reading that the leader does not answer within this is answered from the own copy. */
const READ_DEADLINE_MS = 3_000;
const DO_DEADLINE_MS = 60_000;
const SUCCESSION_DEADLINE_MS = 30_000;

interface AdminServiceOptions {
  readonly backends: AdminBackends;
  readonly route: LeaderRoute;
  readonly coordination: Pick<Coordination, 'leader' | 'onChange'>;
  /** For the metric of errors by code. */
  readonly onError: (error: unknown) => void;
}

/**
 * The Admin service of any coordinator. What is done is done by the leader, to which the call is passed on. What is read
 * comes from the leader too, so that whoever has just made something sees it everywhere; without a leader the own copy answers.
 */
export function adminHandlers({ backends, route, coordination, onError }: AdminServiceOptions): AdminHandlers {
  const { backups, snapshots, restores, status } = backends;

  /** Counts what a handler throws. */
  const counted =
    <Q, R>(handle: (request: Q, context: CallContext) => Promise<R>) =>
    async (request: Q, context: CallContext): Promise<R> => {
      try {
        return await handle(request, context);
      } catch (error) {
        onError(error);
        throw error;
      }
    };

  const countedStream = <Q, R>(handle: (request: Q, context: CallContext) => AsyncIterable<R>) =>
    async function* (request: Q, context: CallContext): AsyncGenerator<R> {
      try {
        yield* handle(request, context);
      } catch (error) {
        if (!context.signal.aborted) {
          onError(error);
        }
        throw error;
      }
    };

  type Remote<R> = (admin: AdminClient, settings: CallSettings) => Promise<R>;

  const perform = async <R>(
    context: CallContext,
    here: (leadership: Leadership) => Promise<R>,
    remote: Remote<R>,
  ): Promise<R> => {
    const found = route.find(context);
    if (found.kind === 'here') {
      return here(found.leadership);
    }
    const deadlineMs = context.remainingMs() ?? DO_DEADLINE_MS;
    return remote(found.channel.admin, { deadlineMs, signal: context.signal, metadata: found.metadata });
  };

  const read = async <R>(
    context: CallContext,
    here: () => Promise<R>,
    remote: Remote<R>,
    deadlineMaxMs = READ_DEADLINE_MS,
  ): Promise<R> => {
    try {
      const found = route.find(context);
      if (found.kind === 'leader') {
        const deadlineMs = Math.min(context.remainingMs() ?? deadlineMaxMs, deadlineMaxMs);
        return await remote(found.channel.admin, { deadlineMs, signal: context.signal, metadata: found.metadata });
      }
    } catch (error) {
      if (!(error instanceof TidemarkError && isLeaderless(error))) {
        throw error;
      }
    }
    return here();
  };

  return {
    GetStatus: unaryHandler(
      counted((request, context) =>
        read(
          context,
          async () => statusToMessage(await status.status()),
          (admin, settings) => callUnary(admin, 'GetStatus', request, settings),
        ),
      ),
    ),

    CreateBackup: serverStreamHandler(
      countedStream(async function* (request, context) {
        const found = route.find(context);
        if (found.kind === 'leader') {
          const { signal } = context;
          yield* callStream(found.channel.admin, 'CreateBackup', request, { signal, metadata: found.metadata });
          return;
        }
        const domain = codec.backupRequestFromMessage(request);
        const signal = AbortSignal.any([context.signal, found.leadership.signal]);
        for await (const event of backups.create(domain, found.leadership, signal)) {
          yield codec.backupEventToMessage(event);
        }
      }),
    ),

    ListBackups: unaryHandler(
      counted((request, context) =>
        read(
          context,
          async () => ({ backups: (await backups.list()).map(codec.backupToMessage) }),
          (admin, settings) => callUnary(admin, 'ListBackups', request, settings),
        ),
      ),
    ),

    GetBackup: unaryHandler(
      counted((request, context) =>
        read(
          context,
          async () => codec.backupToMessage(await backups.get(request.id)),
          (admin, settings) => callUnary(admin, 'GetBackup', request, settings),
        ),
      ),
    ),

    CreateSnapshot: unaryHandler(
      counted((request, context) =>
        perform(
          context,
          async () => codec.snapshotToMessage(await snapshots.createSnapshot({ label: request.label })),
          (admin, settings) => callUnary(admin, 'CreateSnapshot', request, settings),
        ),
      ),
    ),

    ListSnapshots: unaryHandler(
      counted((request, context) =>
        read(
          context,
          async () => ({ snapshots: (await snapshots.list(request.limit)).map(codec.snapshotToMessage) }),
          (admin, settings) => callUnary(admin, 'ListSnapshots', request, settings),
        ),
      ),
    ),

    GetSnapshot: unaryHandler(
      counted((request, context) =>
        read(
          context,
          async () => codec.snapshotToMessage(await snapshots.get(request.id)),
          (admin, settings) => callUnary(admin, 'GetSnapshot', request, settings),
        ),
      ),
    ),

    SnapshotAt: unaryHandler(
      counted((request, context) =>
        read(
          context,
          async () => codec.snapshotToMessage(await snapshots.at(codec.timeFromMessage(request.timeUs))),
          (admin, settings) => callUnary(admin, 'SnapshotAt', request, settings),
          DO_DEADLINE_MS,
        ),
      ),
    ),

    PlanRestore: unaryHandler(
      counted((request, context) =>
        read(
          context,
          async () =>
            restoreCodec.restorePlanToMessage(await restores.plan(restoreCodec.restoreRequestFromMessage(request))),
          (admin, settings) => callUnary(admin, 'PlanRestore', request, settings),
        ),
      ),
    ),

    Restore: serverStreamHandler(
      countedStream(async function* (request, context) {
        let passedOn = false;
        try {
          const found = route.find(context);
          if (found.kind === 'leader') {
            const { signal } = context;
            for await (const event of callStream(found.channel.admin, 'Restore', request, {
              signal,
              metadata: found.metadata,
            })) {
              passedOn = true;
              yield event;
            }
            return;
          }
        } catch (error) {
          // Any other error may be an agent's, which the leader passes on.
          if (passedOn || !(error instanceof TidemarkError && error.code === 'TM-LEAD-001')) {
            throw error;
          }
        }
        const domain = restoreCodec.restoreRequestFromMessage(request);
        // A restore reads copies and writes new directories: it needs no leader, and goes on when one is lost meanwhile.
        for await (const event of restores.run(domain, context.signal)) {
          yield restoreCodec.restoreEventToMessage(event);
        }
      }),
    ),

    GetLeader: unaryHandler(counted(async () => leaderToMessage(coordination.leader()))),

    ResignLeader: unaryHandler(
      counted((request, context) =>
        perform(
          context,
          async (leadership) => {
            await leadership.resign();
            const signal = withDeadline(context.signal, context.remainingMs() ?? SUCCESSION_DEADLINE_MS);
            return leaderToMessage(await successor(coordination, leadership.term, signal));
          },
          (admin, settings) => callUnary(admin, 'ResignLeader', request, settings),
        ),
      ),
    ),
  };
}

/** Whether the leader is the problem, and not the call. */
function isLeaderless(error: TidemarkError): boolean {
  return error.code === 'TM-LEAD-001' || error.code === 'TM-RPC-001' || error.code === 'TM-RPC-004';
}

/** Waits for a leader with a higher term. @throws TidemarkError TM-LEAD-001 when the signal is aborted first */
async function successor(
  coordination: Pick<Coordination, 'leader' | 'onChange'>,
  term: bigint,
  signal: AbortSignal,
): Promise<LeaderView> {
  const found = () => {
    const leader = coordination.leader();
    return leader !== null && leader.term > term ? leader : null;
  };
  let leader = found();
  while (leader === null) {
    const changed = new AbortController();
    const stopListening = coordination.onChange(() => {
      changed.abort();
    });
    try {
      // Between the look and the listening something may have changed.
      leader = found();
      if (leader === null) {
        const wakeup = AbortSignal.any([changed.signal, signal]);
        if (!wakeup.aborted) {
          await once(wakeup, 'abort');
        }
      }
    } finally {
      stopListening();
    }
    if (signal.aborted && leader === null) {
      throw new TidemarkError('TM-LEAD-001', 'the leader has resigned, and nobody has followed yet');
    }
    leader ??= found();
  }
  return leader;
}
