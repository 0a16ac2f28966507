import type { Progress } from '../admin/progress.ts';
import type { BackupSource, PrepareRequest, Promoted, RestoreTarget } from '../cluster-restore/restore-target.ts';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { lsn } from '../postgres/lsn.ts';
import type { InDoubtDecision } from '../repository/snapshot-manifest.ts';
import { progressFromMessage } from './admin-codec.ts';
import { walStreamToMessage } from './change-set-codec.ts';
import type { Channel } from './channel.ts';
import type { BackupSource as BackupSourceMessage } from './generated/tidemark/v1/BackupSource.ts';
import type { InDoubtBranch } from './generated/tidemark/v1/InDoubtBranch.ts';
import type { Progress__Output } from './generated/tidemark/v1/Progress.ts';
import { callStream, callUnary } from './streams.ts';

/** Recovery's last steps write and sync what was replayed. */
const STEP_TIMEOUT_MS = 600_000;

/** Drives the agent on a restore's target host. */
export class RestoreTargetClient implements RestoreTarget {
  readonly node: string;
  readonly #channel: Pick<Channel, 'address' | 'restoreTarget'>;

  constructor(node: string, channel: Pick<Channel, 'address' | 'restoreTarget'>) {
    this.node = node;
    this.#channel = channel;
  }

  get address(): string {
    return this.#channel.address;
  }

  async *prepare(request: PrepareRequest, signal: AbortSignal): AsyncIterable<Progress> {
    const message = {
      restoreId: request.restoreId,
      stream: walStreamToMessage(request.stream),
      backupId: request.backupId,
      targetLsn: request.targetLsn.toString(),
      walFromLsn: request.walFromLsn.toString(),
      walEndLsn: request.walEndLsn.toString(),
      walSegmentBytes: request.walSegmentBytes,
      directory: request.directory,
      port: request.port,
      source: sourceToMessage(request.source),
      tablespaceDirectories: { ...request.tablespaceDirectories },
      expectedInDoubt: request.expectedInDoubt.map(branchToMessage),
      settings: { ...request.settings },
    };
    yield* this.#progress(callStream(this.#channel.restoreTarget, 'PrepareRestore', message, { signal }));
  }

  async *startFenced(restoreId: string, signal: AbortSignal): AsyncIterable<Progress> {
    yield* this.#progress(callStream(this.#channel.restoreTarget, 'StartFenced', { restoreId }, { signal }));
  }

  async promote(restoreId: string, signal: AbortSignal): Promise<Promoted> {
    const answer = this.#answered(
      await callUnary(this.#channel.restoreTarget, 'Promote', { restoreId }, { deadlineMs: STEP_TIMEOUT_MS, signal }),
    );
    return {
      prepared: answer.prepared.map(({ gid, xid, databaseOid }) => ({ gid, xid, databaseOid })),
      replayLsn: lsn(BigInt(answer.replayLsn)),
    };
  }

  async resolve(
    restoreId: string,
    branches: readonly InDoubtDecision[],
    signal: AbortSignal,
  ): Promise<{ readonly committed: number; readonly rolledBack: number }> {
    const { committed, rolledBack } = this.#answered(
      await callUnary(
        this.#channel.restoreTarget,
        'ResolveInDoubt',
        { restoreId, branches: branches.map(branchToMessage) },
        { deadlineMs: STEP_TIMEOUT_MS, signal },
      ),
    );
    return { committed, rolledBack };
  }

  async check(restoreId: string, assertions: readonly string[], signal: AbortSignal): Promise<readonly string[]> {
    const { failures } = this.#answered(
      await callUnary(
        this.#channel.restoreTarget,
        'CheckRestored',
        { restoreId, assertions: [...assertions] },
        { deadlineMs: STEP_TIMEOUT_MS, signal },
      ),
    );
    return failures;
  }

  async open(restoreId: string, signal: AbortSignal): Promise<{ readonly port: number }> {
    const { port } = this.#answered(
      await callUnary(
        this.#channel.restoreTarget,
        'OpenRestored',
        { restoreId },
        { deadlineMs: STEP_TIMEOUT_MS, signal },
      ),
    );
    return { port };
  }

  async abandon(restoreId: string, signal: AbortSignal): Promise<void> {
    await callUnary(
      this.#channel.restoreTarget,
      'AbandonRestore',
      { restoreId },
      { deadlineMs: STEP_TIMEOUT_MS, signal },
    );
  }

  async *#progress(messages: AsyncIterable<Progress__Output>): AsyncIterable<Progress> {
    for await (const message of messages) {
      yield { ...progressFromMessage(message), node: this.node };
    }
  }

  #answered<Answer>(answer: Answer | undefined): Answer {
    if (answer === undefined) {
      throw new TidemarkError('TM-RPC-003', `the agent at ${this.address} gave an empty answer`);
    }
    return answer;
  }
}

function sourceToMessage(source: BackupSource): BackupSourceMessage {
  return source.kind === 'coordinators'
    ? { source: 'coordinators', coordinators: { addresses: [...source.addresses] } }
    : { source: 'repositoryPath', repositoryPath: source.path };
}

function branchToMessage(branch: InDoubtDecision): InDoubtBranch {
  return {
    gid: branch.gid,
    xid: branch.xid,
    databaseOid: branch.databaseOid,
    prepareLsn: branch.prepareLsn.toString(),
    commit: branch.decision === 'commit',
  };
}
