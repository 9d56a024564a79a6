//! The `http` grant: its grammar, and whether a request is covered by it. Pure; the plugin `http` parses rules with it
//! and [`super::Outbound`] asks it about each request.
//!
//! ```text
//! rule    = ["private "] [methods " "] target          methods = "GET" *("," "POST")       none is any method
//! target  = "*"                                        every public host, http and https, any port
//!         | scheme "://" host [":" port] [path]        port = number | "*"   none is the scheme's own
//! host    = name | "*." name | "*" | IPv4 | "[" IPv6 "]"
//! path    = "/" segments, where "*" stands for any text inside one segment and "**" for any segments; none is "/**"
//! ```
//! Addresses that aren't public are reached only when they are meant: by an IP literal (that very address), by the
//! name `localhost` (loopback only), or by a rule marked `private` with an exact name (own network and loopback, but
//! not link-local or metadata addresses). A wildcard never covers them. The query is never looked at.

use globset::{GlobBuilder, GlobMatcher};
use http::uri::Scheme;
use http::{Method, Uri};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where the outbound requests of a component may go.
#[derive(Debug, Default)]
pub struct Rules(Vec<Rule>);

/// One line of the grant.
#[derive(Debug)]
pub struct Rule {
    /// Empty is any.
    methods: Vec<Method>,
    /// `None` is both.
    scheme: Option<Scheme>,
    host: Host,
    /// `None` is any.
    port: Option<u16>,
    /// `None` is any.
    path: Option<GlobMatcher>,
    private: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Host {
    Any,
    /// With its leading dot: ".example.com".
    Suffix(String),
    Name(String),
    Address(IpAddr),
}

/// What the rules say about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// No rule covers it.
    Denied,
    /// It isn't a URL that can be judged: user info, a host that is neither a name nor a plainly written address.
    Invalid,
    Allowed(Reach),
}

/// Which addresses an allowed request may connect to, the wider reach last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Those of the public internet.
    Public,
    /// Those that the rule meant by naming the host: see the head of this file.
    Named,
}

/// Why a rule can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RuleError {
    /// What is wrong, without a final stop.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl Rules {
    /// The grant made of these rules.
    pub fn new(rules: Vec<Rule>) -> Self {
        Self(rules)
    }

    /// Whether a request may be sent, and which addresses it may connect to. The widest of several rules counts.
    pub fn allows(&self, method: &Method, uri: &Uri) -> Decision {
        let Some(wanted) = Wanted::read(method, uri) else { return Decision::Invalid };
        let covering = self.0.iter().filter(|rule| rule.covers(&wanted));
        covering.map(Rule::reach).max().map_or(Decision::Denied, Decision::Allowed)
    }
}

/// A request as rules see it.
struct Wanted<'a> {
    method: &'a Method,
    scheme: &'a Scheme,
    host: RequestHost,
    port: u16,
    path: &'a str,
}

enum RequestHost {
    Name(String),
    Address(IpAddr),
}

impl<'a> Wanted<'a> {
    fn read(method: &'a Method, uri: &'a Uri) -> Option<Self> {
        let scheme = uri.scheme()?;
        let authority = uri.authority()?;
        // `http://good.example@10.0.0.1/` is a request to 10.0.0.1; no guest needs that spelling.
        if authority.as_str().contains('@') {
            return None;
        }
        let default_port = default_port(scheme)?;
        // An empty or oversized port parses as no port.
        let port = match authority.port() {
            Some(port) => port.as_u16(),
            None if authority.as_str().len() == authority.host().len() => default_port,
            None => return None,
        };
        let host = request_host(authority.host())?;
        Some(Self { method, scheme, host, port, path: uri.path() })
    }
}

