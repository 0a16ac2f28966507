import type { Instance } from '../postgres/instance.ts';
import { lsn } from '../postgres/lsn.ts';
import { ASYNCHRONOUS } from '../postgres/synchronous-mode.ts';
import type { Instance as InstanceMessage, Instance__Output } from './generated/tidemark/v1/Instance.ts';

export function instanceToMessage(instance: Instance): InstanceMessage {
  return {
    ...instance,
    slotRestartLsn: instance.slotRestartLsn.toString(),
    flushLsn: instance.flushLsn.toString(),
    highestTerm: instance.highestTerm.toString(),
  };
}

export function instanceFromMessage(message: Instance__Output): Instance {
  return {
    ...message,
    slotRestartLsn: lsn(BigInt(message.slotRestartLsn)),
    flushLsn: lsn(BigInt(message.flushLsn)),
    highestTerm: BigInt(message.highestTerm),
    synchronous: message.synchronous ?? ASYNCHRONOUS,
  };
}
