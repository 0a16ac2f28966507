import { Socket, type OnReadOpts, type SocketConstructorOpts } from 'node:net';
import { type Client, type Connection } from 'pg';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import { formatLsn, parseLsn, type Lsn } from '../../shared/postgres/lsn.ts';
import { majorOfVersionNum } from '../../shared/postgres/versions.ts';
import { connectPostgres, type PostgresSettings } from '../postgres/postgres-connection.ts';
import { sqlState, toPostgresError } from '../postgres/postgres-error.ts';
import { CopyStreamFramer } from './copy-stream-framer.ts';
import { encodeStatusUpdate, type ReplicationMessage } from './replication-message.ts';

export interface SystemIdentity {
  readonly systemIdentifier: string;
  /** The server's current timeline. */
  readonly timeline: number;
  readonly flushLsn: Lsn;
  readonly majorVersion: number;
}

/** Where the history goes on after a timeline's end. */
export interface NextTimeline {
  readonly timeline: number;
  /** The end of the old timeline and the start of the next. */
  readonly startLsn: Lsn;
}

export interface StreamRequest {
  readonly slot: string;
  readonly timeline: number;
  readonly startLsn: Lsn;
  /**
   * Called for each message, in order; a long one comes in pieces. The bytes lie in the buffer that the socket is read into: they must
   * be used or copied before this returns. What it throws ends the stream.
   */
  readonly onMessage: (message: ReplicationMessage) => void;
}

/** What pg's Connection has beside its published types. */
interface CopyConnection extends Connection {
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

interface TimelineRow {
  next_tli?: string;
  next_tli_startpos?: string;
}

const READ_BYTES = 256 * 1024;

/**
 * One connection in physical replication mode. pg makes it and speaks all of the protocol but CopyData, which never gets to it: the socket is
 * read into one buffer, again and again, and WAL is handed on from there. The bytes are taken at the pace of its owner: `pause` stops reading the
 * socket, and then PostgreSQL stops sending. Status updates are the owner's to send, also while it is paused.
 */
export class ReplicationConnection {
  readonly #client: Client;
  readonly #socket: Socket;
  readonly #connection: CopyConnection;
  readonly #clock: Clock;
  readonly #closed: Promise<void>;
  #streaming = false;
  #failure: Error | null = null;
  #onMessage: (message: ReplicationMessage) => void = () => undefined;

  private constructor(client: Client, socket: Socket, clock: Clock) {
    this.#client = client;
    this.#socket = socket;
    this.#connection = client.connection as CopyConnection;
    this.#clock = clock;
    this.#closed = new Promise((resolve) => client.once('end', resolve));
  }

  /**
   * @param applicationName what PostgreSQL knows the connection by, as a standby too
   * @throws TidemarkError TM-PG-001, TM-PG-002
   */
  static async open(settings: PostgresSettings, applicationName: string, clock: Clock): Promise<ReplicationConnection> {
    let connection: ReplicationConnection | null = null;
    const framer = new CopyStreamFramer({
      onReplication: (message) => {
        if (connection !== null) connection.#onMessage(message);
      },
      onOther: (message) => socket.emit('data', message),
    });
    // The type definitions know `onread` for net.connect only, which hands it to this constructor.
    const options: SocketConstructorOpts & { readonly onread: OnReadOpts } = {
      onread: {
        buffer: Buffer.allocUnsafeSlow(READ_BYTES),
        callback: (bytes, buffer) => {
          try {
            framer.push(Buffer.from(buffer.buffer, buffer.byteOffset, bytes));
          } catch (error) {
            const failure = error instanceof Error ? error : new Error(String(error));
            if (connection === null) socket.destroy(failure);
            else connection.#fail(failure);
          }
          return true;
        },
      },
    };
    const socket = new Socket(options);
    const client = await connectPostgres(settings, 'wal', {
      application_name: applicationName,
      replication: 'true',
      stream: () => socket,
      // The server sends raw text for every column, whatever type it states.
      types: { getTypeParser: () => (text: string | Buffer) => text },
    });
    connection = new ReplicationConnection(client, socket, clock);
    return connection;
  }