fn default_port(scheme: &Scheme) -> Option<u16> {
    match scheme.as_str() {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// A request's host, in lower case and without the dot of the root.
fn request_host(host: &str) -> Option<RequestHost> {
    if let Some(bracketed) = host.strip_prefix('[') {
        let v6: Ipv6Addr = bracketed.strip_suffix(']')?.parse().ok()?;
        return Some(RequestHost::Address(v6.into()));
    }
    if let Ok(v4) = host.parse::<Ipv4Addr>() {
        return Some(RequestHost::Address(v4.into()));
    }
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    is_name(&name).then_some(RequestHost::Name(name))
}

/// True for host names. Names that a resolver would read as an address (`127.1`, `0x7f000001`, `2130706433`) are none.
fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let last = name.rsplit('.').next().unwrap_or(name);
    let number = last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x");
    name.len() <= 253 && name.split('.').all(label) && !number
}

impl Rule {
    /// Reads a rule.
    ///
    /// # Errors
    /// When it doesn't follow the grammar; message and help are for the person who wrote it.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        let mut words: Vec<&str> = text.split_ascii_whitespace().collect();
        let private = words.first() == Some(&"private");
        if private {
            words.remove(0);
        }
        let (methods, target) = match words.as_slice() {
            [target] => (Vec::new(), *target),
            [methods, target] => (parse_methods(methods)?, *target),
            [] => return fail("an http rule can't be empty", "write one such as \"GET https://api.example.com/**\""),
            _ => return fail(format!("`{text}` has too many words"), "write \"METHOD,METHOD scheme://host/path\""),
        };
        let mut rule = parse_target(target)?;
        if private && !matches!(rule.host, Host::Name(_)) {
            let help =
                "write the exact name, such as \"private http://redis.internal:8080/**\"; an IP address needs no mark";
            return fail("only a rule with an exact host name can be `private`", help);
        }
        rule.methods = methods;
        rule.private = private;
        Ok(rule)
    }

    fn covers(&self, wanted: &Wanted<'_>) -> bool {
        let method = self.methods.is_empty() || self.methods.contains(wanted.method);
        let scheme = self.scheme.as_ref().is_none_or(|scheme| scheme == wanted.scheme);
        let host = match (&self.host, &wanted.host) {
            (Host::Any, _) => true,
            (Host::Suffix(suffix), RequestHost::Name(name)) => name.ends_with(suffix.as_str()),
            (Host::Name(name), RequestHost::Name(wanted)) => name == wanted,
            (Host::Address(address), RequestHost::Address(wanted)) => address == wanted,
            _ => false,
        };
        let port = self.port.is_none_or(|port| port == wanted.port);
        let path = self.path.as_ref().is_none_or(|path| is_plain(wanted.path) && path.is_match(wanted.path));
        method && scheme && host && port && path
    }

    fn reach(&self) -> Reach {
        match &self.host {
            Host::Address(_) => Reach::Named,
            Host::Name(name) if self.private || name == "localhost" => Reach::Named,
            Host::Any | Host::Suffix(_) | Host::Name(_) => Reach::Public,
        }
    }
}

/// False for paths that a server may read as another one: dot segments, encoded dots and slashes, backslashes.
fn is_plain(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let hidden = ["%2e", "%2f", "%5c", "%252e", "%252f", "%255c", "%00", "\\"];
    // Some servers cut a segment at `;` before they resolve dots.
    let dots = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
    !hidden.iter().any(|code| lower.contains(code)) && !lower.split('/').any(dots)
}

fn parse_methods(text: &str) -> Result<Vec<Method>, RuleError> {
    let known =
        |name: &str| Method::from_bytes(name.as_bytes()).ok().filter(|_| name.bytes().all(|b| b.is_ascii_uppercase()));
    let mut methods = Vec::new();
    for name in text.split(',') {
        match known(name) {
            Some(Method::CONNECT) => return fail("CONNECT can't be granted", "name the methods the component uses"),
            Some(method) => methods.push(method),
            None => {
                let help =
                    "write methods in upper case and separate them by commas without spaces: \"GET,POST https://…\"";
                return fail(format!("`{name}` is not an HTTP method"), help);
            }
        }
    }
    Ok(methods)
}

