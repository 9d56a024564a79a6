//! `[store.NAME]` and `[config]`. A store is only matched against the known kinds; its plugin parses the rest.

use super::{Reading, component::scalar};
use crate::value::{Entry, Table, Value};
use crate::{Diagnostic, Store, TableReader, codes};
use std::collections::BTreeMap;

impl Reading<'_> {
    pub(super) fn store(&mut self, entry: &Entry) -> Option<Store> {
        let what = format!("store `{}`", entry.key);
        let mut reader = entry.node.reader(self.diags, &what)?;
        let node = reader.required("type", self.diags, "type = \"keyvalue\"")?;
        let kind = node.string(self.diags, &format!("`type` of {what}"))?;
        if !self.options.known_store_kinds.contains(&kind) {
            self.diags.unknown_name(node.span, "type of store", kind, self.options.known_store_kinds);
            return None;
        }
        Some(Store { name: entry.key.clone(), kind: kind.to_owned(), kind_span: node.span, value: entry.node.clone() })
    }

    pub(super) fn config(&mut self, reader: &mut TableReader<'_>) -> BTreeMap<String, String> {
        let mut config = BTreeMap::new();
        if let Some(table) = reader.get("config").and_then(|node| node.table(self.diags, "`config`")) {
            self.flatten(table, "", &mut config);
        }
        config
    }

    /// `a.b = 1` and `"a.b" = 1` are the same key.
    fn flatten(&mut self, table: &Table, prefix: &str, config: &mut BTreeMap<String, String>) {
        for entry in &table.entries {
            let key = format!("{prefix}{}", entry.key);
            if let Value::Table(inner) = &entry.node.value {
                self.flatten(inner, &format!("{key}."), config);
                continue;
            }
            let Some(text) = scalar(&entry.node) else {
                entry.node.wrong_type::<()>(self.diags, &format!("the config value `{key}`"), "a string");
                continue;
            };
            if config.insert(key.clone(), text).is_some() {
                let message = format!("the config value `{key}` is given twice");
                let help = format!("`\"{key}\" = …` and `{key} = …` are the same; keep one of them");
                self.diags.push(Diagnostic::error(codes::EXCLUSIVE_KEYS, message).at(entry.key_span).help(help));
            }
        }
    }
}
