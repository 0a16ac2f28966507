import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openChannel } from '../../../shared/rpc/channel.ts';
import { unaryHandler } from '../../../shared/rpc/handlers.ts';
import { protocol } from '../../../shared/rpc/proto.ts';
import { RpcServer } from '../../../shared/rpc/server.ts';
import { callUnary } from '../../../shared/rpc/streams.ts';
import type { TlsFiles } from '../../../shared/rpc/tls.ts';

/** An authority, and certificates for this machine that it signs. */
class Authority {
  readonly #directory: string;
  readonly #name: string;

  constructor(directory: string, name: string) {
    this.#directory = directory;
    this.#name = name;
    openssl('req', '-x509', ...newKey(this.#file('key')), '-out', this.#file('pem'), '-subj', `/CN=${name}`);
  }

  issue(subject: string): TlsFiles {
    const file = (end: string) => path.join(this.#directory, `${this.#name}-${subject}.${end}`);
    writeFileSync(file('ext'), 'subjectAltName=DNS:localhost\n');
    openssl('req', ...newKey(file('key')), '-out', file('csr'), '-subj', `/CN=${subject}`);
    const signer = ['-CA', this.#file('pem'), '-CAkey', this.#file('key'), '-CAcreateserial', '-days', '2'];
    openssl('x509', '-req', '-in', file('csr'), ...signer, '-extfile', file('ext'), '-out', file('pem'));
    return { caFile: this.#file('pem'), certFile: file('pem'), keyFile: file('key') };
  }

  #file(end: string): string {
    return path.join(this.#directory, `${this.#name}.${end}`);
  }
}

const newKey = (file: string) => ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', file];

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' });
}

describe('TLS', () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'tidemark-tls-'));
  let ours: Authority;
  let server: RpcServer;
  let address: string;

  before(async () => {
    ours = new Authority(directory, 'ours');
    server = new RpcServer({ tls: ours.issue('server') });
    const handler = unaryHandler(async () => ({ coordinatorId: 'c1' }));
    server.addService(protocol.Registry.service, { Register: unaryHandler(async () => ({ leaderId: 'c1' })) });
    server.addService(protocol.Peer.service, {
      GetPeerState: handler,
      FollowWal: () => {},
      FollowObjects: () => {},
    });
    // With TLS, more than loopback is allowed.
    address = (await server.listen('0.0.0.0:0')).replace('0.0.0.0', 'localhost');
  });

  after(async () => {
    await server.stop(200);
    rmSync(directory, { recursive: true });
  });

  async function ask(tls: TlsFiles | undefined): Promise<string> {
    const channel = openChannel(address, { tls });
    try {
      return (await callUnary(channel.peer, 'GetPeerState', {}, { deadlineMs: 5_000 })).coordinatorId;
    } finally {
      channel.close();
    }
  }

  it('lets in whom the same authority vouches for', async () => {
    assert.equal(await ask(ours.issue('client')), 'c1');
  });

  it('does not trust a server of another authority', async () => {
    const theirs = new Authority(directory, 'theirs').issue('client');
    await assert.rejects(ask(theirs), { code: 'TM-RPC-002', exitCode: 3 });
  });

  it('does not let in a client of another authority, nor one without a certificate', async () => {
    const { certFile, keyFile } = new Authority(directory, 'strangers').issue('client');
    await assert.rejects(ask({ ...ours.issue('client'), certFile, keyFile }), { exitCode: 3 });
    await assert.rejects(ask(undefined), { exitCode: 3 });
  });
});
