//! What was found: a line for each check as soon as it is known, and in the end what failed.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use coracle_toolchain::seconds;
use serde_json::json;

pub struct Report {
    json: bool,
    part: String,
    checks: Vec<Check>,
}

struct Check {
    part: String,
    name: String,
    took: Duration,
    /// Numbers worth seeing, or what is wrong.
    found: Result<String, String>,
}

impl Report {
    pub fn new(json: bool) -> Self {
        Self { json, part: String::new(), checks: Vec::new() }
    }

    pub fn begin(&mut self, part: String) {
        self.say(&format!("\n{part}"));
        self.part = part;
    }

    /// Performs one check, which gives the numbers worth seeing or says what is wrong.
    pub fn check(&mut self, name: &str, perform: impl FnOnce() -> Result<String>) {
        let begin = Instant::now();
        let found = perform().map_err(|error| format!("{error:#}"));
        let took = begin.elapsed();
        let (word, text) = match &found {
            Ok(text) => ("ok", text),
            Err(text) => ("FAILED", text),
        };
        self.say(&format!("  {word:6} {name:34} {}", text.trim_end().replace('\n', "\n         ")));
        self.checks.push(Check { part: self.part.clone(), name: name.to_owned(), took, found });
    }

    /// Prints the whole as JSON, if that was asked for; fails when a check has failed.
    pub fn finish(self, logs: &Path) -> Result<()> {
        let failed = self.checks.iter().filter(|check| check.found.is_err()).count();
        if self.json {
            println!("{:#}", self.checks.iter().map(Check::json).collect::<serde_json::Value>());
        }
        let took: Duration = self.checks.iter().map(|check| check.took).sum();
        self.say(&format!("\n{} checks in {}, {failed} failed", self.checks.len(), seconds(took)));
        ensure!(
            failed == 0,
            "{failed} of {} checks failed; the servers' logs are in {}",
            self.checks.len(),
            logs.display()
        );
        Ok(())
    }

    fn say(&self, line: &str) {
        if self.json {
            eprintln!("{line}");
        } else {
            println!("{line}");
        }
    }
}

impl Check {
    fn json(&self) -> serde_json::Value {
        let (Ok(found) | Err(found)) = &self.found;
        json!({
            "part": self.part,
            "check": self.name,
            "passed": self.found.is_ok(),
            "found": found,
            "seconds": self.took.as_secs_f64(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use anyhow::bail;

    use super::*;

    #[test]
    fn one_failed_check_fails_the_report() {
        let mut report = Report::new(true);
        report.begin("part".to_owned());
        report.check("fine", || Ok("1 of 1".to_owned()));
        assert_eq!(report.checks.first().unwrap().json().get("passed"), Some(&json!(true)));
        report.check("broken", || bail!("0 of 1"));
        assert_eq!(report.checks.last().unwrap().json().get("found"), Some(&json!("0 of 1")));
        let error = report.finish(Path::new("logs")).unwrap_err().to_string();
        assert_eq!(error, "1 of 2 checks failed; the servers' logs are in logs");
    }
}
