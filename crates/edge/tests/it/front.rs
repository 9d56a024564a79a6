//! The front door: TLS with both HTTP versions, certificates that change, clients with certificates, and what balancers say.

use coracle_edge::{Listen, TlsFiles};
use coracle_testkit::{Stub, TestApp};
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Says what it was told of the client.
const WHO: &str = "forwarded, x-forwarded-for, x-forwarded-proto, client-cert";

/// An upstream that answers with the request's headers of interest.
async fn mirror() -> (Stub, String) {
    let stub = Stub::start(|request: Request<hyper::body::Incoming>| {
        let header = |name: &str| request.headers().get(name).map_or("-", |value| value.to_str().unwrap()).to_owned();
        let said: Vec<String> = WHO.split(", ").map(header).collect();
        async move { http::Response::new(http_body_util::Full::new(bytes::Bytes::from(said.join("|")))) }
    })
    .await;
    let manifest =
        format!("name = \"x\"\n[upstream.u]\nurl = \"{}\"\n[[route]]\npath = \"/*\"\nto = \"u\"\n", stub.url());
    (stub, manifest)
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for `name` with its key, PEM.
fn signed(authority: &Authority, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, authority).unwrap();
    (certificate.pem(), key.serialize_pem())
}

fn write(dir: &Path, (certificate, key): &(String, String)) -> TlsFiles {
    let files = TlsFiles { certificate: dir.join("cert.pem"), key: dir.join("key.pem"), client_ca: None };
    std::fs::write(&files.certificate, certificate).unwrap();
    std::fs::write(&files.key, key).unwrap();
    files
}

async fn secure(manifest: &str, files: TlsFiles) -> TestApp {
    TestApp::start_with(manifest, |settings| {
        let addr = SocketAddr::from(([127, 0, 0, 1], 0));
        settings.listen = vec![Listen { addr, tls: true }];
        settings.tls = Some(files);
    })
    .await
}

/// A connection that trusts one authority, shows a certificate if it has one, and offers these protocols.
async fn connect(
    addr: SocketAddr,
    trusts: &Authority,
    shows: Option<&(String, String)>,
    alpn: &[&[u8]],
) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusts.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    let mut config = match shows {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap()
        }
    };
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let stream = TcpStream::connect(addr).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("shop.test").unwrap(), stream).await
}

/// The body of a `GET /` on a connection, by the protocol that it has agreed on.
async fn get(stream: tokio_rustls::client::TlsStream<TcpStream>) -> Result<String, Box<dyn std::error::Error>> {
    let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let io = TokioIo::new(stream);
    let request = Request::get("https://shop.test/").header("host", "shop.test").body(Empty::<bytes::Bytes>::new())?;
    let response = if h2 {
        let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await?;
        tokio::spawn(connection);
        sender.send_request(request).await?
    } else {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
        tokio::spawn(connection);
        sender.send_request(request).await?
    };
    Ok(String::from_utf8(response.into_body().collect().await?.to_bytes().to_vec())?)
}

#[tokio::test]
async fn tls_speaks_both_versions_of_http_and_says_so() {
    let (_stub, manifest) = mirror().await;
    let dir = tempfile::tempdir().unwrap();
    let authority = authority();
    let app = secure(&manifest, write(dir.path(), &signed(&authority, "shop.test"))).await;
    for alpn in [&[&b"h2"[..], b"http/1.1"][..], &[b"http/1.1"], &[]] {
        let said = get(connect(app.addr, &authority, None, alpn).await.unwrap()).await.unwrap();
        assert_eq!(said, "for=127.0.0.1;host=\"shop.test\";proto=https|127.0.0.1|https|-");
    }
    // Plain HTTP to a TLS port gets no answer that looks like one, and others are served meanwhile.
    let mut plain = TcpStream::connect(app.addr).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let _silent = TcpStream::connect(app.addr).await.unwrap();
    assert!(get(connect(app.addr, &authority, None, &[]).await.unwrap()).await.is_ok());
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"));
}

#[tokio::test]
async fn a_reload_takes_another_certificate_into_use_and_a_broken_one_does_not() {
    let (_stub, manifest) = mirror().await;
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (authority(), authority());
    let app = secure(&manifest, write(dir.path(), &signed(&first, "shop.test"))).await;
    assert!(connect(app.addr, &second, None, &[]).await.is_err(), "unknown to who trusts only the second");
    write(dir.path(), &signed(&second, "shop.test"));
    app.edge.reload().await.unwrap();
    assert!(get(connect(app.addr, &second, None, &[]).await.unwrap()).await.is_ok());
    std::fs::write(dir.path().join("key.pem"), "not a key").unwrap();
    app.edge.reload().await.unwrap();
    assert!(get(connect(app.addr, &second, None, &[]).await.unwrap()).await.is_ok(), "the one in use stays");
}

