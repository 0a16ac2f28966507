import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Channel } from '../../shared/rpc/channel.ts';
import type { RegistryHandlers } from '../../shared/rpc/generated/tidemark/v1/Registry.ts';
import { unaryHandler } from '../../shared/rpc/handlers.ts';
import { instanceFromMessage } from '../../shared/rpc/instance-codec.ts';
import { callUnary } from '../../shared/rpc/streams.ts';
import type { Coordination, Leadership } from '../coordination/coordination.ts';
import type { Membership } from '../membership/membership.ts';
import type { TermStore } from '../../shared/term/term-store.ts';

const FORWARD_DEADLINE_MS = 3_000;

interface RegistryServiceOptions {
  readonly coordinatorId: string;
  readonly coordination: Pick<Coordination, 'leader'>;
  readonly leadership: () => Leadership | null;
  readonly membership: Pick<Membership, 'register'>;
  readonly terms: Pick<TermStore, 'observe'>;
  /** A kept connection to another coordinator. */
  readonly channelTo: (address: string) => Channel;
  /** What agents are told. */
  readonly heartbeatIntervalMs: number;
}

/**
 * The rpc service Registry: where agents make themselves known. The leader takes the registration; any other coordinator passes it on
 * to the leader that it knows, once.
 */
export function registryService(options: RegistryServiceOptions): RegistryHandlers {
  const { coordinatorId, coordination, membership, terms, heartbeatIntervalMs } = options;
  return {
    Register: unaryHandler(async ({ instance: message, forwarded }, context) => {
      if (message === null) {
        throw new TidemarkError('TM-USAGE-001', 'Register needs an instance');
      }
      const instance = instanceFromMessage(message);
      // An agent that has seen a higher term than this leader's shows it to be outdated.
      await terms.observe(instance.highestTerm);
      const leadership = options.leadership();
      if (leadership !== null) {
        await membership.register(instance);
        return { leaderId: coordinatorId, term: leadership.term.toString(), heartbeatIntervalMs };
      }
      const leader = coordination.leader();
      if (forwarded || leader === null || leader.coordinatorId === coordinatorId) {
        throw new TidemarkError('TM-LEAD-001', `coordinator ${coordinatorId} does not lead`, {
          hint: 'An election is under way: try again.',
        });
      }
      return await callUnary(
        options.channelTo(leader.address).registry,
        'Register',
        { instance: message, forwarded: true },
        { deadlineMs: FORWARD_DEADLINE_MS, signal: context.signal },
      );
    }),
  };
}
