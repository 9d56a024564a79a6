//! `rollout` of a route: the forms of its values, and the order of its steps. What they mean stands in `rollout.rs`.

use super::Reading;
use crate::rollout::{self, Inconclusive, KeySource, Rollout, Share, Slo, Step};
use crate::value::{Entry, Node, Value};
use crate::{Destination, Diagnostic, TableReader, codes};
use std::str::FromStr;
use std::time::Duration;

/// More steps than anyone means.
const MAX_STEPS: usize = 64;
const EXAMPLE: &str =
    "rollout = { from = \"node\", steps = [\"shadow 20% for 10m\", \"1% for 5m\", \"10%\", \"50%\", \"bake 30m\"] }";

impl Reading<'_> {
    pub(super) fn rollout(&mut self, entry: &Entry, to: Option<&Destination>) -> Option<Rollout> {
        let node = &entry.node;
        let Value::Table(_) = node.value else {
            return node.mistyped(self.diags, "`rollout`", "a table", Some(format!("write {EXAMPLE}")));
        };
        let mut reader = node.reader(self.diags, "`rollout`")?;
        let from = reader.required("from", self.diags, "from = \"node\", the version that answers today");
        let from = from.and_then(|node| {
            let name = node.string(self.diags, "`from`")?;
            let from = self.target(name, node.span)?;
            match to {
                Some(Destination::Static(_) | Destination::Redirect { .. }) => None,
                Some(to) if to.target().as_ref() == Some(&from) => node.invalid(
                    self.diags,
                    "`from` is the same as the route's `to`",
                    "name the version that answers today",
                ),
                _ => Some(from),
            }
        });
        if let Some(Destination::Static(_) | Destination::Redirect { .. }) = to {
            let message = "a rollout goes to a component or upstream, and this route has neither";
            let help = "write `to = \"NAME\"`, or remove `rollout`";
            self.diags.push(Diagnostic::error(codes::EXCLUSIVE_KEYS, message).at(entry.key_span).help(help));
        }
        let steps = match reader.get("steps") {
            None => Some(rollout::default_steps()),
            Some(node) => self.steps(node),
        };
        let slo = match reader.get("slo") {
            None => Some(Slo::default()),
            Some(node) => self.slo(node),
        };
        let keys = match reader.get("key") {
            None => Some(vec![KeySource::Cookie]),
            Some(node) => self.forms::<KeySource>(node, "`key` of `rollout`"),
        };
        let tolerance = self.tolerance(&mut reader);
        let budget =
            reader.integer("budget", 1..=1_000_000_000, self.diags).and_then(|number| u32::try_from(number).ok());
        let inconclusive = reader.get("inconclusive").map_or(Some(Inconclusive::Hold), |node| self.inconclusive(node));
        let skew = reader.duration("skew", self.diags).unwrap_or(Duration::from_secs(3600));
        let ignore = match reader.get("ignore") {
            None => Some(Vec::new()),
            Some(node) => self.ignored(node),
        };
        reader.finish(self.diags);
        Some(Rollout {
            from: from?,
            steps: steps?,
            slo: slo?,
            keys: keys?,
            tolerance: tolerance?,
            budget,
            inconclusive: inconclusive?,
            skew,
            ignore: ignore?,
            span: node.span,
        })
    }

    fn steps(&mut self, node: &Node) -> Option<Vec<Step>> {
        if node.list().len() > MAX_STEPS {
            let message = format!("`steps` has {}, more than {MAX_STEPS}", node.list().len());
            return node.invalid(self.diags, message, "use fewer; each is a share and a time");
        }
        let steps = self.forms::<Step>(node, "`steps` of `rollout`")?;
        let Err((at, bad)) = rollout::check_order(&steps) else { return Some(steps) };
        node.list().get(at).unwrap_or(node).invalid(self.diags, bad.message, bad.help)
    }

    /// Every item of a list in a form of its own, or a note for each that isn't.
    fn forms<T: FromStr<Err = rollout::BadForm>>(&mut self, node: &Node, what: &str) -> Option<Vec<T>> {
        let items = node.list();
        if items.is_empty() {
            return node.invalid(
                self.diags,
                format!("{what} is empty"),
                "write at least one, or leave the key out for the default",
            );
        }
        let good: Vec<_> = items.iter().filter_map(|item| self.form(item, &format!("each item of {what}"))).collect();
        (good.len() == items.len()).then_some(good)
    }

    fn form<T: FromStr<Err = rollout::BadForm>>(&mut self, node: &Node, what: &str) -> Option<T> {
        match node.string(self.diags, what)?.parse() {
            Ok(value) => Some(value),
            Err(bad) => node.invalid(self.diags, bad.message, bad.help),
        }
    }

    fn slo(&mut self, node: &Node) -> Option<Slo> {
        let mut reader = node.reader(self.diags, "`slo`")?;
        let errors = match reader.get("errors") {
            None => Some(None),
            Some(node) => self.form::<Share>(node, "`errors` of `slo`").map(Some),
        };
        let p99 = reader.duration("p99", self.diags);
        reader.finish(self.diags);
        Some(Slo { errors: errors?, p99 })
    }

    fn tolerance(&mut self, reader: &mut TableReader<'_>) -> Option<f64> {
        let Some(node) = reader.get("tolerance") else { return Some(2.0) };
        let number = match node.value {
            Value::Float(number) => number,
            Value::Integer(number) if (0..=1000).contains(&number) => {
                f64::from(u16::try_from(number).unwrap_or_default())
            }
            Value::Integer(_) => f64::INFINITY,
            _ => return node.wrong_type(self.diags, "`tolerance` of `rollout`", "a number"),
        };
        if (1.05..=20.0).contains(&number) {
            return Some(number);
        }
        let help =
            "write a number from 1.05 to 20: 2.0 lets the new version fail twice as often and still count as not worse";
        node.invalid(self.diags, format!("`tolerance` of `rollout` can't be {number}"), help)
    }

    fn inconclusive(&mut self, node: &Node) -> Option<Inconclusive> {
        match node.string(self.diags, "`inconclusive` of `rollout`")? {
            "hold" => Some(Inconclusive::Hold),
            "roll-back" => Some(Inconclusive::RollBack),
            other => node.invalid(
                self.diags,
                format!("`inconclusive` can't be `{other}`"),
                "write \"hold\" (wait for more requests, or a person) or \"roll-back\"",
            ),
        }
    }

    fn ignored(&mut self, node: &Node) -> Option<Vec<String>> {
        let mut rules = Vec::new();
        for item in node.list() {
            let rule = item.string(self.diags, "each item of `ignore` of `rollout`")?;
            let header = rule.strip_prefix("header ").is_some_and(|name| !name.trim().is_empty());
            if !header && !rule.starts_with('$') {
                let help = "write \"header date\" for a header, \"$.items[*].id\" for a place in a JSON body";
                item.invalid::<()>(
                    self.diags,
                    format!("`{rule}` names neither a header nor a place in a JSON body"),
                    help,
                );
                continue;
            }
            rules.push(rule.to_owned());
        }
        (rules.len() == node.list().len()).then_some(rules)
    }
}
