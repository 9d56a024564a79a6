//! An app around one guest, for cases that both ABIs share.

use coracle_testkit::{TestApp, guest};
use std::net::SocketAddr;
use tokio::net::TcpSocket;

/// A manifest that gives every path to a guest such as `p3/hello`; `more` goes into the component's table.
pub fn manifest(name: &str, more: &str) -> String {
    let source = guest(name).display().to_string();
    format!(
        "name = \"x\"\n[component.guest]\nsource = \"{source}\"\n{more}\n[[route]]\npath = \"/*\"\nto = \"guest\"\n"
    )
}

/// An address where nobody listens, and nobody else will while the socket is held.
pub fn dead() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let addr = socket.local_addr().unwrap();
    (socket, addr)
}

/// Runs a case with the 0.3 and the 0.2 guest of this name.
pub async fn both(case: &str, more: &str, check: impl AsyncFn(TestApp)) {
    for set in ["p3", "p2"] {
        println!("with {set}/{case}");
        check(TestApp::start(&manifest(&format!("{set}/{case}"), more)).await).await;
    }
}
