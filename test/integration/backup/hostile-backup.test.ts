import assert from 'node:assert/strict';
import {
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
  closeSync,
} from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { ZstdPool } from '../../../shared/compression/zstd-pool.ts';
import type { PrepareRequest } from '../../../shared/cluster-restore/restore-target.ts';
import { advanceLsn } from '../../../shared/postgres/lsn.ts';
import { segmentName, segmentStart } from '../../../shared/postgres/wal-segment.ts';
import { type BackupManifest, serializeBackupManifest } from '../../../shared/repository/backup-manifest.ts';
import { readBackupManifest } from '../../../shared/repository/backup-manifest-file.ts';
import {
  backupManifestPath,
  backupPackPath,
  journalSegmentPath,
  walSegmentPath,
} from '../../../shared/repository/layout.ts';
import { openChannel, type Channel } from '../../../shared/rpc/channel.ts';
import { RestoreTargetClient } from '../../../shared/rpc/restore-target-client.ts';
import { JournalDecoder } from '../../../shared/wal-index/journal-decoder.ts';
import { AgentProcess } from '../../support/agent-process.ts';
import { insertLsn, lastRecordBefore, NodeCopy } from '../../support/node-copy.ts';
import { PostgresServer } from '../../support/postgres-server.ts';
import { TemporaryDirectory } from '../../support/temporary-directory.ts';
import { giveToUnprivilegedUser } from '../../support/unprivileged-user.ts';

const never = new AbortController().signal;
const PAGE_BYTES = 8192;

async function drain(steps: AsyncIterable<unknown>): Promise<void> {
  for await (const _step of steps);
}

