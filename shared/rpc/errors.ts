import * as grpc from '@grpc/grpc-js';
import { ERROR_CODES, type ErrorCode } from '../errors/codes.ts';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { protocol } from './proto.ts';

/** The binary trailer that carries an ErrorDetail. */
const ERROR_TRAILER = 'tidemark-error-bin';

/** gRPC's own view of a code, for clients that know nothing of Tidemark. Codes that are not named are INTERNAL. */
const STATUS_OF: Partial<Record<ErrorCode, grpc.status>> = {
  'TM-USAGE-001': grpc.status.INVALID_ARGUMENT,
  'TM-CONFIG-001': grpc.status.INVALID_ARGUMENT,
  'TM-RPC-001': grpc.status.UNAVAILABLE,
  'TM-RPC-002': grpc.status.UNAUTHENTICATED,
  'TM-RPC-004': grpc.status.DEADLINE_EXCEEDED,
  'TM-LEAD-001': grpc.status.UNAVAILABLE,
  'TM-LEAD-002': grpc.status.FAILED_PRECONDITION,
  'TM-LEAD-003': grpc.status.UNAVAILABLE,
  'TM-PG-001': grpc.status.UNAVAILABLE,
  'TM-PG-002': grpc.status.FAILED_PRECONDITION,
  'TM-PG-003': grpc.status.FAILED_PRECONDITION,
  'TM-WAL-001': grpc.status.INVALID_ARGUMENT,
  'TM-WAL-002': grpc.status.DATA_LOSS,
  'TM-WAL-003': grpc.status.OUT_OF_RANGE,
  'TM-WAL-004': grpc.status.DATA_LOSS,
  'TM-REPO-002': grpc.status.NOT_FOUND,
  'TM-REPO-003': grpc.status.DATA_LOSS,
  'TM-REPO-004': grpc.status.ALREADY_EXISTS,
  'TM-REPO-006': grpc.status.INVALID_ARGUMENT,
  'TM-REPO-007': grpc.status.RESOURCE_EXHAUSTED,
  'TM-BACKUP-002': grpc.status.NOT_FOUND,
  'TM-SNAP-001': grpc.status.NOT_FOUND,
  'TM-RESTORE-001': grpc.status.FAILED_PRECONDITION,
  'TM-RESTORE-002': grpc.status.FAILED_PRECONDITION,
  'TM-RESTORE-003': grpc.status.INVALID_ARGUMENT,
  'TM-RESTORE-007': grpc.status.FAILED_PRECONDITION,
};

/** What a service implementation hands to grpc: status, text, and the ErrorDetail in a trailer. */
export type RpcFailure = Error & { code: grpc.status; details: string; metadata: grpc.Metadata };

/** Turns whatever a handler threw into what goes over the wire. Errors without a code become TM-RPC-003. */
export function toServiceError(error: unknown): RpcFailure {
  const known = error instanceof TidemarkError ? error : wrapUnknown(error);
  const metadata = new grpc.Metadata();
  const detail = protocol.ErrorDetail.serialize({
    code: known.code,
    message: known.message,
    hint: known.hint,
    retryable: known.retryable,
  });
  metadata.set(ERROR_TRAILER, detail);
  const code =
    isAbort(error) && !(error instanceof TidemarkError)
      ? grpc.status.CANCELLED
      : (STATUS_OF[known.code] ?? grpc.status.INTERNAL);
  return Object.assign(new Error(known.message, { cause: error }), { code, details: known.message, metadata });
}

/**
 * The error behind a failed call, as the caller sees it.
 * @param address whom was called, for the message
 */
export function fromServiceError(error: unknown, address: string): TidemarkError {
  if (error instanceof TidemarkError) {
    return error;
  }
  if (!isServiceError(error)) {
    return new TidemarkError('TM-RPC-003', `the call to ${address} failed: ${messageOf(error)}`, { cause: error });
  }
  const detail = decodeDetail(error);
  if (detail !== null) {
    return isErrorCode(detail.code)
      ? new TidemarkError(detail.code, detail.message, { hint: detail.hint, retryable: detail.retryable, cause: error })
      : new TidemarkError('TM-RPC-003', `${detail.code}: ${detail.message}`, {
          hint: detail.hint,
          retryable: detail.retryable,
          cause: error,
        });
  }
  return fromStatus(error, address);
}

