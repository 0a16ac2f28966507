import type { Readable, Writable } from 'node:stream';
import * as grpc from '@grpc/grpc-js';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { fromServiceError } from './errors.ts';

/** Messages that may wait in a call's write queue; each may be 1 MiB. */
const QUEUED_MESSAGES_MAX = 4;

export interface CallSettings {
  /** Left out: none; give one to every unary call. */
  readonly deadlineMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly metadata?: grpc.Metadata | undefined;
}

type UnaryNames<C> = {
  [K in keyof C]: C[K] extends (argument: infer _Q, callback: grpc.requestCallback<infer _R>) => grpc.ClientUnaryCall
    ? K
    : never;
}[keyof C];
type UnaryRequest<M> = M extends (argument: infer Q, callback: grpc.requestCallback<infer _R>) => grpc.ClientUnaryCall
  ? Q
  : never;
type UnaryResponse<M> = M extends (argument: infer _Q, callback: grpc.requestCallback<infer R>) => grpc.ClientUnaryCall
  ? R
  : never;

/**
 * Calls a unary method, for example `callUnary(channel.agent, 'GetInstance', {}, { deadlineMs: 5_000 })`.
 * @throws TidemarkError what the peer threw, or TM-RPC-*; the signal's reason when it was aborted
 */
