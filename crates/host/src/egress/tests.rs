//! The rules by tables, and requests through an instance's outbound HTTP to a server on loopback.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use http::Method;
use http_body_util::{Empty, Full};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

fn rules(texts: &[&str]) -> Rules {
    Rules::new(texts.iter().map(|text| Rule::parse(text).unwrap()).collect())
}

const PUBLIC: Decision = Decision::Allowed(Reach::Public);
const NAMED: Decision = Decision::Allowed(Reach::Named);

fn check(texts: &[&str], cases: &[(&str, &str, Decision)]) {
    let rules = rules(texts);
    for (method, uri, expected) in cases {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        // What isn't a URI never gets as far as the rules.
        let Ok(parsed) = uri.parse() else {
            assert_eq!(*expected, Decision::Invalid, "{uri} is no URI");
            continue;
        };
        assert_eq!(rules.allows(&method, &parsed), *expected, "{texts:?}: {method} {uri}");
    }
}

#[test]
fn methods_schemes_hosts_and_ports() {
    check(
        &["GET,HEAD https://api.example.com", "https://*.cdn.example:*/img/*.png"],
        &[
            ("GET", "https://api.example.com/", PUBLIC),
            ("GET", "https://api.example.com", PUBLIC),
            ("HEAD", "https://api.example.com/a/b?c=d", PUBLIC),
            ("POST", "https://api.example.com/", Decision::Denied),
            ("get", "https://api.example.com/", Decision::Denied),
            ("GET", "http://api.example.com/", Decision::Denied),
            ("GET", "https://api.example.com:443/", PUBLIC),
            ("GET", "https://api.example.com:8443/", Decision::Denied),
            ("GET", "https://API.Example.COM/", PUBLIC),
            ("GET", "https://api.example.com./", PUBLIC),
            ("GET", "https://api.example.com../", Decision::Invalid),
            ("GET", "https://xapi.example.com/", Decision::Denied),
            ("GET", "https://api.example.com.evil.test/", Decision::Denied),
            ("GET", "https://example.com/", Decision::Denied),
            ("GET", "https://a.cdn.example/img/x.png", PUBLIC),
            ("DELETE", "https://a.b.cdn.example:8443/img/x.png", PUBLIC),
            ("GET", "https://cdn.example/img/x.png", Decision::Denied),
            ("GET", "https://evilcdn.example/img/x.png", Decision::Denied),
            ("GET", "https://a.cdn.example/img/x.gif", Decision::Denied),
            ("GET", "https://a.cdn.example/img/sub/x.png", Decision::Denied),
            ("GET", "ftp://api.example.com/", Decision::Invalid),
            ("GET", "/only/a/path", Decision::Invalid),
        ],
    );
}

#[test]
fn tricks_with_hosts() {
    check(
        &["https://api.example.com", "http://*.example.com", "https://b\u{fc}cher.example"],
        &[
            ("GET", "https://api.example.com@10.0.0.1/", Decision::Invalid),
            ("GET", "https://api.example.com:443@10.0.0.1/", Decision::Invalid),
            ("GET", "https://user:pass@api.example.com/", Decision::Invalid),
            ("GET", "https://10.0.0.1#@api.example.com/", Decision::Denied),
            ("GET", "https://10.0.0.1\\@api.example.com/", Decision::Invalid),
            ("GET", "https://api.example.com:/", Decision::Invalid),
            ("GET", "https://api.example.com:99999/", Decision::Invalid),
            ("GET", "https://api%2eexample.com/", Decision::Invalid),
            ("GET", "https://xn--bcher-kva.example/", PUBLIC),
            ("GET", "http://10.0.0.1/", Decision::Denied),
            ("GET", "http://10.0.0.1.example.com/", PUBLIC),
            ("GET", "http://.example.com/", Decision::Invalid),
            ("GET", "http://-.example.com/", PUBLIC),
        ],
    );
}

