//! An app as meant: what `check` makes of a manifest without errors. Names that refer to something refer to
//! something that exists. Grants and stores stay spanned values, which their plugins parse.

use crate::rollout::Rollout;
use crate::target::Target;
use crate::value::{Node, Value};
use crate::{Limits, PathPattern, Reuse, Source, Span};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What one manifest describes.
#[derive(Debug, Clone)]
pub struct App {
    pub name: String,
    /// The directory that relative paths in grants and stores are relative to.
    pub base_dir: PathBuf,
    pub components: BTreeMap<String, Component>,
    /// In the order of the file. No two match the same requests with the same rank.
    pub routes: Vec<Route>,
    pub upstreams: BTreeMap<String, Upstream>,
    pub stores: BTreeMap<String, Store>,
    /// Values for `wasi:config`; nested tables are flattened with dots.
    pub config: BTreeMap<String, String>,
    /// For the diagnostics of plugins.
    pub source: Arc<Source>,
}

/// One wasm component with its grants and limits.
#[derive(Debug, Clone)]
pub struct Component {
    pub name: String,
    pub source: ComponentSource,
    /// Where the manifest names the source: for a message about a file that isn't there.
    pub source_span: Span,
    pub build: Option<Build>,
    /// What the guest sees as its environment.
    pub env: BTreeMap<String, String>,
    /// In the order of the file; each name once, and known to a plugin.
    pub grants: Vec<GrantEntry>,
    pub limits: Limits,
    pub reuse: Reuse,
    /// True when each import without a grant is a load error.
    pub strict: bool,
    /// Which of its imports are exports of other components.
    pub uses: Vec<Use>,
    /// The header of the component's table.
    pub span: Span,
}

impl Component {
    /// Whether one of its grants names another component as `http://NAME.internal`.
    pub(crate) fn names_in_grants(&self, name: &str) -> bool {
        let address = format!("//{name}.internal");
        let text = |node: &Node| matches!(&node.value, Value::String(text) if text.contains(&address));
        self.grants.iter().flat_map(|grant| grant.value.list()).any(text)
    }
}

/// An import of one component that another one's export answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// `acme:codec/resize`, with or without a version.
    pub interface: String,
    /// The name of the other component.
    pub component: String,
    pub span: Span,
}

/// Where the bytes of a component come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ComponentSource {
    /// A file; relative ones are already joined to the manifest's directory.
    Path(PathBuf),
}

/// How a component is built, for `dev` and `build`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// A shell command, run in the manifest's directory.
    pub command: String,
    /// Globs, relative to the manifest's directory.
    pub watch: Vec<String>,
}

/// One grant as typed.
#[derive(Debug, Clone, PartialEq)]
pub struct GrantEntry {
    pub name: String,
    pub name_span: Span,
    pub value: Node,
}

/// Which requests go where.
#[derive(Debug, Clone)]
pub struct Route {
    /// In lower case and without port; `None` is every host. A route for one host is tried first; a request it doesn't match
    /// falls through to the routes without.
    pub host: Option<String>,
    /// In upper case, each once; empty is every method.
    pub methods: Vec<String>,
    pub path: PathPattern,
    pub to: Destination,
    /// The components that a request goes through before `to`, by name, the first one first.
    pub middleware: Vec<String>,
    /// How many requests it takes from one client.
    pub rate: Option<RateLimit>,
    /// Where the request goes when `to` can't answer and nothing has left it.
    pub fallback: Option<Target>,
    /// How its requests move from another version to `to`.
    pub rollout: Option<Rollout>,
    pub span: Span,
}

/// So many requests from one client in some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit {
    pub requests: u32,
    pub per: Duration,
    /// So many at once; as many as `requests` unless it says otherwise.
    pub burst: u32,
    pub by: RateKey,
}

/// Whose requests count together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RateKey {
    /// Those from one address.
    Client,
    /// Those with the same value of this header; without it those from one address.
    Header(String),
}

/// Who answers a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// The name of a component.
    Component(String),
    /// The name of an upstream.
    Upstream(String),
    /// Files of a directory.
    Static(StaticFiles),
    /// A redirect.
    Redirect {
        /// An absolute URL, or a path that begins with `/`.
        to: String,
        /// 301, 302, 303, 307 or 308.
        status: u16,
    },
}

/// A directory served as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticFiles {
    /// Already joined to the manifest's directory.
    pub dir: PathBuf,
    /// The file that answers for a directory, such as "index.html".
    pub index: String,
    /// The file, relative to `dir`, that answers for paths that don't exist (a single-page app).
    pub not_found: Option<String>,
}

/// A server behind us, such as Node.
#[derive(Debug, Clone, PartialEq)]
pub struct Upstream {
    pub name: String,
    /// http or https, with a host.
    pub url: url::Url,
    /// The process that serves `url`, if Coracle starts it: a shell command.
    pub command: Option<String>,
    /// Where the command runs; already joined to the manifest's directory.
    pub cwd: PathBuf,
    /// Added to the environment of the command.
    pub env: BTreeMap<String, String>,
    /// The path that answers 2xx when the upstream is well.
    pub health: Option<String>,
    /// How long the command may take until it answers. 30 s.
    pub start_timeout: Duration,
    pub restart: Restart,
    pub span: Span,
}

/// How long to wait before an upstream's command is started again: doubling from `min` to `max`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restart {
    /// 200 ms.
    pub min: Duration,
    /// 30 s.
    pub max: Duration,
}

impl Default for Restart {
    fn default() -> Self {
        Self { min: Duration::from_millis(200), max: Duration::from_secs(30) }
    }
}

/// Something that keeps state, whose plugin parses the rest.
#[derive(Debug, Clone, PartialEq)]
pub struct Store {
    pub name: String,
    /// Such as "keyvalue"; known to a plugin.
    pub kind: String,
    pub kind_span: Span,
    /// The whole table, `type` included.
    pub value: Node,
}

impl Route {
    /// "GET,HEAD shop.example.com/thumbs/*", as it stands in messages and metrics.
    pub fn title(&self) -> String {
        let methods = self.methods.join(",");
        let space = if methods.is_empty() { "" } else { " " };
        format!("{methods}{space}{}{}", self.host.as_deref().unwrap_or_default(), self.path)
    }
}

impl Destination {
    /// The component or upstream, if it is one.
    pub fn target(&self) -> Option<Target> {
        match self {
            Self::Component(name) => Some(Target::Component(name.clone())),
            Self::Upstream(name) => Some(Target::Upstream(name.clone())),
            Self::Static(_) | Self::Redirect { .. } => None,
        }
    }
}
