import { formatLsn } from '../../shared/postgres/lsn.ts';
import type { RestoreRequest } from './restore-request.ts';

/**
 * The settings of a restore, in two marked blocks at the end of postgresql.auto.conf, where they count more than anything
 * before. The fence lies behind the restored server's own settings, and is the one that is taken out when it is opened.
 */
const OWN_BEGIN = '# tidemark: settings of the restored server, begin';
const OWN_END = '# tidemark: settings of the restored server, end';
const FENCE_BEGIN = '# tidemark: recovery and fence, taken out when the server is opened, begin';
const FENCE_END = '# tidemark: recovery and fence, end';

/** Below these of the source, PostgreSQL refuses to recover. */
const NOT_BELOW_SOURCE = [
  'max_connections',
  'max_prepared_transactions',
  'max_worker_processes',
  'max_wal_senders',
  'max_locks_per_transaction',
];

export interface FenceSettings {
  /** Private to this restore, mode 0700. */
  readonly socketDirectory: string;
  readonly hbaFile: string;
  readonly identFile: string;
  readonly port: number;
  /** The backup's own. */
  readonly sourceSettings: Readonly<Record<string, string>>;
  readonly serverMajor: number;
}

/** The content of postgresql.auto.conf for recovery to the cut, behind a fence. */
export function fencedConfiguration(autoConf: string, request: RestoreRequest, fence: FenceSettings): string {
  const source = fence.sourceSettings;
  const minimum = NOT_BELOW_SOURCE.flatMap((name): [string, string][] => {
    const value = Math.max(Number(source[name] ?? 0), Number(request.settings[name] ?? 0));
    return value > 0 ? [[name, String(value)]] : [];
  });
  const settings: [string, string][] = [
    // Everything that the WAL holds lies in pg_wal already; archive recovery insists on a command.
    ['restore_command', 'false'],
    ['recovery_target', ''],
    ['recovery_target_name', ''],
    ['recovery_target_time', ''],
    ['recovery_target_xid', ''],
    ['recovery_target_lsn', formatLsn(request.targetLsn)],
    ['recovery_target_inclusive', 'on'],
    ['recovery_target_timeline', String(request.timeline)],
    ['recovery_target_action', 'pause'],
    ['recovery_end_command', ''],
    ['archive_cleanup_command', ''],
    ['hot_standby', 'on'],
    ['listen_addresses', ''],
    ['unix_socket_directories', fence.socketDirectory],
    ['unix_socket_permissions', '0700'],
    ['unix_socket_group', ''],
    ['port', String(fence.port)],
    ['hba_file', fence.hbaFile],
    ['ident_file', fence.identFile],
    ['external_pid_file', ''],
    ['ssl', 'off'],
    ['archive_mode', 'off'],
    ['archive_command', ''],
    ['primary_conninfo', ''],
    ['primary_slot_name', ''],
    ['promote_trigger_file', ''],
    ['synchronous_standby_names', ''],
    ['default_transaction_read_only', 'off'],
    ['max_logical_replication_workers', '0'],
    ['logging_collector', 'off'],
    ['log_destination', 'stderr'],
    ['log_min_messages', 'info'],
    ['lc_messages', 'C'],
    ['restart_after_crash', 'off'],
    ...minimum,
  ];
  if (fence.serverMajor >= 15) settings.push(['log_startup_progress_interval', '2s']);
  if (/\bcitus\b/.test(source['shared_preload_libraries'] ?? '')) {
    // Its recovery daemon would roll back branches that the snapshot commits.
    settings.push(['citus.recover_2pc_interval', '-1']);
  }
  const known = settings.filter(([name]) => name !== 'promote_trigger_file' || fence.serverMajor < 16);
  return `${openedConfiguration(autoConf, request)}${block(FENCE_BEGIN, FENCE_END, known)}`;
}

/** The content of postgresql.auto.conf for the opened server: the source's, then what the restore was asked for. */
export function openedConfiguration(autoConf: string, request: Pick<RestoreRequest, 'port' | 'settings'>): string {
  const base = withoutBlock(withoutBlock(autoConf, FENCE_BEGIN, FENCE_END), OWN_BEGIN, OWN_END);
  const settings = Object.entries(request.settings);
  if (request.port !== 0) settings.push(['port', String(request.port)]);
  const own = settings.length === 0 ? '' : block(OWN_BEGIN, OWN_END, settings);
  return `${base === '' || base.endsWith('\n') ? base : `${base}\n`}${own}`;
}

/** Only the database's superuser, through the private socket. */
export function fencedHba(superuser: string): string {
  return `local all "${superuser.replaceAll('"', '""')}" trust\n`;
}

/** tablespace_map as PostgreSQL reads it: recovery makes the links anew from it. */
export function tablespaceMap(directories: Readonly<Record<string, string>>): string {
  return Object.entries(directories)
    .map(([oid, directory]) => `${oid} ${directory.replace(/[\\\n\r]/g, '\\$&')}\n`)
    .join('');
}

function block(begin: string, end: string, settings: readonly (readonly [string, string])[]): string {
  const lines = settings.map(([name, value]) => `${name} = '${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`);
  return `${[begin, ...lines, end].join('\n')}\n`;
}

function withoutBlock(text: string, begin: string, end: string): string {
  const lines = text.split('\n');
  const first = lines.indexOf(begin);
  if (first < 0) return text;
  const last = lines.indexOf(end, first);
  lines.splice(first, (last < 0 ? lines.length : last + 1) - first);
  return lines.join('\n');
}