#[test]
fn addresses_are_reached_only_when_named() {
    let anywhere = ["*"];
    check(
        &anywhere,
        &[
            // Which addresses these are is looked at when they are connected to: Reach::Public.
            ("GET", "http://127.0.0.1/", PUBLIC),
            ("GET", "http://localhost:3000/", PUBLIC),
            ("GET", "http://[::1]/", PUBLIC),
            // Spellings that only resolvers understand.
            ("GET", "http://127.1/", Decision::Invalid),
            ("GET", "http://2130706433/", Decision::Invalid),
            ("GET", "http://0x7f000001/", Decision::Invalid),
            ("GET", "http://0x7f.0.0.1/", Decision::Invalid),
            ("GET", "http://0177.0.0.1/", Decision::Invalid),
            ("GET", "http://127.0.0.1./", Decision::Invalid),
            ("GET", "http://example.0x10/", Decision::Invalid),
            ("GET", "http://1.2.3.4.5/", Decision::Invalid),
            ("GET", "http://[::1%25eth0]/", Decision::Invalid),
        ],
    );
    let named =
        ["http://127.0.0.1:3000/api/**", "http://localhost:*", "http://[fd00::1]", "private http://redis.internal"];
    check(
        &named,
        &[
            ("GET", "http://127.0.0.1:3000/api/x", NAMED),
            ("GET", "http://127.0.0.1:3001/api/x", Decision::Denied),
            ("GET", "http://127.0.0.1:3000/", Decision::Denied),
            ("GET", "http://[::ffff:127.0.0.1]:3000/api/x", Decision::Denied),
            ("GET", "http://localhost:8080/", NAMED),
            ("GET", "http://LOCALHOST./", NAMED),
            ("GET", "http://[fd00:0:0::1]/", NAMED),
            ("GET", "http://[fd00::2]/", Decision::Denied),
            ("GET", "http://redis.internal/", NAMED),
            ("GET", "http://a.redis.internal/", Decision::Denied),
        ],
    );
    // The widest rule counts, wherever it stands.
    check(&["*", "http://localhost"], &[("GET", "http://localhost/", NAMED), ("GET", "http://localhost:1/", PUBLIC)]);
    check(&["http://localhost", "*"], &[("GET", "http://localhost/", NAMED)]);
    check(&["http://db.example"], &[("GET", "http://db.example/", PUBLIC)]);
    check(&[], &[("GET", "http://example.com/", Decision::Denied)]);
}

#[test]
fn paths_can_not_be_walked_out_of() {
    check(
        &["http://a.example/public/**", "http://b.example", "http://c.example/v1/*/items"],
        &[
            ("GET", "http://a.example/public/x/y", PUBLIC),
            ("GET", "http://a.example/public/", PUBLIC),
            ("GET", "http://a.example/public", Decision::Denied),
            ("GET", "http://a.example/publicity", Decision::Denied),
            ("GET", "http://a.example/public/../admin", Decision::Denied),
            ("GET", "http://a.example/public/./x", Decision::Denied),
            ("GET", "http://a.example/public/%2e%2E/admin", Decision::Denied),
            ("GET", "http://a.example/public/.%2e/admin", Decision::Denied),
            ("GET", "http://a.example/public/..%2fadmin", Decision::Denied),
            ("GET", "http://a.example/public/..;/admin", Decision::Denied),
            ("GET", "http://a.example/public/%252e%252e/admin", Decision::Denied),
            ("GET", "http://a.example/public/..%5cadmin", Decision::Denied),
            ("GET", "http://a.example/public/x..y", PUBLIC),
            ("GET", "http://a.example/%70ublic/x", Decision::Denied),
            ("GET", "http://a.example/admin?/public/x", Decision::Denied),
            ("GET", "http://a.example/public/x?../../admin", PUBLIC),
            // Everything is allowed there, so there is nothing to walk out of.
            ("GET", "http://b.example/a/../b", PUBLIC),
            ("GET", "http://c.example/v1/7/items", PUBLIC),
            ("GET", "http://c.example/v1/7/8/items", Decision::Denied),
            ("GET", "http://c.example/v1//items", PUBLIC),
        ],
    );
}

