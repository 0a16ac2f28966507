import { readPastEvents } from '../../shared/any-time/past-events.ts';
import { chooseMatchers, type MatcherChoice } from '../../shared/cuts/choose-matchers.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import type { Logger } from '../../shared/observability/logger.ts';
import type { Metrics } from '../../shared/observability/metrics.ts';
import type { ReadableRepository } from '../../shared/repository/repository.ts';
import { readHistory } from '../../shared/repository/timeline-histories.ts';
import { listWalGaps } from '../../shared/repository/wal-gap.ts';
import type { Channel } from '../../shared/rpc/channel.ts';
import type { AcknowledgementTracker } from '../copies/acknowledgement-tracker.ts';
import type { ObservedRepository } from '../copies/observed-repository.ts';
import type { WalStore } from '../journal/wal-store.ts';
import type { Membership } from '../membership/membership.ts';
import type { TimestampOracle } from '../timestamps/timestamp-oracle.ts';
import { AgentPositionSampler } from './agent-position-sampler.ts';
import { currentStreams } from './current-streams.ts';
import { SnapshotMetrics } from './snapshot-metrics.ts';
import type { SynchronousRecord } from './synchronous-record.ts';
import { SnapshotService } from './snapshot-service.ts';

interface Parts {
  readonly cluster: string;
  readonly coordinatorId: string;
  readonly intervalMs: number;
  readonly match: readonly MatcherChoice[];
  readonly preparedWarningMs: number;
  readonly membership: Pick<Membership, 'nodes' | 'missing' | 'primary'>;
  readonly store: WalStore;
  readonly tracker: AcknowledgementTracker;
  readonly timestamps: TimestampOracle;
  readonly synchronous: SynchronousRecord;
  readonly repository: ObservedRepository;
  /** All of it, with the segments that are not finished as far as they are durable. */
  readonly copy: ReadableRepository;
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
        heard: (node, synchronous) => parts.synchronous.heard(node, synchronous),
      }),
    wal: store,
    history: (stream) => readHistory(repository, stream),
    gaps: (stream) => listWalGaps(repository, stream.node, stream.systemIdentifier),
    readPast: (stream, afterLsn) => readPastEvents(parts.copy, stream, afterLsn),
    acknowledgements: parts.tracker,
    timestamps: parts.timestamps,
    synchronous: parts.synchronous,
    repository,
    observer: new SnapshotMetrics(parts.metrics, parts.logger, clock),
    matchers: chooseMatchers(parts.match),
    match: parts.match,
    preparedWarningMs: parts.preparedWarningMs,
    intervalMs: parts.intervalMs,
  });
}
