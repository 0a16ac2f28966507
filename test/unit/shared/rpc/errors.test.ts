import assert from 'node:assert/strict';
import * as grpc from '@grpc/grpc-js';
import { ERROR_CODES, type ErrorCode } from '../../../../shared/errors/codes.ts';
import { TidemarkError } from '../../../../shared/errors/tidemark-error.ts';
import { fromServiceError, toServiceError } from '../../../../shared/rpc/errors.ts';

function serviceError(code: grpc.status, details: string): grpc.ServiceError {
  return Object.assign(new Error(`${code}: ${details}`), { code, details, metadata: new grpc.Metadata() });
}

describe('errors over rpc', () => {
  it('brings every code, message, hint and retryability to the other side', () => {
    for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
      const sent = new TidemarkError(code, `något hände on ${code}`, { hint: 'do this', retryable: true });
      const received = fromServiceError(toServiceError(sent), 'host:1');
      assert.equal(received.code, code);
      assert.equal(received.message, sent.message);
      assert.equal(received.hint, 'do this');
      assert.equal(received.retryable, true);
      assert.equal(received.exitCode, sent.exitCode);
    }
  });

  it('never sends an OK status for an error', () => {
    for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
      assert.notEqual(toServiceError(new TidemarkError(code, 'x')).code, grpc.status.OK);
    }
  });

  it('gives an error without a code the code of a failure inside a peer', () => {
    const received = fromServiceError(toServiceError(new RangeError('index 7')), 'host:1');
    assert.equal(received.code, 'TM-RPC-003');
    assert.equal(received.message, 'index 7');
  });

  it('keeps the name of a code that only the newer peer knows', () => {
    const error = toServiceError(new TidemarkError('TM-SNAP-001', 'no such snapshot'));
    const [detail] = error.metadata.get('tidemark-error-bin');
    assert.ok(Buffer.isBuffer(detail));
    error.metadata.set(
      'tidemark-error-bin',
      Buffer.from(detail.toString('latin1').replace('TM-SNAP-001', 'TM-SNAP-999'), 'latin1'),
    );
    const received = fromServiceError(error, 'host:1');
    assert.equal(received.code, 'TM-RPC-003');
    assert.match(received.message, /TM-SNAP-999: no such snapshot/);
  });

  it('maps what gRPC itself says', () => {
    const cases: readonly (readonly [grpc.status, string, ErrorCode, boolean])[] = [
      [grpc.status.UNAVAILABLE, 'No connection established. Last error: connect ECONNREFUSED', 'TM-RPC-001', true],
      [grpc.status.UNAVAILABLE, 'No connection established. Last error: self-signed certificate', 'TM-RPC-002', false],
      [grpc.status.DEADLINE_EXCEEDED, 'Deadline exceeded after 1s', 'TM-RPC-004', true],
      [grpc.status.UNIMPLEMENTED, 'The server does not implement', 'TM-RPC-003', false],
      [grpc.status.INTERNAL, 'Received RST_STREAM with code 2', 'TM-RPC-003', true],
    ];
    for (const [status, details, code, retryable] of cases) {
      const error = fromServiceError(serviceError(status, details), 'east:7310');
      assert.equal(error.code, code, details);
      assert.equal(error.retryable, retryable, details);
      assert.match(error.message, /east:7310/);
    }
  });

  it('survives a trailer that is not an ErrorDetail', () => {
    const error = serviceError(grpc.status.INTERNAL, 'odd');
    error.metadata.set('tidemark-error-bin', Buffer.from([0xff, 0xff, 0xff, 0xff]));
    assert.equal(fromServiceError(error, 'host:1').code, 'TM-RPC-003');
  });
});
