import { z } from 'zod';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { formatLsn, type Lsn, parseLsn } from '../postgres/lsn.ts';
import { FRAME_CONTENT_BYTES_MAX } from '../wal/change-set.ts';
import { checkName, checkRelativePath } from './layout.ts';

/**
 * The manifest of a base backup: `nodes/<node>/<system identifier>/backups/<id>/manifest.json.zst`. It is written after
 * the packs, so a backup whose manifest is there is whole.
 *
 * A pack holds zstd frames end to end; `frames` says where each lies. The content of a frame is at most 1 MiB. A file's bytes
 * are its extents, each a range of one frame's content: small files share a frame, large ones span many.
 */
export const BACKUP_MANIFEST_FORMAT = 1;
/** A pack is closed before it grows beyond this. */
export const PACK_BYTES_MAX = 256 * 1024 * 1024;

const lsnText = z.codec(z.string().regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/), z.custom<Lsn>(), {
  decode: (text) => parseLsn(text),
  encode: (value) => formatLsn(value),
});
const count = z.number().int().nonnegative();
const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/);
const base64 = z.base64();
const oid = z.number().int().min(1).max(0xffffffff);
const timeUs = z.number().int().nonnegative();

/** [pack, offset in the pack, bytes of the frame, bytes of its content, SHA-256 of its content] */
const frame = z.tuple([count, count, count.min(1), count.max(FRAME_CONTENT_BYTES_MAX), sha256Hex]);
/** [frame, offset in the frame's content, bytes] */
const extent = z.tuple([count, count, count.min(1)]);

const file = z.strictObject({
  /** Relative to the data directory; a tablespace's files lie below `pg_tblspc/<oid>/`. */
  path: z.string(),
  sizeBytes: count,
  /** Permission bits. */
  mode: count.max(0o7777),
  modifiedAtUs: timeUs,
  extents: z.array(extent),
  /** Blocks of this file (counted in the file) whose checksum failed on every read. */
  badBlocks: z.array(count).optional(),
});

const manifest = z.strictObject({
  format: z.literal(BACKUP_MANIFEST_FORMAT),
  type: z.literal('full'),
  id: z.string(),
  node: z.string(),
  /** In decimal. */
  systemIdentifier: z.string().regex(/^[0-9]{1,20}$/),
  timeline: z.number().int().min(1).max(0xffffffff),
  /** Where recovery begins reading (the checkpoint's redo position). */
  startLsn: lsnText,
  /** Recovery must reach this position before the data is consistent. */
  stopLsn: lsnText,
  checkpointLsn: lsnText,
  startedAtUs: timeUs,
  finishedAtUs: timeUs,
  serverVersionNum: count,
  walSegmentBytes: count.min(1024 * 1024).max(1024 * 1024 * 1024),
  dataChecksums: z.boolean(),
  /** What a restore must not undercut. */
  settings: z.record(z.string(), z.string()),
  tablespaces: z.array(z.strictObject({ oid, location: z.string() })),
  /** Every directory, empty ones too, relative to the data directory. */
  directories: z.array(z.string()),
  /** Verbatim from the server, base64. */
  backupLabel: base64.min(1),
  /** Verbatim from the server, base64; empty if there is none. */
  tablespaceMap: base64,
  pagesVerified: count,
  filesVanished: count,
  /** Packs are numbered from 0. */
  packs: z.array(z.strictObject({ sizeBytes: count.min(1).max(PACK_BYTES_MAX) })),
  frames: z.array(frame),
  files: z.array(file),
});

export type BackupManifest = z.output<typeof manifest>;
export type BackupFrame = z.output<typeof frame>;
export type BackupFile = z.output<typeof file>;

/** The manifest as JSON bytes, before compression. */
export function serializeBackupManifest(value: BackupManifest): Buffer {
  return Buffer.from(JSON.stringify(z.encode(manifest, value)));
}

