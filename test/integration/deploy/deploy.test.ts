import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { METRICS } from '../../../shared/observability/metric-table.ts';
import { Metrics } from '../../../shared/observability/metrics.ts';

const root = fileURLToPath(new URL('../../../..', import.meta.url));
const deploy = path.join(root, 'deploy');

/** Checkers that are used where the machine has them; what they check is looked at by the tests beside them too. */
const PROMTOOL = '/usr/bin/promtool';
const SYSTEMD_ANALYZE = '/usr/bin/systemd-analyze';

function unitFiles(): string[] {
  return readdirSync(path.join(deploy, 'systemd')).filter((name) => name.endsWith('.service'));
}

describe('systemd units', () => {
  for (const name of unitFiles()) {
    const content = readFileSync(path.join(deploy, 'systemd', name), 'utf8');

    it(`${name} lets Node run, and restarts after a failure only`, () => {
      assert.doesNotMatch(content, /^MemoryDenyWriteExecute/m);
      for (const line of ['Type=notify', 'NotifyAccess=all', 'Restart=on-failure', 'RestartPreventExitStatus=2']) {
        assert.ok(content.split('\n').includes(line), line);
      }
      assert.match(content, /^RestrictAddressFamilies=.*AF_UNIX/m, 'systemd-notify needs it');
    });
  }

  if (existsSync(SYSTEMD_ANALYZE)) {
    it('are accepted by systemd-analyze verify', () => {
      const scratch = mkdtempSync(path.join(tmpdir(), 'tidemark-units-'));
      try {
        const units = unitFiles().map((name) => {
          const content = readFileSync(path.join(deploy, 'systemd', name), 'utf8');
          const file = path.join(scratch, name);
          // The programs are not installed here.
          writeFileSync(file, content.replaceAll(/\/usr\/bin\/tidemark-\w+/g, process.execPath));
          return file;
        });
        const { status, stderr } = spawnSync(SYSTEMD_ANALYZE, ['verify', '--man=no', ...units], { encoding: 'utf8' });
        assert.equal(stderr.replaceAll(/^.*(?:SYSTEMD_UNIT_PATH|Failed to|journal).*\n/gm, ''), '');
        assert.equal(status, 0);
      } finally {
        rmSync(scratch, { recursive: true });
      }
    });
  }
});

describe('example configurations', () => {
  let scratch: string;
  let certificate: string;
  let key: string;

  before(() => {
    scratch = mkdtempSync(path.join(tmpdir(), 'tidemark-examples-'));
    const [certFile, keyFile] = [path.join(scratch, 'certificate'), path.join(scratch, 'key')];
    const subject = ['-subj', '/CN=example', '-days', '1', '-keyout', keyFile, '-out', certFile];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject], { stdio: 'pipe' });
    certificate = readFileSync(certFile, 'utf8');
    key = readFileSync(keyFile, 'utf8');
  });

  after(() => rmSync(scratch, { recursive: true }));

  /** The example, with its files below `scratch` and made there. */
  function installed(name: string): string {
    const directory = path.join(scratch, name);
    const content = readFileSync(path.join(deploy, 'examples', name), 'utf8').replaceAll('/etc/tidemark', directory);
    for (const [file] of content.matchAll(new RegExp(`${directory}/\\S+`, 'g'))) {
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, file.endsWith('.key') ? key : file.endsWith('.pem') ? certificate : 'secret\n', {
        mode: 0o600,
      });
    }
    const config = path.join(directory, 'config.yaml');
    writeFileSync(config, content);
    return config;
  }

  for (const name of readdirSync(path.join(deploy, 'examples'))) {
    const program = name.startsWith('agent') ? 'agent' : 'coordinator';
    it(`${name} is accepted by tidemark-${program} --check`, () => {
      const args = [path.join(root, `dist/${program}/main.js`), '--config', installed(name), '--check'];
      execFileSync(process.execPath, args, { stdio: 'pipe' });
    });
  }
});

interface RuleFile {
  readonly groups: readonly { readonly rules: readonly { readonly alert: string; readonly expr: string }[] }[];
}

describe('Prometheus rules', () => {
  const file = path.join(deploy, 'prometheus/tidemark-alerts.yaml');

  it('speak of metrics that exist only', () => {
    const { groups } = parse(readFileSync(file, 'utf8')) as RuleFile;
    const rules = groups.flatMap((group) => group.rules);
    assert.ok(rules.length >= 10);
    for (const { alert, expr } of rules) {
      const names = expr.match(/\btidemark_\w+/g) ?? [];
      assert.ok(names.length > 0, alert);
      for (const name of names) {
        assert.ok(Object.hasOwn(METRICS, name), `${alert}: ${name}`);
      }
    }
  });

  if (existsSync(PROMTOOL)) {
    it('are accepted by promtool', () => {
      execFileSync(PROMTOOL, ['check', 'rules', file], { stdio: 'pipe' });
    });
  }
});

describe('metrics output', () => {
  if (existsSync(PROMTOOL)) {
    it('is accepted by promtool', async () => {
      const metrics = new Metrics({ runtime: false });
      for (const [name, { type, labels }] of Object.entries(METRICS)) {
        const values = Object.fromEntries(labels.map((label) => [label, 'a"b\\c']));
        // Every metric of the table, whatever its labels are.
        const call = { gauge: 'set', counter: 'add', histogram: 'observe' } as const;
        const method = metrics[call[type]].bind(metrics) as (name: string, labels: object, value: number) => void;
        method(name, values, 1);
      }
      const { body } = await metrics.read();
      const { status, stdout, stderr } = spawnSync(PROMTOOL, ['check', 'metrics'], { input: body, encoding: 'utf8' });
      assert.equal(`${stdout}${stderr}`, '');
      assert.equal(status, 0);
      assert.equal(Object.keys(METRICS).filter((name) => !body.includes(`# HELP ${name} `)).length, 0);
    });
  }
});
