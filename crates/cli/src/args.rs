//! The command line as typed. Verbs stand in the order of the journey; only those that work are here.
//! Each option says in one sentence what it does; what an option means in detail is its library's business.

#![allow(rustdoc::bare_urls, reason = "clap prints these comments as they are")]

use crate::values;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use coracle_edge::Listen;
use ipnet::IpNet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

const EXIT_CODES: &str = "\
Exit codes:
  0    done, or ended cleanly by a signal
  1    something is to be mended: the manifest, a component, this machine
  2    the command line is wrong
  3    the process can't start: an address is taken, a right is missing
  4    rollout --wait: the new version was rolled back
  5    rollout --wait: not promoted within the time, or a person must decide
  70   a bug in Coracle
  130  ended at once: by SIGINT while starting, or by a second one (143: SIGTERM)";

const UP_EXAMPLES: &str = "\
Examples:
  coracle up                                  serve the app of ./coracle.toml
  coracle up shop --variant prod --watch      serve shop/coracle.toml with [env.prod]
  coracle up thumbs.wasm --listen 0.0.0.0:80  serve one component on every path
  coracle up apps/                            serve apps/shop/coracle.toml to the hosts shop and
                                              shop.*, apps/blog.wasm to blog and blog.*
  coracle up thumbs.wasm --grant http='GET https://images.example.com/**' --dir ./assets::/assets:ro

Signals: SIGINT and SIGTERM drain and end with 0 (a second one ends at once), SIGHUP reloads, SIGUSR2 starts the
program that stands now in this one's place, gives it the listening sockets, and drains (an upgrade). Sockets may also
come from systemd (socket activation); it is told when the app is served (Type=notify).";

const RUN_EXAMPLES: &str = "\
Examples:
  coracle run report.wasm                          with nothing but its standard streams
  coracle run convert.wasm --dir ./photos::/photos -- /photos/cat.png
  coracle run sync.wasm --grant sockets='tcp://db.example.com:5432' --env LOG=debug

Exit codes: the command's own; 134 when it traps, 124 when a limit of time is over; 1, 2, 3 and 70 also as of any
other command of Coracle, with a sentence on standard error.";

const COMPILE_EXAMPLES: &str = "\
Examples:
  coracle package compile shop --cache-dir dist/cache         when the image is built
  coracle up shop --cache-dir dist/cache --aot-only           when it runs: nothing is compiled

Code is for this version of Coracle and this kind of processor. Its directory must belong to the user who runs it, and
nobody else may enter it; each file carries a MAC under a key that lies beside it.";

const INVENTORY_EXAMPLES: &str = "\
Examples:
  coracle inventory                                    read the project of this directory
  coracle inventory --record -- node server.js         run it, put load on it, press Ctrl-C
  coracle inventory --drive 'npm run load' --report out.html -- node server.js
  coracle inventory --profile a.cpuprofile --coverage coverage/tmp --report out.json
  coracle inventory --since main --report comment.md   only what changed since main

A report's form follows its name: .html, .json, .md, .sarif.";

/// Run WebAssembly components beside your Node.js services, with exactly the rights you grant
#[derive(Debug, Parser)]
#[command(name = "coracle", bin_name = "coracle", version, after_help = EXIT_CODES, max_term_width = 100, arg_required_else_help = true)]
pub struct Options {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Find the work of a Node project that is worth moving to components, with evidence
    Inventory(Box<Inventory>),
    /// Serve an app, or a single component, over HTTP
    Up(Box<Up>),
    /// Run a command to its end: a component with a main function
    Run(Box<Run>),
    /// Make what is shipped of an app
    #[command(subcommand)]
    Package(Package),
    /// Check a manifest and its components without running anything
    Check(Check),
    /// Show what a component imports, exports and needs, and what limits hold
    Inspect(Inspect),
    /// See what a running app does: requests, logs, traces, profiles
    Observe(Observe),
    /// Move a route's requests from one version to another, and see what is proven
    Rollout(Rollout),
    /// Print the JSON Schema of coracle.toml, for editors
    Schema,
    /// Look for the compilers that components are built with, and install them with --fix
    Doctor(Doctor),
    /// Print completions for a shell
    Completions(Completions),
}

const OBSERVE_EXAMPLES: &str = "\
Examples:
  coracle observe open                        print the dashboard's address
  coracle observe top                         rate, errors and duration by route
  coracle observe logs -f --severity warn     warnings as they come
  coracle observe trace                       the last traces; with an id, one of them
  coracle observe profile --for 10s           where guests spend their CPU time

The same and more is on the dashboard, at the admin address that `coracle up` prints.";

