import type { BranchMatcher } from '../../shared/cuts/branch-matcher.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import type { Logger } from '../../shared/observability/logger.ts';
import type { Metrics } from '../../shared/observability/metrics.ts';
import { parseTimelineHistory, type TimelineHistory } from '../../shared/postgres/timeline-history.ts';
import { historyPath } from '../../shared/repository/layout.ts';
import { readObject } from '../../shared/repository/read-object.ts';
import type { ReadableRepository } from '../../shared/repository/repository.ts';
import type { Channel } from '../../shared/rpc/channel.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import type { AcknowledgementTracker } from '../copies/acknowledgement-tracker.ts';
import type { ObservedRepository } from '../copies/observed-repository.ts';
import type { WalStore } from '../journal/wal-store.ts';
import type { Membership } from '../membership/membership.ts';
import type { TimestampOracle } from '../timestamps/timestamp-oracle.ts';
import { AgentPositionSampler } from './agent-position-sampler.ts';
import { currentStreams } from './current-streams.ts';
import { SnapshotMetrics } from './snapshot-metrics.ts';
import { SnapshotService } from './snapshot-service.ts';

const HISTORY_BYTES_MAX = 1024 * 1024;

interface Parts {
  readonly cluster: string;
  readonly coordinatorId: string;
  readonly intervalMs: number;
  readonly matchers: readonly BranchMatcher[];
  readonly membership: Pick<Membership, 'nodes' | 'missing' | 'primary'>;
  readonly store: WalStore;
  readonly tracker: AcknowledgementTracker;
  readonly timestamps: TimestampOracle;
  readonly repository: ObservedRepository;
  /** A kept connection to an agent. */
  readonly agentChannel: (address: string) => Pick<Channel, 'agent'>;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** The snapshot service on a coordinator's own parts. */
export function openSnapshotService(parts: Parts): SnapshotService {
  const { membership, store, clock, repository, coordinatorId } = parts;
  return new SnapshotService({
    cluster: parts.cluster,
    coordinatorId,
    clock,
    streams: () => currentStreams(membership, store),
    missing: () => membership.missing(),
    sampler: (leadership) =>
      new AgentPositionSampler({
        coordinatorId,
        leadership,
        primary: (node) => membership.primary(node),
        channelTo: parts.agentChannel,
      }),
    wal: store,
    history: (stream) => readHistory(repository, stream),
    acknowledgements: parts.tracker,
    timestamps: parts.timestamps,
    repository,
    observer: new SnapshotMetrics(parts.metrics, parts.logger, clock),
    matchers: parts.matchers,
    intervalMs: parts.intervalMs,
  });
}

/** How the stream's timeline came to be; null until its history is here. */
async function readHistory(repository: ReadableRepository, stream: WalStreamKey): Promise<TimelineHistory | null> {
  if (stream.timeline === 1) {
    return { timeline: 1, ancestors: [] };
  }
  const path = historyPath(stream.node, stream.systemIdentifier, stream.timeline);
  try {
    return parseTimelineHistory(stream.timeline, await readObject(repository, path, HISTORY_BYTES_MAX));
  } catch (error) {
    if (error instanceof TidemarkError && error.code === 'TM-REPO-002') {
      return null;
    }
    throw error;
  }
}
