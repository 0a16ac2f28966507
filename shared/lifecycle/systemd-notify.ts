import { execFile } from 'node:child_process';

/** What systemd is told; a no-op where the process was not started by systemd as Type=notify. */
export interface SystemdNotifier {
  ready(): void;
  stopping(): void;
  /** Begins to send keep-alives if the unit has WatchdogSec. */
  startWatchdog(): void;
  close(): void;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Tells systemd by the program `systemd-notify` (Node has no datagram sockets of the Unix family); the unit needs
 * NotifyAccess=all. The program waits until systemd has read the message, so its own end does not lose it.
 */
export function systemdNotifier(
  environment: Environment,
  run: (args: readonly string[]) => void = runNotify,
): SystemdNotifier {
  const active = (environment['NOTIFY_SOCKET'] ?? '') !== '';
  const watchdogMs = Number(environment['WATCHDOG_USEC'] ?? '0') / 1000;
  let timer: NodeJS.Timeout | undefined;
  const send = (...args: string[]) => {
    if (active) {
      run(args);
    }
  };
  return {
    ready: () => {
      send('--ready', `--pid=${process.pid}`);
    },
    stopping: () => {
      send('STOPPING=1');
    },
    startWatchdog: () => {
      if (active && watchdogMs > 0) {
        timer = setInterval(() => {
          send('WATCHDOG=1');
        }, watchdogMs / 2);
        timer.unref();
      }
    },
    close: () => {
      clearInterval(timer);
    },
  };
}

function runNotify(args: readonly string[]): void {
  // A failure shows as systemd's own time-out; there is nobody else to tell.
  execFile('systemd-notify', args, { timeout: 5_000 }, () => {}).unref();
}
