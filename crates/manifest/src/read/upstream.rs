//! `[upstream.NAME]`: a server behind us, and the process that serves it if Coracle starts it.
//! Values that may come from variables, and so may be secret, are not repeated in messages.

use super::{Reading, component::texts};
use crate::value::{Entry, Node};
use crate::{Diagnostic, Restart, TableReader, Upstream, codes};
use std::time::Duration;
use url::Url;

const URL_EXAMPLE: &str = "url = \"http://127.0.0.1:3000\"";

/// How long a command may take until it answers, unless the manifest says otherwise.
const START_TIMEOUT: Duration = Duration::from_secs(30);

impl Reading<'_> {
    pub(super) fn upstream(&mut self, entry: &Entry) -> Option<Upstream> {
        let what = format!("upstream `{}`", entry.key);
        let mut reader = entry.node.reader(self.diags, &what)?;
        let url = reader.required("url", self.diags, URL_EXAMPLE).and_then(|node| self.url(node));
        let command = reader.string("command", self.diags).map(str::to_owned);
        let cwd = reader.string("cwd", self.diags).unwrap_or_default();
        let env =
            reader.get("env").map(|node| texts(node, &format!("`env` of {what}"), self.diags)).unwrap_or_default();
        let health = self.health(&mut reader);
        let start_timeout = reader.duration("start_timeout", self.diags).unwrap_or(START_TIMEOUT);
        let restart = reader.get("restart").map(|node| self.restart(node, &what)).unwrap_or_default();
        if command.is_none() {
            self.useless_without_command(&mut reader);
        }
        reader.finish(self.diags);
        Some(Upstream {
            name: entry.key.clone(),
            url: url?,
            command,
            cwd: self.path(cwd),
            env,
            health,
            start_timeout,
            restart,
            span: entry.node.span,
        })
    }

    fn url(&mut self, node: &Node) -> Option<Url> {
        let text = node.string(self.diags, "`url`")?;
        let Ok(url) = Url::parse(text) else {
            return node.invalid(self.diags, "`url` is no URL", format!("write scheme, host and port: {URL_EXAMPLE}"));
        };
        if !["http", "https"].contains(&url.scheme()) {
            let message = format!("`url` has the scheme `{}`, but an upstream speaks http or https", url.scheme());
            return node.invalid(self.diags, message, format!("write {URL_EXAMPLE}"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            let help = "requests keep their own path; write the URL up to the port";
            return node.invalid(self.diags, "`url` has a path or query", help);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return node.invalid(
                self.diags,
                "`url` has a user name or password",
                "leave them out; the upstream reads them from its `env`",
            );
        }
        Some(url)
    }

    fn health(&mut self, reader: &mut TableReader<'_>) -> Option<String> {
        let node = reader.get("health")?;
        let path = node.string(self.diags, "`health`")?;
        if path.starts_with('/') && !path.contains(|letter: char| letter.is_whitespace() || letter.is_control()) {
            return Some(path.to_owned());
        }
        node.invalid(
            self.diags,
            format!("`{path}` is no path for `health`"),
            "write a path of the upstream, such as \"/healthz\"",
        )
    }

    fn restart(&mut self, node: &Node, what: &str) -> Restart {
        let mut restart = Restart::default();
        let Some(mut reader) = node.reader(self.diags, &format!("`restart` of {what}")) else {
            return restart;
        };
        let min = reader.duration("min", self.diags);
        let max = reader.duration("max", self.diags);
        restart.min = min.unwrap_or(restart.min);
        restart.max = max.unwrap_or(restart.max.max(restart.min));
        if restart.min > restart.max || restart.min.is_zero() {
            let message = "`restart` waits from `min` to `max`, so `min` must be above zero and not above `max`";
            let help = "write restart = { min = \"200ms\", max = \"30s\" }";
            self.diags.push(Diagnostic::error(codes::INVALID_VALUE, message).at(node.span).help(help));
        }
        reader.finish(self.diags);
        restart
    }

    fn useless_without_command(&mut self, reader: &mut TableReader<'_>) {
        for key in ["cwd", "env", "start_timeout", "restart"] {
            let Some(entry) = reader.entry(key) else {
                continue;
            };
            let message = format!("`{key}` does nothing, for this upstream has no `command` that Coracle would start");
            let warning = Diagnostic::warning(codes::UNUSED, message).at(entry.key_span).label("not used");
            self.diags.push(warning.help("add command = \"node server.js\", or remove it"));
        }
    }
}
