/** Who leads, as far as this coordinator knows. */
export interface LeaderInfo {
  readonly coordinatorId: string;
  readonly dataCenter: string;
  /** Where its gRPC server listens, host:port. */
  readonly address: string;
  readonly term: bigint;
}

/** A coordinator that has made itself known. */
export interface CoordinatorInfo {
  readonly coordinatorId: string;
  readonly dataCenter: string;
  readonly address: string;
}

/**
 * The right to lead, from the moment it was won until it is known to be lost. The lease guards names: `put` succeeds only
 * while this leadership is the current one, whatever this process believes. The term guards bytes: agents and followers refuse
 * a lower one. So work on bytes goes on while the coordination service is away, since nobody else can be elected then, or
 * the one who was makes itself known by a higher term.
 */
export interface Leadership {
  readonly term: bigint;
  /**
   * Aborted when the right is known to be lost: resigned, another leader seen, the own entry seen gone, or a higher term met.
   * Not aborted because the service does not answer. The reason is a TidemarkError.
   */
  readonly signal: AbortSignal;
  /**
   * Whether nobody else can have been elected yet, by the own monotonic clock counted from the last renewal that was sent.
   * What is said under the right to names without a `put` (a timestamp below a written bound) asks this first.
   */
  holdsNames(): boolean;
  /**
   * Writes a name if and only if this leadership still holds, in one transaction. Writes of one leadership are applied in the
   * order of the calls: a late one never overwrites a newer one.
   * @throws TidemarkError TM-LEAD-002 if another leads, TM-LEAD-003 if the service does not answer (the write may have happened)
   */
  put(key: string, value: string): Promise<void>;
  /** Ends this leadership if `term` is higher than its own: an agent or a coordinator has seen another leader. */
  notifyHigherTerm(term: bigint): void;
  /** Gives the right up, so that another can take it at once. */
  resign(): Promise<void>;
}

/**
 * Election, names and membership. Keys are relative to the cluster. `etcd` is for production; `embedded` keeps its state in a
 * directory of one machine and has one coordinator.
 */
export interface Coordination {
  readonly kind: 'etcd' | 'embedded';

  /**
   * Waits until this coordinator is elected. The term is higher than every term before, and than `termMin`.
   * Rejects with the signal's reason when it is aborted. One campaign or leadership at a time.
   */
  campaign(options: { readonly termMin: bigint; readonly signal: AbortSignal }): Promise<Leadership>;

  /** The leader as of the last thing heard (kept while the service is away); null if there is none. Updated in the background after `start`. */
  leader(): LeaderInfo | null;

  /** Every coordinator that is alive (this one included), as of the last thing heard. */
  coordinators(): readonly CoordinatorInfo[];

  /** Calls back after every change of `leader()` or `coordinators()`. Returns the function that ends it. */
  onChange(listener: () => void): () => void;

  /** Reads a name as the service has it now. @throws TidemarkError TM-LEAD-003 */
  get(key: string): Promise<string | null>;

  /** Reads all names below a prefix. @throws TidemarkError TM-LEAD-003 */
  getAll(prefix: string): Promise<ReadonlyMap<string, string>>;

  /** Why the last call that failed did, in words; null if none has. For the log. */
  problem(): string | null;

  /** Whether the service answered lately; for status and metrics. */
  reachable(): boolean;

  /**
   * The id of the repository that this coordinator was started with last; null if it never was. To be asked before `start`.
   * @throws TidemarkError TM-LEAD-003
   */
  knownRepository(): Promise<string | null>;

  /** Makes this coordinator and its repository known, and begins to watch. Does not wait for the service to answer. */
  start(repositoryId: string): Promise<void>;

  close(): Promise<void>;
}
