"""What the bench moves to Python, with the standard library alone. Routes:

/          200, "ready\n"
/json      a JSON document of 16 KiB, made anew
/hs256     200 and the subject of the bearer token if its signature is right, else 401
"""

import base64
import hashlib
import hmac
import json
import time

import componentize_py_async_support as streams
import wit_world
from componentize_py_types import Ok
from wit_world import exports
from wit_world.imports.wasi_http_types import Fields, Request, Response

SECRET = b"a secret of the bench that is 32"


def document():
    items = [
        {
            "id": index,
            "name": f"part {index}",
            "price": index * 37 % 1000,
            "stock": index % 7 != 0,
            "tags": ["bench", "odd" if index % 2 else "even"],
        }
        for index in range(214)
    ]
    return json.dumps({"items": items}, separators=(",", ":"))


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def verified(token):
    """The subject of a token, or None."""
    signed, _, signature = token.rpartition(".")
    head, _, payload = signed.partition(".")
    if json.loads(decoded(head)).get("alg") != "HS256":
        return None
    expected = hmac.new(SECRET, signed.encode(), hashlib.sha256).digest()
    if not hmac.compare_digest(expected, decoded(signature)):
        return None
    claims = json.loads(decoded(payload))
    return claims["sub"] if claims["exp"] > time.time() else None


async def send(writer, content):
    with writer:
        await writer.write_all(content)


def text(status, content):
    trailers = wit_world.result_option_wasi_http_types_fields_wasi_http_types_error_code_future(lambda: Ok(None))[1]
    writer, reader = wit_world.byte_stream()
    streams.spawn(send(writer, content.encode()))
    response, _sent = Response.new(Fields.from_list([("content-type", b"text/plain")]), reader, trailers)
    response.set_status_code(status)
    return response


class Handler(exports.Handler):
    async def handle(self, request: Request) -> Response:
        match (request.get_path_with_query() or "/").partition("?")[0]:
            case "/":
                return text(200, "ready\n")
            case "/json":
                return text(200, document())
            case "/hs256":
                header = (request.get_headers().get("authorization") or [b""])[0].decode()
                subject = verified(header.removeprefix("Bearer "))
                return text(401, "refused\n") if subject is None else text(200, subject + "\n")
            case path:
                return text(404, f"no such route: {path}\n")
