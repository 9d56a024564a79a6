//! The grant `sockets`: TCP and UDP by address. WASI itself is linked by the host and denies every address; this plugin reads the
//! rules and answers the one question that WASI asks before each use of an address.
//!
//! ```text
//! rule    = "*"                                       everything: any address, in and out, TCP and UDP
//!         | "public"                                  any public address, out, TCP and UDP
//!         | ["listen "] ["private "] scheme "://" host ":" port
//! scheme  = "tcp" | "udp"        host = name | IPv4 | "[" IPv6 "]" | network, such as 10.0.0.0/8      port = number | "*"
//! ```
//! A name stands for the addresses that it has at the moment of the connection, whatever the guest was told before; of those,
//! public ones only, unless the rule is `private` or the name is `localhost`. What leaves by a socket nobody counts: a component with
//! this grant is never asked twice.

use coracle_host::egress::Addresses;
use coracle_host::{Check, Checked, Grant, Guest, Interface, Mode, Plugin, PrepareError, Resources, Seed};
use coracle_manifest::value::Node;
use coracle_manifest::{Diagnostic, codes};
use ipnet::IpNet;
use serde_json::json;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use wasmtime::component::Linker;
use wasmtime_wasi::sockets::SocketAddrUse;

pub struct Sockets;

const FORMS: &str = "write \"tcp://db.example.com:5432\", \"private tcp://db.internal:5432\", \"udp://10.0.0.0/8:53\", \
                     \"listen tcp://127.0.0.1:7000\", \"public\" or \"*\"";

/// One line of the grant.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    Everything,
    Public,
    One { listen: bool, private: bool, protocol: Protocol, host: Host, port: Option<u16> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Tcp,
    Udp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Network(IpNet),
    Name(String),
}

struct Rules(Vec<Rule>);

impl Plugin for Sockets {
    fn name(&self) -> &'static str {
        "sockets"
    }

    /// None of its own: sockets are part of WASI, and answer "denied" until an address is granted.
    fn interfaces(&self) -> &'static [Interface] {
        &[]
    }

    fn schema(&self) -> serde_json::Value {
        let rule = json!({
            "type": "string",
            "description": "[listen] [private] tcp|udp://host:port; public for every public address; * for everything",
            "examples": ["tcp://db.example.com:5432", "private tcp://db.internal:5432", "listen tcp://127.0.0.1:7000", "public", "*"],
        });
        json!({
            "description": "Which addresses the component may use by TCP and UDP",
            "oneOf": [rule.clone(), { "type": "array", "items": rule }],
        })
    }

    fn check(&self, value: &Node, check: &mut Check<'_>) -> Option<Checked> {
        let mut rules = Vec::new();
        for item in value.list() {
            let Some(text) = item.string(check.diagnostics, "a sockets rule") else { continue };
            match Rule::parse(text) {
                Ok(rule) => rules.push(rule),
                Err((message, help)) => {
                    let diagnostic = Diagnostic::error(codes::INVALID_VALUE, message).at(item.span).help(help);
                    check.diagnostics.push(diagnostic);
                }
            }
        }
        let complete = rules.len() == value.list().len();
        complete.then(|| -> Checked { Arc::new(Rules(rules)) })
    }

    fn prepare(&self, checked: &Checked, _resources: &Resources) -> Result<Grant, PrepareError> {
        Ok(Grant::Given(Arc::clone(checked)))
    }

    fn link(&self, _linker: &mut Linker<Guest>, _grant: &Grant, _: Mode) -> wasmtime::Result<()> {
        Ok(())
    }

    fn seed(&self, grant: &Grant, seed: &mut Seed) -> wasmtime::Result<()> {
        let Grant::Given(grant) = grant else { return Ok(()) };
        let Ok(rules) = Arc::clone(grant).downcast::<Rules>() else { return Ok(()) };
        seed.unseen_effects = true;
        let names = rules.0.iter().any(Rule::needs_names);
        seed.wasi.allow_tcp(true).allow_udp(true).allow_ip_name_lookup(names);
        seed.wasi.socket_addr_check(move |addr, purpose| {
            let rules = Arc::clone(&rules);
            Box::pin(async move { rules.allow(addr, purpose).await })
        });
        Ok(())
    }
}

impl Rules {
    /// Whether this use of an address is covered. May ask the resolver.
    async fn allow(&self, addr: SocketAddr, purpose: SocketAddrUse) -> bool {
        let Some(wanted) = Wanted::of(addr, purpose) else { return false };
        if self.0.iter().any(|rule| rule.covers(&wanted)) {
            return true;
        }
        for rule in &self.0 {
            if let Some((name, reach)) = rule.name_for(&wanted)
                && let Ok(found) = tokio::net::lookup_host((name, addr.port())).await
                && found.map(|found| found.ip().to_canonical()).any(|ip| ip == wanted.ip)
                && reach.contain(wanted.ip)
            {
                return true;
            }
        }
        false
    }
}

/// A use of an address, as rules see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    way: Way,
    protocol: Protocol,
    ip: IpAddr,
    port: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Out,
    /// To take an address before anything is known of what it is for.
    Bind,
    Listen,
    /// Somebody comes in on a socket that was allowed to listen.
    In,
}

