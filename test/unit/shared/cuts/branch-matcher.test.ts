import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { citusMatcher, matchingKey, sameGidMatcher } from '../../../../shared/cuts/branch-matcher.ts';
import { chooseMatchers, DEFAULT_MATCHERS } from '../../../../shared/cuts/choose-matchers.ts';
import { patternMatcher, patternProblem } from '../../../../shared/cuts/pattern-matcher.ts';
import { xaMatcher } from '../../../../shared/cuts/xa-matcher.ts';

const xid = (formatId: number, globalId: Uint8Array, qualifier: Uint8Array) =>
  `${formatId}_${Buffer.from(globalId).toString('base64')}_${Buffer.from(qualifier).toString('base64')}`;

const identifier = (minLength: number) => fc.uint8Array({ minLength, maxLength: 64 });
const formatId = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

describe('branch matchers', () => {
  it('take the first that knows a GID, keep their keys apart, and leave a GID that none knows alone', () => {
    const all = chooseMatchers([...DEFAULT_MATCHERS]);
    const key = (gid: string, node = 'a') => matchingKey({ node, gid }, all);
    assert.equal(key('citus_0_27_4_0'), key('citus_0_27_4_1', 'b'));
    assert.notEqual(key('citus_0_27_4_0'), key('citus_0_27_5_0'));
    assert.equal(key('7_AAAA_AQ=='), key('7_AAAA_Ag==', 'b'));
    assert.equal(key('bank:42/7'), key('bank:42/7', 'b'));
    assert.equal(key('citus_like'), 'same:citus_like');
    assert.equal(key('7_AAAA_x'), 'same:7_AAAA_x');
    const pattern = chooseMatchers([{ pattern: '^(?<transaction>\\w+)@' }, { pattern: '^(?<transaction>\\w+)!' }]);
    assert.notEqual(
      matchingKey({ node: 'a', gid: 't@1' }, pattern),
      matchingKey({ node: 'a', gid: 't!1' }, pattern),
      'the keys of two patterns',
    );
    assert.notEqual(matchingKey({ node: 'a', gid: 't' }, pattern), matchingKey({ node: 'b', gid: 't' }, pattern));
    assert.equal(sameGidMatcher.key({ gid: 't' }), 't');
  });

  it('citus: knows its own GIDs only', () => {
    const name = fc.tuple(...[9, 9, 18, 9].map((digits) => fc.bigInt({ min: 0n, max: 10n ** BigInt(digits) })));
    fc.assert(
      fc.property(name, fc.nat(), ([group, pid, number, counter], other) => {
        const gid = `citus_${group}_${pid}_${number}`;
        assert.equal(citusMatcher.key({ gid: `${gid}_${counter}` }), gid);
        assert.equal(citusMatcher.key({ gid: `${gid}_${other}` }), gid);
      }),
    );
    for (const gid of [
      '',
      'citus',
      'citus_0_1_2',
      'citus_0_1_2_',
      'citus_0_1_2_3_4',
      'citus_0_1_2_-3',
      'xcitus_0_1_2_3',
    ]) {
      assert.equal(citusMatcher.key({ gid }), null, gid);
    }
  });

  it('xa: branches share the format and the global identifier, and nothing else does', () => {
    fc.assert(
      fc.property(formatId, identifier(1), identifier(0), identifier(0), (format, global, one, two) => {
        const key = xaMatcher.key({ gid: xid(format, global, one) });
        assert(key !== null && key === xaMatcher.key({ gid: xid(format, global, two) }));
      }),
    );
    fc.assert(
      fc.property(formatId, formatId, identifier(1), identifier(1), identifier(0), (f, g, one, two, branch) => {
        const same = f === g && Buffer.from(one).equals(two);
        assert.equal(xaMatcher.key({ gid: xid(f, one, branch) }) === xaMatcher.key({ gid: xid(g, two, branch) }), same);
      }),
    );
  });

  it('xa: takes nothing that is only nearly of its form', () => {
    const long = Buffer.alloc(65).toString('base64');
    for (const gid of [
      '1_AAAA',
      '1_AAAA_AAAA_AAAA',
      '1__AAAA',
      '_AAAA_AAAA',
      '1_AAA_AAAA',
      '1_AAAA_AAA',
      '1_AB==_AAAA', // Bits that an encoder leaves zero.
      '1_AA-A_AAAA',
      '1_AAAA_AAAA ',
      '01_AAAA_AAAA',
      '-0_AAAA_AAAA',
      '2147483648_AAAA_AAAA',
      `1_${long}_AAAA`,
      `1_AAAA_${long}`,
    ]) {
      assert.equal(xaMatcher.key({ gid }), null, gid);
    }
    assert.notEqual(xaMatcher.key({ gid: '-2147483648_AAAA_' }), null);
  });

  it('pattern: shares what the group holds', () => {
    const matcher = patternMatcher('^shop-(?<transaction>\\d+)-(?:east|west)$');
    assert.equal(matcher.key({ gid: 'shop-17-east' }), '17');
    assert.equal(matcher.key({ gid: 'shop-17-west' }), '17');
    assert.equal(matcher.key({ gid: 'shop-17-north' }), null);
    assert.equal(patternMatcher('(?<transaction>x)?').key({ gid: 'y' }), null);
    assert.equal(patternMatcher('(?<transaction>x*)').key({ gid: 'y' }), null);
    assert.equal(patternMatcher('(?<transaction>.+)').key({ gid: 'y'.repeat(201) }), null);
  });

  it('pattern: refuses what is no expression, has no group, or may take for ever', () => {
    for (const [expression, problem] of [
      ['(', 'is no regular expression'],
      ['^t-(.+)$', 'has no group'],
      ['(?<name>.+)', 'has no group'],
      ['(?<transaction>(?:a+)+)$', 'within a repetition'],
      ['(?<transaction>(?:a{1,50}){1,50})$', 'within a repetition'],
      ['(?<transaction>(?:a|a)*)$', 'repeats a choice'],
      ['(?<transaction>(?:a?){30}a{30})', 'repeats a choice'],
      ['(?<transaction>.+)-\\k<transaction>', 'refers to'],
      ['^(?<transaction>.*.*.*.*.*)x', '5 repetitions, more than 3'],
      ['(?<transaction>.*.*.*.*)x', '4 repetitions, more than 2'],
      [`(?<transaction>${'x'.repeat(500)})`, 'longer than'],
    ] as const) {
      assert(patternProblem(expression)?.includes(problem), `${expression}: ${patternProblem(expression)}`);
    }
    for (const expression of [
      '^(?<transaction>[^/]+)/\\d+$',
      '^(?<transaction>\\w+?)(?:-a|-b)?$',
      '^\\(?(?<transaction>[*+?]{2}\\+\\*)',
      '(?<transaction>\\p{L}+)',
    ]) {
      assert.equal(patternProblem(expression), null, expression);
    }
  });

  it('pattern: what is accepted comes to an end on the worst GIDs', () => {
    for (const worst of ['(?<transaction>a*a*)b', '^(?<transaction>a*a*a*)b']) {
      assert.equal(patternProblem(worst), null);
      assert.equal(patternMatcher(worst).key({ gid: 'a'.repeat(200) }), null);
    }
  });

  it('pattern: takes repetitions of a fixed number as often as one likes', () => {
    const uuid = '^(?<transaction>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/[0-9]+$';
    assert.equal(patternProblem(uuid), null);
    const gid = '0b0e7f3e-6a4c-4d8e-9f61-0123456789ab/12';
    assert.equal(patternMatcher(uuid).key({ gid }), '0b0e7f3e-6a4c-4d8e-9f61-0123456789ab');
  });
});
