import { z } from 'zod';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { CoordinatorInfo, LeaderInfo } from './coordination.ts';

/**
 * Everything that Tidemark keeps in etcd, below `<prefix><cluster>/`:
 *
 * | key                  | value                                  | lease           | written by                                      |
 * | -------------------- | -------------------------------------- | --------------- | ----------------------------------------------- |
 * | `leader`             | JSON: id, data_center, address, term   | the leader's    | a candidate, if the key does not exist          |
 * | `term`               | the last term that was given, decimal  | none            | a candidate, in the transaction of `leader`     |
 * | `coordinators/<id>`  | JSON: id, data_center, address         | its own         | each coordinator, while it lives                |
 * | `repositories/<id>`  | the id of its repository               | none            | each coordinator, when it starts                |
 * | `names/<name>`       | what the writer of the name chose      | none            | the leader, guarded by `leader` being its own   |
 */
export class EtcdKeys {
  readonly root: string;
  readonly leader: string;
  readonly term: string;
  readonly coordinatorsPrefix: string;
  readonly namesPrefix: string;

  /** @param prefix such as `/tidemark/`; other programs may use the rest of the same etcd */
  constructor(prefix: string, cluster: string) {
    this.root = `${prefix}${cluster}/`;
    this.leader = `${this.root}leader`;
    this.term = `${this.root}term`;
    this.coordinatorsPrefix = `${this.root}coordinators/`;
    this.namesPrefix = `${this.root}names/`;
  }

  coordinator(coordinatorId: string): string {
    return `${this.coordinatorsPrefix}${coordinatorId}`;
  }

  repository(coordinatorId: string): string {
    return `${this.root}repositories/${coordinatorId}`;
  }

  name(key: string): string {
    return `${this.namesPrefix}${key}`;
  }
}

/** The end of the range of all keys with this prefix: the prefix with its last byte raised by one. */
export function prefixEnd(prefix: string): Buffer {
  const end = Buffer.from(prefix, 'utf8');
  // UTF-8 has no byte 0xff, so the last byte can always be raised.
  end.writeUInt8((end.at(-1) ?? 0) + 1, end.length - 1);
  return end;
}

const coordinatorSchema = z.object({ id: z.string(), data_center: z.string(), address: z.string() });
const leaderSchema = coordinatorSchema.extend({ term: z.string().regex(/^\d{1,19}$/) });

export function encodeCoordinator(info: CoordinatorInfo): string {
  return JSON.stringify({ id: info.coordinatorId, data_center: info.dataCenter, address: info.address });
}

/** Null for a value that no coordinator wrote. */
export function decodeCoordinator(value: string): CoordinatorInfo | null {
  const parsed = coordinatorSchema.safeParse(parseJson(value));
  return parsed.success
    ? { coordinatorId: parsed.data.id, dataCenter: parsed.data.data_center, address: parsed.data.address }
    : null;
}

export function encodeLeader(info: LeaderInfo): string {
  const { coordinatorId, dataCenter, address, term } = info;
  return JSON.stringify({ id: coordinatorId, data_center: dataCenter, address, term: term.toString() });
}

/** Null for a value that no leader wrote. */
export function decodeLeader(value: string): LeaderInfo | null {
  const parsed = leaderSchema.safeParse(parseJson(value));
  if (!parsed.success) {
    return null;
  }
  const { id, data_center, address, term } = parsed.data;
  return { coordinatorId: id, dataCenter: data_center, address, term: BigInt(term) };
}

/** @throws TidemarkError TM-LEAD-003 if the value is no term: then nobody may be elected */
export function decodeTerm(key: string, value: string): bigint {
  if (!/^\d{1,19}$/.test(value)) {
    throw new TidemarkError('TM-LEAD-003', `etcd's key ${key} does not hold a term`, {
      hint: 'Write the highest term known into it (see highest-term in the repositories of the coordinators).',
      retryable: false,
    });
  }
  return BigInt(value);
}

function parseJson(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return null;
  }
}
