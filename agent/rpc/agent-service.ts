import { once } from 'node:events';
import { assert } from '../../shared/errors/assert.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { rejectOnAbort } from '../../shared/lifecycle/reject-on-abort.ts';
import type { Instance } from '../../shared/postgres/instance.ts';
import { lsn } from '../../shared/postgres/lsn.ts';
import { changeSetToMessage, walStreamFromMessage } from '../../shared/rpc/change-set-codec.ts';
import type { AgentHandlers } from '../../shared/rpc/generated/tidemark/v1/Agent.ts';
import type { Fence__Output } from '../../shared/rpc/generated/tidemark/v1/Fence.ts';
import type { Instance__Output } from '../../shared/rpc/generated/tidemark/v1/Instance.ts';
import type {
  _tidemark_v1_PullWalRequest_Open__Output as Open,
  PullWalRequest__Output,
} from '../../shared/rpc/generated/tidemark/v1/PullWalRequest.ts';
import type { PullWalResponse } from '../../shared/rpc/generated/tidemark/v1/PullWalResponse.ts';
import { duplexHandler, unaryHandler, type Duplex } from '../../shared/rpc/handlers.ts';
import { instanceToMessage } from '../../shared/rpc/instance-codec.ts';
import { WalStream, type WalStreamSettings } from '../change-sets/wal-stream.ts';
import type { SynchronousModeReader } from '../postgres/synchronous-mode.ts';
import type { StreamObserver } from '../metrics/stream-observer.ts';
import type { InstanceReader } from '../postgres/instance-reader.ts';
import type { TermStore } from '../../shared/term/term-store.ts';
import { samplePosition } from './position-sample.ts';
import { PullTurn } from './pull-turn.ts';

export interface AgentServiceSettings extends WalStreamSettings {
  readonly instance: InstanceReader;
  readonly synchronousMode: SynchronousModeReader;
  readonly terms: TermStore;
  readonly observer: StreamObserver;
}

const HEARTBEAT_INTERVAL_MS = 1_000;

type PullDuplex = Duplex<PullWalRequest__Output, PullWalResponse>;

/** What a fenced call says about its caller. */
interface Caller {
  readonly term: bigint;
  readonly coordinatorId: string;
}

/** The WAL part of the service `Agent`: one stream at a time, for the leader with the highest term. */
export class AgentService {
  readonly #settings: AgentServiceSettings;
  readonly #turn = new PullTurn();

