import type * as grpc from '@grpc/grpc-js';
import type { ChangeSet } from './generated/tidemark/v1/ChangeSet.ts';

/** The methods whose responses are mostly change sets. */
const METHODS: ReadonlySet<string> = new Set(['/tidemark.v1.Agent/PullWal', '/tidemark.v1.Peer/FollowWal']);
/** Field 6 of ChangeSet, length-delimited. */
const FRAME_TAG = 0x32;
const VARINT_BYTES_MAX = 10;
/** A message that is larger has memory of its own. */
const SPACE_BYTES_MAX = 4 * 1024 * 1024;

/** One for the whole process: it is used between two turns of the event loop only. */
let space = Buffer.alloc(0);

/**
 * A service whose messages with change sets are put together in one space that is used again and again, with one copy of the frame. For
 * servers only: grpc-js copies what a serializer gives before it does anything else; whoever keeps it sees it change.
 */
export function withFramesInReusedSpace(definition: grpc.ServiceDefinition): grpc.ServiceDefinition {
  return Object.fromEntries(
    Object.entries(definition).map(([name, method]) => [
      name,
      METHODS.has(method.path) ? { ...method, responseSerialize: frameSerializer(method.responseSerialize) } : method,
    ]),
  );
}

function frameSerializer(serialize: grpc.serialize<unknown>): grpc.serialize<unknown> {
  return (message) => {
    const { changeSet } = message as { readonly changeSet?: ChangeSet | null };
    const frame = changeSet?.frame;
    if (!changeSet || !Buffer.isBuffer(frame)) return serialize(message);
    const { frame: _, ...rest } = changeSet;
    // A field of the response, which holds nothing else: tag, length, and the change set without its frame. Fields may come in any order.
    const without = serialize({ ...(message as object), changeSet: rest });
    const tag = readVarint(without, 0);
    const length = readVarint(without, tag.end);
    const frameHead = [FRAME_TAG, ...varint(frame.length)];
    const changeSetBytes = length.value + frameHead.length + frame.length;
    if (changeSetBytes + 2 * VARINT_BYTES_MAX > SPACE_BYTES_MAX || length.end + length.value !== without.length) {
      return serialize(message);
    }
    const head = [...without.subarray(0, tag.end), ...varint(changeSetBytes)];
    const bytes = head.length + changeSetBytes;
    if (space.length < bytes) space = Buffer.allocUnsafeSlow(Math.min(SPACE_BYTES_MAX, bytes + (bytes >>> 1)));
    space.set(head);
    without.copy(space, head.length, length.end);
    const frameAt = head.length + length.value;
    space.set(frameHead, frameAt);
    frame.copy(space, frameAt + frameHead.length);
    return space.subarray(0, bytes);
  };
}

function readVarint(bytes: Buffer, at: number): { readonly value: number; readonly end: number } {
  let value = 0;
  let factor = 1;
  for (let end = at; ; factor *= 128) {
    const byte = bytes.readUInt8(end++);
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return { value, end };
  }
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 0x80; left = Math.floor(left / 128)) bytes.push((left % 128) | 0x80);
  bytes.push(left);
  return bytes;
}