impl Wanted {
    fn of(addr: SocketAddr, purpose: SocketAddrUse) -> Option<Self> {
        let (way, protocol) = match purpose {
            SocketAddrUse::TcpConnect => (Way::Out, Protocol::Tcp),
            SocketAddrUse::TcpBind => (Way::Bind, Protocol::Tcp),
            SocketAddrUse::TcpListen => (Way::Listen, Protocol::Tcp),
            SocketAddrUse::TcpAccept => (Way::In, Protocol::Tcp),
            SocketAddrUse::UdpSend => (Way::Out, Protocol::Udp),
            SocketAddrUse::UdpBind => (Way::Bind, Protocol::Udp),
            SocketAddrUse::UdpReceive => (Way::In, Protocol::Udp),
        };
        Some(Self { way, protocol, ip: addr.ip().to_canonical(), port: addr.port() })
    }
}

impl Rule {
    /// Reads a rule; else what is wrong and what to write.
    fn parse(text: &str) -> Result<Self, (String, String)> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let (listen, private, target) = match words.as_slice() {
            ["*"] => return Ok(Self::Everything),
            ["public"] => return Ok(Self::Public),
            [target] => (false, false, *target),
            ["listen", target] => (true, false, *target),
            ["private", target] => (false, true, *target),
            _ => return Err((format!("`{text}` is no sockets rule"), FORMS.to_owned())),
        };
        let (protocol, rest) = match target.split_once("://") {
            Some(("tcp", rest)) => (Protocol::Tcp, rest),
            Some(("udp", rest)) => (Protocol::Udp, rest),
            Some((other, _)) => {
                return Err((format!("`{other}` is no protocol of sockets"), "write tcp:// or udp://".to_owned()));
            }
            None => return Err((format!("`{target}` lacks a protocol"), format!("say which: \"tcp://{target}\""))),
        };
        let Some((host, port)) = rest.rsplit_once(':').filter(|(host, _)| !host.is_empty()) else {
            return Err((format!("`{target}` lacks a port"), format!("write one, or any: \"{target}:*\"")));
        };
        let port = match port {
            "*" => None,
            number => Some(number.parse().map_err(|_| {
                (format!("`{number}` is no port"), "write a number up to 65535, or * for any".to_owned())
            })?),
        };
        let host = Host::parse(host).ok_or_else(|| (format!("`{host}` is no host"), FORMS.to_owned()))?;
        match (&host, listen, private) {
            (Host::Name(name), true, _) => {
                let help = "write the address, such as \"listen tcp://127.0.0.1:7000\"".to_owned();
                Err((format!("a component can't listen on the name `{name}`"), help))
            }
            (Host::Network(_), _, true) => {
                let help = "leave out `private`: an address means itself".to_owned();
                Err(("only a rule with a host name can be `private`".to_owned(), help))
            }
            _ => Ok(Self::One { listen, private, protocol, host, port }),
        }
    }

    /// Whether the guest has to resolve names to use it.
    fn needs_names(&self) -> bool {
        match self {
            Self::Everything | Self::Public => true,
            Self::One { host, .. } => matches!(host, Host::Name(_)),
        }
    }

    /// Whether this rule covers it, names aside.
    fn covers(&self, wanted: &Wanted) -> bool {
        let (listen, protocol, host, port) = match self {
            Self::Everything => return true,
            Self::Public => {
                return match wanted.way {
                    Way::Out => Addresses::Public.contain(wanted.ip),
                    way => way == Way::In && wanted.protocol == Protocol::Udp || is_implicit(wanted),
                };
            }
            Self::One { listen, protocol, host, port, .. } => (*listen, *protocol, host, *port),
        };
        if protocol != wanted.protocol {
            return false;
        }
        // Port 0 is any free one, which has a number by the time it is listened on.
        let port = port.filter(|port| *port != 0).is_none_or(|port| port == wanted.port);
        let here = matches!(host, Host::Network(network) if network.contains(&wanted.ip)) && port;
        match (wanted.way, listen) {
            (Way::Out, false) | (Way::Bind | Way::Listen, true) => here,
            // Answers, and whoever was let in by listening.
            (Way::In, listen) => listen || protocol == Protocol::Udp,
            (Way::Bind, false) => is_implicit(wanted),
            (Way::Out | Way::Listen, _) => false,
        }
    }

    /// The name whose addresses may be reached, and which of them.
    fn name_for(&self, wanted: &Wanted) -> Option<(&str, Addresses)> {
        let Self::One { listen: false, private, protocol, host: Host::Name(name), port } = self else { return None };
        let fits =
            wanted.way == Way::Out && *protocol == wanted.protocol && port.is_none_or(|port| port == wanted.port);
        let reach = match (name.as_str(), private) {
            ("localhost", _) => Addresses::Loopback,
            (_, true) => Addresses::Private,
            (_, false) => Addresses::Public,
        };
        fits.then_some((name, reach))
    }
}

