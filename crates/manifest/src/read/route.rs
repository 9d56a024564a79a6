//! `[[route]]`: which requests go where, and the routes that would answer the same requests.

use super::Reading;
use crate::diagnostic::nearest;
use crate::value::{Entry, Node, Value};
use crate::{
    Destination, Diagnostic, PathPattern, RateKey, RateLimit, Route, RouteTable, StaticFiles, TableReader, Target,
    codes,
};
use std::net::Ipv6Addr;
use std::time::Duration;

const STANDARD_METHODS: &[&str] =
    &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY"];
const REDIRECTS: &[i64] = &[301, 302, 303, 307, 308];

/// As many as calls between components may be deep.
const MOST_MIDDLEWARE: usize = 7;

/// In a rate.
const MOST_REQUESTS: u32 = 1_000_000;

/// Whether this can be the name of a header.
fn is_header(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// A route without destination, as an example.
const EXAMPLE: &str = "to = \"NAME\", static = \"DIRECTORY\" or redirect = \"URL\"";

impl Reading<'_> {
    pub(super) fn routes(&mut self, reader: &mut TableReader<'_>) -> Vec<Route> {
        let Some(node) = reader.get("route") else {
            return Vec::new();
        };
        let Value::Array(items) = &node.value else {
            let message = format!("`route` must be a list of routes, not {}", node.value.type_name());
            self.diags.push(
                Diagnostic::error(codes::WRONG_TYPE, message).at(node.span).help("begin each route with [[route]]"),
            );
            return Vec::new();
        };
        let routes: Vec<_> = items.iter().filter_map(|item| self.route(item)).collect();
        let (_, conflicts) = RouteTable::new(&routes);
        for conflict in conflicts {
            if let (Some(first), Some(second)) = (routes.get(conflict.first), routes.get(conflict.second)) {
                let message = format!("two routes answer the same requests: {} and {}", first.title(), second.title());
                let diagnostic = Diagnostic::error(codes::ROUTE_CONFLICT, message).at(second.span).label("the second");
                let help = "give them different paths, methods or hosts, or remove one";
                self.diags.push(diagnostic.also(first.span, "the first").help(help));
            }
        }
        routes
    }

    fn route(&mut self, node: &Node) -> Option<Route> {
        let mut reader = node.reader(self.diags, "a route")?;
        let host = match reader.get("host") {
            None => Some(None),
            Some(node) => self.host(node).map(Some),
        };
        let methods = self.methods(&mut reader);
        let path = reader.required("path", self.diags, "path = \"/api/*\"").and_then(|node| self.pattern(node));
        let to = self.destination(&mut reader);
        let middleware = self.middleware(&mut reader, to.as_ref());
        let rate = match reader.get("rate") {
            None => Some(None),
            Some(node) => self.rate(node).map(Some),
        };
        let fallback = match reader.entry("fallback") {
            None => Some(None),
            Some(entry) => self.fallback(entry, to.as_ref()).map(Some),
        };
        let rollout = match reader.entry("rollout") {
            None => Some(None),
            Some(entry) => self.rollout(entry, to.as_ref()).map(Some),
        };
        reader.finish(self.diags);
        Some(Route {
            host: host?,
            methods: methods?,
            path: path?,
            to: to?,
            middleware: middleware?,
            rate: rate?,
            fallback: fallback?,
            rollout: rollout?,
            span: node.span,
        })
    }

    fn host(&mut self, node: &Node) -> Option<String> {
        let host = node.string(self.diags, "`host`")?;
        let in_brackets = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if in_brackets.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()) {
            return Some(host.to_ascii_lowercase());
        }
        let bare = host.split_once("://").map_or(host, |(_, rest)| rest).split(['/', ':']).next().unwrap_or_default();
        if host.contains('*') {
            let help = "write one route for each host, or leave `host` out for all";
            return node.invalid(self.diags, format!("`{host}` has a wildcard, which hosts can't have"), help);
        }
        if bare != host && !bare.is_empty() && !host.starts_with('[') {
            let help = format!("write \"{bare}\"");
            return node.invalid(self.diags, format!("`{host}` is more than a host name"), help);
        }
        let good = |letter: char| letter.is_ascii_alphanumeric() || "-._".contains(letter);
        if host.is_empty() || !host.chars().all(good) {
            let help = "write a name such as \"shop.example.com\"; international names in their xn-- form";
            return node.invalid(self.diags, format!("`{host}` is no host name"), help);
        }
        Some(host.trim_end_matches('.').to_ascii_lowercase())
    }

    fn methods(&mut self, reader: &mut TableReader<'_>) -> Option<Vec<String>> {
        let Some(node) = reader.get("methods") else {
            return Some(Vec::new());
        };
        if node.list().is_empty() {
            return node.invalid(
                self.diags,
                "`methods` is empty, so the route would answer nothing",
                "leave it out for every method",
            );
        }
        let mut methods: Vec<String> = Vec::new();
        let mut good = true;
        for item in node.list() {
            match self.method(item) {
                Some(method) if methods.contains(&method) => {
                    good = false;
                    item.invalid::<()>(self.diags, format!("the method {method} is listed twice"), "list it once");
                }
                Some(method) => methods.push(method),
                None => good = false,
            }
        }
        good.then_some(methods)
    }

    fn method(&mut self, node: &Node) -> Option<String> {
        let method = node.string(self.diags, "each of `methods`")?;
        if STANDARD_METHODS.contains(&method) {
            return Some(method.to_owned());
        }
        let upper = method.to_ascii_uppercase();
        if let Some(near) = nearest(&upper, STANDARD_METHODS) {
            return node.invalid(self.diags, format!("`{method}` is no HTTP method"), format!("write \"{near}\""));
        }
        if !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') {
            return Some(method.to_owned());
        }
        node.invalid(self.diags, format!("`{method}` is no HTTP method"), "write methods in capitals, such as \"GET\"")
    }

    fn pattern(&mut self, node: &Node) -> Option<PathPattern> {
        let text = node.string(self.diags, "`path`")?;
        match text.parse::<PathPattern>() {
            Ok(pattern) => Some(pattern),
            Err(bad) => node.invalid(self.diags, bad.message, bad.help),
        }
    }

    fn destination(&mut self, reader: &mut TableReader<'_>) -> Option<Destination> {
        let given: Vec<_> = ["to", "static", "redirect"].into_iter().filter_map(|key| reader.entry(key)).collect();
        let allowed = reader_keys(reader);
        let only = match given.as_slice() {
            [only] => *only,
            [] => {
                let message = "a route has no destination";
                let diagnostic =
                    Diagnostic::error(codes::MISSING_KEY, message).at(reader.span()).label("it goes nowhere");
                self.diags.push(diagnostic.help(format!("add {EXAMPLE}")));
                return None;
            }
            [first, second, ..] => {
                let message =
                    format!("a route goes to one place, but this one has `{}` and `{}`", first.key, second.key);
                let diagnostic = Diagnostic::error(codes::EXCLUSIVE_KEYS, message)
                    .at(second.key_span)
                    .also(first.key_span, "the other");
                self.diags.push(diagnostic.help("keep one of them"));
                return None;
            }
        };
        for (entry, needs) in allowed.into_iter().filter(|(_, needs)| *needs != only.key) {
            let message = format!("`{}` only means something beside `{needs}`", entry.key);
            self.diags.push(Diagnostic::error(codes::EXCLUSIVE_KEYS, message).at(entry.key_span).help("remove it"));
        }
        match only.key.as_str() {
            "static" => self.static_files(&only.node, reader),
            "redirect" => self.redirect(&only.node, reader),
            _ => {
                let name = only.node.string(self.diags, "`to`")?;
                Some(match self.target(name, only.node.span)? {
                    Target::Component(name) => Destination::Component(name),
                    Target::Upstream(name) => Destination::Upstream(name),
                })
            }
        }
    }

    fn rate(&mut self, node: &Node) -> Option<RateLimit> {
        let mut reader = node.reader(self.diags, "a rate")?;
        let requests = reader.required("requests", self.diags, "requests = 100").and_then(|node| self.count(node));
        let per = match reader.get("per") {
            None => Some(Duration::from_secs(1)),
            Some(node) => match node.duration(self.diags, "`per` of a rate") {
                Some(Duration::ZERO) => {
                    let help = "write a time such as \"1s\" or \"1m\"";
                    node.invalid(self.diags, "`per` of a rate must be longer than nothing", help)
                }
                per => per,
            },
        };
        let burst = match reader.get("burst") {
            None => requests,
            Some(node) => self.count(node),
        };
        let by = match reader.get("by") {
            None => Some(RateKey::Client),
            Some(node) => match node.string(self.diags, "`by` of a rate")? {
                "client" => Some(RateKey::Client),
                by => match by.split_once(':') {
                    Some(("header", name)) if is_header(name) => Some(RateKey::Header(name.to_ascii_lowercase())),
                    _ => {
                        let help = "write \"client\" for the client's address, or \"header:x-api-key\"";
                        node.invalid(self.diags, "a rate counts by client or by a header", help)
                    }
                },
            },
        };
        reader.finish(self.diags);
        Some(RateLimit { requests: requests?, per: per?, burst: burst?, by: by? })
    }

    fn count(&mut self, node: &Node) -> Option<u32> {
        let count = node.integer(self.diags, "a number of requests")?;
        u32::try_from(count).ok().filter(|count| (1..=MOST_REQUESTS).contains(count)).or_else(|| {
            let message = format!("{count} is no number of requests that a rate can have");
            node.invalid(self.diags, message, format!("write a number from 1 to {MOST_REQUESTS}"))
        })
    }

    fn middleware(&mut self, reader: &mut TableReader<'_>, to: Option<&Destination>) -> Option<Vec<String>> {
        let Some(node) = reader.get("middleware") else {
            return Some(Vec::new());
        };
        let mut names = Vec::new();
        for item in node.list() {
            let Some(name) = item.string(self.diags, "each of `middleware`") else { continue };
            match self.target(name, item.span) {
                Some(Target::Component(name)) => names.push(name),
                Some(Target::Upstream(_)) => {
                    let help = "name a component that exports and imports wasi:http/handler";
                    item.invalid::<()>(self.diags, format!("`{name}` is an upstream and can't be a middleware"), help);
                }
                None => {}
            }
        }
        if names.len() > MOST_MIDDLEWARE {
            let message = format!("a route has at most {MOST_MIDDLEWARE} components before its destination");
            return node.invalid(self.diags, message, "compose some of them into one component");
        }
        if let (Some(Destination::Redirect { .. }), false) = (to, names.is_empty()) {
            return node.invalid(
                self.diags,
                "a redirect has nothing that `middleware` could stand before",
                "remove it",
            );
        }
        (names.len() == node.list().len()).then_some(names)
    }

    fn static_files(&mut self, node: &Node, reader: &mut TableReader<'_>) -> Option<Destination> {
        let dir = node.string(self.diags, "`static`")?;
        if dir.is_empty() {
            return node.invalid(self.diags, "`static` is empty", "write a directory: static = \"dist\"");
        }
        let index = match reader.get("index") {
            Some(node) => self.file_within(node, "index")?,
            None => "index.html".to_owned(),
        };
        let not_found = match reader.get("spa") {
            None => None,
            Some(Node { value: Value::Boolean(spa), .. }) => spa.then(|| index.clone()),
            Some(node @ Node { value: Value::String(_), .. }) => Some(self.file_within(node, "spa")?),
            Some(node) => {
                return node.wrong_type(self.diags, "`spa`", "`true`, or the name of a file");
            }
        };
        Some(Destination::Static(StaticFiles { dir: self.path(dir), index, not_found }))
    }

    fn file_within(&mut self, node: &Node, key: &str) -> Option<String> {
        let file = node.string(self.diags, &format!("`{key}`"))?;
        let inside = !file.is_empty() && file.split(['/', '\\']).all(|piece| !["", ".", ".."].contains(&piece));
        if inside && !file.contains('\0') {
            return Some(file.to_owned());
        }
        node.invalid(
            self.diags,
            format!("`{key}` must be a file within the directory of `static`"),
            "write a name such as \"index.html\"",
        )
    }

    fn redirect(&mut self, node: &Node, reader: &mut TableReader<'_>) -> Option<Destination> {
        let status = match reader.get("status") {
            None => Some(307),
            Some(node) => self.redirect_status(node),
        };
        let to = node.string(self.diags, "`redirect`")?;
        let absolute = url::Url::parse(to).is_ok_and(|url| ["http", "https"].contains(&url.scheme()));
        let path = to.starts_with('/') && !to.starts_with("//");
        // It becomes a header: what is no visible ASCII must be percent-encoded.
        if !(absolute || path) || !to.bytes().all(|byte| byte.is_ascii_graphic()) {
            let help = "write a URL such as \"https://example.com/\", or a path such as \"/new\"; other letters percent-encoded";
            return node.invalid(self.diags, "`redirect` is no URL and no path", help);
        }
        Some(Destination::Redirect { to: to.to_owned(), status: status? })
    }

    fn redirect_status(&mut self, node: &Node) -> Option<u16> {
        let status = node.integer(self.diags, "`status`")?;
        if REDIRECTS.contains(&status) {
            return u16::try_from(status).ok();
        }
        let help = "write 308 (for good) or 307 (for now), or 301, 302, 303";
        node.invalid(self.diags, format!("{status} is no status of a redirect"), help)
    }

    fn fallback(&mut self, entry: &Entry, to: Option<&Destination>) -> Option<Target> {
        let name = entry.node.string(self.diags, "`fallback`")?;
        let target = self.target(name, entry.node.span)?;
        match to {
            Some(Destination::Redirect { .. }) => {
                let message = "a redirect needs no `fallback`: it can't fail";
                self.diags.push(Diagnostic::error(codes::EXCLUSIVE_KEYS, message).at(entry.key_span).help("remove it"));
                None
            }
            Some(to) if to.target().as_ref() == Some(&target) => entry.node.invalid(
                self.diags,
                "`fallback` is the same as `to`",
                "name another component or upstream, or remove it",
            ),
            _ => Some(target),
        }
    }
}

/// The keys that only go with one kind of destination, as far as they are given.
fn reader_keys<'a>(reader: &mut TableReader<'a>) -> Vec<(&'a Entry, &'static str)> {
    let pairs = [("index", "static"), ("spa", "static"), ("status", "redirect")];
    pairs.into_iter().filter_map(|(key, needs)| reader.entry(key).map(|entry| (entry, needs))).collect()
}
