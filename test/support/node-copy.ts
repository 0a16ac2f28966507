import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { BackupService } from '../../coordinator/backups/backup-service.ts';
import { UnfinishedBackups } from '../../coordinator/backups/unfinished-backups.ts';
import type { Leadership } from '../../coordinator/coordination/coordination.ts';
import type { BackupSummary } from '../../shared/admin/backup.ts';
import type { ZstdPool } from '../../shared/compression/zstd-pool.ts';
import { systemClock } from '../../shared/lifecycle/clock.ts';
import type { Instance } from '../../shared/postgres/instance.ts';
import { advanceLsn, minLsn, NO_LSN, parseLsn, type Lsn } from '../../shared/postgres/lsn.ts';
import { segmentName, segmentStart } from '../../shared/postgres/wal-segment.ts';
import { journalSegmentPath, walSegmentPath } from '../../shared/repository/layout.ts';
import { silentLogger } from '../../shared/observability/logger.ts';
import { PosixRepository } from '../../shared/repository/posix-repository.ts';
import { openChannel } from '../../shared/rpc/channel.ts';
import { callUnary } from '../../shared/rpc/streams.ts';
import { instanceFromMessage } from '../../shared/rpc/instance-codec.ts';
import { encodeJournalEntry } from '../../shared/wal-index/journal-entry.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import { WalParser } from '../../shared/wal/wal-parser.ts';
import type { AgentProcess } from './agent-process.ts';
import type { PostgresServer } from './postgres-server.ts';
import { unprivilegedUser } from './unprivileged-user.ts';

const ENTRY_BYTES = 300_000;

/**
 * One node's copy in a directory, made without a coordinator: base backups through the agent and the BackupService, WAL from
 * PostgreSQL's own segment files.
 */
export class NodeCopy {
  readonly path: string;
  readonly repository: PosixRepository;
  readonly stream: WalStreamKey;
  readonly segmentBytes: number;
  readonly #instance: Instance;
  readonly #agent: AgentProcess;
  readonly #zstd: ZstdPool;

  private constructor(
    path: string,
    repository: PosixRepository,
    instance: Instance,
    agent: AgentProcess,
    zstd: ZstdPool,
  ) {
    this.path = path;
    this.repository = repository;
    this.stream = { node: instance.node, systemIdentifier: instance.systemIdentifier, timeline: instance.timeline };
    this.segmentBytes = instance.walSegmentBytes;
    this.#instance = instance;
    this.#agent = agent;
    this.#zstd = zstd;
  }

  static async create(directory: string, agent: AgentProcess, zstd: ZstdPool): Promise<NodeCopy> {
    const repository = await PosixRepository.open(directory, { create: { cluster: 'test', repositoryId: 'copy' } });
    const channel = openChannel(agent.address);
    try {
      const message = await callUnary(channel.agent, 'GetInstance', {}, { deadlineMs: 10_000 });
      if (message === undefined) throw new Error('the agent gave no instance');
      return new NodeCopy(directory, repository, instanceFromMessage(message), agent, zstd);
    } finally {
      channel.close();
    }
  }

