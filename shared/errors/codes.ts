/** What a failed command exits with; see the README's table. */
export type ExitCode = 1 | 2 | 3 | 4;

interface ErrorKind {
  /** What it means, for the error reference. */
  readonly meaning: string;
  /** What a person does about it; a thrower may give a better one. */
  readonly remedy: string;
  readonly exitCode: ExitCode;
  /** Whether the same call may succeed later without anybody's doing. */
  readonly retryable: boolean;
}

/**
 * Every error that a user can meet. Codes are stable: they are in logs, metrics, JSON output and the README.
 * One line a code: TM-<part>-<number>.
 */
export const ERROR_CODES = {
  'TM-USAGE-001': { meaning: 'a command line is not understood', remedy: 'See --help.', exitCode: 2, retryable: false },
  'TM-CONFIG-001': {
    meaning: 'a configuration value is missing or wrong',
    remedy: 'Correct the named key.',
    exitCode: 2,
    retryable: false,
  },
  'TM-CONFIG-002': {
    meaning: 'a configuration file cannot be read',
    remedy: 'Check the path and its permissions.',
    exitCode: 2,
    retryable: false,
  },
  'TM-RPC-001': {
    meaning: 'a peer cannot be reached',
    remedy: 'Check the address and whether the process runs.',
    exitCode: 3,
    retryable: true,
  },
  'TM-RPC-002': {
    meaning: 'a peer refused the connection or its certificate',
    remedy: 'Check the certificates on both sides.',
    exitCode: 3,
    retryable: false,
  },
  'TM-RPC-003': {
    meaning: 'a call failed inside a peer',
    remedy: 'See the log of the named process.',
    exitCode: 1,
    retryable: false,
  },
  'TM-RPC-004': {
    meaning: 'a call took longer than its deadline',
    remedy: 'Try again; see the log of the named process.',
    exitCode: 3,
    retryable: true,
  },
  'TM-LEAD-001': {
    meaning: 'there is no leader',
    remedy: 'Wait for the election; see whether etcd answers.',
    exitCode: 3,
    retryable: true,
  },
  'TM-LEAD-002': {
    meaning: 'a call carried an outdated term',
    remedy: 'None needed: another leader has taken over.',
    exitCode: 1,
    retryable: true,
  },
  'TM-LEAD-003': {
    meaning: 'the coordination service cannot be reached',
    remedy: 'Check etcd.',
    exitCode: 3,
    retryable: true,
  },
  'TM-LEAD-004': {
    meaning: 'the file with the highest term seen is damaged',
    remedy: 'Write the highest term known (see tidemark leader show) into it, followed by a line feed.',
    exitCode: 4,
    retryable: false,
  },
  'TM-PG-001': {
    meaning: 'PostgreSQL cannot be reached',
    remedy: 'Check postgres.* in the agent configuration.',
    exitCode: 3,
    retryable: true,
  },
  'TM-PG-002': {
    meaning: 'PostgreSQL is not set up for streaming',
    remedy: 'See the message for the setting.',
    exitCode: 1,
    retryable: false,
  },
  'TM-PG-003': {
    meaning: 'another PostgreSQL system than expected',
    remedy: 'Check which server the agent stands beside.',
    exitCode: 1,
    retryable: false,
  },
  'TM-PG-004': { meaning: 'a PostgreSQL query failed', remedy: 'See the message.', exitCode: 1, retryable: true },
  'TM-PG-005': {
    meaning: 'a replication slot is in use by another process',
    remedy: 'Give each agent a slot of its own; see pg_replication_slots.',
    exitCode: 1,
    retryable: true,
  },
  'TM-PG-006': {
    meaning: 'a node that is not one of the cluster',
    remedy: 'Correct the agent’s "node", or add it to "nodes" in the configuration of every coordinator.',
    exitCode: 2,
    retryable: false,
  },
  'TM-WAL-001': {
    meaning: 'an LSN is malformed or out of range',
    remedy: 'An LSN looks like 16/B374D848.',
    exitCode: 2,
    retryable: false,
  },
  'TM-WAL-002': {
    meaning: 'WAL is damaged or not WAL',
    remedy: 'Compare with pg_waldump.',
    exitCode: 4,
    retryable: false,
  },
  'TM-WAL-003': {
    meaning: 'WAL is missing: PostgreSQL no longer has it',
    remedy: 'Take a new base backup of the node.',
    exitCode: 1,
    retryable: false,
  },
  'TM-WAL-004': {
    meaning: 'the same WAL position was received twice with different bytes',
    remedy: 'Two servers write one history: stop one of them.',
    exitCode: 4,
    retryable: false,
  },
  'TM-WAL-005': {
    meaning: 'a WAL version that is not supported',
    remedy: 'PostgreSQL 13 to 18 are.',
    exitCode: 1,
    retryable: false,
  },
  'TM-WAL-006': {
    meaning: 'WAL arrived that does not join what is held',
    remedy: 'None needed: it is asked for again from where it stopped.',
    exitCode: 1,
    retryable: true,
  },
  'TM-WAL-007': {
    meaning: 'the copies hold WAL that this server never had',
    remedy: 'The server lost its last WAL or another one was promoted: see which of its timelines goes on.',
    exitCode: 1,
    retryable: false,
  },
  'TM-REPO-001': {
    meaning: 'a repository cannot be opened',
    remedy: 'Check repository.path.',
    exitCode: 2,
    retryable: false,
  },
  'TM-REPO-002': { meaning: 'an object does not exist', remedy: 'See repository list.', exitCode: 1, retryable: false },
  'TM-REPO-003': {
    meaning: 'an object is damaged',
    remedy: 'Restore it from another copy.',
    exitCode: 4,
    retryable: false,
  },
  'TM-REPO-004': {
    meaning: 'an object exists with other content',
    remedy: 'Two writers use one repository: stop one of them.',
    exitCode: 4,
    retryable: false,
  },
  'TM-REPO-005': {
    meaning: 'a repository belongs to another cluster',
    remedy: 'Check cluster and repository.path.',
    exitCode: 2,
    retryable: false,
  },
  'TM-REPO-006': {
    meaning: 'a name in a manifest or request points outside of its place',
    remedy: 'Do not use this manifest.',
    exitCode: 4,
    retryable: false,
  },
  'TM-REPO-007': {
    meaning: 'a repository or journal has no room left',
    remedy: 'Free space; nothing is acknowledged meanwhile.',
    exitCode: 1,
    retryable: true,
  },
  'TM-REPO-008': {
    meaning: 'a repository format that this version does not know',
    remedy: 'Use a newer Tidemark.',
    exitCode: 2,
    retryable: false,
  },
  'TM-REPO-009': {
    meaning: 'the file system of a repository failed',
    remedy: 'See the message; check the disk and the permissions.',
    exitCode: 1,
    retryable: true,
  },
  'TM-REPO-010': {
    meaning: 'a directory is in use by another process',
    remedy: 'Stop the other process, or use another directory.',
    exitCode: 2,
    retryable: false,
  },
  'TM-REPO-011': {
    meaning: 'there is no repository at a path',
    remedy:
      'Check the path, and whether its disk is mounted. If a coordinator’s repository is lost for good: tidemark-coordinator --config FILE --new-repository.',
    exitCode: 2,
    retryable: false,
  },
  'TM-REPO-012': {
    meaning: 'there is a repository already',
    remedy: 'Start the coordinator without --new-repository, or name another directory.',
    exitCode: 2,
    retryable: false,
  },
  'TM-BACKUP-001': {
    meaning: 'a base backup failed',
    remedy: 'See the message; the next one starts anew.',
    exitCode: 1,
    retryable: true,
  },
  'TM-BACKUP-002': {
    meaning: 'a base backup does not exist',
    remedy: 'See tidemark backup list.',
    exitCode: 1,
    retryable: false,
  },
  'TM-SNAP-001': {
    meaning: 'a snapshot does not exist',
    remedy: 'See tidemark snapshot list.',
    exitCode: 1,
    retryable: false,
  },
  'TM-SNAP-002': {
    meaning: 'a snapshot could not be taken',
    remedy: 'See tidemark status for the node that is behind.',
    exitCode: 1,
    retryable: true,
  },
  'TM-SNAP-003': {
    meaning: 'a snapshot was taken, but not of all nodes',
    remedy: 'See tidemark status for the node that does not answer; the last complete snapshot is still there.',
    exitCode: 1,
    retryable: true,
  },
  'TM-SNAP-004': {
    meaning: 'no cut can be computed at that time',
    remedy: 'Choose a time in the recoverable window: see tidemark status.',
    exitCode: 1,
    retryable: false,
  },
  'TM-RESTORE-001': {
    meaning: 'a snapshot cannot be restored from here',
    remedy: 'See the message for what is missing.',
    exitCode: 1,
    retryable: false,
  },
  'TM-RESTORE-002': {
    meaning: 'a target directory is not empty',
    remedy: 'Name an empty or new directory.',
    exitCode: 2,
    retryable: false,
  },
  'TM-RESTORE-003': {
    meaning: 'the targets do not match the nodes of the snapshot',
    remedy: 'Name each node once: --target NODE=AGENT:DIR.',
    exitCode: 2,
    retryable: false,
  },
  'TM-RESTORE-004': {
    meaning: 'recovery did not reach the cut',
    remedy: 'See the PostgreSQL log in the target directory.',
    exitCode: 1,
    retryable: false,
  },
  'TM-RESTORE-005': {
    meaning: 'the prepared transactions differ from what the snapshot predicts',
    remedy: 'Nothing was opened. Keep the directories and report this.',
    exitCode: 4,
    retryable: false,
  },
  'TM-RESTORE-006': {
    meaning: 'a check on the restored cluster failed',
    remedy: 'Nothing was opened. See the named check.',
    exitCode: 4,
    retryable: false,
  },
  'TM-RESTORE-007': {
    meaning: 'a restore step was called out of order or for an unknown restore',
    remedy: 'Start the restore again.',
    exitCode: 1,
    retryable: false,
  },
  'TM-INTERNAL-001': {
    meaning: 'an assertion failed: a defect in Tidemark',
    remedy: 'Please report it with the log.',
    exitCode: 1,
    retryable: false,
  },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERROR_CODES;
