import type { ByteRange, CreateResult, ObjectEntry, Repository } from '../../shared/repository/repository.ts';

/** A repository that tells of every object that was made through it, once it is durable. All writers of objects share one. */
export class ObservedRepository implements Repository {
  readonly #repository: Repository;
  readonly #listeners = new Set<(path: string) => void>();

  constructor(repository: Repository) {
    this.#repository = repository;
  }

  get name(): string {
    return this.#repository.name;
  }

  /** Returns the function that ends it. */
  onCreated(listener: (path: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  list(prefix: string): AsyncIterable<ObjectEntry> {
    return this.#repository.list(prefix);
  }

  directories(prefix: string): Promise<readonly string[]> {
    return this.#repository.directories(prefix);
  }

  async stat(path: string): Promise<ObjectEntry | null> {
    return this.#repository.stat(path);
  }

  read(path: string, range?: ByteRange): AsyncIterable<Buffer> {
    return this.#repository.read(path, range);
  }

  async create(path: string, content: AsyncIterable<Uint8Array> | Uint8Array): Promise<CreateResult> {
    const result = await this.#repository.create(path, content);
    for (const listener of this.#listeners) listener(path);
    return result;
  }

  async delete(path: string): Promise<void> {
    await this.#repository.delete(path);
  }
}
