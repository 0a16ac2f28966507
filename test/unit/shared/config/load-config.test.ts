import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { TidemarkError } from '../../../../shared/errors/tidemark-error.ts';
import { loadConfig } from '../../../../shared/config/load-config.ts';
import {
  addressSchema,
  durationSchema,
  logSchema,
  nameSchema,
  sizeSchema,
  tlsSchema,
} from '../../../../shared/config/schema-pieces.ts';

const schema = z.strictObject({
  node: nameSchema.describe('the name of the shard'),
  listen: addressSchema.default('127.0.0.1:7320'),
  heartbeat: durationSchema.prefault('5s'),
  memory: sizeSchema.prefault('64 MiB'),
  insecure: z.boolean().default(false),
  tls: tlsSchema.optional(),
  log: logSchema,
  coordinators: z.array(addressSchema).min(1).describe('the addresses of coordinators'),
  postgres: z
    .strictObject({
      host: z.string().default('/var/run/postgresql'),
      port: z.int().min(1).max(65535).default(5432).describe('the port of the PostgreSQL server'),
    })
    .prefault({}),
  limits: z.array(z.strictObject({ name: z.string() })).default([]),
});

describe('loadConfig', () => {
  let directory: string;
  let file: string;

  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'tidemark-config-'));
    file = path.join(directory, 'agent.yaml');
  });

  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  const load = (text: string, environment: Record<string, string> = {}) => {
    writeFileSync(file, text);
    return loadConfig({ schema, file, environment });
  };

  const failure = (text: string, environment: Record<string, string> = {}): TidemarkError => {
    try {
      load(text, environment);
    } catch (error) {
      assert.ok(error instanceof TidemarkError);
      assert.equal(error.exitCode, 2);
      return error;
    }
    assert.fail('it was accepted');
  };

  const minimal = 'node: shard-1\ncoordinators: [east:7310]\n';

  it('fills in what is left out', () => {
    assert.deepEqual(load(minimal), {
      node: 'shard-1',
      listen: '127.0.0.1:7320',
      heartbeat: 5_000,
      memory: 64 * 1024 * 1024,
      insecure: false,
      log: { level: 'info' },
      coordinators: ['east:7310'],
      postgres: { host: '/var/run/postgresql', port: 5432 },
      limits: [],
    });
  });

  it('lets the environment override the file', () => {
    const config = load(`${minimal}postgres:\n  port: 1\n`, {
      TIDEMARK_POSTGRES_PORT: '6000',
      TIDEMARK_POSTGRES_HOST: '007',
      TIDEMARK_INSECURE: 'true',
      TIDEMARK_HEARTBEAT: '250ms',
      TIDEMARK_COORDINATORS: 'a:1, b:2',
      TIDEMARK_LOG_LEVEL: 'debug',
      TIDEMARK_TLS_CA_FILE: 'a',
      TIDEMARK_TLS_CERT_FILE: 'b',
      TIDEMARK_TLS_KEY_FILE: 'c',
    });
    assert.deepEqual(config.postgres, { host: '007', port: 6000 });
    assert.deepEqual(config.coordinators, ['a:1', 'b:2']);
    assert.equal(config.heartbeat, 250);
    assert.equal(config.insecure, true);
    assert.equal(config.log.level, 'debug');
    assert.deepEqual(config.tls, { caFile: 'a', certFile: 'b', keyFile: 'c' });
  });

  it('needs no file', () => {
    const environment = { TIDEMARK_NODE: 'n', TIDEMARK_COORDINATORS: '[a:1]' };
    assert.equal(loadConfig({ schema, environment }).node, 'n');
  });

  it('names file, line, key, reason and hint', () => {
    const error = failure(`${minimal}postgres:\n  host: x\n  port: many\n`);
    assert.equal(error.code, 'TM-CONFIG-001');
    assert.equal(error.message, `${file}:5: postgres.port is wrong: expected number, received string`);
    assert.equal(error.hint, 'postgres.port is the port of the PostgreSQL server.');
  });

  it('names the variable when the value came from the environment', () => {
    const error = failure(minimal, { TIDEMARK_POSTGRES_PORT: '70000' });
    assert.match(error.message, /^environment variable TIDEMARK_POSTGRES_PORT \(postgres\.port\) is wrong: /);
  });

  it('says what is missing', () => {
    const error = failure('coordinators: [a:1]\n');
    assert.equal(error.message, `${file}: node is missing`);
    assert.equal(error.hint, 'node is the name of the shard.');
  });

  it('refuses an unknown key and says what was probably meant', () => {
    const error = failure(`${minimal}postgres:\n  prot: 5433\n`);
    assert.equal(error.message, `${file}:4: postgres.prot is not an option`);
    assert.equal(error.hint, 'Did you mean port?');
    assert.match(failure(`${minimal}colour: red\n`).hint, /^Options here: node, listen, /);
    assert.match(failure(`${minimal}limits:\n  - nmae: x\n`).message, /:4: limits\.0\.nmae is not an option/);
  });

  it('refuses an unknown key even where the schema would drop it', () => {
    writeFileSync(file, 'hots: x\n');
    const loose = z.object({ host: z.string().optional() });
    assert.throws(() => loadConfig({ schema: loose, file, environment: {} }), { code: 'TM-CONFIG-001' });
  });

  it('refuses a variable that is nearly an option, and leaves others alone', () => {
    assert.match(failure(minimal, { TIDEMARK_POSTGRES_PROT: '1' }).hint, /TIDEMARK_POSTGRES_PORT/);
    assert.equal(load(minimal, { TIDEMARK_TEST_SEED: '1', TIDEMARK_CONFIG: 'x' }).node, 'shard-1');
  });

  it('reports every problem at once', () => {
    const error = failure('listen: nowhere\nlog: { level: loud }\nheartbeat: 5\n');
    for (const part of ['listen is wrong', 'log.level is wrong', 'heartbeat is wrong', 'node is missing']) {
      assert.ok(error.message.includes(part), `${part} in ${error.message}`);
    }
  });

  it('says where YAML goes wrong', () => {
    assert.match(failure('node: a\n  b: [\n').message, /agent\.yaml:\d+: /);
    assert.match(failure('node: a\nnode: b\n').message, /agent\.yaml:2: .*unique/);
    assert.match(failure('- a\n').message, /must hold keys/);
  });

  it('says that a file cannot be read', () => {
    assert.throws(() => loadConfig({ schema, file: `${file}.missing`, environment: {} }), { code: 'TM-CONFIG-002' });
  });

  it('reads lengths of time and sizes', () => {
    const config = load(`${minimal}heartbeat: 1.5h\nmemory: 2.5GiB\n`);
    assert.equal(config.heartbeat, 5_400_000);
    assert.equal(config.memory, 2.5 * 2 ** 30);
    assert.match(failure(`${minimal}heartbeat: 10\n`).message, /heartbeat is wrong/);
    assert.match(failure(`${minimal}memory: 10 MB\n`).message, /expected a size such as/);
  });

  it('refuses a name that is not plain', () => {
    assert.match(failure('node: ../x\ncoordinators: [a:1]\n').message, /not a plain name/);
  });
});