export async function callUnary<C extends grpc.Client, K extends UnaryNames<C>>(
  client: C,
  method: K,
  request: UnaryRequest<C[K]>,
  { deadlineMs, signal, metadata }: CallSettings,
): Promise<UnaryResponse<C[K]>> {
  signal?.throwIfAborted();
  const invoke = client[method] as (
    argument: UnaryRequest<C[K]>,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<UnaryResponse<C[K]>>,
  ) => grpc.ClientUnaryCall;
  let abort = () => {};
  try {
    return await new Promise<UnaryResponse<C[K]>>((resolve, reject) => {
      const call = invoke.call(
        client,
        request,
        metadata ?? new grpc.Metadata(),
        callOptions(deadlineMs),
        (error, response) => {
          if (error === null) {
            resolve(response as UnaryResponse<C[K]>);
          } else {
            reject(fromServiceError(error, addressOf(client)));
          }
        },
      );
      abort = () => {
        call.cancel();
        reject(abortReason(signal));
      };
      signal?.addEventListener('abort', abort, { once: true });
    });
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

type StreamNames<C> = {
  [K in keyof C]: C[K] extends (
    argument: infer _Q,
    options?: grpc.CallOptions,
  ) => grpc.ClientReadableStream<infer _R> & { write?: never }
    ? K
    : never;
}[keyof C];
type StreamRequest<M> = M extends (argument: infer Q, options?: grpc.CallOptions) => grpc.ClientReadableStream<infer _R>
  ? Q
  : never;
type StreamResponse<M> = M extends (
  argument: infer _Q,
  options?: grpc.CallOptions,
) => grpc.ClientReadableStream<infer R>
  ? R
  : never;

/**
 * Calls a server-streaming method. The call starts at once and is cancelled when the iteration is left early.
 * @throws TidemarkError (while iterating) like {@link callUnary}
 */
export function callStream<C extends grpc.Client, K extends StreamNames<C>>(
  client: C,
  method: K,
  request: StreamRequest<C[K]>,
  { deadlineMs, signal, metadata }: CallSettings,
): AsyncIterable<StreamResponse<C[K]>> {
  signal?.throwIfAborted();
  const invoke = client[method] as (
    argument: StreamRequest<C[K]>,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
  ) => grpc.ClientReadableStream<StreamResponse<C[K]>>;
  const call = invoke.call(client, request, metadata ?? new grpc.Metadata(), callOptions(deadlineMs));
  return readStream(call, { address: addressOf(client), signal });
}

type ReadableCall<T> = Readable & { read(size?: number): T | null; getPeer(): string } & (
    { cancel(): void } | { readonly cancelled: boolean }
  );

export interface ReadSettings {
  /** For messages; left out: as the connection says. */
  readonly address?: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The messages of a call, client or server side, pulled: at most 16 wait in the call, and behind them HTTP/2's window stops
 * the sender. Leaving the iteration early cancels a client's call. To be iterated once.
 * @throws TidemarkError (while iterating) what the peer threw, or TM-RPC-*; the signal's reason when it was aborted
 */
export function readStream<T>(call: ReadableCall<T>, settings: ReadSettings = {}): AsyncIterable<T> {
  const address = settings.address ?? withoutScheme(call.getPeer());
  const { signal } = settings;
  let failure: Error | null = null;
  // Listens from now on: an error that nobody listens for would end the process.
  call.on('error', (error: Error) => {
    failure ??= error;
  });
  const abort = () => {
    if ('cancel' in call) {
      call.cancel();
    } else {
      call.destroy();
    }
  };
  if (signal?.aborted === true) {
    abort();
  } else {
    signal?.addEventListener('abort', abort, { once: true });
  }
  return (async function* () {
    let ended = false;
    try {
      yield* messagesOf(call, () => failure);
      ended = true;
      signal?.throwIfAborted();
      if (failure !== null) {
        throw failure;
      }
    } catch (error) {
      ended = true;
      signal?.throwIfAborted();
      if (isPrematureClose(error) && failure === null) {
        throw new TidemarkError('TM-RPC-001', `${address} went away during a call`, { cause: error });
      }
      throw fromServiceError(failure ?? error, address);
    } finally {
      signal?.removeEventListener('abort', abort);
      if (!ended && 'cancel' in call) {
        call.cancel();
      }
    }
  })();
}

/**
 * What comes in, until its end. Node's own iterator is not used: on an error it destroys the stream, and with it the writes of a
 * server's call that still wait, and the status after them; the caller would wait for ever.
 */
async function* messagesOf<T>(call: ReadableCall<T>, failure: () => Error | null): AsyncGenerator<T> {
  let wake = () => {};
  const onEvent = () => {
    wake();
  };
  const events = ['readable', 'end', 'error', 'close'] as const;
  for (const event of events) {
    call.on(event, onEvent);
  }
  try {
    while (true) {
      const message = call.read();
      if (message !== null) {
        yield message;
        continue;
      }
      const error = failure() ?? call.errored;
      if (error !== null) {
        throw error;
      }
      if (call.readableEnded) {
        return;
      }
      if (call.destroyed) {
        throw Object.assign(new Error('the stream was closed early'), { code: 'ERR_STREAM_PREMATURE_CLOSE' });
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    for (const event of events) {
      call.off(event, onEvent);
    }
  }
}

/** A call's sending side, client or server. */
export type WritableCall<T> = Writable & { write(message: T, callback: (error?: Error | null) => void): boolean };

/**
 * Sends a message. Resolves at once while few messages wait, else when this one has been handed to the connection: so a slow
 * receiver slows the sender down.
 * @param queuedMax left out: few; 0: resolves only when what the message refers to is not needed any more
 * @throws TidemarkError TM-RPC-001 if the call has ended; the signal's reason when it was aborted
 */
export async function writeMessage<T>(
  call: WritableCall<T>,
  message: T,
  signal?: AbortSignal,
  queuedMax = QUEUED_MESSAGES_MAX,
): Promise<void> {
  signal?.throwIfAborted();
  if (call.writableEnded || call.destroyed) {
    throw new TidemarkError('TM-RPC-001', 'the call has ended');
  }
  await new Promise<void>((resolve, reject) => {
    const ended = (cause?: unknown) => {
      settle();
      reject(new TidemarkError('TM-RPC-001', 'the call ended before the message was sent', { cause }));
    };
    const abort = () => {
      settle();
      reject(abortReason(signal));
    };
    const settle = () => {
      for (const event of ['error', 'close', 'status', 'cancelled']) {
        call.off(event, ended);
      }
      signal?.removeEventListener('abort', abort);
    };
    call.write(message, (error) => {
      if (error) {
        ended(error);
      } else {
        settle();
        resolve();
      }
    });
    if (call.writableLength < queuedMax) {
      resolve();
      return;
    }
    for (const event of ['error', 'close', 'status', 'cancelled']) {
      call.on(event, ended);
    }
    signal?.addEventListener('abort', abort, { once: true });
  });
}

function callOptions(deadlineMs: number | undefined): grpc.CallOptions {
  return deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };
}

function addressOf(client: grpc.Client): string {
  return withoutScheme(client.getChannel().getTarget());
}

/** `dns:` and its like stand before what people know as the address. */
function withoutScheme(target: string): string {
  return target.replace(/^(dns|ipv4|ipv6|unix):(\/\/\/?)?/, '');
}

function abortReason(signal: AbortSignal | undefined): Error {
  return signal?.reason instanceof Error ? signal.reason : new DOMException('aborted', 'AbortError');
}

function isPrematureClose(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE';
}
