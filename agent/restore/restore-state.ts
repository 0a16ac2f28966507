import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { replaceFileDurably } from '../../shared/files/durable-file.ts';
import { formatLsn, type Lsn, NO_LSN, parseLsn } from '../../shared/postgres/lsn.ts';
import { checkName } from '../../shared/repository/layout.ts';
import { restoreRequest, type RestoreRequest } from './restore-request.ts';

/** How far a restore has come. The phases in -ing are written before their first effect, the others after the last. */
export const RESTORE_PHASES = [
  'preparing',
  'prepared',
  'starting',
  'paused',
  'promoting',
  'promoted',
  'resolving',
  'resolved',
  'opening',
  'opened',
] as const;
export type RestorePhase = (typeof RESTORE_PHASES)[number];

const lsnText = z.codec(z.string(), z.custom<Lsn>(), {
  decode: (text) => parseLsn(text),
  encode: (value) => formatLsn(value),
});

const preparedTransaction = z.strictObject({
  gid: z.string(),
  xid: z.number().int(),
  database: z.string(),
  databaseOid: z.number().int(),
});

/** A row of pg_prepared_xacts. */
export type PreparedTransaction = z.output<typeof preparedTransaction>;

const schema = z.strictObject({
  format: z.literal(1),
  phase: z.enum(RESTORE_PHASES),
  request: restoreRequest,
  /** Packs that were written whole, but not yet synced: they count only until the machine restarts. */
  packsWritten: z.array(z.number().int()),
  bootId: z.string(),
  /** Private to the fenced server; empty before it was first started. */
  socketDirectory: z.string(),
  /** Of the backed-up server. */
  serverVersionNum: z.number().int(),
  sourceSettings: z.record(z.string(), z.string()),
  /** Where recovery stood when it was paused. */
  replayLsn: lsnText,
  /** What was prepared when the server was promoted. */
  prepared: z.array(preparedTransaction),
  /** That it was promoted to; 0 before. */
  newTimeline: z.number().int(),
});

export type RestoreState = z.output<typeof schema>;

/** The state files of an agent's restores, one each, replaced atomically. */
export class RestoreStateStore {
  readonly #directory: string;

  /** @param stateDirectory the agent's own; what is private to a restore lies in it */
  constructor(stateDirectory: string) {
    this.#directory = path.join(stateDirectory, 'restores');
  }

  /** A place for what belongs to one restore: its log and its hba file. */
  privateDirectory(restoreId: string): string {
    return path.join(this.#directory, checkName('restore', restoreId));
  }

  /** Null for a restore that this agent does not know. @throws TidemarkError TM-RESTORE-007 if the file is damaged */
  async load(restoreId: string): Promise<RestoreState | null> {
    const file = this.#file(restoreId);
    let text: string;
    try {
      text = await readFile(file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
    try {
      return z.decode(schema, JSON.parse(text) as z.input<typeof schema>);
    } catch (cause) {
      throw new TidemarkError('TM-RESTORE-007', `${file} is damaged`, {
        hint: 'Remove it and the target directory, and start the restore again.',
        cause,
      });
    }
  }

  async save(state: RestoreState): Promise<void> {
    const { restoreId } = state.request;
    await mkdir(this.privateDirectory(restoreId), { recursive: true, mode: 0o700 });
    await replaceFileDurably(this.#file(restoreId), JSON.stringify(z.encode(schema, state), null, 1));
  }

  #file(restoreId: string): string {
    return path.join(this.privateDirectory(restoreId), 'state.json');
  }
}

/** A restore that has done nothing yet. */
export function newState(request: RestoreRequest): RestoreState {
  return {
    format: 1,
    phase: 'preparing',
    request,
    packsWritten: [],
    bootId: '',
    socketDirectory: '',
    serverVersionNum: 0,
    sourceSettings: {},
    replayLsn: NO_LSN,
    prepared: [],
    newTimeline: 0,
  };
}