#[tokio::test]
async fn clients_show_their_certificate_where_they_are_asked_for_one() {
    let (_stub, manifest) = mirror().await;
    let dir = tempfile::tempdir().unwrap();
    let (authority, others) = (authority(), self::authority());
    let mut files = write(dir.path(), &signed(&authority, "shop.test"));
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    files.client_ca = Some(ca);
    let app = secure(&manifest, files).await;
    let said = get(connect(app.addr, &authority, Some(&signed(&authority, "anna")), &[]).await.unwrap()).await.unwrap();
    assert!(said.contains("|https|:MII"), "{said}");
    for shows in [None, Some(signed(&others, "anna"))] {
        let refused = match connect(app.addr, &authority, shows.as_ref(), &[]).await {
            Ok(stream) => get(stream).await.is_err(),
            Err(_) => true,
        };
        assert!(refused);
    }
}

#[tokio::test]
async fn files_that_cant_be_used_are_told_at_the_start() {
    let (_stub, manifest) = mirror().await;
    let dir = tempfile::tempdir().unwrap();
    let authority = authority();
    let good = signed(&authority, "shop.test");
    let start = async |files: TlsFiles| {
        let started = TestApp::try_start(tempfile::tempdir().unwrap(), &manifest, |settings| {
            settings.listen = vec![Listen { addr: SocketAddr::from(([127, 0, 0, 1], 0)), tls: true }];
            settings.tls = Some(files);
        });
        started.await.err().expect("it does not start").to_string()
    };
    let absent = TlsFiles { certificate: dir.path().join("absent.pem"), ..write(dir.path(), &good) };
    assert!(start(absent).await.starts_with("can't read the certificate of "));
    assert!(
        start(write(dir.path(), &("text".into(), good.1.clone()))).await.starts_with("there is no certificate in ")
    );
    assert!(
        start(write(dir.path(), &(good.0.clone(), "text".into()))).await.starts_with("can't read the private key of ")
    );
    let mixed = (good.0.clone(), signed(&authority, "shop.test").1);
    assert!(start(write(dir.path(), &mixed)).await.contains("can't be used together"));
}

/// What the upstream hears when a connection begins with these bytes.
async fn hears(addr: SocketAddr, begins: &[u8], headers: &str) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    // In two pieces, as a network may cut it.
    let (one, two) = begins.split_at(begins.len() / 2);
    stream.write_all(one).await.unwrap();
    stream.flush().await.unwrap();
    stream.write_all(two).await.unwrap();
    let request = format!("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer.rsplit("\r\n").next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn the_proxy_protocol_names_the_client() {
    let (_stub, manifest) = mirror().await;
    let app = TestApp::start_with(&manifest, |settings| settings.proxy_protocol = true).await;
    let v1 = b"PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\r\n";
    assert!(hears(app.addr, v1, "").await.contains("|203.0.113.7|http|"));
    let mut v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c".to_vec();
    v2.extend([203, 0, 113, 8, 10, 0, 0, 1, 0x12, 0x67, 0, 80]);
    assert!(hears(app.addr, &v2, "").await.contains("|203.0.113.8|http|"));
    // The balancer's own health check.
    assert!(hears(app.addr, b"PROXY UNKNOWN\r\n", "").await.contains("|127.0.0.1|http|"));
    assert_eq!(hears(app.addr, b"", "").await, "", "without it there is no answer");
    assert_eq!(hears(app.addr, b"PROXY TCP4 nonsense\r\n", "").await, "");
}

#[tokio::test]
async fn only_a_trusted_balancer_is_believed() {
    let (_stub, manifest) = mirror().await;
    let claims =
        "x-forwarded-for: 198.51.100.9, 203.0.113.7, 127.0.0.2\r\nx-forwarded-proto: https\r\nclient-cert: :Zm9v:\r\n";
    let app = TestApp::start(&manifest).await;
    assert_eq!(hears(app.addr, b"", claims).await, "for=127.0.0.1;host=\"a\";proto=http|127.0.0.1|http|-");
    let app =
        TestApp::start_with(&manifest, |settings| settings.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()])
            .await;
    // The last that is no balancer of ours; what stands before it is the client's own word.
    assert_eq!(hears(app.addr, b"", claims).await, "for=203.0.113.7;host=\"a\";proto=https|203.0.113.7|https|-");
    assert!(hears(app.addr, b"", "x-forwarded-for: 198.51.100.9, unknown\r\n").await.contains("|127.0.0.1|"));
}

#[tokio::test]
async fn a_route_takes_so_many_requests_of_a_client() {
    let (_stub, manifest) = mirror().await;
    let limited = format!("{manifest}rate = {{ requests = 2, per = \"1h\", by = \"header:x-api-key\" }}\n");
    let app = TestApp::start(&limited).await;
    let ask = async |key: &str| {
        let request =
            Request::get(app.url("/")).header("x-api-key", key).body(http_body_util::Full::default()).unwrap();
        app.send(request).await
    };
    assert_eq!([ask("a").await.status.as_u16(), ask("a").await.status.as_u16()], [200, 200]);
    let refused = ask("a").await;
    assert_eq!(refused.status.as_u16(), 429);
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 60, "{}", refused.header("retry-after"));
    assert_eq!(ask("b").await.status.as_u16(), 200);
}
