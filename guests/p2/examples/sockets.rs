//! `?to=IP:PORT` connects by TCP, `?bind=IP:PORT` listens, `?lookup=NAME` resolves. 200 "ok\n", or 403 and the error code's
//! name for a denial, 502 and the name for anything else.

use coracle_guests_contract::code;
use coracle_guests_p2::{proxy, target, text};
use std::net::SocketAddr;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};
use wasip2::sockets::network::{ErrorCode, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress};
use wasip2::sockets::{instance_network, ip_name_lookup, tcp_create_socket};

proxy!(handle);

fn handle(request: IncomingRequest, out: ResponseOutparam) {
    let target = target(&request);
    let result = if let Some(name) = target.get("lookup") {
        lookup(name)
    } else if let Some(address) = target.get("to").and_then(|text| text.parse().ok()) {
        connect(address)
    } else if let Some(address) = target.get("bind").and_then(|text| text.parse().ok()) {
        listen(address)
    } else {
        return text(out, 400, "use ?to=IP:PORT, ?bind=IP:PORT or ?lookup=NAME");
    };
    match result {
        Ok(()) => text(out, 200, "ok\n"),
        Err(ErrorCode::AccessDenied) => text(out, 403, code(ErrorCode::AccessDenied.name())),
        Err(error) => text(out, 502, code(error.name())),
    }
}

fn lookup(name: &str) -> Result<(), ErrorCode> {
    let stream = ip_name_lookup::resolve_addresses(&instance_network::instance_network(), name)?;
    stream.subscribe().block();
    stream.resolve_next_address().map(drop)
}

fn connect(address: SocketAddr) -> Result<(), ErrorCode> {
    let (family, address) = wasi(address);
    let socket = tcp_create_socket::create_tcp_socket(family)?;
    socket.start_connect(&instance_network::instance_network(), address)?;
    socket.subscribe().block();
    socket.finish_connect().map(drop)
}

fn listen(address: SocketAddr) -> Result<(), ErrorCode> {
    let (family, address) = wasi(address);
    let socket = tcp_create_socket::create_tcp_socket(family)?;
    socket.start_bind(&instance_network::instance_network(), address)?;
    socket.subscribe().block();
    socket.finish_bind()?;
    socket.start_listen()?;
    socket.subscribe().block();
    socket.finish_listen()
}

fn wasi(address: SocketAddr) -> (IpAddressFamily, IpSocketAddress) {
    let port = address.port();
    match address {
        SocketAddr::V4(v4) => {
            let [a, b, c, d] = v4.ip().octets();
            (IpAddressFamily::Ipv4, IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address: (a, b, c, d) }))
        }
        SocketAddr::V6(v6) => {
            let [a, b, c, d, e, f, g, h] = v6.ip().segments();
            let address = (a, b, c, d, e, f, g, h);
            let address = Ipv6SocketAddress { port, flow_info: v6.flowinfo(), address, scope_id: v6.scope_id() };
            (IpAddressFamily::Ipv6, IpSocketAddress::Ipv6(address))
        }
    }
}
