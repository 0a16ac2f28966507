import path from 'node:path';
import { ZstdPool } from '../shared/compression/zstd-pool.ts';
import { loadConfig } from '../shared/config/load-config.ts';
import { systemClock } from '../shared/lifecycle/clock.ts';
import { exitWithError, packageVersion, parseProcessOptions } from '../shared/lifecycle/process-options.ts';
import { runProcess } from '../shared/lifecycle/run-process.ts';
import type { Service } from '../shared/lifecycle/service.ts';
import { ObservabilityHttp } from '../shared/observability/http.ts';
import { createLogger, type Logger } from '../shared/observability/logger.ts';
import { Metrics } from '../shared/observability/metrics.ts';
import { protocol } from '../shared/rpc/proto.ts';
import { RpcServer } from '../shared/rpc/server.ts';
import { BaseBackupService } from './base-backup/base-backup-service.ts';
import { checkAgentConfig } from './config/check-agent-config.ts';
import { agentConfigSchema, type AgentConfig } from './config/agent-config.ts';
import { PageImageZstd } from './change-sets/page-image-zstd.ts';
import { slotsForStream } from './change-sets/wal-stream.ts';
import { AgentMetrics } from './metrics/agent-metrics.ts';
import { InstanceReader } from './postgres/instance-reader.ts';
import { connectPostgres } from './postgres/postgres-connection.ts';
import { SqlClient } from './postgres/sql-client.ts';
import { SynchronousModeReader } from './postgres/synchronous-mode.ts';
import { Registration } from './registration/registration.ts';
import { openBackupSource } from './restore/backup-source.ts';
import { restoreTargetHandlers } from './restore/restore-target-service.ts';
import { RestoreTarget } from './restore/restore-target.ts';
import { RESTORE_ONLY, runRestoreOnly } from './restore-only.ts';
import { AgentService } from './rpc/agent-service.ts';
import { RpcService } from './rpc/rpc-service.ts';
import { TermStore } from '../shared/term/term-store.ts';

const PROGRAM = 'tidemark-agent';
/** Somebody waits for each piece: this bounds how many there are, not how long the first one takes. */
const SYNCHRONOUS_COALESCE_MS = 4;
const RESTORE_STALL_TIMEOUT_MS = 15 * 60_000;

function readConfig(): AgentConfig {
  try {
    const { configFile, check } = parseProcessOptions(PROGRAM, process.argv.slice(2));
    const config = loadConfig({
      schema: agentConfigSchema,
      file: configFile ?? undefined,
      environment: process.env,
    });
    checkAgentConfig(config);
    if (check) {
      process.stdout.write('The configuration is right.\n');
      process.exit(0);
    }
    return config;
  } catch (error) {
    return exitWithError(PROGRAM, error);
  }
}

async function start(config: AgentConfig, logger: Logger, closers: (() => Promise<void>)[]): Promise<Service[]> {
  const metrics = new Metrics();
  metrics.set('tidemark_build_info', { version: packageVersion(), process: 'agent' }, 1);
  const agentMetrics = new AgentMetrics(metrics, logger);
  const terms = await TermStore.open(path.resolve(config.state_directory, 'highest-term'));
  const sql = new SqlClient({ ...config.postgres, passwordFile: config.postgres.password_file });
  closers.push(() => sql.close());
  const server = new RpcServer({ tls: config.tls, insecure: config.insecure });
  const services: Service[] = [];
  let address = config.advertise ?? '';
  const synchronous = new SynchronousModeReader(sql, {
    configured: config.synchronous,
    slot: config.slot,
    applicationName: config.postgres.application_name,
  });
  const identity = {
    node: config.node,
    instance: config.instance ?? config.node,
    slot: config.slot,
    dataDirectory: config.postgres.data_directory ?? null,
    advertisedAddress: () => address,
    highestTerm: () => terms.highest,
  };
  const instance = new InstanceReader(sql, identity, synchronous);

  const problems: string[] = [];
  if (config.metrics.listen !== undefined) {
    const http = new ObservabilityHttp({
      metrics,
      insecure: config.metrics.insecure,
      health: () => ({ ok: problems.length === 0, problems }),
    });
    logger.info({ address: await http.listen(config.metrics.listen) }, 'metrics and health');
    services.push(http);
  }

  if (!config.restore_only) {
    const pool = new ZstdPool({
      workers: config.wal.workers,
      level: config.wal.compression_level,
      slots: slotsForStream(config.wal.workers),
    });
    closers.push(() => pool.close());
    const agent = new AgentService({
      postgres: { ...config.postgres, passwordFile: config.postgres.password_file },
      sql,
      slot: config.slot,
      pool,
      pageImages: new PageImageZstd(),
      levels: { usual: config.wal.compression_level, catchUp: config.wal.catch_up_compression_level },
      coalesceMs: config.synchronous
        ? Math.min(config.wal.coalesce_ms, SYNCHRONOUS_COALESCE_MS)
        : config.wal.coalesce_ms,
      applicationName: config.postgres.application_name,
      synchronous: config.synchronous,
      clock: systemClock,
      instance,
      synchronousMode: synchronous,
      terms,
      observer: agentMetrics,
    });
    const backups = new BaseBackupService({
      connect: () =>
        connectPostgres({ ...config.postgres, passwordFile: config.postgres.password_file }, 'base backup'),
      instance,
      terms,
      clock: systemClock,
      workers: config.backup.workers,
      compressionLevel: config.backup.compression_level,
    });
    server.addService(protocol.Agent.service, { ...agent.handlers(), ...backups.handlers() });
    services.push({ name: 'wal', run: (signal) => agent.run(signal) });
    services.push({ name: 'base backup', run: (signal) => backups.run(signal) });
  }

  const restorePool = new ZstdPool({ workers: 1, level: 1 });
  closers.push(() => restorePool.close());
  const restores = new RestoreTarget({
    stateDirectory: config.state_directory,
    superuser: config.postgres.superuser,
    binDirectory: config.postgres.bin_directory,
    openSource: (source) => openBackupSource(source, config.tls),
    zstd: restorePool,
    workers: config.backup.workers,
    clock: systemClock,
    stallTimeoutMs: RESTORE_STALL_TIMEOUT_MS,
  });
  server.addService(protocol.RestoreTarget.service, { ...restoreTargetHandlers(restores, config.node) });

  const listening = await server.listen(config.listen);
  address = config.advertise ?? listening;
  logger.info({ address: listening, advertised: address, node: config.node }, 'listening');
  services.push(new RpcService(server));

  if (!config.restore_only && config.coordinators.length > 0) {
    const describe = async () => {
      const described = await instance.describe();
      agentMetrics.instance(described);
      problems.splice(0, problems.length, ...(described.problem === '' ? [] : [described.problem]));
      return described;
    };
    services.push(
      new Registration({ addresses: config.coordinators, tls: config.tls, describe, clock: systemClock, logger }),
    );
  }
  return services;
}

if (process.argv.includes(RESTORE_ONLY)) {
  await runRestoreOnly(process.argv.slice(2));
}
const config = readConfig();
const logger = createLogger({ name: 'agent', level: config.log.level });
const closers: (() => Promise<void>)[] = [];
await runProcess({
  logger,
  start: () => start(config, logger, closers),
  close: async () => {
    for (const close of closers.reverse()) await close();
  },
});