#[derive(Debug, Args)]
#[command(after_help = OBSERVE_EXAMPLES)]
pub struct Observe {
    #[command(subcommand)]
    pub what: Observed,
    /// The admin listener of the process
    #[arg(long, global = true, value_name = "ADDR", default_value = "127.0.0.1:9180")]
    pub admin: SocketAddr,
    /// The file with its token [default: .coracle/admin-token; CORACLE_ADMIN_TOKEN wins]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub token_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Observed {
    /// Print the address of the dashboard, with the token
    Open,
    /// Show rate, errors and duration by route, again and again
    Top {
        /// Show it once
        #[arg(long)]
        once: bool,
    },
    /// Show lines of guests, of Coracle and of what it started
    Logs {
        /// Go on with those that come
        #[arg(long, short)]
        follow: bool,
        /// Only what contains this
        #[arg(long, value_name = "TEXT")]
        text: Option<String>,
        /// Only lines at least this serious: debug, info, warn, error
        #[arg(long, value_name = "SEVERITY")]
        severity: Option<String>,
        /// Only of this component, upstream or service
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// How many of the last lines
        #[arg(long, value_name = "N", default_value_t = 50)]
        last: usize,
    },
    /// Show the last traces, or one of them over time
    Trace {
        /// Of a trace or of a request
        #[arg(value_name = "ID")]
        id: Option<String>,
    },
    /// Sample where guests spend their CPU time
    Profile {
        /// For how long
        #[arg(long = "for", value_name = "TIME", default_value = "10s", value_parser = values::duration)]
        time: Duration,
        /// Where to write it, for speedscope [default: coracle.speedscope.json]
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        out: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
#[command(after_help = INVENTORY_EXAMPLES)]
pub struct Inventory {
    /// The project: a directory with a package.json
    #[arg(value_name = "PATH", default_value = ".", value_hint = ValueHint::DirPath)]
    pub path: PathBuf,
    /// Where execution begins; may be given several times [default: what package.json says]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub entry: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Write a report; may be given several times
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub report: Vec<PathBuf>,
    /// How many units the table shows
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub top: usize,
    /// Only units whose lines have changed since a revision of git
    #[arg(long, value_name = "REV")]
    pub since: Option<String>,
    /// Read every file anew, and keep nothing for the next run
    #[arg(long)]
    pub no_cache: bool,
    #[command(flatten)]
    pub measurements: Measurements,
    #[command(flatten)]
    pub recording: Recording,
}

/// Files that were recorded before.
#[derive(Debug, Args)]
#[command(next_help_heading = "Measurements")]
pub struct Measurements {
    /// A V8 CPU profile (node --cpu-prof); may be given several times
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub profile: Vec<PathBuf>,
    /// A directory of V8 coverage (NODE_V8_COVERAGE), for exact counts of calls
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub coverage: Vec<PathBuf>,
    /// A V8 heap profile (node --heap-prof)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub heap: Vec<PathBuf>,
    /// Gains measured after a move: JSON, from a unit's id to the saved part of the busy time
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub measured: Option<PathBuf>,
}

/// A run to be recorded.
#[derive(Debug, Args)]
#[command(next_help_heading = "Recording")]
pub struct Recording {
    /// Start the app with profilers, and end it after --drive, --for or Ctrl-C
    #[arg(long, requires = "command")]
    pub record: bool,
    /// A command that puts load on the app; $URL says where the app listens
    #[arg(long, value_name = "COMMAND", requires = "command")]
    pub drive: Option<String>,
    /// How long to record
    #[arg(long = "for", value_name = "TIME", requires = "command", value_parser = values::duration)]
    pub length: Option<Duration>,
    /// The app, behind --
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = UP_EXAMPLES)]
pub struct Up {
    /// A manifest, a directory that holds one, a component, or a directory of apps [default: ./coracle.toml]
    #[arg(value_name = "MANIFEST|COMPONENT|APPS", value_hint = ValueHint::AnyPath)]
    pub path: Option<PathBuf>,
    /// Where to listen, e.g. 0.0.0.0:80 or https://0.0.0.0:443; port 0 picks a free one; may be given several times
    #[arg(long, short, value_name = "ADDR", default_value = "127.0.0.1:8080", value_parser = values::listen)]
    pub listen: Vec<Listen>,
    /// Reload when the manifest or a component changes
    #[arg(long, short)]
    pub watch: bool,
    /// Write no access log
    #[arg(long, short)]
    pub quiet: bool,
    /// Log more; twice, also what libraries say (a filter such as coracle_edge=debug in CORACLE_LOG wins)
    #[arg(long, short, action = clap::ArgAction::Count)]
    pub verbose: u8,
    #[command(flatten)]
    pub app: AppOptions,
    #[command(flatten)]
    pub bare: Bare,
    #[command(flatten)]
    pub front: Front,
    #[command(flatten)]
    pub process: Process,
}

/// What stands between clients and us.
#[derive(Debug, Args)]
#[command(next_help_heading = "TLS and balancers")]
pub struct Front {
    /// The certificate for https:// addresses, PEM, with those that lead to its root; read again at each reload
    #[arg(long, value_name = "FILE", requires = "tls_key", value_hint = ValueHint::FilePath)]
    pub tls_cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert", value_hint = ValueHint::FilePath)]
    pub tls_key: Option<PathBuf>,
    /// Ask clients for a certificate that this one has signed; who answers finds it in the header Client-Cert
    #[arg(long, value_name = "FILE", requires = "tls_cert", value_hint = ValueHint::FilePath)]
    pub tls_client_ca: Option<PathBuf>,
    /// Every connection begins with the PROXY protocol, version 1 or 2
    #[arg(long)]
    pub proxy_protocol: bool,
    /// A balancer whose X-Forwarded-For and X-Forwarded-Proto are believed; may be given several times
    #[arg(long = "trust-proxy", value_name = "NETWORK", value_parser = values::network)]
    pub trusted: Vec<IpNet>,
}

#[derive(Debug, Subcommand)]
pub enum Package {
    /// Compile the components of an app ahead of time, for `up --aot-only`
    Compile(Compile),
}

#[derive(Debug, Args)]
#[command(after_help = COMPILE_EXAMPLES)]
pub struct Compile {
    /// A manifest, a directory that holds one, or a component [default: ./coracle.toml]
    #[arg(value_name = "MANIFEST|COMPONENT", value_hint = ValueHint::AnyPath)]
    pub path: Option<PathBuf>,
    /// Where compiled code is kept [default: $CORACLE_CACHE or ~/.cache/coracle]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub cache_dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub app: AppOptions,
}

#[derive(Debug, Args)]
#[command(after_help = RUN_EXAMPLES)]
pub struct Run {
    /// The command: a component of wasi:cli/command 0.3 or 0.2, or a core module of WASI 0.1
    #[arg(value_name = "COMPONENT", value_hint = ValueHint::FilePath)]
    pub path: PathBuf,
    /// What the command is told, behind --
    #[arg(last = true, value_name = "ARGS")]
    pub args: Vec<String>,
    #[command(flatten)]
    pub bare: Bare,
    /// Where compiled code is kept [default: $CORACLE_CACHE or ~/.cache/coracle]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub cache_dir: Option<PathBuf>,
    /// Where embedded stores are kept [default: .coracle in this directory]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub state_dir: Option<PathBuf>,
    /// Log more; twice, also what libraries say
    #[arg(long, short, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// How a manifest is read.
#[derive(Debug, Args)]
#[command(next_help_heading = "With a manifest")]
pub struct AppOptions {
    /// The variant to lay over the manifest: [env.NAME]
    #[arg(long, value_name = "NAME")]
    pub variant: Option<String>,
    /// A value for {{ NAME }} in the manifest; wins over the environment of the process
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = values::pair)]
    pub variables: Vec<(String, String)>,
}

