import assert from 'node:assert/strict';
import { once } from 'node:events';
import { systemClock } from '../../../../shared/lifecycle/clock.ts';
import { runServices } from '../../../../shared/lifecycle/run-services.ts';
import type { Service } from '../../../../shared/lifecycle/service.ts';
import { systemdNotifier } from '../../../../shared/lifecycle/systemd-notify.ts';

describe('runServices', () => {
  const log: string[] = [];

  beforeEach(() => {
    log.length = 0;
  });

  function service(name: string, end: () => Promise<void> = async () => {}): Service {
    return {
      name,
      run: async (signal) => {
        log.push(`${name} runs`);
        await once(signal, 'abort');
        log.push(`${name} stops`);
        await new Promise(setImmediate);
        await end();
        log.push(`${name} stopped`);
      },
    };
  }

  const settings = { clock: systemClock, stopTimeoutMs: 5_000 };

  it('stops the last first, each after its followers', async () => {
    const stop = new AbortController();
    const run = runServices({
      ...settings,
      services: ['a', 'b', 'c'].map((name) => service(name)),
      signal: stop.signal,
    });
    assert.deepEqual(log, ['a runs', 'b runs', 'c runs']);
    stop.abort();
    await run;
    assert.deepEqual(log.slice(3), ['c stops', 'c stopped', 'b stops', 'b stopped', 'a stops', 'a stopped']);
  });

  it('stops the others when one fails, and fails with its error', async () => {
    const failing: Service = { name: 'b', run: async () => Promise.reject(new Error('disk on fire')) };
    const told: string[] = [];
    const run = runServices({
      ...settings,
      services: [service('a'), failing, service('c')],
      signal: new AbortController().signal,
      onFailure: ({ name }) => {
        told.push(name);
      },
    });
    await assert.rejects(run, /disk on fire/);
    assert.deepEqual(log.slice(2), ['c stops', 'c stopped', 'a stops', 'a stopped']);
    assert.deepEqual(told, ['b']);
  });

  it('takes it for a failure when a service ends unasked', async () => {
    const quitter: Service = { name: 'quitter', run: async () => {} };
    const run = runServices({ ...settings, services: [service('a'), quitter], signal: new AbortController().signal });
    await assert.rejects(run, { code: 'TM-INTERNAL-001', message: /quitter ended/ });
  });

  it('does not mistake an aborted wait for a failure, but an error while stopping is one', async () => {
    const aborting: Service = {
      name: 'aborting',
      run: async (signal) => {
        await systemClock.sleep(60_000, signal);
      },
    };
    const stop = new AbortController();
    const run = runServices({ ...settings, services: [aborting], signal: stop.signal });
    stop.abort();
    await run;

    const lossy = service('lossy', async () => Promise.reject(new Error('could not flush')));
    const second = new AbortController();
    const failing = runServices({ ...settings, services: [lossy], signal: second.signal });
    second.abort();
    await assert.rejects(failing, /could not flush/);
  });

  it('does not wait for ever', async () => {
    const stuck = service('stuck', async () => new Promise<void>(() => {}));
    const stop = new AbortController();
    const run = runServices({ ...settings, stopTimeoutMs: 20, services: [stuck], signal: stop.signal });
    stop.abort();
    await assert.rejects(run, { code: 'TM-INTERNAL-001', message: /stuck did not stop within 20 ms/ });
  });
});

describe('systemdNotifier', () => {
  it('says nothing where systemd does not listen', () => {
    const calls: (readonly string[])[] = [];
    const notifier = systemdNotifier({}, (args) => calls.push(args));
    notifier.ready();
    notifier.stopping();
    notifier.startWatchdog();
    notifier.close();
    assert.deepEqual(calls, []);
  });

  it('tells systemd', () => {
    const calls: (readonly string[])[] = [];
    const notifier = systemdNotifier({ NOTIFY_SOCKET: '/run/systemd/notify' }, (args) => calls.push(args));
    notifier.ready();
    notifier.stopping();
    notifier.close();
    assert.deepEqual(calls, [['--ready', `--pid=${process.pid}`], ['STOPPING=1']]);
  });
});
