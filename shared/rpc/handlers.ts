import type * as grpc from '@grpc/grpc-js';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { toServiceError } from './errors.ts';
import { readStream, writeMessage } from './streams.ts';

/** What a handler knows of its call. */
export interface CallContext {
  /** Aborted when the caller went away or the server ends the call. */
  readonly signal: AbortSignal;
  /** host:port of the caller's end of the connection. */
  readonly peer: string;
  readonly metadata: grpc.Metadata;
  /** What is left of the caller's deadline; undefined if it has none. */
  readonly remainingMs: () => number | undefined;
}

/** Makes a unary method of a function; what it throws travels as a coded error. */
export function unaryHandler<Q, R>(
  handle: (request: Q, context: CallContext) => Promise<R>,
): grpc.handleUnaryCall<Q, R> {
  return (call, callback) => {
    const answer = async () => {
      try {
        const response = await handle(call.request, contextOf(call));
        callback(null, response);
      } catch (error) {
        callback(toServiceError(error));
      }
    };
    void answer();
  };
}

/** Makes a server-streaming method of a function that gives messages; the caller's pace is theirs. */
export function serverStreamHandler<Q, R>(
  handle: (request: Q, context: CallContext) => AsyncIterable<R>,
): grpc.handleServerStreamingCall<Q, R> {
  return (call) => {
    const context = contextOf(call);
    void finish(call, async () => {
      for await (const message of handle(call.request, context)) {
        await writeMessage(call, message, context.signal);
      }
    });
  };
}

/** Both directions of a call as its handler sees them. */
export interface Duplex<Q, R> extends CallContext {
  /** Ends when the caller has said all; to be iterated once. */
  readonly requests: AsyncIterable<Q>;
  /**
   * Resolves when more may be sent.
   * @param signal gives up waiting; left out: when the call is cancelled
   * @throws TidemarkError TM-RPC-001 if the caller went away; the signal's reason
   */
  readonly send: (message: R, signal?: AbortSignal) => Promise<void>;
  /** Like `send`, but resolves when the memory that the message refers to can be used again. */
  readonly sendThrough: (message: R, signal?: AbortSignal) => Promise<void>;
}

/** Makes a two-way method of a function; the call ends when its promise settles. */
export function duplexHandler<Q, R>(
  handle: (duplex: Duplex<Q, R>) => Promise<void>,
): grpc.handleBidiStreamingCall<Q, R> {
  return (call) => {
    const context = contextOf(call);
    void finish(call, () =>
      handle({
        ...context,
        requests: readStream<Q>(call, { address: context.peer }),
        send: (message, signal = context.signal) => writeMessage(call, message, signal),
        sendThrough: (message, signal = context.signal) => writeMessage(call, message, signal, 0),
      }),
    );
  };
}

async function finish(
  call: { end(): unknown; emit(event: 'error', error: Error): boolean; readonly cancelled: boolean },
  run: () => Promise<void>,
): Promise<void> {
  try {
    await run();
    call.end();
  } catch (error) {
    // grpc-js sends the status of an emitted error; nobody is left to hear it once the call is cancelled.
    if (!call.cancelled) {
      call.emit('error', toServiceError(error));
    }
  }
}

function contextOf(call: {
  readonly metadata: grpc.Metadata;
  readonly cancelled: boolean;
  getPeer(): string;
  getDeadline(): grpc.Deadline;
  once(event: 'cancelled', listener: () => void): unknown;
}): CallContext {
  const controller = new AbortController();
  const peer = call.getPeer();
  call.once('cancelled', () => {
    controller.abort(new TidemarkError('TM-RPC-001', `${peer} went away during a call`));
  });
  const deadlineAtMs = Number(call.getDeadline());
  return {
    signal: controller.signal,
    peer,
    metadata: call.metadata,
    remainingMs: () => (Number.isFinite(deadlineAtMs) ? Math.max(0, deadlineAtMs - Date.now()) : undefined),
  };
}