/**
 * Reads a manifest and checks that it is coherent: names stay in their place, every file is covered by its extents, every
 * extent lies in its frame, every frame in its pack, and frames do not overlap.
 * @param name for messages
 * @throws TidemarkError TM-REPO-003 if it is not a manifest, TM-REPO-006 if a name leaves its place, TM-REPO-008 for another format
 */
export function parseBackupManifest(json: Uint8Array, name: string): BackupManifest {
  const value = decode(json, name);
  checkName('backup', value.id);
  checkName('node', value.node);
  checkPacks(value, name);
  checkFiles(value, name);
  return value;
}

function decode(json: Uint8Array, name: string): BackupManifest {
  let raw: unknown;
  try {
    raw = JSON.parse(Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString('utf8'));
  } catch (cause) {
    throw new TidemarkError('TM-REPO-003', `${name} is not JSON`, { cause });
  }
  const format = z.object({ format: z.number(), type: z.string() }).safeParse(raw);
  if (format.success && (format.data.format !== BACKUP_MANIFEST_FORMAT || format.data.type !== 'full')) {
    throw new TidemarkError(
      'TM-REPO-008',
      `${name} is a backup of type ${format.data.type} in format ${format.data.format}`,
    );
  }
  const result = z.safeDecode(manifest, raw as z.input<typeof manifest>);
  if (!result.success) {
    throw damaged(name, z.prettifyError(result.error));
  }
  return result.data;
}

function checkPacks(value: BackupManifest, name: string): void {
  let pack = 0;
  let offset = 0;
  for (const [sequence, [framePack, frameOffset, frameBytes]] of value.frames.entries()) {
    if (framePack === pack + 1 && offset === value.packs[pack]?.sizeBytes) {
      pack += 1;
      offset = 0;
    }
    if (framePack !== pack || frameOffset !== offset) {
      throw damaged(name, `frame ${sequence} does not follow the one before it`);
    }
    offset += frameBytes;
  }
  const packsUsed = value.frames.length === 0 ? 0 : pack + 1;
  if (packsUsed !== value.packs.length || (packsUsed > 0 && offset !== value.packs[pack]?.sizeBytes)) {
    throw damaged(name, 'its frames do not fill its packs');
  }
}

function checkFiles(value: BackupManifest, name: string): void {
  const tablespaces = new Set(value.tablespaces.map((tablespace) => String(tablespace.oid)));
  if (tablespaces.size !== value.tablespaces.length) {
    throw damaged(name, 'a tablespace is listed twice');
  }
  const directories = new Set<string>();
  for (const path of value.directories) {
    checkPlace(path, tablespaces);
    directories.add(path);
  }
  const seen = new Set<string>();
  for (const { path, sizeBytes, extents } of value.files) {
    checkPlace(path, tablespaces);
    if (seen.has(path) || directories.has(path)) {
      throw damaged(name, `${path} is listed twice`);
    }
    seen.add(path);
    let bytes = 0;
    for (const [sequence, offset, length] of extents) {
      const contentBytes = value.frames[sequence]?.[3];
      if (contentBytes === undefined || offset + length > contentBytes) {
        throw damaged(name, `${path} reaches beyond frame ${sequence}`);
      }
      bytes += length;
    }
    if (bytes !== sizeBytes) {
      throw damaged(name, `${path} has ${sizeBytes} bytes, but its extents have ${bytes}`);
    }
  }
}

/** Below pg_tblspc there is nothing but the tablespaces that the manifest names. */
function checkPlace(path: string, tablespaces: ReadonlySet<string>): void {
  checkRelativePath('backed-up path', path);
  const [top, tablespace] = path.split('/');
  if (top === 'pg_tblspc' && tablespace !== undefined && !tablespaces.has(tablespace)) {
    throw new TidemarkError(
      'TM-REPO-006',
      `backed-up path ${JSON.stringify(path)} lies in a tablespace that is not listed`,
    );
  }
}

function damaged(name: string, what: string): TidemarkError {
  return new TidemarkError('TM-REPO-003', `${name}: ${what}`);
}