/// Any free port of any interface, as the system takes for a connection.
fn is_implicit(wanted: &Wanted) -> bool {
    wanted.way == Way::Bind && wanted.port == 0 && wanted.ip.is_unspecified()
}

impl Host {
    fn parse(text: &str) -> Option<Self> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return Some(Self::Network(ip.to_canonical().into()));
        }
        if let Ok(network) = bare.parse::<IpNet>() {
            return Some(Self::Network(network.trunc()));
        }
        let label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        };
        let name = text.to_ascii_lowercase();
        // What ends in a number a resolver may read as an address.
        let number = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
        (name.len() <= 253 && name.split('.').all(label) && !number).then_some(Self::Name(name))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Protocol, Rule, Rules, Wanted, Way};
    use std::net::SocketAddr;

    fn wanted(text: &str) -> Wanted {
        let words: Vec<&str> = text.split(' ').collect();
        let [way, protocol, addr] = words.as_slice() else { panic!("{text}") };
        let way = match *way {
            "out" => Way::Out,
            "bind" => Way::Bind,
            "listen" => Way::Listen,
            _ => Way::In,
        };
        let protocol = if *protocol == "tcp" { Protocol::Tcp } else { Protocol::Udp };
        let addr: SocketAddr = addr.parse().unwrap();
        Wanted { way, protocol, ip: addr.ip().to_canonical(), port: addr.port() }
    }

    #[test]
    fn rules_cover_what_they_name_and_nothing_else() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("*", &["out tcp 169.254.169.254:80", "listen tcp 0.0.0.0:80", "in udp 10.0.0.1:5"], &[]),
            (
                "public",
                &["out tcp 1.1.1.1:53", "bind tcp 0.0.0.0:0", "bind udp [::]:0", "in udp 1.1.1.1:53"],
                &[
                    "out tcp 10.0.0.1:53",
                    "out tcp 127.0.0.1:1",
                    "listen tcp 0.0.0.0:80",
                    "bind tcp 127.0.0.1:0",
                    "in tcp 1.1.1.1:9",
                ],
            ),
            (
                "tcp://10.1.0.0/16:5432",
                &["out tcp 10.1.2.3:5432", "bind tcp 0.0.0.0:0", "out tcp [::ffff:10.1.2.3]:5432"],
                &[
                    "out tcp 10.2.0.1:5432",
                    "out tcp 10.1.2.3:5433",
                    "out udp 10.1.2.3:5432",
                    "listen tcp 10.1.2.3:5432",
                    "bind tcp 0.0.0.0:80",
                ],
            ),
            (
                "udp://[2001:db8::1]:*",
                &["out udp [2001:db8::1]:9", "in udp [2001:db8::1]:9"],
                &["out udp [2001:db8::2]:9"],
            ),
            (
                "listen tcp://127.0.0.1:0",
                &["bind tcp 127.0.0.1:0", "listen tcp 127.0.0.1:40001", "in tcp 127.0.0.1:50000"],
                &["bind tcp 0.0.0.0:0", "listen tcp 0.0.0.0:40001", "out tcp 127.0.0.1:80"],
            ),
        ];
        for (text, covered, others) in cases {
            let rule = Rule::parse(text).unwrap();
            covered.iter().for_each(|case| assert!(rule.covers(&wanted(case)), "`{text}` should cover {case}"));
            others.iter().for_each(|case| assert!(!rule.covers(&wanted(case)), "`{text}` should not cover {case}"));
        }
    }

    #[tokio::test]
    async fn a_name_is_resolved_when_it_is_used() {
        use wasmtime_wasi::sockets::SocketAddrUse::{TcpConnect, TcpListen};
        let rules = Rules(vec![Rule::parse("tcp://localhost:7000").unwrap()]);
        assert!(rules.allow("127.0.0.1:7000".parse().unwrap(), TcpConnect).await);
        for (addr, purpose) in
            [("127.0.0.1:7001", TcpConnect), ("10.0.0.1:7000", TcpConnect), ("127.0.0.1:7000", TcpListen)]
        {
            assert!(!rules.allow(addr.parse().unwrap(), purpose).await, "{addr}");
        }
    }

    #[test]
    fn mistakes_are_told_with_what_to_write() {
        let cases = [
            ("", "`` is no sockets rule"),
            ("db:5432", "`db:5432` lacks a protocol"),
            ("http://db:80", "`http` is no protocol of sockets"),
            ("tcp://db", "`tcp://db` lacks a port"),
            ("tcp://db:99999", "`99999` is no port"),
            ("tcp://127.1:80", "`127.1` is no host"),
            ("tcp://10.0.0.0/99:80", "`10.0.0.0/99` is no host"),
            ("listen tcp://db:80", "a component can't listen on the name `db`"),
            ("private tcp://10.0.0.1:80", "only a rule with a host name can be `private`"),
            ("private listen tcp://db:80", "`private listen tcp://db:80` is no sockets rule"),
        ];
        for (text, expected) in cases {
            let (message, help) = Rule::parse(text).unwrap_err();
            assert_eq!(message, expected);
            assert!(!help.is_empty());
        }
    }
}
