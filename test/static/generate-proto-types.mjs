// Writes shared/rpc/generated from proto/. With --check it compares instead and fails on a difference.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const target = path.join(root, 'shared/rpc/generated');

/** @param {string} outDir */
function generate(outDir) {
  execFileSync(
    path.join(root, 'node_modules/.bin/proto-loader-gen-types'),
    [
      '--longs=String',
      '--enums=String',
      '--defaults',
      '--oneofs',
      '--grpcLib=@grpc/grpc-js',
      '--importFileExtension=.ts',
      '--includeDirs=proto',
      `--outDir=${outDir}`,
      ...['common', 'agent', 'coordinator', 'admin'].map((name) => `tidemark/v1/${name}.proto`),
    ],
    { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] },
  );
}

/** @param {string} directory */
function contents(directory) {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    files.map((entry) => {
      const file = path.join(entry.parentPath, entry.name);
      return [path.relative(directory, file), readFileSync(file, 'utf8')];
    }),
  );
}

if (process.argv.includes('--check')) {
  const scratch = mkdtempSync(path.join(tmpdir(), 'tidemark-proto-'));
  try {
    generate(scratch);
    const [expected, actual] = [contents(scratch), contents(target)];
    const stale = [...new Set([...expected.keys(), ...actual.keys()])].filter(
      (name) => expected.get(name) !== actual.get(name),
    );
    if (stale.length > 0) {
      console.error(`shared/rpc/generated differs from proto/: ${stale.join(', ')}. Hint: npm run proto`);
      process.exitCode = 1;
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
} else {
  rmSync(target, { recursive: true, force: true });
  generate(target);
}
