import { formatTable } from './story.ts';

/** The last line of `npm run demo -- --json`. */
export interface DemoResult {
  readonly ok: boolean;
  readonly nodes: number;
  readonly transfers_acknowledged: number;
  readonly transfers_restored: number;
  readonly torn_transfers: number;
  readonly in_doubt_resolved: number;
  readonly balance_expected: number;
  readonly balance_restored: number;
  readonly snapshot_id: string;
  readonly snapshot_class: string;
  readonly rpo_ms: number;
  readonly rto_ms: number;
  readonly leader_changes: number;
  readonly copies: number;
}

/** Something that had to hold. */
export interface DemoCheck {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

export function formatChecks(checks: readonly DemoCheck[]): string {
  return formatTable(checks.map(({ name, ok, detail }) => [ok ? 'ok' : 'FAILED', name, detail]));
}

export function formatResult(result: DemoResult): string {
  return formatTable([
    ['shards restored', String(result.nodes)],
    ['snapshot', `${result.snapshot_id} (${result.snapshot_class})`],
    ['transfers acknowledged to clients', String(result.transfers_acknowledged)],
    ['transfers in the restored bank', String(result.transfers_restored)],
    ['torn transfers', String(result.torn_transfers)],
    ['in-doubt branches resolved', String(result.in_doubt_resolved)],
    ['sum of all accounts', `${result.balance_restored} of ${result.balance_expected}`],
    ['acknowledged work lost (RPO)', `${(result.rpo_ms / 1000).toFixed(2)} s`],
    ['time to restore (RTO)', `${(result.rto_ms / 1000).toFixed(2)} s`],
    ['changes of the backup leader', String(result.leader_changes)],
    ['data centres that kept a copy', String(result.copies)],
  ]);
}
