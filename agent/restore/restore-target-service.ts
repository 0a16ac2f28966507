import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { lsn } from '../../shared/postgres/lsn.ts';
import type { InDoubtBranch__Output } from '../../shared/rpc/generated/tidemark/v1/InDoubtBranch.ts';
import type { PrepareRestoreRequest__Output } from '../../shared/rpc/generated/tidemark/v1/PrepareRestoreRequest.ts';
import type { Progress } from '../../shared/rpc/generated/tidemark/v1/Progress.ts';
import type { RestoreTargetHandlers } from '../../shared/rpc/generated/tidemark/v1/RestoreTarget.ts';
import { serverStreamHandler, unaryHandler } from '../../shared/rpc/handlers.ts';
import type { RestoreProgress } from './restore-preparation.ts';
import type { InDoubtBranch, RestoreRequest, RestoreSource } from './restore-request.ts';
import type { RestoreTarget } from './restore-target.ts';

/** The service `RestoreTarget`. */
export function restoreTargetHandlers(target: RestoreTarget, node: string): RestoreTargetHandlers {
  return {
    PrepareRestore: serverStreamHandler((request: PrepareRestoreRequest__Output, { signal }) =>
      withProgress(node, signal, (onProgress, stop) => target.prepare(requestFromMessage(request), onProgress, stop)),
    ),
    StartFenced: serverStreamHandler(({ restoreId }: { restoreId: string }, { signal }) =>
      withProgress(node, signal, (onProgress, stop) => target.startFenced(restoreId, onProgress, stop)),
    ),
    Promote: unaryHandler(async ({ restoreId }, { signal }) => {
      const { prepared, replayLsn, timeline } = await target.promote(restoreId, signal);
      return { prepared: [...prepared], replayLsn: replayLsn.toString(), timeline };
    }),
    ResolveInDoubt: unaryHandler(({ restoreId, branches }, { signal }) =>
      target.resolveInDoubt(restoreId, branches.map(branchFromMessage), signal),
    ),
    CheckRestored: unaryHandler(async ({ restoreId, assertions }, { signal }) => ({
      failures: [...(await target.check(restoreId, assertions, signal))],
    })),
    OpenRestored: unaryHandler(({ restoreId }, { signal }) => target.open(restoreId, signal)),
    AbandonRestore: unaryHandler(async ({ restoreId }) => {
      await target.abandon(restoreId);
      return {};
    }),
  };
}

/** Runs a step and gives the newest progress as fast as the caller takes it; the step ends when the caller goes away. */
async function* withProgress(
  node: string,
  signal: AbortSignal,
  run: (onProgress: (progress: RestoreProgress) => void, signal: AbortSignal) => Promise<void>,
): AsyncGenerator<Progress> {
  const left = new AbortController();
  const mailbox: { newest: RestoreProgress; done: boolean; wake: () => void } = {
    newest: NO_PROGRESS,
    done: false,
    wake: () => undefined,
  };
  let sent = NO_PROGRESS;
  const onProgress = (progress: RestoreProgress): void => {
    mailbox.newest = progress;
    if (isNews(sent, progress)) mailbox.wake();
  };
  const step = run(onProgress, AbortSignal.any([signal, left.signal])).finally(() => {
    mailbox.done = true;
    mailbox.wake();
  });
  step.catch(() => undefined);
  try {
    while (!mailbox.done) {
      if (isNews(sent, mailbox.newest)) {
        sent = mailbox.newest;
        yield { node, ...sent };
      } else {
        await new Promise<void>((resolve) => {
          mailbox.wake = resolve;
        });
      }
    }
    if (mailbox.newest !== sent) yield { node, ...mailbox.newest };
    await step;
  } finally {
    left.abort(new TidemarkError('TM-RPC-001', 'the caller of a restore step went away'));
    await step.catch(() => undefined);
  }
}

const NO_PROGRESS: RestoreProgress = { phase: '', bytesDone: 0, bytesTotal: 0, message: '' };
/** A step of at least this many bytes is worth a message. */
const PROGRESS_BYTES = 8 * 1024 * 1024;

function isNews(before: RestoreProgress, now: RestoreProgress): boolean {
  return (
    before.phase !== now.phase || before.message !== now.message || now.bytesDone - before.bytesDone >= PROGRESS_BYTES
  );
}

/** @throws TidemarkError TM-USAGE-001 if the request lacks its stream or source */
function requestFromMessage(message: PrepareRestoreRequest__Output): RestoreRequest {
  const { stream, restoreId, backupId, directory, port, tablespaceDirectories, settings, walSegmentBytes } = message;
  if (stream === null) throw new TidemarkError('TM-USAGE-001', 'the restore does not say of which stream');
  return {
    restoreId,
    node: stream.node,
    systemIdentifier: stream.systemIdentifier,
    timeline: stream.timeline,
    backupId,
    targetLsn: lsn(BigInt(message.targetLsn)),
    walFromLsn: lsn(BigInt(message.walFromLsn)),
    walEndLsn: lsn(BigInt(message.walEndLsn)),
    walSegmentBytes,
    directory,
    port,
    source: sourceFromMessage(message),
    tablespaceDirectories: { ...tablespaceDirectories },
    expectedInDoubt: message.expectedInDoubt.map(branchFromMessage),
    settings: { ...settings },
  };
}

function sourceFromMessage({ source }: PrepareRestoreRequest__Output): RestoreSource {
  if (source?.repositoryPath !== undefined && source.repositoryPath !== '') {
    return { kind: 'repository', path: source.repositoryPath };
  }
  const addresses = source?.coordinators?.addresses ?? [];
  if (addresses.length > 0) return { kind: 'coordinators', addresses };
  throw new TidemarkError('TM-USAGE-001', 'the restore does not say where its bytes come from');
}

function branchFromMessage({ gid, xid, databaseOid, commit }: InDoubtBranch__Output): InDoubtBranch {
  return { gid, xid, databaseOid, commit };
}
