// Original file: proto/tidemark/v1/agent.proto

import type { ChangeSet as _tidemark_v1_ChangeSet, ChangeSet__Output as _tidemark_v1_ChangeSet__Output } from '../../tidemark/v1/ChangeSet.ts';
import type { Instance as _tidemark_v1_Instance, Instance__Output as _tidemark_v1_Instance__Output } from '../../tidemark/v1/Instance.ts';
import type { TimelineHistory as _tidemark_v1_TimelineHistory, TimelineHistory__Output as _tidemark_v1_TimelineHistory__Output } from '../../tidemark/v1/TimelineHistory.ts';
import type { Long } from '@grpc/proto-loader';

export interface _tidemark_v1_PullWalResponse_Heartbeat {
  'serverWalEndLsn'?: (number | string | Long);
  'sentLsn'?: (number | string | Long);
  'agentTimeUs'?: (number | string | Long);
}

export interface _tidemark_v1_PullWalResponse_Heartbeat__Output {
  'serverWalEndLsn': (string);
  'sentLsn': (string);
  'agentTimeUs': (string);
}

export interface _tidemark_v1_PullWalResponse_Started {
  'instance'?: (_tidemark_v1_Instance | null);
  'fromLsn'?: (number | string | Long);
  'histories'?: (_tidemark_v1_TimelineHistory)[];
}

export interface _tidemark_v1_PullWalResponse_Started__Output {
  'instance': (_tidemark_v1_Instance__Output | null);
  'fromLsn': (string);
  'histories': (_tidemark_v1_TimelineHistory__Output)[];
}

export interface _tidemark_v1_PullWalResponse_TimelineEnd {
  'endLsn'?: (number | string | Long);
  'nextTimeline'?: (number);
  'history'?: (_tidemark_v1_TimelineHistory | null);
}

export interface _tidemark_v1_PullWalResponse_TimelineEnd__Output {
  'endLsn': (string);
  'nextTimeline': (number);
  'history': (_tidemark_v1_TimelineHistory__Output | null);
}

export interface PullWalResponse {
  'started'?: (_tidemark_v1_PullWalResponse_Started | null);
  'changeSet'?: (_tidemark_v1_ChangeSet | null);
  'heartbeat'?: (_tidemark_v1_PullWalResponse_Heartbeat | null);
  'timelineEnd'?: (_tidemark_v1_PullWalResponse_TimelineEnd | null);
  'response'?: "started"|"changeSet"|"heartbeat"|"timelineEnd";
}

export interface PullWalResponse__Output {
  'started'?: (_tidemark_v1_PullWalResponse_Started__Output | null);
  'changeSet'?: (_tidemark_v1_ChangeSet__Output | null);
  'heartbeat'?: (_tidemark_v1_PullWalResponse_Heartbeat__Output | null);
  'timelineEnd'?: (_tidemark_v1_PullWalResponse_TimelineEnd__Output | null);
  'response'?: "started"|"changeSet"|"heartbeat"|"timelineEnd";
}
