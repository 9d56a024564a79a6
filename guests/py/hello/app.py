"""A WASI 0.3 handler in Python. Routes:

/          200, text/plain, "hello\n"
/echo      the request body, pumped chunk by chunk; ?mode=pass hands the stream back
/sleep     ?ms=N waits by the monotonic clock
/throw     an uncaught exception, which traps
/out       ?url=URL requests it: "STATUS BODY"; 502 and the error code's name when that fails
"""

import urllib.parse

import componentize_py_async_support as streams
import wit_world
from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.imports import client, monotonic_clock
from wit_world.imports.wasi_http_types import Fields, Request, Response, Scheme_Http, Scheme_Https

CHUNK = 64 * 1024


def no_trailers():
    return wit_world.result_option_wasi_http_types_fields_wasi_http_types_error_code_future(lambda: Ok(None))[1]


def received():
    return wit_world.result_unit_wasi_http_types_error_code_future(lambda: Ok(None))[1]


def respond(status, content_type, body, trailers):
    headers = Fields.from_list([("content-type", content_type)])
    response, _sent = Response.new(headers, body, trailers)
    response.set_status_code(status)
    return response


async def send(writer, content):
    with writer:
        await writer.write_all(content)


def text(status, content):
    writer, reader = wit_world.byte_stream()
    streams.spawn(send(writer, content if isinstance(content, bytes) else content.encode()))
    return respond(status, b"text/plain", reader, no_trailers())


async def pump(reader, writer):
    with reader, writer:
        while not reader.writer_dropped:
            chunk = await reader.read(CHUNK)
            if chunk:
                await writer.write_all(chunk)


def echo(request, query):
    content_type = (request.get_headers().get("content-type") or [b"application/octet-stream"])[0]
    body, trailers = Request.consume_body(request, received())
    if query.get("mode") == "pass":
        return respond(200, content_type, body, trailers)
    writer, reader = wit_world.byte_stream()
    streams.spawn(pump(body, writer))
    return respond(200, content_type, reader, trailers)


async def collect(reader):
    content = b""
    with reader:
        while not reader.writer_dropped:
            content += await reader.read(CHUNK)
    return content


async def out(url):
    parts = urllib.parse.urlsplit(url)
    request, _sent = Request.new(Fields(), None, no_trailers(), None)
    request.set_scheme(Scheme_Https() if parts.scheme == "https" else Scheme_Http())
    request.set_authority(parts.netloc)
    request.set_path_with_query((parts.path or "/") + ("?" + parts.query if parts.query else ""))
    try:
        response = await client.send(request)
    except Err as error:
        return text(502, type(error.value).__name__.removeprefix("ErrorCode_"))
    status = response.get_status_code()
    body, _trailers = Response.consume_body(response, received())
    return text(200, f"{status} ".encode() + await collect(body))


class Handler(exports.Handler):
    async def handle(self, request: Request) -> Response:
        target = urllib.parse.urlsplit(request.get_path_with_query() or "/")
        query = dict(urllib.parse.parse_qsl(target.query, keep_blank_values=True))
        match target.path:
            case "/":
                return text(200, "hello\n")
            case "/echo":
                return echo(request, query)
            case "/sleep":
                await monotonic_clock.wait_for(int(query.get("ms", "100")) * 1_000_000)
                return text(200, "slept\n")
            case "/throw":
                raise RuntimeError("on purpose")
            case "/out":
                return await out(query["url"])
            case path:
                return text(404, f"no such route: {path}")
