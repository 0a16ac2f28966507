import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { CreateResult, ObjectEntry, Repository } from '../../shared/repository/repository.ts';

export type RepositoryStep = 'list' | 'directories' | 'stat' | 'read' | 'create' | 'delete';

/** A repository in memory. Each operation awaits `before`, then takes place at once: so a test decides over the order of operations. */
export class MemoryRepository implements Repository {
  readonly name = 'memory';
  readonly objects: Map<string, Buffer>;
  /** Called when an object's whole content was read, before it is there. */
  onCreate: (path: string) => void = () => {};
  readonly #before: (step: RepositoryStep, path: string) => Promise<void>;

  constructor(
    objects = new Map<string, Buffer>(),
    before: (step: RepositoryStep, path: string) => Promise<void> = async () => {},
  ) {
    this.objects = objects;
    this.#before = before;
  }

  async *list(prefix: string): AsyncIterable<ObjectEntry> {
    await this.#before('list', prefix);
    const found = [...this.objects].filter(([path]) => path.startsWith(prefix));
    for (const [path, bytes] of found.sort(([a], [b]) => (a < b ? -1 : 1))) yield { path, sizeBytes: bytes.length };
  }

  async directories(prefix: string): Promise<readonly string[]> {
    await this.#before('directories', prefix);
    const below = [...this.objects.keys()].filter((path) => path.startsWith(prefix));
    const names = below.map((path) => path.slice(prefix.length).split('/')).filter((parts) => parts.length > 1);
    return [...new Set(names.map(([name = '']) => name))].sort();
  }

  async stat(path: string): Promise<ObjectEntry | null> {
    await this.#before('stat', path);
    const bytes = this.objects.get(path);
    return bytes === undefined ? null : { path, sizeBytes: bytes.length };
  }

  async *read(path: string): AsyncIterable<Buffer> {
    await this.#before('read', path);
    const bytes = this.objects.get(path);
    if (bytes === undefined) throw new TidemarkError('TM-REPO-002', `${path} does not exist`);
    yield bytes;
  }

  async create(path: string, content: AsyncIterable<Uint8Array> | Uint8Array): Promise<CreateResult> {
    const chunks: Uint8Array[] = [];
    if (content instanceof Uint8Array) chunks.push(content);
    else for await (const chunk of content) chunks.push(chunk);
    await this.#before('create', path);
    this.onCreate(path);
    const bytes = Buffer.concat(chunks);
    const own = this.objects.get(path);
    if (own?.equals(bytes) === false) throw new TidemarkError('TM-REPO-004', `${path} exists with other bytes`);
    this.objects.set(path, bytes);
    return own === undefined ? 'created' : 'exists';
  }

  async delete(path: string): Promise<void> {
    await this.#before('delete', path);
    this.objects.delete(path);
  }
}
