//! `?to=IP:PORT` connects by TCP, `?bind=IP:PORT` listens, `?lookup=NAME` resolves. 200 "ok\n", or 403 and the error code's
//! name for a denial, 502 and the name for anything else.

use coracle_guests_contract::code;
use coracle_guests_p3::{Answer, service, target, text};
use std::net::SocketAddr;
use wasip3::http::types::Request;
use wasip3::sockets::ip_name_lookup;
use wasip3::sockets::types::{
    ErrorCode, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress, TcpSocket,
};

service!(handle);

async fn handle(request: Request) -> Answer {
    let target = target(&request);
    let result = if let Some(name) = target.get("lookup") {
        ip_name_lookup::resolve_addresses(name.to_owned()).await.map(drop).map_err(|error| format!("{error:?}"))
    } else if let Some(address) = target.get("to").and_then(|text| text.parse().ok()) {
        connect(address).await.map_err(|error| format!("{error:?}"))
    } else if let Some(address) = target.get("bind").and_then(|text| text.parse().ok()) {
        listen(address).map_err(|error| format!("{error:?}"))
    } else {
        return Ok(text(400, "use ?to=IP:PORT, ?bind=IP:PORT or ?lookup=NAME"));
    };
    Ok(match result.map_err(|error| code(&error)) {
        Ok(()) => text(200, "ok\n"),
        Err(name) if name == "AccessDenied" => text(403, name),
        Err(name) => text(502, name),
    })
}

async fn connect(address: SocketAddr) -> Result<(), ErrorCode> {
    let (family, address) = wasi(address);
    TcpSocket::create(family)?.connect(address).await
}

fn listen(address: SocketAddr) -> Result<(), ErrorCode> {
    let (family, address) = wasi(address);
    let socket = TcpSocket::create(family)?;
    socket.bind(address)?;
    socket.listen().map(drop)
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
