//! From registrations to routes and middleware: which calls are those of a web framework, with which path, and which
//! function answers. Knows node:http, Express, Fastify, Koa, Hono, NestJS, Next.js, and routers alike; and which functions
//! render React on the server.

use crate::facts::{NodeKind, Registration, Target, Used};
use crate::graph::{Graph, Place};
use crate::project::{NextKind, Project, next_kind};
use crate::walk::{File, Resolved};
use rustc_hash::FxHashMap;
use serde::Serialize;
use std::collections::BTreeSet;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Framework {
    NodeHttp,
    Express,
    Fastify,
    Koa,
    Hono,
    Nest,
    Next,
    /// A function that renders React on the server: no route of its own, but what a page costs.
    React,
}

impl Framework {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NodeHttp => "node:http",
            Self::Express => "Express",
            Self::Fastify => "Fastify",
            Self::Koa => "Koa",
            Self::Hono => "Hono",
            Self::Nest => "NestJS",
            Self::Next => "Next.js",
            Self::React => "React SSR",
        }
    }

    fn of_package(name: &str) -> Option<Self> {
        Some(match name {
            "express" | "connect" | "polka" | "restify" | "router" | "express-promise-router" => Self::Express,
            "fastify" => Self::Fastify,
            "koa" | "@koa/router" | "koa-router" | "koa-mount" => Self::Koa,
            "hono" | "@hono/node-server" | "@hono/zod-openapi" => Self::Hono,
            "@nestjs/common" => Self::Nest,
            _ => return None,
        })
    }
}

/// A function that a framework calls for requests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    pub place: Place,
    pub framework: Framework,
    /// It passes most requests on.
    pub middleware: bool,
    /// `GET`, or `*`.
    pub method: String,
    pub path: String,
    /// Where it is registered: file and line.
    pub registered: (u32, u32),
}

/// Every route and middleware of the project's own files.
#[must_use]
pub fn routes(graph: &Graph<'_>, project: &Project) -> Vec<Route> {
    let mut found = Found { graph, project, routes: BTreeSet::new(), mounts: FxHashMap::default() };
    let own = || graph.sources().files.iter().enumerate().filter(|(_, file)| graph.sources().is_own(file));
    for (at, file) in own() {
        found.mounts(u32::try_from(at).unwrap_or(u32::MAX), file);
    }
    for (at, file) in own() {
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        for registration in &file.facts.registrations {
            found.registration(at, file, registration);
        }
        if project.depends_on("next") {
            found.next(at, file);
        }
    }
    // After the routes: a handler that renders is a route already.
    for (at, file) in own() {
        found.react(u32::try_from(at).unwrap_or(u32::MAX), file);
    }
    found.routes.into_iter().collect()
}

struct Found<'g> {
    graph: &'g Graph<'g>,
    project: &'g Project,
    routes: BTreeSet<Route>,
    /// Routers by the variable that holds them (or their file as a whole), and the path they are mounted at.
    mounts: FxHashMap<Place, String>,
}

/// Mounts within mounts that are followed.
const HOPS: usize = 8;

