import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import { NO_LSN } from '../../shared/postgres/lsn.ts';
import { missingFrom, type LsnRange } from '../../shared/wal/lsn-range.ts';
import type { CoordinatorInfo } from '../coordination/coordination.ts';
import { BoundedIntake, IN_FLIGHT_BYTES_MAX } from '../journal/bounded-intake.ts';
import type { WalStore } from '../journal/wal-store.ts';
import { followWal, type PeerPosition } from './peer-client.ts';
import type { Peers } from './peers.ts';

/** A peer that gives nothing for this long is given up for now. */
const SILENCE_MAX_MS = 10_000;

export interface FetchWalOptions {
  readonly dataCenter: string;
  readonly peers: Peers;
  readonly store: WalStore;
  readonly clock: Clock;
}

/** What a peer holds of a stream and this copy does not. */
export function missingHere(store: WalStore, { stream, runs }: PeerPosition): LsnRange[] {
  return missingFrom(runs, store.position(stream)?.runs ?? []);
}

/**
 * Gets one range of WAL that is missing here from a peer that holds it, and resolves when it is durable. What is missing begins where own
 * WAL ends or where the peer's begins; in the first case the peer's last bytes before it are compared with the own ones.
 * @throws TidemarkError whatever ended the call, TM-WAL-004 if the peer's WAL is another one
 */
export async function fetchWal(
  { dataCenter, peers, store, clock }: FetchWalOptions,
  peer: CoordinatorInfo,
  { stream, segmentBytes }: PeerPosition,
  { startLsn, endLsn }: LsnRange,
  signal: AbortSignal,
): Promise<void> {
  const call = new AbortController();
  const onAbort = (): void => call.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  let heardAtMs = clock.monotonicMs();
  const watch = async (): Promise<void> => {
    while (!call.signal.aborted) {
      await clock.sleep(1_000, call.signal);
      if (clock.monotonicMs() - heardAtMs > SILENCE_MAX_MS) {
        call.abort(new TidemarkError('TM-RPC-004', `${peer.coordinatorId} has sent nothing for ${SILENCE_MAX_MS} ms`));
      }
    }
  };
  watch().catch(() => {});
  try {
    await store.settle(stream, signal);
    const held = store.position(stream);
    const joins = held?.runs.some((run) => run.endLsn === startLsn) === true;
    if (!joins) store.allowHoleBefore(stream, startLsn);
    const following = followWal(peers.channel(peer.address), {
      fence: { term: 0n, coordinatorId: peers.coordinatorId },
      dataCenter,
      stream,
      fromLsn: joins && held?.durableLsn === startLsn ? (store.resumeLsn(stream) ?? NO_LSN) : startLsn,
      signal: call.signal,
    });
    const intake = new BoundedIntake({
      store,
      stream,
      segmentBytes,
      inFlightBytesMax: IN_FLIGHT_BYTES_MAX,
      onDurable: () => {
        heardAtMs = clock.monotonicMs();
      },
      onFailure: (error) => call.abort(error),
    });
    for await (const message of following.messages) {
      heardAtMs = clock.monotonicMs();
      if (message.kind === 'hole') break;
      if (message.kind !== 'change-set') continue;
      await intake.add(message.changeSet, call.signal);
      if (message.changeSet.endLsn >= endLsn) break;
    }
    await intake.drained(call.signal);
    if (missingFrom([{ startLsn, endLsn }], store.position(stream)?.runs ?? []).length > 0) {
      throw new TidemarkError('TM-RPC-001', `${peer.coordinatorId} ended the stream early`);
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    call.abort(new TidemarkError('TM-RPC-001', 'the call is over'));
  }
}
