import type { RestoreTargetSpec } from '../../shared/admin/restore.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { checkName } from '../../shared/repository/layout.ts';
import { parseAddress } from '../../shared/rpc/address.ts';

/** Where agents listen unless they are told otherwise. */
export const AGENT_PORT = 7401;

type Target = Pick<RestoreTargetSpec, 'node' | 'agentAddress' | 'directory' | 'port'>;

/**
 * Reads `NODE=AGENT:DIR[:PORT]`, for example `shard-1=10.0.0.7:7401:/srv/pg/new:5433`. AGENT is host:port, or a host alone for the
 * usual port; DIR begins with `/`. A directory whose name ends in a colon and digits needs a port behind it.
 * @throws TidemarkError TM-USAGE-001
 */
export function parseTarget(text: string): Target {
  const match = /^([^=]+)=((?:\[[^\]]+\]|[^:/[\]]+)(?::\d+)?):(\/.*?)(?::(\d{1,5}))?$/.exec(text);
  if (match === null) {
    throw malformed(text, 'NODE=AGENT:DIR[:PORT]', 'shard-1=10.0.0.7:7401:/srv/pg/shard-1:5432');
  }
  const [, node = '', agent = '', directory = '', port] = match;
  const agentAddress = /:\d+$/.test(agent) ? agent : `${agent}:${AGENT_PORT}`;
  parseAddress(agentAddress);
  return { node: nodeOf(node), agentAddress, directory: directoryOf(directory, text), port: portOf(port, text) };
}

/**
 * Reads `NODE=DIR[:PORT]` of a restore on this machine.
 * @throws TidemarkError TM-USAGE-001
 */
export function parseLocalTarget(text: string): Omit<Target, 'agentAddress'> {
  const match = /^([^=]+)=(\/.*?)(?::(\d{1,5}))?$/.exec(text);
  if (match === null) {
    throw malformed(text, 'NODE=DIR[:PORT]', 'shard-1=/srv/pg/shard-1:5432');
  }
  const [, node = '', directory = '', port] = match;
  return { node: nodeOf(node), directory: directoryOf(directory, text), port: portOf(port, text) };
}

/**
 * Reads `NODE:OID=DIR` and gives each node its tablespaces' new directories.
 * @throws TidemarkError TM-USAGE-001
 */
export function parseTablespaces(texts: readonly string[]): ReadonlyMap<string, Readonly<Record<string, string>>> {
  const byNode = new Map<string, Record<string, string>>();
  for (const text of texts) {
    const match = /^([^:=]+):(\d{1,10})=(\/.*)$/.exec(text);
    if (match === null) {
      throw new TidemarkError('TM-USAGE-001', `--tablespace ${JSON.stringify(text)} is not NODE:OID=DIR`, {
        hint: 'For example --tablespace shard-1:16400=/srv/fast/shard-1.',
      });
    }
    const [, node = '', oid = '', directory = ''] = match;
    const directories = byNode.get(nodeOf(node)) ?? {};
    directories[oid] = directory;
    byNode.set(node, directories);
  }
  return byNode;
}

/**
 * Reads `NAME=VALUE`, any number of them.
 * @throws TidemarkError TM-USAGE-001
 */
export function parseSettings(texts: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    texts.map((text) => {
      const match = /^([a-z_][a-z0-9_.]*)=(.*)$/is.exec(text);
      if (match === null) {
        throw new TidemarkError('TM-USAGE-001', `--set ${JSON.stringify(text)} is not NAME=VALUE`, {
          hint: 'For example --set max_connections=200.',
        });
      }
      return [match[1] ?? '', match[2] ?? ''];
    }),
  );
}

/** @throws TidemarkError TM-USAGE-001 if a node is named twice */
export function checkNodesDiffer(targets: readonly { readonly node: string }[]): void {
  const seen = new Set<string>();
  for (const { node } of targets) {
    if (seen.has(node)) {
      throw new TidemarkError('TM-USAGE-001', `--target names node ${node} twice`);
    }
    seen.add(node);
  }
}

function malformed(text: string, form: string, example: string): TidemarkError {
  return new TidemarkError('TM-USAGE-001', `--target ${JSON.stringify(text)} is not ${form}`, {
    hint: `For example --target ${example}; DIR is absolute.`,
  });
}

function nodeOf(text: string): string {
  try {
    return checkName('node', text);
  } catch (cause) {
    throw new TidemarkError('TM-USAGE-001', (cause as Error).message, { cause });
  }
}

function directoryOf(text: string, target: string): string {
  if (text === '/' || text.split('/').includes('..')) {
    throw new TidemarkError('TM-USAGE-001', `--target ${JSON.stringify(target)}: ${text} cannot be a data directory`);
  }
  return text;
}

function portOf(text: string | undefined, target: string): number {
  const port = Number(text ?? 0);
  if (port > 65535 || (text !== undefined && port === 0)) {
    throw new TidemarkError('TM-USAGE-001', `--target ${JSON.stringify(target)}: ${text} is not a port`);
  }
  return port;
}