function fromStatus(error: grpc.ServiceError, address: string): TidemarkError {
  const cause = error;
  const details = readable(error.details);
  switch (error.code) {
    case grpc.status.UNAVAILABLE:
      return isTlsProblem(error.details)
        ? new TidemarkError('TM-RPC-002', `the TLS handshake with ${address} failed: ${details}`, { cause })
        : new TidemarkError('TM-RPC-001', `${address} cannot be reached: ${details}`, {
            ...(isCutOff(error.details) ? { hint: CUT_OFF_HINT } : {}),
            cause,
          });
    case grpc.status.DEADLINE_EXCEEDED:
      return new TidemarkError('TM-RPC-004', `${address} did not answer in time: ${details}`, { cause });
    case grpc.status.CANCELLED:
      return new TidemarkError('TM-RPC-001', `the call to ${address} was cancelled: ${details}`, { cause });
    case grpc.status.UNAUTHENTICATED:
    case grpc.status.PERMISSION_DENIED:
      return new TidemarkError('TM-RPC-002', `${address} refused the call: ${details}`, { cause });
    case grpc.status.UNIMPLEMENTED:
      return new TidemarkError('TM-RPC-003', `${address} does not know the call: ${details}`, {
        hint: 'Check that the address is that of the right process, and that both run one version.',
        cause,
      });
    case grpc.status.OK:
    case grpc.status.UNKNOWN:
    case grpc.status.INVALID_ARGUMENT:
    case grpc.status.NOT_FOUND:
    case grpc.status.ALREADY_EXISTS:
    case grpc.status.RESOURCE_EXHAUSTED:
    case grpc.status.FAILED_PRECONDITION:
    case grpc.status.ABORTED:
    case grpc.status.OUT_OF_RANGE:
    case grpc.status.INTERNAL:
    case grpc.status.DATA_LOSS:
      break;
  }
  return new TidemarkError('TM-RPC-003', `the call to ${address} failed: ${error.message}`, {
    // A stream that was reset ended with its connection; the next one may stand.
    retryable: error.code === grpc.status.INTERNAL && /RST_STREAM|GOAWAY/.test(error.details),
    cause,
  });
}

/** grpc-js' words without the frame that it puts around every failed connection. */
function readable(details: string): string {
  return details
    .replace(/^No connection established\. Last error: (Error: )?/, '')
    .replace(/\.? Resolution note:\s*$/, '')
    .replace(/ \(\d{4}-\d{2}-\d{2}T[\d:.]+Z\)/, '');
}

const CUT_OFF_HINT =
  'Somebody listens there and ended the connection: see whether both sides use TLS, and whether it accepts the certificate.';

/** What remains to be seen of a peer that wants TLS, or another certificate. */
function isCutOff(details: string): boolean {
  return /ECONNRESET|socket hang up|Failed to connect|EPROTO|EPIPE/.test(details);
}

function isTlsProblem(details: string): boolean {
  return /certificate|self[- ]signed|SSL|TLS|wrong version number|altname|handshake/i.test(details);
}

function decodeDetail(error: grpc.ServiceError) {
  const [content] = error.metadata?.get(ERROR_TRAILER) ?? [];
  if (!Buffer.isBuffer(content)) {
    return null;
  }
  try {
    return protocol.ErrorDetail.deserialize(content);
  } catch {
    return null;
  }
}

function isServiceError(error: unknown): error is grpc.ServiceError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && 'details' in error;
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_CODES, code);
}

/** Whether the error says that an AbortSignal ended the work. */
export function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || ('code' in error && error.code === 'ABORT_ERR'));
}

function wrapUnknown(error: unknown): TidemarkError {
  if (error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')) {
    return new TidemarkError('TM-REPO-007', error.message, { hint: 'Make room, and try again.', cause: error });
  }
  return new TidemarkError('TM-RPC-003', messageOf(error), { cause: error });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
