import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { formatLsn, lsn, NO_LSN, type Lsn } from '../../shared/postgres/lsn.ts';
import { segmentStart } from '../../shared/postgres/wal-segment.ts';
import { changeSetToMessage } from '../../shared/rpc/change-set-codec.ts';
import type { PullWalRequest__Output } from '../../shared/rpc/generated/tidemark/v1/PullWalRequest.ts';
import type { PullWalResponse } from '../../shared/rpc/generated/tidemark/v1/PullWalResponse.ts';
import { duplexHandler, unaryHandler, type Duplex } from '../../shared/rpc/handlers.ts';
import { instanceToMessage } from '../../shared/rpc/instance-codec.ts';
import { protocol } from '../../shared/rpc/proto.ts';
import { RpcServer } from '../../shared/rpc/server.ts';
import type { Instance } from '../../shared/postgres/instance.ts';
import { madeChangeSet } from './made-wal.ts';

const PAUSE_MS = 5;

interface MadeAgentOptions {
  readonly node: string;
  readonly systemIdentifier: string;
  readonly segmentBytes: number;
  readonly startLsn: bigint;
  /** In [0, 1): how change sets are cut. */
  readonly random: () => number;
  readonly changeSetBytesMax: number;
}

/**
 * Speaks an agent's protocol over made WAL. Like PostgreSQL with a slot, it forgets what was acknowledged: a leader that asks for less
 * than that gets TM-WAL-003, so an acknowledged byte that is lost is seen. It refuses terms lower than it has seen.
 */
export class MadeAgent {
  readonly #options: MadeAgentOptions;
  readonly #server = new RpcServer();
  #highestTerm = 0n;
  #endCall = (): void => {};
  acknowledgedLsn: Lsn;
  /** What lies before it was removed, on every timeline. */
  removedLsn: Lsn = NO_LSN;
  /** Where the server's WAL ends; to be moved by the test. */
  endLsn: Lsn;
  /** Every call's Open, for the test to look at. */
  readonly opens: { readonly term: bigint; readonly fromLsn: bigint; readonly parseFromLsn: bigint }[] = [];
  /** Ends the timeline there, once reached. */
  timelineEnd: { readonly endLsn: Lsn; readonly nextTimeline: number } | null = null;
  timeline = 1;

  constructor(options: MadeAgentOptions) {
    this.#options = options;
    this.acknowledgedLsn = lsn(options.startLsn);
    this.endLsn = lsn(options.startLsn);
  }

  async listen(): Promise<void> {
    this.#server.addService(protocol.Agent.service, {
      GetInstance: unaryHandler(async () => instanceToMessage(this.instance)),
      PullWal: duplexHandler((duplex: Duplex<PullWalRequest__Output, PullWalResponse>) => this.#serve(duplex)),
    });
    await this.#server.listen('127.0.0.1:0');
  }

  async stop(): Promise<void> {
    await this.#server.stop(0);
  }

  /** Ends the call that is running. */
  hangUp(): void {
    this.#endCall();
  }

  get instance(): Instance {
    return {
      node: this.#options.node,
      instance: `${this.#options.node}-a`,
      systemIdentifier: this.#options.systemIdentifier,
      timeline: this.timeline,
      inRecovery: false,
      serverVersionNum: 180000,
      walSegmentBytes: this.#options.segmentBytes,
      dataDirectory: '/nowhere',
      slot: 'tidemark',
      slotRestartLsn: this.acknowledgedLsn,
      flushLsn: this.endLsn,
      dataChecksums: true,
      advertisedAddress: this.#server.address ?? '',
      highestTerm: this.#highestTerm,
      postgresReachable: true,
      synchronous: { configured: false, problem: '' },
      problem: '',
    };
  }

  async #serve({ requests, send, signal }: Duplex<PullWalRequest__Output, PullWalResponse>): Promise<void> {
    const iterator = requests[Symbol.asyncIterator]();
    const first = await iterator.next();
    const open = first.done === true ? null : first.value.open;
    if (!open) throw new TidemarkError('TM-USAGE-001', 'Open comes first');
    const term = BigInt(open.fence?.term ?? 0);
    if (term < this.#highestTerm) throw new TidemarkError('TM-LEAD-002', `term ${term} is over`);
    this.#highestTerm = term;
    const timeline = open.stream?.timeline ?? 0;
    this.#endCall();
    const ended = new AbortController();
    const end = (this.#endCall = () => ended.abort());
    signal.addEventListener('abort', end, { once: true });
    const { segmentBytes } = this.#options;
    const fromLsn = open.fromLsn === '0' ? segmentStart(this.acknowledgedLsn, segmentBytes) : lsn(BigInt(open.fromLsn));
    this.opens.push({ term, fromLsn, parseFromLsn: BigInt(open.parseFromLsn) });
    const isForgotten = timeline === this.timeline && fromLsn < segmentStart(this.acknowledgedLsn, segmentBytes);
    if (isForgotten || fromLsn < this.removedLsn) {
      throw new TidemarkError(
        'TM-WAL-003',
        `WAL before ${formatLsn(this.acknowledgedLsn)} is gone, asked from ${formatLsn(fromLsn)}`,
      );
    }
    const listening = (async () => {
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
        const durableLsn = lsn(BigInt(next.value.acknowledge?.durableLsn ?? 0));
        if (!ended.signal.aborted && term === this.#highestTerm && durableLsn > this.acknowledgedLsn) {
          this.acknowledgedLsn = durableLsn;
        }
      }
      end();
    })();
    listening.catch(end);
    await send({ started: { instance: instanceToMessage(this.instance), fromLsn: fromLsn.toString(), histories: [] } });
    await this.#stream(timeline, fromLsn, send, ended.signal);
    if (ended.signal.aborted && !signal.aborted) throw new TidemarkError('TM-LEAD-002', 'another call has begun');
  }

  async #stream(
    timeline: number,
    fromLsn: Lsn,
    send: (message: PullWalResponse) => Promise<void>,
    signal: AbortSignal,
  ) {
    let position: bigint = fromLsn;
    const segment = BigInt(this.#options.segmentBytes);
    while (!signal.aborted) {
      const stop =
        this.timelineEnd !== null && this.timelineEnd.nextTimeline > timeline ? this.timelineEnd.endLsn : this.endLsn;
      if (position >= stop) {
        if (this.timelineEnd !== null && stop === this.timelineEnd.endLsn && this.timelineEnd.nextTimeline > timeline) {
          const { endLsn, nextTimeline } = this.timelineEnd;
          const history = {
            timeline: nextTimeline,
            content: Buffer.from(`${timeline}\t${formatLsn(endLsn)}\tno reason\n`),
          };
          await send({ timelineEnd: { endLsn: endLsn.toString(), nextTimeline, history } });
          return;
        }
        await send({
          heartbeat: { serverWalEndLsn: this.endLsn.toString(), sentLsn: position.toString(), agentTimeUs: '1' },
        });
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
        continue;
      }
      const length = BigInt(1 + Math.floor(this.#options.random() * this.#options.changeSetBytesMax));
      const end = [position + length, (position / segment + 1n) * segment, stop as bigint].reduce((a, b) =>
        a < b ? a : b,
      );
      await send({ changeSet: changeSetToMessage(madeChangeSet(position, end, { timeline })) });
      position = end;
    }
  }
}
