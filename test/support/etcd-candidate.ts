import { EtcdCoordination } from '../../coordinator/coordination/etcd-coordination.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { systemClock } from '../../shared/lifecycle/clock.ts';

// A process that wants to lead: `node etcd-candidate.js <id> <lease ms> <endpoint>…`. While it leads it writes the name "beat" all the time, and it
// goes on trying after the leadership was lost, as a zombie would. It says what happens in lines of text.

const [id = '', leaseTtlMs = '', ...endpoints] = process.argv.slice(2);
const coordination = new EtcdCoordination({
  self: { coordinatorId: id, dataCenter: id, address: `${id}:1` },
  cluster: 'test',
  prefix: '/tidemark/',
  access: { endpoints, callTimeoutMs: 1000 },
  leaseTtlMs: Number(leaseTtlMs),
  clock: systemClock,
});
await coordination.start('repository-1');
let termMin = 0n;
for (;;) {
  const leadership = await coordination.campaign({ termMin, signal: new AbortController().signal });
  console.log(`elected ${leadership.term}`);
  termMin = leadership.term;
  leadership.signal.addEventListener('abort', () => {
    console.log(`lost ${leadership.term}: ${(leadership.signal.reason as Error).message}`);
  });
  for (let beat = 1, refused = 0; refused < 3; beat++) {
    try {
      await leadership.put('beat', `${leadership.term} ${id} ${beat}`);
      if (leadership.signal.aborted) console.log(`written ${leadership.term} after it was lost`);
    } catch (error) {
      const code = error instanceof TidemarkError ? error.code : String(error);
      console.log(`refused ${leadership.term}: ${code}`);
      if (code === 'TM-LEAD-002') refused += 1;
    }
    await systemClock.sleep(20);
  }
}