/// What a manifest says otherwise.
#[derive(Debug, Args)]
#[command(next_help_heading = "With a component and no manifest")]
pub struct Bare {
    /// An environment variable of the component
    #[arg(long, value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    /// A directory the component may use, e.g. ./data::/data, or ./data::/data:ro to read only
    #[arg(long = "dir", value_name = "HOST::GUEST[:ro]", value_hint = ValueHint::DirPath)]
    pub dirs: Vec<String>,
    /// A capability, e.g. http='GET https://api.example.com/**', http='*', 'keyvalue={ store = "cache", write = true }'
    #[arg(long = "grant", value_name = "NAME=VALUE")]
    pub grants: Vec<String>,
    /// A store that grants can name, e.g. cache=keyvalue, 'cache={ type = "keyvalue", backend = "sqlite" }'
    #[arg(long = "store", value_name = "NAME=TYPE")]
    pub stores: Vec<String>,
    /// A value for wasi:config, readable with --grant config=NAME
    #[arg(long, value_name = "NAME=VALUE")]
    pub config: Vec<String>,
    /// Limits, e.g. memory=64MiB,deadline=2s (`coracle inspect --limits` lists them)
    #[arg(long = "limit", value_name = "NAME=VALUE,…")]
    pub limits: Vec<String>,
    /// How instances are reused, e.g. requests=128,concurrency=16 [default: one request each]
    #[arg(long, value_name = "NAME=VALUE,…")]
    pub reuse: Option<String>,
    /// Refuse to start when an import has no grant
    #[arg(long)]
    pub strict: bool,
}

