import * as grpc from '@grpc/grpc-js';
import type { AdminClient } from './generated/tidemark/v1/Admin.ts';
import type { AgentClient } from './generated/tidemark/v1/Agent.ts';
import type { PeerClient } from './generated/tidemark/v1/Peer.ts';
import type { RegistryClient } from './generated/tidemark/v1/Registry.ts';
import type { RepositoryClient } from './generated/tidemark/v1/Repository.ts';
import type { RestoreTargetClient } from './generated/tidemark/v1/RestoreTarget.ts';
import { protocol } from './proto.ts';
import { clientCredentials, type TlsFiles } from './tls.ts';

export const RECEIVE_BYTES_MAX = 16 * 1024 * 1024;

export interface ChannelSettings {
  /** Left out: plain text. */
  readonly tls?: TlsFiles | undefined;
  /** What a peer may send before it has to wait for us; the product of bandwidth and delay. */
  readonly windowBytes?: number;
  readonly keepaliveMs?: number;
  readonly keepaliveTimeoutMs?: number;
}

/** One connection to a process and a client of every service that a process may have. It connects when first used. */
export interface Channel {
  /** As given, host:port. */
  readonly address: string;
  readonly agent: AgentClient;
  readonly restoreTarget: RestoreTargetClient;
  readonly registry: RegistryClient;
  readonly peer: PeerClient;
  readonly repository: RepositoryClient;
  readonly admin: AdminClient;
  close(): void;
}

/**
 * Opens a channel with a connection of its own: closing it ends its calls.
 * @throws TidemarkError TM-CONFIG-002 if a TLS file cannot be read
 */
export function openChannel(address: string, settings: ChannelSettings = {}): Channel {
  const credentials = clientCredentials(settings.tls);
  const options: grpc.ChannelOptions = {
    'grpc.max_receive_message_length': RECEIVE_BYTES_MAX,
    'grpc.max_send_message_length': RECEIVE_BYTES_MAX,
    'grpc-node.flow_control_window': settings.windowBytes ?? 16 * 1024 * 1024,
    // Without pings a peer that vanished (power, cable) would look alive for ever.
    'grpc.keepalive_time_ms': settings.keepaliveMs ?? 10_000,
    'grpc.keepalive_timeout_ms': settings.keepaliveTimeoutMs ?? 5_000,
    'grpc.keepalive_permit_without_calls': 0,
    // A retry would buffer a long stream's messages; every caller has its own way to go on.
    'grpc.enable_retries': 0,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 2_000,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_channelz': 0,
    'grpc.enable_http_proxy': 0,
    'grpc.service_config_disable_resolution': 1,
    ...(settings.tls?.serverName === undefined ? {} : { 'grpc.ssl_target_name_override': settings.tls.serverName }),
  };
  const channel = new grpc.Channel(address, credentials, options);
  const clientOptions: grpc.ClientOptions = { ...options, channelOverride: channel };
  return {
    address,
    agent: new protocol.Agent(address, credentials, clientOptions),
    restoreTarget: new protocol.RestoreTarget(address, credentials, clientOptions),
    registry: new protocol.Registry(address, credentials, clientOptions),
    peer: new protocol.Peer(address, credentials, clientOptions),
    repository: new protocol.Repository(address, credentials, clientOptions),
    admin: new protocol.Admin(address, credentials, clientOptions),
    close: () => {
      channel.close();
    },
  };
}