impl Found<'_> {
    fn mounts(&mut self, at: u32, file: &File) {
        for registration in &file.facts.registrations {
            if !matches!(registration.verb.as_str(), "use" | "route" | "register" | "mount") {
                continue;
            }
            let path = registration.path.clone().unwrap_or_default();
            for handler in &registration.handlers {
                if let Some(place) = self.graph.target(at, handler, HOPS) {
                    self.mounts.entry(place).or_insert_with(|| path.clone());
                }
            }
        }
    }

    /// The framework that a registration belongs to.
    fn framework(&self, file: &File, registration: &Registration) -> Option<Framework> {
        match &registration.receiver {
            Target::Import(imported) => match file.resolved.get(imported.import as usize)? {
                Resolved::Builtin(name) => {
                    let serves = registration.verb == "on" || registration.verb.ends_with("createServer");
                    (matches!(name.as_str(), "http" | "https" | "http2") && serves).then_some(Framework::NodeHttp)
                }
                Resolved::File(target) => {
                    let owner = self.graph.sources().files.get(*target as usize)?;
                    let owner = self.graph.sources().owner(owner)?;
                    if owner.own {
                        return self.by_name(file, &registration.receiver, registration);
                    }
                    Framework::of_package(&owner.name)
                }
                // Not installed: its name still says what it is.
                Resolved::Missing(_) => {
                    Framework::of_package(&file.facts.imports.get(imported.import as usize)?.specifier)
                }
                Resolved::Native(_) | Resolved::Data => None,
            },
            other => self.by_name(file, other, registration),
        }
    }

    /// By what a parameter or variable is called, in a project that uses one framework.
    fn by_name(&self, file: &File, receiver: &Target, registration: &Registration) -> Option<Framework> {
        let name = match receiver {
            Target::Unknown(name) => name.clone(),
            Target::Node(node) => file.facts.nodes.get(*node as usize)?.name.clone(),
            Target::Import(imported) if imported.name == "default" => "app".to_owned(),
            Target::Import(imported) => imported.name.clone(),
        };
        let name = name.split('.').next_back().unwrap_or_default().to_ascii_lowercase();
        let routing = ["app", "router", "server", "fastify", "instance", "api", "route", "routes"];
        let plausible = routing.iter().any(|word| name == *word || name.ends_with(word));
        let routed = registration.path.as_ref().is_some_and(|path| path.starts_with('/') || path == "*");
        let taking = matches!(registration.verb.as_str(), "use" | "addHook");
        if !plausible || !(routed || taking) || registration.verb == "on" {
            return None;
        }
        let known = ["express", "fastify", "koa", "hono"];
        known.iter().find(|name| self.project.depends_on(name)).and_then(|name| Framework::of_package(name))
    }

    fn registration(&mut self, at: u32, file: &File, registration: &Registration) {
        let Some(framework) = self.framework(file, registration) else { return };
        let verb = registration.verb.as_str();
        let event = registration.path.as_deref();
        if verb == "on" && (framework != Framework::NodeHttp || event != Some("request")) {
            return;
        }
        if verb == "register" || verb == "mount" || verb == "routes" || verb.starts_with("@Controller") {
            return;
        }
        let prefix = self.prefix(at, file, registration);
        for handler in &registration.handlers {
            let Some(place) = self.graph.target(at, handler, HOPS) else { continue };
            let Some(node) = self.node(place).filter(|_| self.is_own(place)) else { continue };
            // A router that is mounted is no handler itself: its routes are.
            if !matches!(node.kind, NodeKind::Function | NodeKind::Method) {
                continue;
            }
            let params = node.params.len();
            let takes_next = params >= 3 || framework == Framework::Koa && params >= 2;
            let last = registration.handlers.last() == Some(handler);
            let using = matches!(verb, "use" | "addHook" | "onRequest" | "preHandler");
            let koa_or_hono = matches!(framework, Framework::Koa | Framework::Hono);
            let middleware = using && (takes_next || koa_or_hono || verb != "use") || !last;
            let error_handler = framework == Framework::Express && params == 4;
            if error_handler || verb == "setErrorHandler" || verb == "notFound" {
                continue;
            }
            let path = if matches!(verb, "on" | "addHook") || verb.ends_with("createServer") {
                join(&prefix, "")
            } else {
                join(&prefix, registration.path.as_deref().unwrap_or_default())
            };
            let registered = (at, registration.line);
            let method = method(verb);
            self.routes.insert(Route { place, framework, middleware, method, path, registered });
        }
    }

    fn node(&self, place: Place) -> Option<&crate::facts::Node> {
        self.graph.sources().files.get(place.file as usize)?.facts.nodes.get(place.node as usize)
    }

    fn is_own(&self, place: Place) -> bool {
        let sources = self.graph.sources();
        sources.files.get(place.file as usize).is_some_and(|file| sources.is_own(file))
    }

    /// The path in front of a registration's own: of the controller, or of where its router is mounted.
    fn prefix(&self, at: u32, file: &File, registration: &Registration) -> String {
        if registration.verb.starts_with('@') {
            let controllers = file.facts.registrations.iter().filter(|other| other.verb == "@Controller");
            let of_class = controllers.filter(|other| other.handlers.contains(&Target::Node(registration.node)));
            return of_class.filter_map(|other| other.path.clone()).next().unwrap_or_default();
        }
        let mut places: Vec<Place> = Vec::new();
        if let Some(node) = registration.receiver_node {
            places.push(Place { file: at, node });
        }
        // A plugin or a function that takes the app: the function itself is what is mounted.
        let mut node = registration.node;
        for _ in 0..HOPS {
            places.push(Place { file: at, node });
            node = file.facts.nodes.get(node as usize).map_or(0, |node| node.parent);
        }
        let whole = Place { file: at, node: u32::try_from(file.facts.nodes.len()).unwrap_or(0) };
        places.push(whole);
        places.iter().find_map(|place| self.mounts.get(place)).cloned().unwrap_or_default()
    }

    fn next(&mut self, at: u32, file: &File) {
        let packages = self.project.packages.iter().filter(|package| file.path.starts_with(&package.dir));
        let Some(package) = packages.max_by_key(|package| package.dir.as_os_str().len()) else { return };
        let Ok(inside) = file.path.strip_prefix(&package.dir) else { return };
        let Some(kind) = next_kind(inside) else { return };
        let path = next_path(&inside.to_string_lossy().replace('\\', "/"));
        let framework = Framework::Next;
        for export in &file.facts.exports {
            let method = match kind {
                NextKind::Api if export.name == "default" => "*",
                NextKind::Handlers => match export.name.as_str() {
                    name @ ("GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD" | "OPTIONS") => name,
                    _ => continue,
                },
                NextKind::Middleware if matches!(export.name.as_str(), "default" | "middleware" | "proxy") => "*",
                _ => continue,
            };
            let Some(place) = self.graph.target(at, &export.target, HOPS) else { continue };
            let line = self.node(place).map_or(0, |node| node.line);
            let middleware = kind == NextKind::Middleware;
            let (method, path) = (method.to_owned(), path.clone());
            self.routes.insert(Route { place, framework, middleware, method, path, registered: (at, line) });
        }
    }
}

