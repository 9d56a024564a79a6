//! Which route answers a request: a pure function of host, method and path. The edge asks it for each request;
//! `check` builds it to find routes that match the same requests.
//!
//! A route that names the host comes before those without one; at each segment a literal comes before a
//! parameter, and a parameter before a wildcard; a route that names the method comes before one for every method.
//! A route that doesn't take the method is passed over, so `GET /a/*` still answers beside `POST /a/b`.
//! `matchit` was tried first: it refuses `/:slug` beside `/*`, the most usual way to put Node behind components.

use crate::app::Route;
use crate::path::Segment;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The routes of an app, ready to be asked. Routes are known by their index in `App::routes`.
#[derive(Debug, Clone, Default)]
pub struct RouteTable {
    hosts: HashMap<String, Branch>,
    any_host: Branch,
}

/// The answer of a [`RouteTable`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Routed {
    /// The index of the route, and what its parameters matched, percent-decoded.
    Found { route: usize, parameters: Vec<(String, String)> },
    /// Routes match the path, but none takes the method: the value of `Allow`, in order.
    MethodNotAllowed { allow: Vec<String> },
    /// No route matches.
    NotFound,
}

/// Two routes that match the same requests with the same rank: indices into the slice given to `RouteTable::new`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    pub first: usize,
    pub second: usize,
}

/// One place in the tree of segments.
#[derive(Debug, Clone, Default)]
struct Branch {
    literals: BTreeMap<String, Branch>,
    parameter: Option<Box<Branch>>,
    /// Routes that end here.
    exact: Vec<Leaf>,
    /// Routes that end here with a wildcard.
    below: Vec<Leaf>,
}

#[derive(Debug, Clone)]
struct Leaf {
    route: usize,
    methods: Vec<String>,
    parameters: Vec<String>,
}

impl RouteTable {
    /// Builds the table, with every conflict there is. A route that conflicts with an earlier one is left out.
    pub fn new(routes: &[Route]) -> (Self, Vec<Conflict>) {
        let mut table = Self::default();
        let mut conflicts = Vec::new();
        for (index, route) in routes.iter().enumerate() {
            if let Err(first) = table.insert(index, route) {
                conflicts.push(Conflict { first, second: index });
            }
        }
        (table, conflicts)
    }

    fn insert(&mut self, index: usize, route: &Route) -> Result<(), usize> {
        let mut branch = match &route.host {
            Some(host) => self.hosts.entry(host.clone()).or_default(),
            None => &mut self.any_host,
        };
        let mut parameters = Vec::new();
        for segment in route.path.segments() {
            branch = match segment {
                Segment::Literal(text) => branch.literals.entry(text.clone()).or_default(),
                Segment::Parameter(name) => {
                    parameters.push(name.clone());
                    branch.parameter.get_or_insert_default()
                }
            };
        }
        let leaves = if route.path.is_wildcard() { &mut branch.below } else { &mut branch.exact };
        let same = |leaf: &&Leaf| {
            let both_any = leaf.methods.is_empty() && route.methods.is_empty();
            both_any || leaf.methods.iter().any(|method| route.methods.contains(method))
        };
        if let Some(leaf) = leaves.iter().find(same) {
            return Err(leaf.route);
        }
        leaves.push(Leaf { route: index, methods: route.methods.clone(), parameters });
        Ok(())
    }

    /// The route for a request. `host` may carry a port; `path` is the path of the request target without its
    /// query, percent-encoded. Dot segments are taken literally: the edge refuses or resolves them first.
    pub fn find(&self, host: &str, method: &str, path: &str) -> Routed {
        let Some(rest) = path.strip_prefix('/') else {
            return Routed::NotFound;
        };
        let segments: Vec<_> = rest.split('/').map(|piece| percent_decode_str(piece).decode_utf8_lossy()).collect();
        let mut search = Search { segments: &segments, method, allow: BTreeSet::new(), taken: Vec::new() };
        let named = self.hosts.get(&bare_host(host));
        for branch in named.into_iter().chain([&self.any_host]) {
            if let Some(leaf) = search.walk(branch, 0) {
                let parameters =
                    leaf.parameters.iter().cloned().zip(search.taken.iter().map(|text| (*text).to_owned()));
                return Routed::Found { route: leaf.route, parameters: parameters.collect() };
            }
        }
        if search.allow.is_empty() {
            return Routed::NotFound;
        }
        Routed::MethodNotAllowed { allow: search.allow.into_iter().map(str::to_owned).collect() }
    }
}

/// In lower case, without port and final dot.
fn bare_host(host: &str) -> String {
    let host = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    host.trim_end_matches('.').to_ascii_lowercase()
}

/// One walk through the tree. Each branch is visited at most once, so it ends after as many steps as there are branches.
struct Search<'a> {
    segments: &'a [Cow<'a, str>],
    method: &'a str,
    allow: BTreeSet<&'a str>,
    /// What the parameters on the way down matched.
    taken: Vec<&'a str>,
}

impl<'a> Search<'a> {
    fn walk(&mut self, branch: &'a Branch, depth: usize) -> Option<&'a Leaf> {
        let Some(segment) = self.segments.get(depth) else {
            return self.choose(&branch.exact).or_else(|| self.choose(&branch.below));
        };
        if let Some(leaf) = branch.literals.get(segment.as_ref()).and_then(|next| self.walk(next, depth + 1)) {
            return Some(leaf);
        }
        if let (Some(next), false) = (&branch.parameter, segment.is_empty()) {
            self.taken.push(segment);
            if let Some(leaf) = self.walk(next, depth + 1) {
                return Some(leaf);
            }
            self.taken.pop();
        }
        self.choose(&branch.below)
    }

    /// The leaf that takes the method; the methods of the others are kept for `Allow`.
    fn choose(&mut self, leaves: &'a [Leaf]) -> Option<&'a Leaf> {
        let naming = |method: &str| leaves.iter().find(|leaf| leaf.methods.iter().any(|one| one == method));
        let found = naming(self.method)
            // A route that answers GET answers HEAD too (RFC 9110, section 9.3.2).
            .or_else(|| if self.method == "HEAD" { naming("GET") } else { None })
            .or_else(|| leaves.iter().find(|leaf| leaf.methods.is_empty()));
        if found.is_none() {
            self.allow.extend(leaves.iter().flat_map(|leaf| leaf.methods.iter().map(String::as_str)));
        }
        found
    }
}