  async identifySystem(): Promise<SystemIdentity> {
    const [row] = await this.#query<{ systemid: string; timeline: string; xlogpos: string }>('IDENTIFY_SYSTEM');
    if (row === undefined) throw new TidemarkError('TM-PG-004', 'IDENTIFY_SYSTEM gave no row');
    const [version] = await this.#query<{ server_version_num: string }>('SHOW server_version_num');
    return {
      systemIdentifier: row.systemid,
      timeline: Number(row.timeline),
      flushLsn: parseLsn(row.xlogpos),
      majorVersion: majorOfVersionNum(Number(version?.server_version_num)),
    };
  }

  /**
   * The .history file of a timeline, verbatim; null if the server has none.
   * Its only free text is the name of a restore point or the like, in UTF-8.
   */
  async timelineHistory(timeline: number): Promise<Buffer | null> {
    try {
      const [row] = await this.#query<{ content: string }>(`TIMELINE_HISTORY ${timeline}`);
      return row === undefined ? null : Buffer.from(row.content, 'utf8');
    } catch (error) {
      if (error instanceof TidemarkError && /could not (open|access) file/.test(error.message)) return null;
      throw error;
    }
  }

  /**
   * Streams until the timeline ends, which gives the next one, or the server ends the stream (null).
   * @throws TidemarkError TM-WAL-003 if the WAL is gone, TM-WAL-007 if the server's history is another one, TM-PG-001 if the
   *   connection breaks, TM-PG-005 while another process uses the slot
   */
  async stream(request: StreamRequest): Promise<NextTimeline | null> {
    const what = `streaming from ${formatLsn(request.startLsn)} on timeline ${request.timeline}`;
    const onStart = (): void => {
      this.#streaming = true;
    };
    const onCopyDone = (): void => {
      this.#streaming = false;
      this.#connection.endCopyFrom();
    };
    this.#onMessage = (message) => {
      if (this.#failure === null) request.onMessage(message);
    };
    this.#connection.on('replicationStart', onStart);
    this.#connection.on('copyDone', onCopyDone);
    try {
      const rows = await this.#query<TimelineRow>(
        `START_REPLICATION SLOT "${request.slot}" PHYSICAL ${formatLsn(request.startLsn)} TIMELINE ${request.timeline}`,
      );
      const next = rows.find((row) => row.next_tli !== undefined);
      if (next?.next_tli === undefined || next.next_tli_startpos === undefined) return null;
      return { timeline: Number(next.next_tli), startLsn: parseLsn(next.next_tli_startpos) };
    } catch (error) {
      throw this.#failure ?? streamError(error, what);
    } finally {
      this.#streaming = false;
      this.#onMessage = () => undefined;
      this.#connection.off('replicationStart', onStart);
      this.#connection.off('copyDone', onCopyDone);
    }
  }

  /** Tells the server what has arrived and what it need not keep; nothing happens unless a stream runs. */
  sendStatus(writeLsn: Lsn, flushLsn: Lsn): void {
    if (this.#streaming) {
      this.#connection.sendCopyFromChunk(encodeStatusUpdate(writeLsn, flushLsn, this.#clock.nowMs()));
    }
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Drops the connection. The server notices, ends its side and then sets the slot free. */
  async close(): Promise<void> {
    this.#socket.destroy();
    await this.#closed;
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#socket.destroy();
  }

  async #query<Row extends object>(text: string): Promise<Row[]> {
    try {
      // A command of the replication protocol can have several results, each with rows of its own.
      const results: unknown = await this.#client.query(text);
      return (Array.isArray(results) ? results : [results]).flatMap((result: { rows: Row[] }) => result.rows);
    } catch (error) {
      throw this.#failure ?? (text.startsWith('START') ? error : toPostgresError(error, text));
    }
  }
}

function streamError(error: unknown, what: string): TidemarkError {
  const state = sqlState(error);
  const message = error instanceof Error ? error.message : String(error);
  if (state === '55006') {
    return new TidemarkError('TM-PG-005', `${what}: ${message}`, { cause: error });
  }
  if (
    /has already been removed|can no longer get changes from replication slot|cannot read from .* slot/.test(message)
  ) {
    return new TidemarkError('TM-WAL-003', `${what}: ${message}`, {
      hint: 'Unless another copy holds it, take a new base backup of the node. Raise max_slot_wal_keep_size, and let nobody drop the slot.',
      cause: error,
    });
  }
  if (/is ahead of the WAL flush position|is not in this server's history/.test(message)) {
    return new TidemarkError('TM-WAL-007', `${what}: ${message}`, { cause: error });
  }
  return toPostgresError(error, what);
}
