import { z } from 'zod';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { formatLsn, parseLsn } from '../postgres/lsn.ts';
import type { LsnRange } from '../wal/lsn-range.ts';
import type { WalStreamKey } from '../wal/change-set.ts';
import { gapPath, gapsPrefix } from './layout.ts';
import { readObject } from './read-object.ts';
import type { ReadableRepository } from './repository.ts';

const GAP_FORMAT = 1;
const GAP_BYTES_MAX = 64 * 1024;

/**
 * What a leader found about a range of a stream's WAL: PostgreSQL did not have it any more, and no coordinator that answered held it. It
 * forbids nothing: a copy that comes back with the bytes fills the gap, and what was declared stays as what was known then.
 */
export interface WalGap extends LsnRange {
  readonly stream: WalStreamKey;
  /** Of the leader that declared it. */
  readonly term: bigint;
  readonly coordinatorId: string;
  /** Wall clock, microseconds since 1970-01-01 UTC. */
  readonly declaredAtUs: bigint;
  /** What PostgreSQL said. */
  readonly reason: string;
  /** Coordinators that did not answer then, and may hold it. */
  readonly notAsked: readonly string[];
}

const lsnText = z.string().transform((text) => parseLsn(text));
const bigintText = z
  .string()
  .regex(/^\d{1,19}$/)
  .transform((text) => BigInt(text));
const schema = z.object({
  format: z.literal(GAP_FORMAT),
  node: z.string(),
  system_identifier: z.string(),
  timeline: z.number().int().positive(),
  start_lsn: lsnText,
  end_lsn: lsnText,
  term: bigintText,
  coordinator_id: z.string(),
  declared_at_us: bigintText,
  reason: z.string(),
  not_asked: z.array(z.string()),
});

export function encodeWalGap(gap: WalGap): Buffer {
  const document = {
    format: GAP_FORMAT,
    node: gap.stream.node,
    system_identifier: gap.stream.systemIdentifier,
    timeline: gap.stream.timeline,
    start_lsn: formatLsn(gap.startLsn),
    end_lsn: formatLsn(gap.endLsn),
    term: gap.term.toString(),
    coordinator_id: gap.coordinatorId,
    declared_at_us: gap.declaredAtUs.toString(),
    reason: gap.reason,
    not_asked: gap.notAsked,
  };
  return Buffer.from(`${JSON.stringify(document, null, 2)}\n`);
}

/** @throws TidemarkError TM-REPO-003 if it is not one */
export function decodeWalGap(content: Buffer, what: string): WalGap {
  let document;
  try {
    document = schema.parse(JSON.parse(content.toString('utf8')));
  } catch (error) {
    throw new TidemarkError('TM-REPO-003', `${what} is damaged: ${(error as Error).message}`, { cause: error });
  }
  return {
    stream: { node: document.node, systemIdentifier: document.system_identifier, timeline: document.timeline },
    startLsn: document.start_lsn,
    endLsn: document.end_lsn,
    term: document.term,
    coordinatorId: document.coordinator_id,
    declaredAtUs: document.declared_at_us,
    reason: document.reason,
    notAsked: document.not_asked,
  };
}

/** Where a gap is kept: one name for each leader's finding, so that two leaders never write one object. */
export function pathOfGap({ stream, startLsn, endLsn, term }: WalGap): string {
  return gapPath(stream, startLsn, endLsn, term);
}

/** @throws TidemarkError TM-REPO-003 if it is damaged */
export async function readWalGap(repository: Pick<ReadableRepository, 'name' | 'read'>, path: string): Promise<WalGap> {
  return decodeWalGap(await readObject(repository, path, GAP_BYTES_MAX), path);
}

/** Every gap of a node that was declared in this copy or came to it from another. */
export async function listWalGaps(
  repository: Pick<ReadableRepository, 'name' | 'read' | 'list'>,
  node: string,
  systemIdentifier: string,
): Promise<WalGap[]> {
  const gaps: WalGap[] = [];
  for await (const { path } of repository.list(gapsPrefix(node, systemIdentifier))) {
    gaps.push(await readWalGap(repository, path));
  }
  return gaps;
}
