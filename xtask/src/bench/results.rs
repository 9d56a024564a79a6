//! What was measured, as it is kept in bench/results/peers.json: raw samples with where they come from, no conclusions.

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

/// One contender under one load, with a sample a round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Row {
    pub contender: String,
    pub connections: u32,
    pub samples: Vec<Sample>,
}

/// One contender in one round.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Sample {
    pub requests_per_second: f64,
    /// User and system time of the server and its children, in µs a request.
    pub cpu_us: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    /// Answers that are neither 2xx nor 3xx.
    pub refused: u64,
    /// Connections that failed, and answers that stayed away.
    pub broken: u64,
    pub rss_kib: u64,
    pub pss_kib: u64,
    /// The share of the machine's time that went neither to the server, nor to the load, nor was idle, in percent.
    pub foreign: f64,
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
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(file, text))
            .with_context(|| format!("cannot write {}", file.display()))
    }
}
