import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { TidemarkError } from '../../../../shared/errors/tidemark-error.ts';
import { openChannel, type Channel } from '../../../../shared/rpc/channel.ts';
import { duplexHandler, serverStreamHandler, unaryHandler, type CallContext } from '../../../../shared/rpc/handlers.ts';
import { protocol } from '../../../../shared/rpc/proto.ts';
import { RpcServer } from '../../../../shared/rpc/server.ts';
import { callStream, callUnary, readStream, writeMessage } from '../../../../shared/rpc/streams.ts';
import type {
  PullWalResponse,
  PullWalResponse__Output,
} from '../../../../shared/rpc/generated/tidemark/v1/PullWalResponse.ts';
import type { ReadObjectRequest__Output } from '../../../../shared/rpc/generated/tidemark/v1/ReadObjectRequest.ts';
import type { ObjectChunk } from '../../../../shared/rpc/generated/tidemark/v1/ObjectChunk.ts';

const CHUNK_BYTES = 256 * 1024;

describe('calls and streams', () => {
  let server: RpcServer;
  let channel: Channel;
  let sentChunks = 0;
  let lastContext: CallContext | null = null;
  let events = new EventEmitter();

  beforeEach(async () => {
    sentChunks = 0;
    lastContext = null;
    events = new EventEmitter();
    server = new RpcServer();
    server.addService(protocol.Repository.service, {
      ListObjects: serverStreamHandler(async function* () {
        yield { path: 'a' };
        throw new TidemarkError('TM-REPO-003', 'object b is damaged');
      }),
      StatObject: unaryHandler(async (request: { path: string }, context) => {
        lastContext = context;
        events.emit('called');
        if (request.path === 'hang') {
          await once(context.signal, 'abort');
        }
        if (request.path === 'missing') {
          throw new TidemarkError('TM-REPO-002', 'object missing does not exist');
        }
        return { path: request.path, sizeBytes: '18446744073709551615' };
      }),
      ReadObject: serverStreamHandler(async function* (
        request: ReadObjectRequest__Output,
        context,
      ): AsyncGenerator<ObjectChunk> {
        lastContext = context;
        for (let index = 0; index < Number(request.lengthBytes); index++) {
          sentChunks++;
          yield { data: Buffer.alloc(CHUNK_BYTES, index & 0xff) };
        }
      }),
    });
    server.addService(protocol.Peer.service, {
      GetPeerState: unaryHandler(async () => ({})),
      // Fails while much waits to be written and the next request is waited for.
      FollowWal: duplexHandler<unknown, { changeSet: { frame: Buffer } }>(async ({ requests, send }) => {
        const iterator = requests[Symbol.asyncIterator]();
        await iterator.next();
        iterator.next().catch(() => {});
        for (let index = 0; index < 3; index++) {
          await send({ changeSet: { frame: Buffer.alloc(CHUNK_BYTES) } });
        }
        throw new TidemarkError('TM-WAL-003', 'the WAL is gone');
      }),
      FollowObjects: duplexHandler<{ stored?: { path: string } | null }, { object: { path: string } }>(
        async ({ requests, send }) => {
          for await (const request of requests) {
            await send({ object: { path: `${request.stored?.path}!` } });
          }
        },
      ),
    });
    channel = openChannel(await server.listen('127.0.0.1:0'), { windowBytes: 128 * 1024 });
  });

  afterEach(async () => {
    channel.close();
    await server.stop(200);
  });

  it('answers a unary call', async () => {
    const entry = await callUnary(channel.repository, 'StatObject', { path: 'x' }, { deadlineMs: 5_000 });
    assert.deepEqual({ ...entry }, { path: 'x', sizeBytes: '18446744073709551615' });
  });

  it('throws what the handler threw', async () => {
    await assert.rejects(callUnary(channel.repository, 'StatObject', { path: 'missing' }, { deadlineMs: 5_000 }), {
      code: 'TM-REPO-002',
      message: 'object missing does not exist',
    });
  });

  it('keeps a deadline and says who was late', async () => {
    await assert.rejects(callUnary(channel.repository, 'StatObject', { path: 'hang' }, { deadlineMs: 50 }), {
      code: 'TM-RPC-004',
      message: new RegExp(channel.address),
    });
  });

  it('gives up a unary call when told to, on both sides', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const called = once(events, 'called');
    const call = callUnary(channel.repository, 'StatObject', { path: 'hang' }, { signal: controller.signal });
    await called;
    assert.ok(lastContext !== null);
    const ended = once(lastContext.signal, 'abort');
    controller.abort(reason);
    await assert.rejects(call, reason);
    await ended;
  });

  it('says that nobody listens', async () => {
    const { address } = channel;
    await server.stop(100);
    await assert.rejects(callUnary(channel.repository, 'StatObject', { path: 'x' }, { deadlineMs: 5_000 }), {
      code: 'TM-RPC-001',
      exitCode: 3,
      message: new RegExp(address),
    });
  });

  it('gives the messages before the error, then the error', async () => {
    const seen: string[] = [];
    await assert.rejects(
      async () => {
        for await (const entry of callStream(channel.repository, 'ListObjects', {}, {})) {
          seen.push(entry.path);
        }
      },
      { code: 'TM-REPO-003', message: 'object b is damaged' },
    );
    assert.deepEqual(seen, ['a']);
  });

  it('slows a fast sender down to a slow reader, and loses nothing', async () => {
    const total = 400;
    let received = 0;
    let ahead = 0;
    const request = { path: 'x', lengthBytes: total };
    for await (const chunk of callStream(channel.repository, 'ReadObject', request, {})) {
      assert.equal(chunk.data[0], received & 0xff);
      assert.equal(chunk.data.length, CHUNK_BYTES);
      received++;
      if (received <= 20) {
        // The sender has every chance to run ahead.
        for (let turn = 0; turn < 50; turn++) {
          await new Promise(setImmediate);
        }
        ahead = Math.max(ahead, sentChunks - received);
      }
    }
    assert.equal(received, total);
    assert.ok(ahead > 0 && ahead < 60, `the sender was ${ahead} messages ahead`);
  });

  it('cancels the call when the reader leaves early', async () => {
    for await (const _ of callStream(channel.repository, 'ReadObject', { path: 'x', lengthBytes: 100_000 }, {})) {
      break;
    }
    assert.ok(lastContext !== null);
    if (!lastContext.signal.aborted) {
      await once(lastContext.signal, 'abort');
    }
    assert.ok(sentChunks < 100);
  });

  it('ends a stream with the reason of its signal', async () => {
    const controller = new AbortController();
    const reason = new Error('no longer wanted');
    const request = { path: 'x', lengthBytes: 100_000 };
    await assert.rejects(async () => {
      for await (const _ of callStream(channel.repository, 'ReadObject', request, { signal: controller.signal })) {
        controller.abort(reason);
      }
    }, reason);
  });

  it('carries both directions of a two-way call', async () => {
    const call = channel.peer.FollowObjects();
    const replies = readStream(call);
    const seen: string[] = [];
    await writeMessage(call, { stored: { path: '0' } });
    for await (const reply of replies) {
      seen.push(reply.object?.path ?? '');
      if (seen.length < 5) {
        await writeMessage(call, { stored: { path: `${seen.length}` } });
      } else {
        call.end();
      }
    }
    assert.deepEqual(seen, ['0!', '1!', '2!', '3!', '4!']);
    await assert.rejects(writeMessage(call, { stored: { path: 'late' } }), { code: 'TM-RPC-001' });
  });

  it('needs the memory of a frame no more when it was sent through, though it is written again at once', async () => {
    const count = 40;
    const agent = new RpcServer();
    agent.addService(protocol.Agent.service, {
      PullWal: duplexHandler<unknown, PullWalResponse>(async ({ sendThrough }) => {
        const frame = Buffer.alloc(600_000);
        for (let number = 0; number < count; number++) {
          frame.fill(number);
          await sendThrough({ changeSet: { timeline: number, frame } });
        }
      }),
    });
    const toAgent = openChannel(await agent.listen('127.0.0.1:0'));
    try {
      const call = toAgent.agent.PullWal();
      let received = 0;
      for await (const { changeSet } of readStream<PullWalResponse__Output>(call)) {
        assert.equal(changeSet?.timeline, received);
        assert.ok(changeSet.frame.equals(Buffer.alloc(600_000, received)), `frame ${received}`);
        received += 1;
      }
      assert.equal(received, count);
    } finally {
      toAgent.close();
      await agent.stop();
    }
  });

  it('gives the error of a two-way call whose last messages were still to be written', async () => {
    const call = channel.peer.FollowWal();
    await writeMessage(call, { durable: { durableLsn: '1' } });
    let received = 0;
    await assert.rejects(
      async () => {
        for await (const _ of readStream(call, { signal: AbortSignal.timeout(5_000) })) {
          received++;
        }
      },
      { code: 'TM-WAL-003' },
    );
    assert.equal(received, 3);
  });

  it('tells a reader that the server was cut off', async () => {
    const call = channel.peer.FollowObjects();
    await writeMessage(call, { stored: { path: 'x' } });
    await assert.rejects(
      async () => {
        for await (const _ of readStream(call)) {
          await server.stop(10);
        }
      },
      (error: unknown) => error instanceof TidemarkError && error.retryable,
    );
  });
});