  async backUp(id: string, workers = 2, compressionLevel = 1): Promise<BackupSummary> {
    const service = new BackupService({
      coordinatorId: 'east',
      repository: this.repository,
      unfinished: new UnfinishedBackups({ repository: this.repository, logger: silentLogger() }),
      membership: {
        nodes: () => [this.stream],
        missing: () => [],
        primary: () => ({ ...this.#instance, advertisedAddress: this.#agent.address }),
      },
      copies: {
        waitForObject: async () => ['east'],
        objectCopies: () => ['east'],
        waitForAcknowledged: async () => {},
      },
      walProblem: () => null,
      holdsWal: () => true,
      dial: (address) => openChannel(address),
      nextId: async () => id,
      zstd: this.#zstd,
      clock: systemClock,
      metrics: { finished: () => {}, failed: () => {} },
      onUnreadable: () => {},
      nodesAtOnce: 1,
      workers,
      compressionLevel,
    });
    const leadership = { term: 1n, signal: new AbortController().signal } as Leadership;
    for await (const event of service.create({ nodes: [], type: 'full' }, leadership, new AbortController().signal)) {
      if (event.kind === 'backup') return event.backup;
    }
    throw new Error('the backup ended without a result');
  }

  /** Copies [the segment of `fromLsn`, `endLsn`) as finished segments and, if it ends within one, a journal file. */
  async copyWal(server: PostgresServer, fromLsn: Lsn, endLsn: Lsn): Promise<void> {
    for (let at = segmentStart(fromLsn, this.segmentBytes); at < endLsn; at = advanceLsn(at, this.segmentBytes)) {
      const name = segmentName(this.stream.timeline, at, this.segmentBytes);
      const end = minLsn(advanceLsn(at, this.segmentBytes), endLsn);
      const bytes = readFileSync(path.join(server.dataDirectory, 'pg_wal', name)).subarray(0, Number(end - at));
      const content = Buffer.concat(await this.#entries(at, bytes));
      if (bytes.length === this.segmentBytes) {
        await this.repository.create(walSegmentPath(this.stream, name), content);
      } else {
        const file = path.join(this.path, journalSegmentPath(this.stream, name));
        mkdirSync(path.dirname(file), { recursive: true });
        writeFileSync(file, content);
      }
    }
    this.makeReadable();
  }

  async #entries(startLsn: Lsn, bytes: Buffer): Promise<Buffer[]> {
    const out: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += ENTRY_BYTES) {
      const content = bytes.subarray(at, at + ENTRY_BYTES);
      const { frame } = await this.#zstd.compress(content);
      const start = advanceLsn(startLsn, at);
      out.push(
        ...encodeJournalEntry({
          segmentBytes: this.segmentBytes,
          timeline: this.stream.timeline,
          startLsn: start,
          endLsn: advanceLsn(start, content.length),
          nextRecordLsn: start,
          lastRecordLsn: NO_LSN,
          contentSha256: createHash('sha256').update(content).digest(),
          events: Buffer.alloc(0),
          changedBlocks: Buffer.alloc(0),
          clocks: Buffer.alloc(0),
          frame,
          frameCrc32: crc32(frame),
        }),
      );
    }
    return out;
  }

  /** Tests run as root make files that the agent, who is somebody else, is to read. */
  makeReadable(): void {
    const user = unprivilegedUser();
    if (user !== null) execFileSync('chown', ['-R', `${user.uid}:${user.gid}`, this.path]);
  }
}

/** START of the last record that begins before `endLsn`, read from PostgreSQL's own files from the segment of `fromLsn` on. */
export function lastRecordBefore(server: PostgresServer, copy: NodeCopy, fromLsn: Lsn, endLsn: Lsn): Lsn {
  const startLsn = segmentStart(fromLsn, copy.segmentBytes);
  let last = NO_LSN;
  const parser = new WalParser({
    timeline: copy.stream.timeline,
    segmentBytes: copy.segmentBytes,
    systemIdentifier: copy.stream.systemIdentifier,
    startLsn,
    atRecord: false,
    zerosMayFollow: true,
    onRecord: (record) => {
      if (record.lsn < endLsn) last = record.lsn;
    },
  });
  for (let at = startLsn; at < endLsn; at = advanceLsn(at, copy.segmentBytes)) {
    const name = segmentName(copy.stream.timeline, at, copy.segmentBytes);
    const bytes = readFileSync(path.join(server.dataDirectory, 'pg_wal', name));
    parser.push(bytes.subarray(0, Number(minLsn(advanceLsn(at, copy.segmentBytes), endLsn) - at)));
  }
  return last;
}

export async function insertLsn(server: PostgresServer): Promise<Lsn> {
  return parseLsn(await server.value('SELECT pg_current_wal_insert_lsn()::text'));
}
