import { formatLsn, parseLsn, type Lsn } from '../../../shared/postgres/lsn.ts';
import type { WalRecord } from '../../../shared/wal/wal-record.ts';

/** A record as PostgreSQL's own tools describe it, and as the parser does: texts that are compared letter by letter. */
export interface DescribedRecord {
  readonly lsn: Lsn;
  /** Start, predecessor, transaction, resource manager's number, length. */
  readonly head: string;
  /** Where the next record can begin. */
  readonly end: string;
  /** Bytes of main data and of page images. */
  readonly bytes: string;
  /** Of each block: relation, fork, number, whether there is an image. */
  readonly blocks: string;
  /** Of each block: bytes of data and of the image. */
  readonly blockBytes: string;
  /** Resource manager and kind: bits here, a name there. */
  readonly kind: string;
}

const TRANSACTION = 1;
const XLOG = 0;
const SWITCH = 0x40;

/** @param segmentBytes what follows a SWITCH record is filled up to a segment's end */
export function describeRecord(record: WalRecord, segmentBytes: number): DescribedRecord {
  const { lsn, endLsn, previousLsn, xid, resourceManager, totalLength, info } = record;
  const { blocks, mainDataBytes } = record.fragments();
  const isSwitch = resourceManager === XLOG && (info & 0xf0) === SWITCH;
  const unit = isSwitch ? BigInt(segmentBytes) : 8n;
  const end = ((endLsn + unit - 1n) / unit) * unit;
  return {
    lsn,
    head: `${formatLsn(lsn)} ${formatLsn(previousLsn)} ${xid} ${resourceManager} ${totalLength}`,
    end: formatLsn(end as Lsn),
    bytes: `${mainDataBytes} ${blocks.reduce((sum, block) => sum + block.imageBytes, 0)}`,
    blocks: blocks
      .map((block) =>
        blockText(
          `${block.tablespaceOid}/${block.databaseOid}/${block.relationNumber}`,
          block.fork,
          block.block,
          block.imageBytes > 0,
        ),
      )
      .join(', '),
    blockBytes: blocks.map((block) => `${block.dataBytes}+${block.imageBytes}`).join(', '),
    kind: `${resourceManager}:${(info & (resourceManager === TRANSACTION ? 0x70 : 0xf0)).toString(16)}`,
  };
}

export function blockText(relation: string, fork: number, block: number, image: boolean): string {
  return `${relation} ${['main', 'fsm', 'vm', 'init'][fork]} ${block}${image ? ' image' : ''}`;
}

/** The blocks in the text that pg_waldump, and pg_walinspect of 15, give. */
export function blocksInText(text: string): string {
  return [...text.matchAll(/blkref #\d+: rel (\d+\/\d+\/\d+)(?: fork (\w+))? blk (\d+)( \(?FPW)?/g)]
    .map(
      ([, relation, fork, block, image]) =>
        `${relation} ${fork ?? 'main'} ${block}${image === undefined ? '' : ' image'}`,
    )
    .join(', ');
}

/** An LSN as a tool writes it, in the form in which it is compared. */
export function lsnText(text: string): string {
  return formatLsn(parseLsn(text));
}

/**
 * Counts which name stands beside which bits. Every kind of record must have one name, and every name one kind, so that a
 * wrong bit anywhere shows.
 */
export class KindNames {
  readonly #names = new Map<string, string>();
  readonly #kinds = new Map<string, string>();

  /** @throws Error if the two do not go with what was seen before */
  check(kind: string, name: string, where: string): void {
    const known = this.#names.get(kind) ?? name;
    const other = this.#kinds.get(name) ?? kind;
    if (known !== name || other !== kind) {
      throw new Error(`the record at ${where} is ${name} and has ${kind}; before, it was ${known} and ${other}`);
    }
    this.#names.set(kind, name);
    this.#kinds.set(name, kind);
  }

  get names(): readonly string[] {
    return [...this.#kinds.keys()].sort();
  }
}
