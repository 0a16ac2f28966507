import { execFileSync } from 'node:child_process';

/** Runs zstd's own program on `input`; the oracle for every frame that Tidemark writes. */
export function zstdCli(flags: readonly string[], input: Uint8Array): Buffer {
  return execFileSync('zstd', ['-q', '-c', ...flags], {
    input,
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}