/// The process, whatever it serves.
#[derive(Debug, Args)]
#[command(next_help_heading = "The process")]
pub struct Process {
    /// Where health, status and reload are served [default: 127.0.0.1:9180, or a free port if that is taken]
    #[arg(long, value_name = "ADDR", value_parser = values::address)]
    pub admin: Option<SocketAddr>,
    /// Serve no health, status and reload
    #[arg(long, conflicts_with = "admin")]
    pub no_admin: bool,
    /// How long running requests may go on after a signal, in seconds or as 500ms, 1m
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = values::duration)]
    pub drain: Duration,
    /// Threads that serve requests [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub shards: Option<u16>,
    /// Memory that all components may use together, e.g. 2GiB [default: three quarters of this machine's]
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub memory: Option<u64>,
    /// Where compiled code is kept [default: $CORACLE_CACHE or ~/.cache/coracle]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub cache_dir: Option<PathBuf>,
    /// Compile nothing: refuse components whose code is not in the cache (`coracle package compile` puts it there)
    #[arg(long)]
    pub aot_only: bool,
    /// Where embedded stores and the admin token are kept [default: .coracle beside the manifest]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub state_dir: Option<PathBuf>,
    /// How log lines look, the access log's too: text, or JSON with these field names
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
    Ecs,
    Datadog,
    Pino,
    Otel,
}

#[derive(Debug, Args)]
pub struct Check {
    /// A manifest, a directory that holds one, or a component [default: ./coracle.toml]
    #[arg(value_name = "MANIFEST|COMPONENT", value_hint = ValueHint::AnyPath)]
    pub path: Option<PathBuf>,
    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub app: AppOptions,
}

#[derive(Debug, Args)]
pub struct Inspect {
    /// A component, a manifest, or a directory that holds one [default: ./coracle.toml]
    #[arg(value_name = "COMPONENT|MANIFEST", value_hint = ValueHint::AnyPath)]
    pub path: Option<PathBuf>,
    /// Show the limits in force, the defaults included
    #[arg(long)]
    pub limits: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub app: AppOptions,
}

const ROLLOUT_EXAMPLES: &str = "\
Examples:
  coracle rollout status                        all rollouts of the running process
  coracle rollout status price --watch          each change, until it is over
  coracle rollout status price --wait           for CI: exit 0 promoted, 4 rolled back, 5 undecided
  coracle rollout explain price                 what is proven, and what is missing
  coracle rollout abort price --reason 'wrong prices'
  coracle rollout start price --retry           once more, after it was rolled back

A rollout is named by its id, or by the name of its new version; with only one, by nothing.";

#[derive(Debug, Args)]
#[command(after_help = ROLLOUT_EXAMPLES)]
pub struct Rollout {
    #[command(subcommand)]
    pub command: RolloutCommand,
    /// Where the admin listener of `coracle up` is
    #[arg(long, global = true, value_name = "ADDR", default_value = "127.0.0.1:9180", value_parser = values::address)]
    pub admin: SocketAddr,
    /// Where the admin token is [default: .coracle; $CORACLE_ADMIN_TOKEN wins]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub state_dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum RolloutCommand {
    /// Begin a route's rollout once more
    Start {
        /// The route's title, or the name of its new version
        route: String,
        /// Although the version was rolled back before
        #[arg(long)]
        retry: bool,
        #[command(flatten)]
        wait: RolloutWait,
    },
    /// Show where rollouts are
    Status {
        id: Option<String>,
        /// Print each change, until it is over
        #[arg(long, short)]
        watch: bool,
        #[command(flatten)]
        wait: RolloutWait,
    },
    /// Say in plain words what is proven, and what is missing
    Explain { id: Option<String> },
    /// Show where the answers of the two versions differ
    Diff { id: Option<String> },
    /// Stay where it is
    Pause(RolloutTold),
    /// Go on
    Resume(RolloutTold),
    /// Make the new version the version
    Promote {
        #[command(flatten)]
        told: RolloutTold,
        /// Without a proof
        #[arg(long)]
        force: bool,
    },
    /// Go back to the old version, now
    Abort(RolloutTold),
    /// The old version answers everything until it is thawed
    Freeze(RolloutTold),
    /// Lift a freeze
    Thaw(RolloutTold),
    /// Show what happened, and who did it
    History { id: Option<String> },
}

/// Something a person wants of a rollout.
#[derive(Debug, Args)]
pub struct RolloutTold {
    pub id: Option<String>,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// For scripts.
#[derive(Debug, Args)]
pub struct RolloutWait {
    /// Wait for the end; the exit code says which
    #[arg(long)]
    pub wait: bool,
    /// How long to wait
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = values::duration)]
    pub timeout: Duration,
}

#[derive(Debug, Args)]
pub struct Doctor {
    /// Install what is missing, into Coracle's own cache
    #[arg(long)]
    pub fix: bool,
    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}