describe('backups that are damaged or hostile', function () {
  this.timeout(120_000);
  let directory: TemporaryDirectory;
  let server: PostgresServer;
  let source: AgentProcess;
  let host: AgentProcess;
  let channel: Channel;
  let target: RestoreTargetClient;
  let zstd: ZstdPool;
  let copy: NodeCopy;
  let request: PrepareRequest;
  let oid: string;
  let count = 0;

  before(async () => {
    directory = TemporaryDirectory.create('hostile');
    zstd = new ZstdPool({ workers: 1, level: 1 });
    server = await PostgresServer.create({ major: 15, settings: { wal_keep_size: "'1GB'" } });
    await server.query(`CREATE TABLESPACE fast LOCATION '${directory.subdirectory('tablespace', 0o700)}'`);
    oid = await server.value("SELECT oid::text FROM pg_tablespace WHERE spcname = 'fast'");
    await server.query('CREATE TABLE t TABLESPACE fast AS SELECT n FROM generate_series(1, 1000) n');
    source = await AgentProcess.prepare(directory, { node: 'a', postgres: server });
    await source.start();
    host = await AgentProcess.prepare(directory, { node: 'target', binDirectory: server.binDirectory });
    await host.start();
    channel = openChannel(host.address);
    target = new RestoreTargetClient('a', channel);
    copy = await NodeCopy.create(directory.subdirectory('repository'), source, zstd);
    const backup = await copy.backUp('good');
    await server.query('INSERT INTO t VALUES (0)');
    const cut = await insertLsn(server);
    await copy.copyWal(server, backup.startLsn, cut);
    request = {
      restoreId: 'r',
      stream: copy.stream,
      backupId: 'good',
      targetLsn: lastRecordBefore(server, copy, backup.startLsn, cut),
      walFromLsn: segmentStart(backup.startLsn, copy.segmentBytes),
      walEndLsn: cut,
      walSegmentBytes: copy.segmentBytes,
      directory: '',
      port: 0,
      source: { kind: 'repository', path: copy.path },
      tablespaceDirectories: {},
      expectedInDoubt: [],
      settings: {},
    };
  });

  after(async () => {
    channel?.close();
    await host?.[Symbol.asyncDispose]();
    await source?.[Symbol.asyncDispose]();
    await copy?.repository.close();
    await zstd?.close();
    await server?.[Symbol.asyncDispose]();
    await directory?.[Symbol.asyncDispose]();
  });

  /** A request of its own place, with nothing else in it that changes. */
  function freshRequest(changes: Partial<PrepareRequest> = {}): PrepareRequest & { readonly place: string } {
    count += 1;
    const place = directory.subdirectory(`place${count}`);
    return {
      ...request,
      restoreId: `r${count}`,
      directory: path.join(place, 'data'),
      tablespaceDirectories: { [oid]: path.join(place, 'fast') },
      place,
      ...changes,
    };
  }

  function notStartable(at: PrepareRequest): void {
    assert(
      !existsSync(path.join(at.directory, 'global/pg_control')) ||
        readFileSync(path.join(at.directory, 'global/pg_control')).every((byte) => byte === 0),
    );
  }

  async function refused(at: PrepareRequest, code: string): Promise<void> {
    await assert.rejects(drain(target.prepare(at, never)), { code });
    await assert.rejects(drain(target.startFenced(at.restoreId, never)), { code: 'TM-RESTORE-007' });
  }

  /** Stores a changed manifest under a backup id of its own, with the packs of the good one. */
  async function otherBackup(
    id: string,
    change: (manifest: BackupManifest) => void,
    json?: (text: string) => string,
  ): Promise<void> {
    const { node, systemIdentifier } = copy.stream;
    const manifest = await readBackupManifest(
      copy.repository,
      backupManifestPath(node, systemIdentifier, 'good'),
      zstd,
    );
    for (const pack of manifest.packs.keys()) {
      const bytes = readFileSync(path.join(copy.path, backupPackPath(node, systemIdentifier, 'good', pack)));
      await copy.repository.create(backupPackPath(node, systemIdentifier, id, pack), bytes);
    }
    const changed = { ...structuredClone(manifest), id };
    change(changed);
    const text = serializeBackupManifest(changed).toString();
    const content = Buffer.from(json === undefined ? text : json(text));
    const frames: Buffer[] = [];
    for (let at = 0; at < content.length; at += 1024 * 1024) {
      frames.push((await zstd.compress(content.subarray(at, at + 1024 * 1024))).frame);
    }
    await copy.repository.create(backupManifestPath(node, systemIdentifier, id), Buffer.concat(frames));
    copy.makeReadable();
  }

  it('a page that is damaged on disk is named, and the rest is backed up', async () => {
    await server.query('CREATE TABLE victim AS SELECT n, repeat(n::text, 20) FROM generate_series(1, 20000) n');
    await server.query('CHECKPOINT');
    const file = await server.value("SELECT pg_relation_filepath('victim')");
    const handle = openSync(path.join(server.dataDirectory, file), 'r+');
    writeSync(handle, Buffer.alloc(64, 0x5a), 0, 64, 3 * PAGE_BYTES + 5000);
    closeSync(handle);
    const backup = await copy.backUp('bad');
    assert.deepEqual(backup.badFiles, [file]);
    const { node, systemIdentifier } = copy.stream;
    const manifest = await readBackupManifest(copy.repository, backupManifestPath(node, systemIdentifier, 'bad'), zstd);
    assert.deepEqual(manifest.files.find((each) => each.path === file)?.badBlocks, [3]);
    await server.query('DROP TABLE victim');
  });

  it('a whole one is restored', async () => {
    const at = freshRequest();
    await drain(target.prepare(at, never));
    await drain(target.startFenced(at.restoreId, never));
    await target.abandon(at.restoreId, never);
    assert(!existsSync(path.join(at.directory, 'postmaster.pid')));
  });

  it('names that leave the directory are refused before anything is written', async () => {
    const names = [
      '../../escaped',
      '/tmp/tidemark-escaped',
      'base/../../../escaped',
      'pg_tblspc/1/escaped',
      'base\\..\\x',
    ];
    for (const [index, name] of names.entries()) {
      await otherBackup(`name${index}`, (manifest) => {
        manifest.files[0] = { ...manifest.files[0]!, path: name };
      });
      const at = freshRequest({ backupId: `name${index}` });
      await refused(at, 'TM-REPO-006');
      assert.deepEqual(readdirSync(at.place), []);
      await otherBackup(`directory${index}`, (manifest) => manifest.directories.push(name));
      const other = freshRequest({ backupId: `directory${index}` });
      await refused(other, 'TM-REPO-006');
      assert.deepEqual(readdirSync(other.place), []);
    }
    assert(!existsSync('/tmp/tidemark-escaped') && !existsSync(path.join(directory.path, 'escaped')));
  });

  it('links in the place of the target are not followed', async () => {
    const outside = directory.subdirectory(`outside${count}`);
    const at = freshRequest();
    symlinkSync(outside, at.directory);
    await refused(at, 'TM-REPO-006');
    assert.deepEqual(readdirSync(outside), []);
  });

  it('tablespaces go only where they were told to', async () => {
    for (const [changes, code] of [
      [{ tablespaceDirectories: {} }, 'TM-RESTORE-003'],
      [{ tablespaceDirectories: { [oid]: '/tmp/tidemark-a', '99': '/tmp/tidemark-b' } }, 'TM-RESTORE-003'],
      [{ tablespaceDirectories: { [oid]: 'relative' } }, 'TM-REPO-006'],
      [{ tablespaceDirectories: { [oid]: '/tmp/x/../y' } }, 'TM-REPO-006'],
    ] as const) {
      const at = freshRequest(changes);
      await refused(at, code);
      assert.deepEqual(readdirSync(at.place), []);
    }
    const inside = freshRequest();
    await refused({ ...inside, tablespaceDirectories: { [oid]: path.join(inside.directory, 'x') } }, 'TM-REPO-006');
    const used = freshRequest();
    await mkdir(used.tablespaceDirectories[oid]!);
    writeFileSync(path.join(used.tablespaceDirectories[oid]!, 'mine'), '');
    await refused(used, 'TM-RESTORE-002');
    assert(!existsSync('/tmp/tidemark-a') && !existsSync('/tmp/tidemark-b'));
  });

  it('a directory with something in it is refused', async () => {
    const at = freshRequest();
    await mkdir(at.directory);
    writeFileSync(path.join(at.directory, 'mine'), 'precious');
    await refused(at, 'TM-RESTORE-002');
    assert.deepEqual(readdirSync(at.directory), ['mine']);
  });

  it('a pack that is cut off or changed, a frame that is not what the manifest says', async () => {
    const { node, systemIdentifier } = copy.stream;
    const file = (id: string) => path.join(copy.path, backupPackPath(node, systemIdentifier, id, 0));
    await otherBackup('cut', () => {});
    truncateSync(file('cut'), 100_000);
    await otherBackup('changed', () => {});
    const bytes = readFileSync(file('changed'));
    bytes[bytes.length - 2000]! ^= 0x10;
    writeFileSync(file('changed'), bytes);
    await otherBackup('hash', (manifest) => {
      manifest.frames[2] = [
        manifest.frames[2]![0],
        manifest.frames[2]![1],
        manifest.frames[2]![2],
        manifest.frames[2]![3],
        'ab'.repeat(32),
      ];
    });
    for (const id of ['cut', 'changed', 'hash']) {
      const at = freshRequest({ backupId: id });
      await refused(at, 'TM-REPO-003');
      notStartable(at);
    }
  });

  it('what failed halfway is finished by the same request, once the copy is whole', async () => {
    const { node, systemIdentifier } = copy.stream;
    await otherBackup('later', () => {});
    const file = path.join(copy.path, backupPackPath(node, systemIdentifier, 'later', 0));
    const whole = readFileSync(file);
    truncateSync(file, whole.length - 10);
    const at = freshRequest({ backupId: 'later' });
    await refused(at, 'TM-REPO-003');
    writeFileSync(file, whole);
    await drain(target.prepare(at, never));
    await drain(target.startFenced(at.restoreId, never));
    await target.abandon(at.restoreId, never);
  });

  it('WAL that is missing, cut off or changed', async () => {
    const name = segmentName(1, request.walFromLsn, copy.segmentBytes);
    const finished = path.join(copy.path, walSegmentPath(copy.stream, name));
    const file = existsSync(finished) ? finished : path.join(copy.path, journalSegmentPath(copy.stream, name));
    const whole = readFileSync(file);
    const [first, second] = new JournalDecoder().push(whole);
    assert(first !== undefined && second !== undefined);
    const hole = Buffer.concat([
      whole.subarray(0, second.offsetBytes),
      whole.subarray(second.offsetBytes + second.entryBytes),
    ]);
    const damage: [Buffer, string][] = [
      [hole, 'TM-WAL-003'],
      [whole.subarray(0, 0), 'TM-WAL-003'],
      [whole.subarray(0, whole.length - 50), file === finished ? 'TM-REPO-003' : 'TM-WAL-003'],
      [Buffer.concat([whole.subarray(0, 200), Buffer.from([whole[200]! ^ 1]), whole.subarray(201)]), 'TM-REPO-003'],
    ];
    try {
      for (const [bytes, code] of damage) {
        writeFileSync(file, bytes);
        giveToUnprivilegedUser(file);
        const at = freshRequest();
        await refused(at, code);
        notStartable(at);
      }
    } finally {
      writeFileSync(file, whole);
      giveToUnprivilegedUser(file);
    }
    const beyond = freshRequest({ walEndLsn: advanceLsn(request.walEndLsn, 3 * copy.segmentBytes) });
    await refused(beyond, 'TM-WAL-003');
  });
});
