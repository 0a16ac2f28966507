import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createConnection, createServer, type AddressInfo } from 'node:net';
import { TcpProxy } from '../../support/tcp-proxy.ts';
import { waitFor } from '../../support/wait-for.ts';

describe('TcpProxy', () => {
  it('relays, swallows, heals, delays and cuts', async () => {
    const echo = createServer((socket) => socket.on('error', () => undefined).pipe(socket));
    echo.listen(0, '127.0.0.1');
    await once(echo, 'listening');
    try {
      await using proxy = await TcpProxy.create({ port: (echo.address() as AddressInfo).port });
      const client = createConnection({ port: proxy.port, host: '127.0.0.1' });
      let received = '';
      let closed = false;
      client.on('data', (chunk: Buffer) => (received += chunk.toString()));
      client.on('error', () => undefined);
      client.on('close', () => (closed = true));
      client.write('a');
      await waitFor('the echo', () => received === 'a', { timeoutMs: 1000 });
      proxy.blackhole();
      client.write('b');
      await assert.rejects(waitFor('nothing', () => received !== 'a', { timeoutMs: 50 }));
      proxy.heal();
      await waitFor('the echo after healing', () => received === 'ab', { timeoutMs: 1000 });
      proxy.delayMs = 30;
      const sentAt = performance.now();
      client.write('c');
      await waitFor('the late echo', () => received === 'abc', { timeoutMs: 1000, intervalMs: 1 });
      assert(performance.now() - sentAt >= 58, 'both ways are delayed');
      proxy.cut();
      await waitFor('the connection is reset', () => closed, { timeoutMs: 1000 });
      assert.equal(proxy.connections, 0);
    } finally {
      echo.close();
    }
  });

  it('limits the bytes per second', async () => {
    const sink = createServer((socket) => socket.on('error', () => undefined));
    let received = 0;
    sink.on('connection', (socket) => socket.on('data', (chunk: Buffer) => (received += chunk.length)));
    sink.listen(0, '127.0.0.1');
    await once(sink, 'listening');
    try {
      await using proxy = await TcpProxy.create({ port: (sink.address() as AddressInfo).port });
      proxy.bytesPerSecond = 1_000_000;
      const client = createConnection({ port: proxy.port, host: '127.0.0.1' });
      client.on('error', () => undefined);
      const startedAt = performance.now();
      client.write(Buffer.alloc(200_000));
      await waitFor('all bytes', () => received === 200_000, { timeoutMs: 2000, intervalMs: 1 });
      const tookMs = performance.now() - startedAt;
      assert(tookMs > 100 && tookMs < 600, `took ${tookMs} ms`);
      client.destroy();
    } finally {
      sink.close();
    }
  });
});