#[test]
fn broken_rules_say_what_to_write() {
    let cases = [
        ("", "an http rule can't be empty", "write one such as"),
        ("api.example.com", "`api.example.com` lacks a scheme", "say which: \"https://api.example.com\""),
        ("get https://a.example", "`get` is not an HTTP method", "in upper case"),
        ("GET, POST https://a.example", "`GET, POST https://a.example` has too many words", "METHOD,METHOD scheme"),
        ("CONNECT https://a.example", "CONNECT can't be granted", "name the methods"),
        ("ws://a.example", "`ws` is not a scheme this grant can allow", "http:// or https://"),
        ("https://", "`` is not a host", "https://api.example.com"),
        ("https://me@a.example", "a rule can't hold a user name or password", "up to the `@`"),
        ("https://api.*.example", "`api.*.example` has its wildcard in the middle", "https://*.example.com"),
        ("http://127.1", "`127.1` is an unusual way to write 127.0.0.1", "write 127.0.0.1"),
        ("http://*.10.0.0.1", "`*.10.0.0.1` mixes a wildcard and an address", "the address alone"),
        ("http://::1", "`::1` is not a host", "brackets: \"[::1]\""),
        ("http://a.example:0", "`0` is not a port", "from 1 to 65535"),
        ("http://a.example:http", "`http` is not a port", "from 1 to 65535"),
        ("http://a.example/x?y=*", "a rule's path can't hold `?`", "every query"),
        ("http://a.example/x[12]", "a rule's path can't hold `[`", "percent-encoded"),
        ("http://a.example/a**", "`**` stands for whole segments", "/img/**"),
        ("http://a.example/a/../b", "the path `/a/../b` isn't a plain one", "dot segments"),
        ("private *", "only a rule with an exact host name can be `private`", "redis.internal"),
        ("private http://*.internal", "only a rule with an exact host name can be `private`", "redis.internal"),
        ("private http://10.0.0.1", "only a rule with an exact host name can be `private`", "needs no mark"),
    ];
    for (text, message, help) in cases {
        let error = Rule::parse(text).unwrap_err();
        assert_eq!(error.message, message, "{text}");
        assert!(error.help.contains(help), "{text}: {}", error.help);
    }
}

/// A server that answers each request by its path, and counts its connections.
struct Server {
    origin: String,
    port: u16,
    connections: Arc<AtomicU64>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&connections);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counter.fetch_add(1, Relaxed);
                tokio::spawn(talk(stream));
            }
        });
        Self { origin: format!("http://127.0.0.1:{port}"), port, connections }
    }
}

async fn talk(mut stream: TcpStream) -> std::io::Result<()> {
    let mut head = Vec::new();
    loop {
        let mut byte = [0];
        if stream.read(&mut byte).await? == 0 {
            return Ok(());
        }
        head.push(byte[0]);
        if head == [22] {
            // The first byte of a TLS hello, which this server doesn't speak.
            return stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let text = String::from_utf8_lossy(&head).into_owned();
        head.clear();
        let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
        match path.as_str() {
            "/silent" => std::future::pending().await,
            "/hang-up" => return Ok(()),
            "/nonsense" => return stream.write_all(b"SSH-2.0-OpenSSH_9.9\r\n\r\n").await,
            "/cut" => return stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await,
            "/stall" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await?;
                std::future::pending().await
            }
            "/head" => {
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len());
                stream.write_all(answer.as_bytes()).await?;
            }
            "/elsewhere" => {
                stream
                    .write_all(b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n")
                    .await?;
            }
            _ => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await?,
        }
    }
}

/// A component's outbound HTTP with one instance.
struct Component {
    outbound: Outbound,
}

impl Component {
    fn new(client: &Arc<Client>, texts: &[&str], places: usize) -> Self {
        let shared = Shared {
            client: Arc::clone(client),
            places: Arc::new(Semaphore::new(places)),
            denied: Arc::default(),
            component: "test".into(),
            neighbours: Arc::default(),
        };
        Self { outbound: Outbound::new(shared, Some(Arc::new(rules(texts))), Arc::default(), Calls::default()) }
    }

    fn one(texts: &[&str]) -> Self {
        Self::new(&Arc::new(Client::new().unwrap()), texts, 8)
    }

