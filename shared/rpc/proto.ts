import { existsSync } from 'node:fs';
import path from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import { TidemarkError } from '../errors/tidemark-error.ts';
import type { ProtoGrpcType as AdminTypes } from './generated/admin.ts';
import type { ProtoGrpcType as AgentTypes } from './generated/agent.ts';
import type { ProtoGrpcType as CoordinatorTypes } from './generated/coordinator.ts';

const FILES = ['common', 'agent', 'coordinator', 'admin'].map((name) => `tidemark/v1/${name}.proto`);

/** The directory `proto` of the package, seen from the sources, from dist/ and from an installed package alike. */
function protoDirectory(): string {
  let directory = import.meta.dirname;
  for (;;) {
    const candidate = path.join(directory, 'proto');
    if (existsSync(path.join(candidate, 'tidemark/v1/common.proto'))) {
      return candidate;
    }
    const parent = path.dirname(directory);
    if (parent === directory) {
      throw new TidemarkError('TM-INTERNAL-001', `the proto files are not installed beside ${import.meta.dirname}`);
    }
    directory = parent;
  }
}

/** Everything under proto/, with the conversions that the generated types assume. */
export const packageDefinition: PackageDefinition = loadSync(FILES, {
  includeDirs: [protoDirectory()],
  longs: String,
  enums: String,
  defaults: true,
  oneofs: true,
});

type V1 = AgentTypes['tidemark']['v1'] & CoordinatorTypes['tidemark']['v1'] & AdminTypes['tidemark']['v1'];

/** Client constructors, service definitions (`protocol.Agent.service`) and message types of package tidemark.v1. */
export const protocol: V1 = (grpc.loadPackageDefinition(packageDefinition) as unknown as { tidemark: { v1: V1 } })
  .tidemark.v1;
