import assert from 'node:assert/strict';
import { formatAddress, isLoopback, parseAddress } from '../../../../shared/rpc/address.ts';
import { RpcServer } from '../../../../shared/rpc/server.ts';

describe('addresses', () => {
  it('reads names, IPv4 and IPv6', () => {
    assert.deepEqual(parseAddress('backup1.example:7310'), { host: 'backup1.example', port: 7310 });
    assert.deepEqual(parseAddress('[fd00::7]:0'), { host: 'fd00::7', port: 0 });
    assert.equal(formatAddress(parseAddress('[::1]:5')), '[::1]:5');
    assert.equal(formatAddress(parseAddress('10.0.0.7:5')), '10.0.0.7:5');
  });

  it('refuses everything else', () => {
    for (const text of ['', ':1', 'host', 'host:', 'host:65536', 'a b:1', '::1:5', '[host]:1', 'http://x:1', 'h:1x']) {
      assert.throws(() => parseAddress(text), { code: 'TM-USAGE-001' }, text);
    }
  });

  it('knows what only this machine can reach', () => {
    assert.deepEqual(
      ['localhost', '127.0.0.1', '127.9.9.9', '::1', '0.0.0.0', '::', '10.0.0.7', '127.evil.example'].map(isLoopback),
      [true, true, true, true, false, false, false, false],
    );
  });
});

describe('RpcServer', () => {
  it('refuses to be open to others without TLS', async () => {
    const server = new RpcServer();
    await assert.rejects(server.listen('0.0.0.0:0'), { code: 'TM-CONFIG-001', message: /0\.0\.0\.0:0/ });
    await server.stop();
  });

  it('is open to others when told that the network is trusted', async () => {
    const server = new RpcServer({ insecure: true });
    assert.match(await server.listen('0.0.0.0:0'), /^0\.0\.0\.0:[1-9]\d+$/);
    await server.stop();
  });

  it('says that a port is taken', async () => {
    const [first, second] = [new RpcServer(), new RpcServer()];
    const address = await first.listen('127.0.0.1:0');
    await assert.rejects(second.listen(address), { code: 'TM-CONFIG-001', message: new RegExp(address) });
    await first.stop();
    await second.stop();
  });

  it('names a TLS file that it cannot read', async () => {
    const server = new RpcServer({ tls: { caFile: '/nowhere/ca.pem', certFile: '/x', keyFile: '/y' } });
    await assert.rejects(server.listen('127.0.0.1:0'), { code: 'TM-CONFIG-002', message: /\/nowhere\/ca\.pem/ });
    await server.stop();
  });
});
