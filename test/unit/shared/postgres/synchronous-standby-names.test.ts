import assert from 'node:assert/strict';
import {
  matchesStandby,
  parseSynchronousStandbyNames,
  waitsForAll,
} from '../../../../shared/postgres/synchronous-standby-names.ts';

/** In one line: method, count, names. */
function parsed(setting: string): string | null {
  const names = parseSynchronousStandbyNames(setting);
  return names === null ? null : `${names.method} ${names.count} [${names.names.join('|')}]`;
}

describe('synchronous_standby_names', () => {
  it('is read as PostgreSQL reads it', () => {
    // PostgreSQL 15 and 18 take each of these.
    for (const [setting, expected] of [
      ['tidemark', 'first 1 [tidemark]'],
      ['a, b', 'first 1 [a|b]'],
      ['*', 'first 1 [*]'],
      ['"*"', 'first 1 [*]'],
      ['2 (a, b, c)', 'first 2 [a|b|c]'],
      ['FIRST 2 (a,b)', 'first 2 [a|b]'],
      ['first 1("a b" , c$1)', 'first 1 [a b|c$1]'],
      ['ANY 2 (tidemark, "x""y")', 'any 2 [tidemark|x"y]'],
      ['any 1 (*)', 'any 1 [*]'],
      ['1, 2', 'first 1 [1|2]'],
      ['7', 'first 1 [7]'],
      ['"any"', 'first 1 [any]'],
      [' \n tidemark\t', 'first 1 [tidemark]'],
      ['größe', 'first 1 [größe]'],
    ] as const) {
      assert.equal(parsed(setting), expected, setting);
    }
  });

  it('is not guessed at', () => {
    for (const setting of [
      '',
      '  ',
      'a b',
      'a,',
      ',a',
      '(a)',
      'any (a)',
      'FIRST (a)',
      'ANY 1 a',
      'ANY 0 (a)',
      '2 (a',
      'any',
      'a-b',
      '"a',
      '""',
      '1 (a) b',
      '1 ()',
      '(,)',
      ', , ,',
      'ANY 1 (a) )',
    ]) {
      assert.equal(parsed(setting), null, setting);
    }
  });

  it('says whether one can be done without', () => {
    const all = (setting: string) => {
      const names = parseSynchronousStandbyNames(setting);
      assert(names !== null);
      return waitsForAll(names);
    };
    for (const setting of ['tidemark', '1 (a)', 'FIRST 2 (a, b)', 'ANY 2 (a, b)', 'ANY 3 (a, b)']) {
      assert(all(setting), setting);
    }
    for (const setting of ['a, b', '1 (a, b)', 'FIRST 2 (a, b, c)', 'ANY 1 (a, b)', '*', 'ANY 2 (a, *)', '"*"']) {
      assert(!all(setting), setting);
    }
  });

  it('compares names without regard to the case of ASCII letters', () => {
    assert(matchesStandby('Tidemark', 'tidemark'));
    assert(matchesStandby('*', 'tidemark'));
    assert(!matchesStandby('tide', 'tidemark'));
    assert(!matchesStandby('Ä', 'ä'));
  });
});
