import { PosixReader } from '../../shared/repository/posix-reader.ts';
import { RemoteRepository } from '../../shared/repository/remote-repository.ts';
import type { ReadableRepository } from '../../shared/repository/repository.ts';
import { openChannel } from '../../shared/rpc/channel.ts';
import type { TlsFiles } from '../../shared/rpc/tls.ts';
import type { RestoreSource } from './restore-request.ts';

/** Opens where a restore takes its bytes from. */
export async function openBackupSource(
  source: RestoreSource,
  tls: TlsFiles | undefined,
): Promise<{ readonly repository: ReadableRepository; close(): Promise<void> }> {
  if (source.kind === 'repository') {
    return { repository: await PosixReader.open(source.path), close: async () => {} };
  }
  const channels = source.addresses.map((address) => openChannel(address, { tls }));
  return {
    repository: new RemoteRepository({ channels }),
    close: async () => {
      for (const channel of channels) channel.close();
    },
  };
}
