"""Speaks gRPC with a server as a client that is not ours: health, reflection, an unknown method. Messages are made by hand."""
import sys

import grpc


def same(message):
    return message


channel = grpc.insecure_channel(sys.argv[1], options=[("grpc.enable_http_proxy", 0)])


def unary(path, request):
    return channel.unary_unary(path, request_serializer=same, response_deserializer=same)(request, timeout=10)


# HealthCheckRequest{}, HealthCheckRequest{service: "tidemark.v1.Admin"}: SERVING is field 1, value 1.
print("health", unary("/grpc.health.v1.Health/Check", b"").hex())
service = b"tidemark.v1.Admin"
print("service health", unary("/grpc.health.v1.Health/Check", b"\x0a" + bytes([len(service)]) + service).hex())

# ServerReflectionRequest{list_services: ""}: field 7.
reflection = channel.stream_stream(
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", request_serializer=same, response_deserializer=same
)
for answer in reflection(iter([b"\x3a\x00"]), timeout=10):
    print("services", answer)

print("leader", unary("/tidemark.v1.Admin/GetLeader", b"").hex())

for path in ["/tidemark.v1.Admin/GetSnapshot", "/tidemark.v1.Admin/Unknown"]:
    try:
        unary(path, b"")
    except grpc.RpcError as error:
        trailers = {name: value for name, value in error.trailing_metadata()}
        print("error", path, error.code().name, error.details(), trailers.get("tidemark-error-bin"))
