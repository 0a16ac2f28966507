import { z } from 'zod';
import {
  addressSchema,
  durationSchema,
  logSchema,
  metricsSchema,
  nameSchema,
  tlsSchema,
} from '../../shared/config/schema-pieces.ts';
import { DEFAULT_MATCHERS, MATCHER_NAMES } from '../../shared/cuts/choose-matchers.ts';
import { patternProblem } from '../../shared/cuts/pattern-matcher.ts';

const LEASE_TTL_MIN_MS = 2_000;
const LEASE_TTL_MAX_MS = 60_000;

const coordinationSchema = z
  .strictObject({
    kind: z
      .enum(['etcd', 'embedded'])
      .describe('etcd; or embedded, for one coordinator on one machine with its state in a directory'),
    endpoints: z
      .array(z.url({ protocol: /^https?$/, error: 'expected http://host:port or https://host:port' }))
      .default([])
      .describe('the client URLs of all etcd members'),
    prefix: z
      .string()
      .regex(/^\/(?:[A-Za-z0-9._-]+\/)*$/, 'expected a path such as /tidemark/')
      .default('/tidemark/')
      .describe("what stands before the cluster's name in every key of etcd"),
    lease_ttl: durationSchema
      .prefault('10s')
      .refine((ms) => ms >= LEASE_TTL_MIN_MS && ms <= LEASE_TTL_MAX_MS, 'expected 2s to 60s')
      .describe('how long a leader that vanished holds up the next one'),
    tls: z
      .strictObject({
        ca_file: z.string().min(1).describe("the PEM file of the authority that etcd's certificates come from"),
        cert_file: z.string().min(1).optional().describe('the PEM file of the client certificate'),
        key_file: z.string().min(1).optional().describe('the PEM file of its private key'),
      })
      .optional()
      .describe('TLS towards etcd; the endpoints are https:// then'),
    user: z.string().min(1).optional().describe('a user of etcd with rights on everything below the prefix'),
    password_file: z.string().min(1).optional().describe("a file whose content is the user's password"),
    directory: z.string().min(1).optional().describe('where embedded coordination keeps its state'),
  })
  .superRefine((value, context) => {
    const wrong = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message });
    if (value.kind === 'embedded') {
      if (value.directory === undefined) wrong('directory', 'embedded coordination needs one');
      return;
    }
    if (value.endpoints.length === 0) wrong('endpoints', 'etcd needs at least one');
    if (new Set(value.endpoints.map((url) => new URL(url).protocol)).size > 1) {
      wrong('endpoints', 'either all are https:// or none is');
    }
    if (value.tls !== undefined && value.endpoints.some((url) => !url.startsWith('https:'))) {
      wrong('endpoints', 'with tls, all are https://');
    }
    if ((value.user === undefined) !== (value.password_file === undefined)) {
      wrong('password_file', 'user and password_file go together');
    }
    if ((value.tls?.cert_file === undefined) !== (value.tls?.key_file === undefined)) {
      wrong('tls', 'cert_file and key_file go together');
    }
  });

const matcherSchema = z.union(
  [
    z.enum(MATCHER_NAMES),
    z.strictObject({
      pattern: z.string().superRefine((expression, context) => {
        const problem = patternProblem(expression);
        if (problem !== null) context.addIssue({ code: 'custom', message: problem });
      }),
    }),
  ],
  { error: `expected ${MATCHER_NAMES.join(', ')} or { pattern: 'an expression with (?<transaction>…)' }` },
);

const transactionsSchema = z.strictObject({
  match: z
    .array(matcherSchema)
    .min(1)
    .max(16)
    .default([...DEFAULT_MATCHERS])
    .superRefine((choices, context) => {
      const same = choices.indexOf('same');
      if (same !== -1 && same < choices.length - 1) {
        context.addIssue({ code: 'custom', message: 'same knows every GID: what stands behind it is never asked' });
      }
    })
    .describe(
      'how the prepared branches of one distributed transaction are told by their GIDs: citus, xa (pgjdbc), same (one GID everywhere), or { pattern: EXPRESSION } with a group (?<transaction>…); the first that knows a GID counts; the same on all coordinators',
    ),
  prepared_warning: durationSchema
    .prefault('5m')
    .describe('how long a transaction may stay prepared before the status, a metric and the log say so'),
});

/** What `tidemark-coordinator --config FILE` takes. Descriptions are shown as hints. */
export const coordinatorConfigSchema = z.strictObject({
  cluster: nameSchema.describe("the whole distributed database's name; the same for all agents and coordinators"),
  id: nameSchema.describe("this coordinator's name, another one for each"),
  data_center: nameSchema.describe('where this coordinator and its repository stand; copies in one count as one'),
  listen: addressSchema.default('127.0.0.1:7400').describe('where agents, coordinators and people call, host:port'),
  advertise: addressSchema.optional().describe('where others reach this coordinator; left out: as listen'),
  nodes: z
    .array(nameSchema)
    .refine((nodes) => new Set(nodes).size === nodes.length, 'expected each node once')
    .default([])
    .describe(
      'the nodes of the cluster, the same everywhere: an agent of another is refused, and without one of them nothing is complete; none: whoever registers',
    ),
  repository: z.strictObject({
    path: z.string().min(1).describe("a directory of this coordinator alone: its data centre's copy"),
  }),
  coordination: coordinationSchema,
  copies: z
    .strictObject({
      required: z
        .int()
        .min(1)
        .max(16)
        .default(1)
        .describe('in how many data centres WAL lies before PostgreSQL is told that it is safe; the same everywhere'),
    })
    .prefault({}),
  snapshots: z
    .strictObject({
      interval: durationSchema
        .prefault('10s')
        .refine((ms) => ms >= 100, 'expected 100ms or more')
        .describe('the time between two snapshots'),
    })
    .prefault({}),
  transactions: transactionsSchema.prefault({}),
  backup: z
    .strictObject({
      nodes_at_once: z.int().min(1).max(64).default(2).describe('how many nodes are backed up side by side'),
      workers: z.int().min(0).max(64).default(0).describe("reading threads of each agent; 0: the agent's default"),
    })
    .prefault({}),
  agents: z
    .strictObject({
      heartbeat: durationSchema.prefault('1s').describe('how often agents make themselves known'),
      silence: durationSchema.prefault('5s').describe('after how long without that an instance counts as gone'),
    })
    .prefault({}),
  compression: z
    .strictObject({ workers: z.int().min(1).max(16).default(2).describe('threads that compress and decompress') })
    .prefault({}),
  tls: tlsSchema.optional().describe('the PEM files for both directions'),
  insecure: z.boolean().default(false).describe('whether to do without TLS on more than loopback'),
  metrics: metricsSchema,
  log: logSchema,
});

export type CoordinatorConfig = z.output<typeof coordinatorConfigSchema>;