    async fn send(
        &mut self,
        method: Method,
        uri: &str,
        options: RequestOptions,
    ) -> Result<http::Response<WasiBody>, Error> {
        let body: WasiBody = match method {
            Method::POST => Full::new(Bytes::from_static(b"")).map_err(|never| match never {}).boxed_unsync(),
            _ => Empty::new().map_err(|never| match never {}).boxed_unsync(),
        };
        let request = http::Request::builder().method(method).uri(uri).body(body).unwrap();
        let sent = self.outbound.send_request(request, Some(options), Box::new(std::future::ready(Ok(()))));
        Box::into_pin(sent).await.map(|(response, _)| response)
    }

    async fn get(&mut self, uri: &str) -> Result<String, Error> {
        let response = self.send(Method::GET, uri, RequestOptions::default()).await?;
        let bytes = response.into_body().collect().await?.to_bytes();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn effects(&self) -> u64 {
        self.outbound.effects.load(Relaxed)
    }

    fn denied(&self) -> u64 {
        self.outbound.shared.denied.load(Relaxed)
    }
}

const SHORT: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_covered_request_is_sent_and_its_connection_kept() {
    let server = Server::start().await;
    let mut component = Component::one(&["http://127.0.0.1:*"]);
    assert_eq!(component.get(&format!("{}/", server.origin)).await.unwrap(), "hello");
    let head = component.get(&format!("{}/head", server.origin)).await.unwrap();
    assert!(head.starts_with("GET /head HTTP/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("host: 127.0.0.1:{}\r\n", server.port)), "{head}");
    assert_eq!(server.connections.load(Relaxed), 1);
    let named = format!("http://localhost:{}/", server.port);
    assert_eq!(Component::one(&["http://localhost:*"]).get(&named).await.unwrap(), "hello");
}

#[tokio::test]
async fn an_uncovered_request_is_denied_and_counted() {
    let server = Server::start().await;
    let mut component = Component::one(&["GET http://127.0.0.1:*/open/**"]);
    let denied = component.get(&format!("{}/closed", server.origin)).await.unwrap_err();
    assert!(matches!(denied, Error::HttpRequestDenied), "{denied:?}");
    let invalid = component.get("http://127.1/").await.unwrap_err();
    assert!(matches!(invalid, Error::HttpRequestUriInvalid), "{invalid:?}");
    assert_eq!((component.denied(), component.effects(), server.connections.load(Relaxed)), (1, 0, 0));
}

#[tokio::test]
async fn private_addresses_are_prohibited_even_over_a_kept_connection() {
    let server = Server::start().await;
    let client = Arc::new(Client::new().unwrap());
    let mut named = Component::new(&client, &["http://127.0.0.1:*", "http://localhost:*"], 8);
    let mut anywhere = Component::new(&client, &["*", "http://*:*", "http://*.internal"], 8);
    for host in ["127.0.0.1", "localhost"] {
        let uri = format!("http://{host}:{}/", server.port);
        assert_eq!(named.get(&uri).await.unwrap(), "hello");
        let error = anywhere.get(&uri).await.unwrap_err();
        assert!(matches!(error, Error::DestinationIpProhibited), "{host}: {error:?}");
    }
    for host in ["169.254.169.254", "[fd00:ec2::254]", "[::ffff:10.0.0.1]", "10.0.0.1", "100.64.0.1", "0.0.0.0"] {
        let error = anywhere.get(&format!("http://{host}/")).await.unwrap_err();
        assert!(matches!(error, Error::DestinationIpProhibited), "{host}: {error:?}");
    }
    assert_eq!((named.denied(), anywhere.denied()), (0, 8));
}

#[tokio::test]
async fn redirects_are_left_to_the_guest() {
    let server = Server::start().await;
    let mut component = Component::one(&["http://127.0.0.1:*"]);
    let uri = format!("{}/elsewhere", server.origin);
    let response = component.send(Method::GET, &uri, RequestOptions::default()).await.unwrap();
    assert_eq!(response.status(), 302);
}

#[tokio::test]
async fn unsafe_methods_are_effects() {
    let server = Server::start().await;
    let mut component = Component::one(&["http://127.0.0.1:*"]);
    let uri = format!("{}/", server.origin);
    for (method, effects) in
        [(Method::GET, 0), (Method::HEAD, 0), (Method::OPTIONS, 0), (Method::POST, 1), (Method::DELETE, 2)]
    {
        drop(component.send(method.clone(), &uri, RequestOptions::default()).await.unwrap());
        assert_eq!(component.effects(), effects, "after {method}");
    }
    let error = component.send(Method::CONNECT, &uri, RequestOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::HttpRequestMethodInvalid), "{error:?}");
}

#[tokio::test]
async fn failures_are_told_apart() {
    let server = Server::start().await;
    let mut component = Component::one(&["http://127.0.0.1:*", "https://127.0.0.1:*"]);
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let origin = &server.origin;
    let error = component.get(&format!("http://{free}/")).await.unwrap_err();
    assert!(matches!(error, Error::ConnectionRefused), "{error:?}");
    let error = component.get(&format!("https://127.0.0.1:{}/", server.port)).await.unwrap_err();
    assert!(matches!(error, Error::TlsProtocolError), "{error:?}");
    let error = component.get(&format!("{origin}/hang-up")).await.unwrap_err();
    assert!(matches!(error, Error::HttpResponseIncomplete | Error::ConnectionTerminated), "{error:?}");
    let error = component.get(&format!("{origin}/nonsense")).await.unwrap_err();
    assert!(matches!(error, Error::HttpProtocolError), "{error:?}");
    let error = component.get(&format!("{origin}/cut")).await.unwrap_err();
    assert!(matches!(error, Error::HttpResponseIncomplete), "{error:?}");
}

#[tokio::test]
async fn a_guest_s_timeouts_are_kept() {
    let server = Server::start().await;
    let mut component = Component::one(&["http://127.0.0.1:*"]);
    let first_byte = RequestOptions { first_byte_timeout: Some(SHORT), ..RequestOptions::default() };
    let error = component.send(Method::GET, &format!("{}/silent", server.origin), first_byte).await.unwrap_err();
    assert!(matches!(error, Error::ConnectionReadTimeout), "{error:?}");
    let between = RequestOptions { between_bytes_timeout: Some(SHORT), ..RequestOptions::default() };
    let response = component.send(Method::GET, &format!("{}/stall", server.origin), between).await.unwrap();
    let error = response.into_body().collect().await.unwrap_err();
    assert!(matches!(error, Error::ConnectionReadTimeout), "{error:?}");
}

#[tokio::test]
async fn connections_are_limited_until_bodies_end() {
    let server = Server::start().await;
    let client = Arc::new(Client::new().unwrap());
    let mut component = Component::new(&client, &["http://127.0.0.1:*"], 1);
    let uri = format!("{}/", server.origin);
    let hasty = RequestOptions { connect_timeout: Some(SHORT), ..RequestOptions::default() };
    let held = component.send(Method::GET, &format!("{}/stall", server.origin), hasty).await.unwrap();
    let error = component.send(Method::GET, &uri, hasty).await.unwrap_err();
    assert!(matches!(error, Error::ConnectionLimitReached), "{error:?}");
    drop(held);
    let response = component.send(Method::GET, &uri, hasty).await.unwrap();
    let body = response.into_body();
    // Read to its end, but not dropped.
    let mut body = std::pin::pin!(body);
    while body.frame().await.is_some() {}
    component.send(Method::GET, &uri, hasty).await.unwrap();
}

#[test]
fn denials_are_logged_now_and_then() {
    let mut denials = Denials::default();
    let component: Arc<str> = "test".into();
    let start = Instant::now();
    assert!(denials.may_log(&component, "https://a.example".to_owned(), start));
    assert!(!denials.may_log(&component, "https://a.example".to_owned(), start));
    let logged = (0..100).filter(|n| denials.may_log(&component, format!("https://{n}.example"), start)).count();
    assert_eq!(logged, 9);
    let later = start + DENIAL_LOG_INTERVAL;
    assert!(denials.may_log(&component, "https://a.example".to_owned(), later));
    assert_eq!(denials.logged.len(), 1);
}
