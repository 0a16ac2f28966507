import assert from 'node:assert/strict';
import { isEmptiedDirectory, isLeftOut } from '../../../../agent/base-backup/exclusions.ts';
import {
  isRelationDirectory,
  isTemporaryRelation,
  parseRelationFile,
} from '../../../../agent/base-backup/relation-file.ts';

describe('what a base backup leaves out', () => {
  it('by name', () => {
    for (const name of [
      'postmaster.pid',
      'postmaster.opts',
      'pgsql_tmp',
      'pgsql_tmp123.4',
      'pg_internal.init',
      'pg_internal.init.77',
      'backup_label',
      'tablespace_map',
      'current_logfiles',
    ]) {
      assert(isLeftOut(name), name);
    }
    for (const name of ['PG_VERSION', 'postgresql.conf', 'pg_filenode.map', '1259', 'pg_xact']) {
      assert(!isLeftOut(name), name);
    }
    for (const path of [
      'pg_wal',
      'pg_replslot',
      'pg_dynshmem',
      'pg_notify',
      'pg_serial',
      'pg_snapshots',
      'pg_subtrans',
    ]) {
      assert(isEmptiedDirectory(path), path);
    }
    assert(!isEmptiedDirectory('pg_xact') && !isEmptiedDirectory('pg_twophase') && !isEmptiedDirectory('base/pg_wal'));
  });

  it('knows the files of relations', () => {
    assert.deepEqual(parseRelationFile('16384'), { relation: '16384', fork: 'main', segment: 0 });
    assert.deepEqual(parseRelationFile('16384_vm.3'), { relation: '16384', fork: 'vm', segment: 3 });
    assert.deepEqual(parseRelationFile('5_init'), { relation: '5', fork: 'init', segment: 0 });
    for (const name of ['pg_filenode.map', 't3_16384', '16384_x', '016384', '16384.0', '16384.', 'PG_VERSION']) {
      assert.equal(parseRelationFile(name), null, name);
    }
    assert(isTemporaryRelation('t3_16384') && isTemporaryRelation('t3_16384_fsm') && isTemporaryRelation('t3_5.1'));
    assert(!isTemporaryRelation('16384') && !isTemporaryRelation('t_3') && !isTemporaryRelation('t3_x'));
    assert(isRelationDirectory('global') && isRelationDirectory('base/5'));
    assert(isRelationDirectory('pg_tblspc/16385/PG_15_202209061/5'));
    assert(!isRelationDirectory('base') && !isRelationDirectory('pg_xact') && !isRelationDirectory('base/5/6'));
  });
});
