import { summarizeBackup } from '../../shared/admin/backup.ts';
import { inspectRepository } from '../../shared/cluster-restore/bare-repository.ts';
import { ZstdPool } from '../../shared/compression/zstd-pool.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { FrameDecompressor } from '../../shared/repository/backup-manifest-file.ts';
import { PosixReader } from '../../shared/repository/posix-reader.ts';
import type { Finding } from '../../shared/verification/finding.ts';
import { verifyRepository } from '../../shared/verification/verify-repository.ts';
import { renderBackup } from './backup-commands.ts';
import { onlyArgument, textOption, type CommandSpec, type OptionValues } from './command.ts';
import { plural } from './format.ts';
import { renderFindings, renderInspection, summarizeInspection } from './repository-view.ts';
import { renderSnapshot } from './snapshot-view.ts';

const WORKERS = 2;
const PATH_OPTION = { flags: '--path <directory>', summary: 'the repository', required: true } as const;

/** Opens a bare repository for one command. @throws TidemarkError TM-REPO-001 */
export async function withRepository<R>(
  options: OptionValues,
  use: (repository: PosixReader, zstd: FrameDecompressor) => Promise<R>,
): Promise<R> {
  const repository = await PosixReader.open(textOption(options, 'path') ?? '');
  const zstd = new ZstdPool({ workers: WORKERS, level: 1 });
  try {
    return await use(repository, zstd);
  } finally {
    await zstd.close();
  }
}

export const repositoryCommands: readonly CommandSpec[] = [
  {
    path: 'repository list',
    summary: 'list what a repository holds: snapshots, base backups, WAL',
    options: [PATH_OPTION],
    run: async ({ output }, _args, options) => {
      await withRepository(options, async (repository, zstd) => {
        const summary = summarizeInspection(repository.manifest, await inspectRepository(repository, zstd));
        output.result(summary, () => renderInspection(summary));
      });
    },
  },
  {
    path: 'repository show',
    summary: 'show one snapshot or base backup',
    arguments: [{ name: 'id', summary: 'a snapshot, latest, or a base backup' }],
    options: [PATH_OPTION],
    run: async ({ output }, args, options) => {
      const id = onlyArgument(args);
      await withRepository(options, async (repository, zstd) => {
        const { summaries, backups } = await inspectRepository(repository, zstd);
        const snapshot = summaries.find((one) => (id === 'latest' ? one.complete : one.id === id));
        if (snapshot !== undefined) {
          output.result(snapshot, () => renderSnapshot(snapshot));
          return;
        }
        const manifests = backups.filter((one) => one.id === id);
        const [manifest] = manifests;
        if (manifest === undefined) {
          throw new TidemarkError('TM-SNAP-001', `${repository.name} has no snapshot and no base backup ${id}`, {
            hint: 'See tidemark repository list.',
          });
        }
        const backup = summarizeBackup(manifest, []);
        output.result(backup, () => renderBackup(backup));
      });
    },
  },
  {
    path: 'repository verify',
    summary: 'read a repository again from the first byte to the last; exit code 4 if something is wrong',
    options: [PATH_OPTION],
    run: async ({ output, signal }, _args, options) => {
      await withRepository(options, async (repository, zstd) => {
        const findings: Finding[] = [];
        const onProgress = output.progress.bind(output);
        for await (const finding of verifyRepository(repository, zstd, onProgress)) {
          signal.throwIfAborted();
          findings.push(finding);
        }
        const wrong = findings.filter(({ kind }) => kind !== 'lost');
        const sound = wrong.length === 0;
        output.result({ sound, findings }, () => renderFindings(repository.name, findings));
        if (!sound) {
          throw new TidemarkError('TM-REPO-003', `${repository.name}: ${plural(wrong.length, 'finding')}`);
        }
      });
    },
  },
];
