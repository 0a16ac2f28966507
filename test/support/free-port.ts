import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

const PORT_MIN = 10_000;
const given = new Set<number>();

/**
 * A port of 127.0.0.1 on which nobody listens, never the same twice in one run. It lies below the range from which outgoing
 * connections take theirs, so that a server that was killed finds it free when it starts again.
 */
export async function freePort(): Promise<number> {
  const end = ephemeralRangeStart();
  for (let attempt = 0; attempt < 1000; attempt++) {
    const port = randomInt(PORT_MIN, end);
    if (!given.has(port) && (await bindable(port))) {
      given.add(port);
      return port;
    }
  }
  throw new Error(`no free port between ${PORT_MIN} and ${end}`);
}

function ephemeralRangeStart(): number {
  try {
    const start = Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/)[0]);
    return start > PORT_MIN + 2000 ? start : 65_536;
  } catch {
    return 32_768;
  }
}

async function bindable(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => {
      server.close(() => resolve(true));
    });
  });
}
