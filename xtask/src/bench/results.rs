//! What was measured, as it is kept in bench/results/peers.json: raw figures with where they come from, no conclusions.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// A section a case; each carries its own origin, so that one case can be measured anew.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Results {
    pub sections: BTreeMap<String, Section>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Section {
    pub origin: Origin,
    pub rows: Vec<Row>,
}

/// Where, when and by which programs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Origin {
    pub command: String,
    pub date: String,
    pub revision: String,
    pub machine: String,
    pub versions: BTreeMap<String, String>,
}

/// One contender under one load. A figure has a value a round, or more where one round gives several.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Row {
    pub peer: String,
    /// What the peer ran and how, such as `p3, fresh`; empty when it can do only one thing.
    pub variant: String,
    /// Such as `32 connections`.
    pub load: String,
    /// By name, the unit being part of it.
    pub figures: BTreeMap<String, Vec<f64>>,
}

impl Row {
    pub fn add(&mut self, figures: &[(&str, f64)]) {
        for (name, value) in figures {
            self.figures.entry((*name).to_owned()).or_default().push(*value);
        }
    }

    pub fn values(&self, figure: &str) -> &[f64] {
        self.figures.get(figure).map(Vec::as_slice).unwrap_or_default()
    }

    pub fn range(&self, figure: &str) -> Option<Range> {
        Range::of(self.values(figure))
    }
}

/// The middle of several values, and their extremes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    pub least: f64,
    pub median: f64,
    pub most: f64,
}

impl Range {
    /// None of nothing.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        let last = values.len().checked_sub(1)?;
        let at = |index: usize| values.get(index).copied();
        let median = f64::midpoint(at(last / 2)?, at(last.div_ceil(2))?);
        Some(Self { least: at(0)?, median, most: at(last)? })
    }
}

impl Results {
    /// Those of a file; none when it isn't there.
    pub fn read(file: &Path) -> Result<Self> {
        match fs::read_to_string(file) {
            Ok(text) => {
                serde_json::from_str(&text).with_context(|| format!("{} is not what was written", file.display()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
        }
    }

    pub fn write(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        let folder = file.parent().unwrap_or(Path::new("."));
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(file, text));
        written.with_context(|| format!("cannot write {}", file.display()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_median_lies_between_the_extremes() {
        assert_eq!(Range::of(&[3.0, 1.0, 8.0]).unwrap(), Range { least: 1.0, median: 3.0, most: 8.0 });
        assert_eq!(Range::of(&[4.0, 1.0]).unwrap().median, 2.5);
        assert_eq!(Range::of(&[]), None);
    }
}