fn parse_target(text: &str) -> Result<Rule, RuleError> {
    if text == "*" {
        return Ok(Rule { methods: Vec::new(), scheme: None, host: Host::Any, port: None, path: None, private: false });
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        let help = format!("say which: \"https://{text}\", or \"*\" for every public host");
        return fail(format!("`{text}` lacks a scheme"), help);
    };
    let scheme = match scheme {
        "http" => Scheme::HTTP,
        "https" => Scheme::HTTPS,
        other => return fail(format!("`{other}` is not a scheme this grant can allow"), "write http:// or https://"),
    };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/**"),
    };
    if authority.contains('@') {
        return fail("a rule can't hold a user name or password", "leave out everything up to the `@`");
    }
    let (host, port) = split_port(authority)?;
    let host = parse_host(host)?;
    let port = match port {
        None => default_port(&scheme),
        Some("*") => None,
        Some(digits) => match digits.parse::<u16>() {
            Ok(port) if port != 0 => Some(port),
            _ => {
                return fail(
                    format!("`{digits}` is not a port"),
                    "write a number from 1 to 65535, or `*` for any port",
                );
            }
        },
    };
    Ok(Rule { methods: Vec::new(), scheme: Some(scheme), host, port, path: parse_path(path)?, private: false })
}

fn split_port(authority: &str) -> Result<(&str, Option<&str>), RuleError> {
    let bracket = authority.rfind(']').unwrap_or(0);
    match authority.rfind(':') {
        Some(colon) if colon > bracket => {
            let (host, port) = authority.split_at(colon);
            if host.contains(':') && !host.starts_with('[') {
                return fail(
                    format!("`{authority}` is not a host"),
                    format!("write IPv6 addresses in brackets: \"[{authority}]\""),
                );
            }
            Ok((host, port.strip_prefix(':')))
        }
        _ => Ok((authority, None)),
    }
}

fn parse_host(text: &str) -> Result<Host, RuleError> {
    if text == "*" {
        return Ok(Host::Any);
    }
    let (wildcard, plain) = match text.strip_prefix("*.") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if plain.contains('*') {
        let help = "a `*` stands alone or at the front: \"https://*.example.com\"";
        return fail(format!("`{text}` has its wildcard in the middle"), help);
    }
    // The library reads addresses and international names as browsers do.
    let Ok(host) = url::Host::parse(plain) else {
        return fail(
            format!("`{text}` is not a host"),
            "write a host name or an IP address: \"https://api.example.com\"",
        );
    };
    match host {
        url::Host::Domain(name) => {
            let name = name.strip_suffix('.').unwrap_or(&name).to_owned();
            if !is_name(&name) {
                return fail(format!("`{text}` is not a host name"), "write it as it stands in a URL");
            }
            Ok(if wildcard { Host::Suffix(format!(".{name}")) } else { Host::Name(name) })
        }
        _ if wildcard => fail(format!("`{text}` mixes a wildcard and an address"), "write the address alone"),
        url::Host::Ipv4(v4) if v4.to_string() != plain => {
            fail(format!("`{text}` is an unusual way to write {v4}"), format!("write {v4}"))
        }
        url::Host::Ipv4(v4) => Ok(Host::Address(v4.into())),
        url::Host::Ipv6(v6) => Ok(Host::Address(v6.into())),
    }
}

fn parse_path(text: &str) -> Result<Option<GlobMatcher>, RuleError> {
    if text == "/**" {
        return Ok(None);
    }
    if let Some(odd) = text.chars().find(|c| "?#[]{}!\\".contains(*c) || c.is_control() || !c.is_ascii()) {
        let help = match odd {
            '?' | '#' => "leave it out: rules cover a path with every query",
            _ => "write it percent-encoded, as it stands in the request",
        };
        return fail(format!("a rule's path can't hold `{odd}`"), help);
    }
    if text.split('/').any(|segment| segment.contains("**") && segment != "**") {
        return fail(
            "`**` stands for whole segments",
            "write it between slashes, as in \"/img/**\", or use a single `*`",
        );
    }
    if !is_plain(text) {
        return fail(
            format!("the path `{text}` isn't a plain one"),
            "leave out dot segments and encoded dots or slashes",
        );
    }
    match GlobBuilder::new(text).literal_separator(true).backslash_escape(false).build() {
        Ok(glob) => Ok(Some(glob.compile_matcher())),
        Err(error) => {
            fail(format!("the path `{text}` can't be used: {}", error.kind()), "write a path such as \"/v1/*/items\"")
        }
    }
}

fn fail<T>(message: impl Into<String>, help: impl Into<String>) -> Result<T, RuleError> {
    Err(RuleError { message: message.into(), help: help.into() })
}
