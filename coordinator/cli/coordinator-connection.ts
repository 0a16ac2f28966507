import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { parseAddress } from '../../shared/rpc/address.ts';
import { openChannel, type Channel } from '../../shared/rpc/channel.ts';
import { callUnary } from '../../shared/rpc/streams.ts';
import type { TlsFiles } from '../../shared/rpc/tls.ts';

const PROBE_DEADLINE_MS = 5_000;

/** Finds a coordinator that answers, once; the addresses are tried in order. */
export class CoordinatorConnection {
  readonly #addresses: readonly string[];
  readonly #tls: TlsFiles | undefined;
  readonly #signal: AbortSignal;
  #channel: Promise<Channel> | null = null;
  #opened: Channel | null = null;

  /** @throws TidemarkError TM-USAGE-001 if one of the addresses is none */
  constructor(options: { addresses: readonly string[]; tls: TlsFiles | undefined; signal: AbortSignal }) {
    for (const address of options.addresses) {
      parseAddress(address);
    }
    this.#addresses = options.addresses;
    this.#tls = options.tls;
    this.#signal = options.signal;
  }

  /** @throws TidemarkError TM-RPC-001, or what the only coordinator answered */
  async channel(): Promise<Channel> {
    this.#channel ??= this.#find();
    return this.#channel;
  }

  /** Lets the coordinator go; the next call looks for one that answers anew. */
  forget(): void {
    this.#opened?.close();
    this.#opened = null;
    this.#channel = null;
  }

  close(): void {
    this.#opened?.close();
  }

  async #find(): Promise<Channel> {
    const failures: TidemarkError[] = [];
    for (const address of this.#addresses) {
      const channel = openChannel(address, { tls: this.#tls });
      try {
        await callUnary(channel.admin, 'GetLeader', {}, { deadlineMs: PROBE_DEADLINE_MS, signal: this.#signal });
        this.#opened = channel;
        return channel;
      } catch (error) {
        channel.close();
        if (!(error instanceof TidemarkError)) {
          throw error;
        }
        failures.push(error);
      }
    }
    const [only] = failures;
    if (only !== undefined && failures.length === 1) {
      throw only;
    }
    const handshake = failures.find(({ code }) => code === 'TM-RPC-002');
    throw new TidemarkError(
      handshake?.code ?? 'TM-RPC-001',
      `no coordinator can be reached: ${failures.map(({ message }) => message).join('; ')}`,
      {
        hint: `${handshake?.hint ?? only?.hint ?? ''} Others are named by --coordinator or TIDEMARK_COORDINATOR.`.trim(),
        cause: only,
      },
    );
  }
}
