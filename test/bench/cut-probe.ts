// Run by the benchmark `cut`, in a process of its own: computes the cuts at the times given and says what each took.
import process from 'node:process';
import { snapshotAt } from '../../shared/any-time/snapshot-at.ts';
import { DEFAULT_MATCHERS } from '../../shared/cuts/choose-matchers.ts';
import { PosixReader } from '../../shared/repository/posix-reader.ts';
import { SnapshotCatalogue } from '../../shared/repository/snapshot-catalogue.ts';

const [directory = '', ...moments] = process.argv.slice(2);
const repository = await PosixReader.open(directory);
const catalogue = new SnapshotCatalogue(repository);
const runs = [];
for (const moment of moments) {
  const startedMs = performance.now();
  const cpu = process.cpuUsage();
  const snapshot = await snapshotAt({ repository, catalogue, match: DEFAULT_MATCHERS }, Number(moment));
  const used = process.cpuUsage(cpu);
  runs.push({
    ms: performance.now() - startedMs,
    cpuMs: (used.user + used.system) / 1000,
    nodes: snapshot.nodes.length,
    inDoubt: snapshot.inDoubt.length,
    class: snapshot.class.kind,
  });
}
process.stdout.write(JSON.stringify({ runs, peakRssBytes: process.resourceUsage().maxRSS * 1024 }));
