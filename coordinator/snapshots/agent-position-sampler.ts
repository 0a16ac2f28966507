import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { lsn } from '../../shared/postgres/lsn.ts';
import { isConfirmed } from '../../shared/postgres/synchronous-mode.ts';
import type { Channel } from '../../shared/rpc/channel.ts';
import { callUnary } from '../../shared/rpc/streams.ts';
import type { Leadership } from '../coordination/coordination.ts';
import type { PositionSample, PositionSampler } from './double-collect.ts';

const CALL_TIMEOUT_MS = 10_000;

interface AgentPositionSamplerOptions {
  readonly coordinatorId: string;
  /** Called with each answer. */
  readonly heard?: (node: string, synchronous: boolean) => void;
  readonly leadership: Leadership;
  readonly primary: (node: string) => { readonly advertisedAddress: string } | null;
  /** A channel that stays open between calls: a connection's making would widen the collect. */
  readonly channelTo: (address: string) => Pick<Channel, 'agent'>;
}

/** Asks the agent beside each node's primary, in this leadership's term. */
export class AgentPositionSampler implements PositionSampler {
  readonly #options: AgentPositionSamplerOptions;

  constructor(options: AgentPositionSamplerOptions) {
    this.#options = options;
  }

  async sample(
    node: string,
    { flush, signal }: { readonly flush: boolean; readonly signal: AbortSignal },
  ): Promise<PositionSample> {
    const { coordinatorId, leadership, primary, channelTo } = this.#options;
    const instance = primary(node);
    if (instance === null) {
      throw new TidemarkError('TM-RPC-001', `no primary of node ${node} is known`, {
        hint: 'See whether its agent runs and reaches a coordinator.',
      });
    }
    const sample = await callUnary(
      channelTo(instance.advertisedAddress).agent,
      'SamplePosition',
      { fence: { term: leadership.term.toString(), coordinatorId }, flush },
      { deadlineMs: CALL_TIMEOUT_MS, signal },
    );
    if (sample === undefined) {
      throw new TidemarkError('TM-RPC-003', `the agent of node ${node} gave an empty answer`);
    }
    const synchronous = sample.synchronous !== null && isConfirmed(sample.synchronous);
    if (!flush) this.#options.heard?.(node, synchronous);
    return {
      insertLsn: lsn(BigInt(sample.insertLsn)),
      timeline: sample.timeline,
      systemIdentifier: sample.systemIdentifier,
      nodeTimeUs: BigInt(sample.nodeTimeUs),
      agentClock:
        sample.arrivedUs === '0' ? null : { arrivedMs: Number(sample.arrivedUs) / 1000, readingUs: sample.readingUs },
      around: { beforeUs: sample.beforeUs, afterUs: sample.afterUs },
      synchronous,
    };
  }
}
