import assert from 'node:assert/strict';
import { formatBytes, formatDuration, formatTime } from '../../../../coordinator/cli/format.ts';
import { toJson } from '../../../../coordinator/cli/json.ts';
import { Output } from '../../../../coordinator/cli/output.ts';
import { ProgressMeter } from '../../../../coordinator/cli/progress-meter.ts';
import { renderFields, renderTable } from '../../../../coordinator/cli/table.ts';
import { lsn } from '../../../../shared/postgres/lsn.ts';

describe('formats', () => {
  it('prints sizes in binary units with three digits that count', () => {
    const sizes = [0, 999, 1000, 1023, 1024, 1536, 10_240, 102_400, 1_023_000, 1_610_612_736, 2n ** 60n];
    assert.deepEqual(sizes.map(formatBytes), [
      '0 B',
      '999 B',
      '0.98 KiB',
      '1.00 KiB',
      '1.00 KiB',
      '1.50 KiB',
      '10.0 KiB',
      '100 KiB',
      '999 KiB',
      '1.50 GiB',
      '1024 PiB',
    ]);
  });

  it('prints lengths of time', () => {
    const durations = [0, 350, 999, 1_000, 9_949, 10_000, 59_600, 185_000, 3_600_000, 7_800_000, 442_800_000];
    assert.deepEqual(durations.map(formatDuration), [
      '0 ms',
      '350 ms',
      '999 ms',
      '1.0 s',
      '9.9 s',
      '10 s',
      '1 min',
      '3 min 5 s',
      '1 h',
      '2 h 10 min',
      '5 d 3 h',
    ]);
  });

  it('prints times in UTC', () => {
    assert.equal(
      formatTime(BigInt(Date.UTC(2026, 10, 22, 12, 15, 30, 123)) * 1000n + 456n),
      '2026-11-22T12:15:30.123Z',
    );
  });
});

describe('tables', () => {
  it('aligns columns and leaves nothing at the end of a line', () => {
    const table = renderTable(
      [{ title: 'NODE' }, { title: 'LAG', align: 'right' }, { title: 'STATE' }],
      [
        ['shard-1', '1.50 MiB', 'streaming'],
        ['é', '0 B', ''],
      ],
    );
    assert.equal(table, 'NODE          LAG  STATE\nshard-1  1.50 MiB  streaming\né             0 B\n');
  });

  it('does not let text from outside steer the terminal', () => {
    assert.equal(renderTable([{ title: 'L' }], [['a\u001b[2Jb\n']]), 'L\na\uFFFD[2Jb\uFFFD\n');
    assert.equal(renderFields([['label', 'x\u0007y']]), 'label  x\uFFFDy\n');
  });
});

describe('JSON', () => {
  it('has snake_case keys, LSNs and times as text, and exact numbers', () => {
    const value = {
      targetLsn: lsn(0x1_0300_0028n),
      startedAtUs: 1_795_263_330_123_456n,
      class: { kind: 'bounded', boundUs: 1500 },
      bytesDone: 5n,
      huge: 2n ** 63n,
      settings: { work_mem: '1', 'citus.X': '2' },
      list: [{ agentAddress: 'a' }],
      nothing: null,
    };
    assert.deepEqual(toJson(value), {
      target_lsn: '1/3000028',
      started_at: new Date(1_795_263_330_123).toISOString().replace('Z', '456Z'),
      class: { kind: 'bounded', bound_us: 1500 },
      bytes_done: 5,
      huge: '9223372036854775808',
      settings: { work_mem: '1', 'citus.X': '2' },
      list: [{ agent_address: 'a' }],
      nothing: null,
    });
  });
});

describe('progress', () => {
  const at = (node: string, phase: string, bytesDone: number, bytesTotal: number, message = '') => ({
    node,
    phase,
    bytesDone: BigInt(bytesDone),
    bytesTotal: BigInt(bytesTotal),
    message,
  });
  const MIB = 1024 * 1024;

  it('adds up the nodes, and tells rate and time left', () => {
    const meter = new ProgressMeter();
    meter.update(at('a', 'files', 0, 100 * MIB), 0);
    meter.update(at('b', 'files', 0, 100 * MIB), 0);
    assert.equal(meter.line(200), 'files  0 %  0 B of 200 MiB  a 0 %, b 0 %');
    meter.update(at('a', 'files', 50 * MIB, 100 * MIB), 1_000);
    assert.equal(meter.line(200), 'files  25 %  50.0 MiB of 200 MiB  50.0 MiB/s  3.0 s left  a 50 %, b 0 %');
  });

  it('goes on smoothly when a node begins its next phase', () => {
    const meter = new ProgressMeter();
    meter.update(at('a', 'files', 0, 100), 0);
    meter.update(at('a', 'files', 1000, 1000), 1_000);
    meter.update(at('a', 'wal', 0, 1000), 1_500);
    meter.update(at('a', 'wal', 1000, 1000), 2_000);
    assert.equal(meter.bytesPerSecond(), 1_000);
  });

  it('does without a total, and keeps to the width', () => {
    const meter = new ProgressMeter();
    meter.update(at('', 'recovery', 0, 0, 'all nodes stand at the cut'), 0);
    assert.equal(meter.line(80), 'recovery  all nodes stand at the cut');
    assert.equal(meter.line(12), 'recovery  a…');
  });
});

describe('Output', () => {
  function capture(isTTY: boolean, json: boolean) {
    const written = { out: '', err: '' };
    let nowMs = 0;
    const output = new Output({
      stdout: { write: (text) => (written.out += text), isTTY },
      stderr: { write: (text) => (written.err += text), isTTY, columns: 80 },
      json,
      nowMs: () => (nowMs += 60),
    });
    return { written, output };
  }
  const progress = { phase: 'files', node: 'a', bytesDone: 1n, bytesTotal: 2n, message: '' };

  it('draws progress on a terminal only, not too often, and wipes it before the result', () => {
    const terminal = capture(true, false);
    for (let count = 0; count < 4; count++) {
      terminal.output.progress(progress);
    }
    terminal.output.result({}, () => 'done\n');
    assert.equal(terminal.written.err.split('files').length - 1, 2);
    assert.ok(terminal.written.err.endsWith('\r\u001b[K'));
    assert.equal(terminal.written.out, 'done\n');

    const file = capture(false, false);
    file.output.progress(progress);
    assert.equal(file.written.err, '');
  });

  it('prints one JSON document, and errors as JSON on stderr', () => {
    const { written, output } = capture(false, true);
    output.result({ snapshots: [] }, () => assert.fail('no text is wanted'));
    output.error(new Error('odd'));
    assert.deepEqual(JSON.parse(written.out), { snapshots: [] });
    const error = JSON.parse(written.err) as { error: { code: string; message: string } };
    assert.deepEqual([error.error.code, error.error.message], ['TM-INTERNAL-001', 'odd']);
  });
});