impl Found<'_> {
    /// Functions that call a renderer of `react-dom/server` or `react-dom/static`.
    fn react(&mut self, at: u32, file: &File) {
        for (index, node) in file.facts.nodes.iter().enumerate() {
            let rendering = node.uses.iter().find(|used| match &used.what {
                Used::Import(imported) => file.facts.imports.get(imported.import as usize).is_some_and(|import| {
                    renders(&import.specifier) && [&imported.name, &imported.member].iter().any(|name| renderer(name))
                }),
                Used::Node(_) | Used::Global(_) | Used::Hazard(_) => false,
            });
            let Some(used) = rendering.filter(|_| matches!(node.kind, NodeKind::Function | NodeKind::Method)) else {
                continue;
            };
            let place = Place { file: at, node: u32::try_from(index).unwrap_or(0) };
            if self.routes.iter().any(|route| route.place == place) {
                continue;
            }
            let (method, path) = ("*".to_owned(), String::new());
            let (framework, registered) = (Framework::React, (at, used.line));
            self.routes.insert(Route { place, framework, middleware: false, method, path, registered });
        }
    }
}

fn renders(specifier: &str) -> bool {
    let name = specifier.split_once('.').map_or(specifier, |(name, _)| name);
    matches!(name, "react-dom/server" | "react-dom/static")
}

fn renderer(name: &str) -> bool {
    matches!(
        name,
        "renderToString"
            | "renderToStaticMarkup"
            | "renderToPipeableStream"
            | "renderToReadableStream"
            | "renderToNodeStream"
            | "renderToStaticNodeStream"
            | "prerender"
            | "prerenderToNodeStream"
            | "resume"
            | "resumeToPipeableStream"
    )
}

/// `src/app/api/orders/[id]/route.ts` is `/api/orders/:id`.
fn next_path(file: &str) -> String {
    let file = file.strip_prefix("src/").unwrap_or(file);
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let stem = stem.strip_prefix("app/").or(stem.strip_prefix("pages/")).unwrap_or("");
    let parts = stem.split('/').filter(|part| !part.is_empty() && *part != "route" && *part != "index");
    let parts = parts.filter(|part| !(part.starts_with('(') && part.ends_with(')')));
    let parts = parts.map(|part| match part.strip_prefix('[').and_then(|part| part.strip_suffix(']')) {
        Some(name) => format!(":{}", name.trim_start_matches("...")),
        None => part.to_owned(),
    });
    format!("/{}", parts.collect::<Vec<_>>().join("/"))
}

fn method(verb: &str) -> String {
    let verb = verb.trim_start_matches('@').to_ascii_lowercase();
    match verb.as_str() {
        "get" | "post" | "put" | "delete" | "patch" | "head" | "options" => verb.to_ascii_uppercase(),
        "del" => "DELETE".to_owned(),
        _ => "*".to_owned(),
    }
}

/// Two parts of a path with one slash between them.
fn join(prefix: &str, path: &str) -> String {
    let (prefix, path) = (prefix.trim_matches('/'), path.trim_start_matches('/'));
    let slash = if prefix.is_empty() || path.is_empty() { "" } else { "/" };
    format!("/{prefix}{slash}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn next_finds_what_answers_by_its_place() {
        let kind = |path| next_kind(Path::new(path));
        assert_eq!(kind("pages/api/hello.ts"), Some(NextKind::Api));
        assert_eq!(kind("src/app/api/orders/[id]/route.ts"), Some(NextKind::Handlers));
        assert_eq!(kind("middleware.ts"), Some(NextKind::Middleware));
        assert_eq!(kind("pages/index.tsx"), None);
        assert_eq!(kind("app/page.tsx"), None);
        assert_eq!(next_path("src/app/(shop)/api/orders/[id]/route.ts"), "/api/orders/:id");
        assert_eq!(next_path("pages/api/index.js"), "/api");
    }

    #[test]
    fn paths_are_joined_with_one_slash() {
        assert_eq!(join("/api/", "/x"), "/api/x");
        assert_eq!(join("", ""), "/");
        assert_eq!(join("cats", ":id"), "/cats/:id");
    }
}
