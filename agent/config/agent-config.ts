import { z } from 'zod';
import { addressSchema, logSchema, metricsSchema, nameSchema, tlsSchema } from '../../shared/config/schema-pieces.ts';

const levelSchema = z.int().min(-7).max(6);

const postgresSchema = z
  .strictObject({
    host: z.string().min(1).default('127.0.0.1').describe("a host, or the directory of PostgreSQL's Unix socket"),
    port: z.int().min(1).max(65_535).default(5432).describe("PostgreSQL's port, also when host is a directory"),
    user: z
      .string()
      .min(1)
      .default('postgres')
      .describe('a role with REPLICATION, pg_monitor and, for base backups, the rights of pg_backup_start'),
    superuser: z
      .string()
      .min(1)
      .default('postgres')
      .describe(
        'a superuser of the cluster, by which a restored server is promoted behind its fence; no password is needed',
      ),
    password_file: z.string().min(1).optional().describe('a file whose content is the password'),
    database: z.string().min(1).default('postgres').describe('the database for ordinary queries'),
    bin_directory: z.string().min(1).optional().describe('where postgres and initdb of the server lie; for restores'),
    application_name: z
      .string()
      .regex(
        /^[A-Za-z_][A-Za-z0-9_$]{0,62}$/,
        'expected letters, digits, _ and $, not beginning with a digit, at most 63',
      )
      .default('tidemark')
      .describe('the name of the connection that streams WAL, for synchronous_standby_names'),
    data_directory: z.string().min(1).optional().describe('the data directory; left out: PostgreSQL is asked'),
  })
  .prefault({});

/** What `tidemark-agent --config FILE` takes. Descriptions are shown as hints. */
export const agentConfigSchema = z.strictObject({
  cluster: nameSchema.describe("the whole distributed database's name; the same for all agents and coordinators"),
  node: nameSchema.describe('the shard that this PostgreSQL is'),
  instance: nameSchema.optional().describe("this server of the node; left out: the node's name"),
  listen: addressSchema.default('127.0.0.1:7401').describe('where coordinators may call, host:port'),
  advertise: addressSchema.optional().describe('where coordinators reach the agent, host:port; left out: as listen'),
  coordinators: z.array(addressSchema).default([]).describe('addresses of coordinators; one that answers is enough'),
  restore_only: z
    .boolean()
    .default(false)
    .describe('whether the agent only serves as the target of restores, with no PostgreSQL beside it'),
  state_directory: z.string().min(1).describe('a directory of the agent alone, which outlives restarts'),
  slot: z
    .string()
    .regex(/^[a-z0-9_]{1,63}$/, 'expected a replication slot name: a-z, 0-9 and _, at most 63')
    .default('tidemark')
    .describe("the physical replication slot, the agent's own; it is made if it is missing"),
  synchronous: z
    .boolean()
    .default(false)
    .describe(
      "whether the agent is a synchronous standby: PostgreSQL's synchronous_standby_names names postgres.application_name, and a commit returns when it is durable on the required copies",
    ),
  postgres: postgresSchema,
  wal: z
    .strictObject({
      compression_level: levelSchema.default(1).describe("zstd's level for WAL, -7 to 6"),
      catch_up_compression_level: levelSchema
        .default(-5)
        .describe(
          "zstd's level, -7 to 6, where the stream is more than 64 MiB behind the server; wal.compression_level if that is the lower one",
        ),
      coalesce_ms: z
        .int()
        .min(0)
        .max(1000)
        .default(20)
        .describe(
          'the time in milliseconds that small pieces of WAL are gathered for; where synchronous is set, at most 4 and only while earlier ones are not acknowledged',
        ),
      workers: z.int().min(1).max(16).default(1).describe('threads that compress WAL'),
    })
    .prefault({}),
  backup: z
    .strictObject({
      workers: z.int().min(1).max(64).default(2).describe('threads that read, check and compress'),
      compression_level: levelSchema.default(1).describe("zstd's level for base backups, -7 to 6"),
    })
    .prefault({}),
  tls: tlsSchema.optional().describe('the PEM files for both directions'),
  insecure: z.boolean().default(false).describe('whether to do without TLS on more than loopback'),
  metrics: metricsSchema,
  log: logSchema,
});

export type AgentConfig = z.output<typeof agentConfigSchema>;