  constructor(settings: AgentServiceSettings) {
    this.#settings = settings;
    // A leader of a lower term is not served any longer once a higher one was seen in any call.
    settings.terms.onRaised((term) => this.#turn.endBelow(term));
  }

  handlers(): Pick<AgentHandlers, 'GetInstance' | 'PullWal' | 'SamplePosition'> {
    return {
      GetInstance: unaryHandler<unknown, Instance__Output>(
        async () => instanceToMessage(await this.#settings.instance.describe()) as Instance__Output,
      ),
      PullWal: duplexHandler<PullWalRequest__Output, PullWalResponse>((duplex) => this.#pullWal(duplex)),
      SamplePosition: unaryHandler(async ({ fence, flush }) => {
        const { sql, clock, terms } = this.#settings;
        const arrivedAtMs = clock.monotonicMs();
        const { term, coordinatorId } = callerOf(fence);
        await terms.admit(term, coordinatorId);
        // Before the position: what is committed behind it is committed in this mode.
        const synchronous = await this.#settings.synchronousMode.read();
        const sample = await samplePosition(sql, { flush, clock });
        return {
          insertLsn: sample.insertLsn.toString(),
          timeline: sample.timeline,
          systemIdentifier: sample.systemIdentifier,
          nodeTimeUs: sample.nodeTimeUs.toString(),
          synchronous,
          beforeUs: Math.floor((sample.askedAtMs - arrivedAtMs) * 1000),
          afterUs: Math.floor((clock.monotonicMs() - sample.answeredAtMs) * 1000),
          readingUs: Math.ceil((sample.answeredAtMs - sample.askedAtMs) * 1000),
          arrivedUs: Math.floor(arrivedAtMs * 1000).toString(),
        };
      }),
    };
  }

  /** Until told to stop; then ends the running stream and takes no other one. */
  async run(signal: AbortSignal): Promise<void> {
    if (!signal.aborted) await once(signal, 'abort');
    await this.#turn.stop();
  }

  async #pullWal(duplex: PullDuplex): Promise<void> {
    const requests = duplex.requests[Symbol.asyncIterator]();
    const first = await requests.next();
    if (first.done === true || first.value.request !== 'open' || !first.value.open) {
      throw new TidemarkError('TM-USAGE-001', 'the first message of PullWal is to be "open"');
    }
    const { open } = first.value;
    const caller = callerOf(open.fence);
    const { terms, observer } = this.#settings;
    await terms.admit(caller.term, caller.coordinatorId);
    const turn = await this.#turn.enter(caller.term, duplex.signal);
    try {
      terms.check(caller.term, caller.coordinatorId);
      await this.#stream(duplex, open, caller, requests, turn.signal);
      observer.ended(null);
    } catch (error) {
      // The reason that the turn ended for explains whatever broke because of it.
      const failure: unknown = turn.signal.aborted ? turn.signal.reason : error;
      observer.ended(failure);
      throw failure;
    } finally {
      turn.leave();
    }
  }

  async #stream(
    duplex: PullDuplex,
    open: Open,
    caller: Caller,
    requests: AsyncIterator<PullWalRequest__Output>,
    signal: AbortSignal,
  ): Promise<void> {
    const key = walStreamFromMessage(open.stream);
    const instance = await this.#settings.instance.read();
    checkStream(key, instance);
    const stream = await WalStream.open(this.#settings, {
      systemIdentifier: key.systemIdentifier,
      timeline: key.timeline,
      fromLsn: lsn(BigInt(open.fromLsn)),
      parseFromLsn: lsn(BigInt(open.parseFromLsn)),
      segmentBytes: instance.walSegmentBytes,
    });
    this.#settings.observer.started(stream, caller.coordinatorId, caller.term);
    const ended = new AbortController();
    const stop = AbortSignal.any([signal, ended.signal]);
    const closed = new Promise<void>((resolve, reject) => {
      const close = (): void => {
        stream.close().then(resolve, reject);
      };
      if (stop.aborted) close();
      else stop.addEventListener('abort', close, { once: true });
    });
    // A failure of any of the three ends the others.
    const run = async (part: Promise<void>): Promise<void> => {
      try {
        await part;
      } catch (error) {
        ended.abort(error);
        throw error;
      }
    };
    try {
      // A leader that takes nothing, such as a paused one, must not keep the next one waiting.
      const send = (message: PullWalResponse): Promise<void> => duplex.send(message, stop);
      await send({
        started: {
          instance: instanceToMessage(await this.#settings.instance.describe()),
          fromLsn: stream.startLsn.toString(),
          histories: [...stream.histories],
        },
      });
      const sendThrough = (message: PullWalResponse): Promise<void> => duplex.sendThrough(message, stop);
      const sending = run(this.#sendChangeSets(stream, send, sendThrough, ended));
      const parts = [
        sending,
        run(this.#sendHeartbeats(stream, send, stop)),
        run(this.#takeAcknowledgements(stream, requests, caller, stop)),
      ];
      const results = await Promise.allSettled(parts);
      const failed = results.find((result) => result.status === 'rejected');
      if (failed !== undefined) throw ended.signal.reason ?? failed.reason;
      signal.throwIfAborted();
    } finally {
      ended.abort();
      await closed;
    }
  }

  async #sendChangeSets(
    stream: WalStream,
    send: (message: PullWalResponse) => Promise<void>,
    sendThrough: (message: PullWalResponse) => Promise<void>,
    ended: AbortController,
  ): Promise<void> {
    for await (const changeSet of stream.changeSets()) {
      // A frame in a slot of the pool is overwritten when the next change set is asked for.
      const isLent = changeSet.frame.buffer instanceof SharedArrayBuffer;
      await (isLent ? sendThrough : send)({ changeSet: changeSetToMessage(changeSet) });
      this.#settings.observer.sent(changeSet);
    }
    const { next } = stream;
    if (next === null) return;
    await send({
      timelineEnd: {
        endLsn: next.startLsn.toString(),
        nextTimeline: next.timeline,
        history: await stream.nextHistory(),
      },
    });
    ended.abort();
  }

  async #sendHeartbeats(
    stream: WalStream,
    send: (message: PullWalResponse) => Promise<void>,
    stop: AbortSignal,
  ): Promise<void> {
    while (!stop.aborted) {
      await send({
        heartbeat: {
          serverWalEndLsn: stream.serverEndLsn.toString(),
          sentLsn: stream.sentLsn.toString(),
          agentTimeUs: this.#timeUs(),
        },
      });
      await this.#settings.clock.sleep(HEARTBEAT_INTERVAL_MS, stop).catch(() => undefined);
    }
  }

  async #takeAcknowledgements(
    stream: WalStream,
    requests: AsyncIterator<PullWalRequest__Output>,
    caller: Caller,
    stop: AbortSignal,
  ): Promise<void> {
    while (!stop.aborted) {
      let result;
      try {
        result = await rejectOnAbort(requests.next(), stop);
      } catch (error) {
        if (stop.aborted) return;
        throw error;
      }
      if (result.done === true) throw new TidemarkError('TM-RPC-001', 'the leader ended the call');
      const { acknowledge } = result.value;
      if (!acknowledge) throw new TidemarkError('TM-USAGE-001', 'PullWal was opened already');
      this.#settings.terms.check(caller.term, caller.coordinatorId);
      stream.acknowledge(lsn(BigInt(acknowledge.durableLsn)));
    }
  }

  #timeUs(): string {
    return (BigInt(Math.round(this.#settings.clock.nowMs())) * 1000n).toString();
  }
}

function callerOf(fence: Fence__Output | null): Caller {
  assert(fence === null || typeof fence.term === 'string', 'terms travel as text');
  if (fence === null || BigInt(fence.term) <= 0n || fence.coordinatorId === '') {
    throw new TidemarkError('TM-USAGE-001', 'the call says neither its term nor who it comes from');
  }
  return { term: BigInt(fence.term), coordinatorId: fence.coordinatorId };
}

function checkStream(key: { readonly node: string; readonly systemIdentifier: string }, instance: Instance): void {
  if (key.node !== instance.node) {
    throw new TidemarkError('TM-PG-003', `this agent stands beside node ${instance.node}, not ${key.node}`);
  }
  if (key.systemIdentifier !== instance.systemIdentifier) {
    throw new TidemarkError(
      'TM-PG-003',
      `node ${instance.node} is PostgreSQL system ${instance.systemIdentifier}, not ${key.systemIdentifier}`,
    );
  }
}
