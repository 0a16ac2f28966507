import { ASYNCHRONOUS, type SynchronousMode } from '../../shared/postgres/synchronous-mode.ts';
import {
  matchesStandby,
  parseSynchronousStandbyNames,
  waitsForAll,
} from '../../shared/postgres/synchronous-standby-names.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { SqlClient } from './sql-client.ts';

interface Walsender {
  readonly pid: number;
  readonly name: string;
  /** `sync`, `quorum`, `potential`, `async`; null if the agent may not see it. */
  readonly syncState: string | null;
}

/** A setting that a role, a database or both have of their own. */
interface OwnSetting {
  readonly role: string | null;
  readonly database: string | null;
  readonly value: string;
}

/** What PostgreSQL says of itself that decides whether a commit waits for the agent. */
export interface SynchronousFacts {
  readonly inRecovery: boolean;
  readonly fsync: boolean;
  readonly standbyNames: string;
  /** The server's own, as far as the agent's session shows it: see `synchronousCommitSource`. */
  readonly synchronousCommit: string;
  /** As in pg_settings. */
  readonly synchronousCommitSource: string;
  readonly ownSettings: readonly OwnSetting[];
  /** The process that serves the agent's slot; null if none does. */
  readonly senderPid: number | null;
  readonly walsenders: readonly Walsender[];
}

const FACTS_SQL = `
  SELECT pg_is_in_recovery() AS "inRecovery",
    current_setting('fsync')::bool AS fsync,
    current_setting('synchronous_standby_names') AS "standbyNames",
    (SELECT setting FROM pg_settings WHERE name = 'synchronous_commit') AS "synchronousCommit",
    (SELECT source FROM pg_settings WHERE name = 'synchronous_commit') AS "synchronousCommitSource",
    (SELECT coalesce(json_agg(json_build_object('role', r.rolname, 'database', d.datname, 'value', split_part(entry, '=', 2))), '[]')
       FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase,
         unnest(s.setconfig) AS entry
      WHERE lower(split_part(entry, '=', 1)) = 'synchronous_commit') AS "ownSettings",
    (SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1) AS "senderPid",
    (SELECT coalesce(json_agg(json_build_object('pid', pid, 'name', coalesce(application_name, ''), 'syncState', sync_state)), '[]')
       FROM pg_stat_replication) AS walsenders`;

export interface SynchronousModeSettings {
  readonly configured: boolean;
  readonly slot: string;
  /** Of the connection that streams WAL. */
  readonly applicationName: string;
}

/** Reads whether commits wait for the agent. It asks nothing where the agent is not told to be a synchronous standby. */
export class SynchronousModeReader {
  readonly #sql: SqlClient;
  readonly #settings: SynchronousModeSettings;

  constructor(sql: SqlClient, settings: SynchronousModeSettings) {
    this.#sql = sql;
    this.#settings = settings;
  }

  /** @throws TidemarkError TM-PG-001, TM-PG-002, TM-PG-004 */
  async read(): Promise<SynchronousMode> {
    const { configured, slot, applicationName } = this.#settings;
    if (!configured) return ASYNCHRONOUS;
    const [facts] = await this.#sql.query<SynchronousFacts>('reading the synchronous mode', FACTS_SQL, [slot]);
    if (facts === undefined) throw new TidemarkError('TM-PG-004', 'reading the synchronous mode gave no row');
    return { configured, problem: synchronousProblems(facts, applicationName).join('; ') };
  }
}

/**
 * Every way that was found in which a commit could return before the agent has heard an acknowledgement for it, in words. What cannot
 * be shown to be right counts as wrong. Not to be found here: a session's own `SET synchronous_commit`, a wait that was
 * cancelled, and what a crash restart makes visible.
 */
export function synchronousProblems(facts: SynchronousFacts, applicationName: string): string[] {
  if (facts.inRecovery) return ['the server is in recovery'];
  const problems = [...commitProblems(facts), ...nameProblems(facts, applicationName)];
  const sender = facts.walsenders.find(({ pid }) => pid === facts.senderPid);
  if (sender === undefined) {
    problems.push('no WAL is streamed to the agent');
  } else if (sender.syncState === null) {
    problems.push('the agent may not see pg_stat_replication: give its role pg_monitor');
  } else if (sender.syncState !== 'sync' && sender.syncState !== 'quorum') {
    problems.push(`PostgreSQL takes the agent, ${sender.name}, for a standby that is ${sender.syncState}`);
  }
  return problems;
}

function commitProblems({
  fsync,
  synchronousCommit,
  synchronousCommitSource,
  ownSettings,
}: SynchronousFacts): string[] {
  const problems: string[] = [];
  if (!fsync) problems.push('fsync is off');
  if (!waits(synchronousCommit)) {
    problems.push(`synchronous_commit is ${synchronousCommit}: set it to on`);
  } else if (/user|database|client|session|override|test/.test(synchronousCommitSource)) {
    problems.push(
      "the server's own synchronous_commit cannot be seen: the agent's role or database has one of its own",
    );
  }
  for (const { role, database, value } of ownSettings.filter((own) => !waits(own.value))) {
    const whose = [role === null ? '' : `role ${role}`, database === null ? '' : `database ${database}`];
    problems.push(
      `synchronous_commit is ${value} for ${whose.filter((text) => text !== '').join(' in ') || 'all roles'}`,
    );
  }
  return problems;
}

function nameProblems({ standbyNames, walsenders, senderPid }: SynchronousFacts, applicationName: string): string[] {
  if (standbyNames.trim() === '') return ['synchronous_standby_names is empty: no commit waits'];
  const setting = `synchronous_standby_names is ${standbyNames}`;
  const parsed = parseSynchronousStandbyNames(standbyNames);
  if (parsed === null) return [`${setting}, which cannot be read`];
  if (parsed.names.includes('*')) return [`${setting}: any standby may answer in the agent's place`];
  if (!parsed.names.some((name) => matchesStandby(name, applicationName))) {
    return [`${setting}, and the agent is called ${applicationName}`];
  }
  if (!waitsForAll(parsed)) {
    return [
      `${setting}: ${parsed.count} of ${parsed.names.length} standbys are enough, and so another may answer first`,
    ];
  }
  const twice = parsed.names.filter(
    (listed) =>
      walsenders.filter(({ name, pid }) => pid !== senderPid && matchesStandby(listed, name)).length >
      (matchesStandby(listed, applicationName) ? 0 : 1),
  );
  const repeated = parsed.names.filter((listed, index) =>
    parsed.names.slice(0, index).some((earlier) => matchesStandby(earlier, listed)),
  );
  return [
    ...twice.map((name) => `more than one standby is called ${name}: one may answer in another's place`),
    ...repeated.map((name) => `${setting}, where ${name} stands twice`),
  ];
}

/** At least `on`: a commit waits until the standby has made it durable. As PostgreSQL reads the words. */
function waits(synchronousCommit: string): boolean {
  return ['on', 'remote_apply', 'true', 'yes', '1'].includes(synchronousCommit.toLowerCase());
}
