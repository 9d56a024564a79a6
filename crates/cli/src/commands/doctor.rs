//! `coracle doctor`: what this machine lacks for building components. With `--fix`, what can be installed is.

use crate::args::Doctor;
use crate::exit::{Exit, Failure};
use crate::output::{self, BAD, DOUBTFUL, GOOD};
use coracle_toolchain::{Cache, Finding, Progress, Status};
use serde_json::json;

pub fn run(options: &Doctor) -> Result<Exit, Failure> {
    let cache = Cache::find().map_err(Failure::mend)?;
    let progress = if options.json { Progress::Quiet } else { Progress::Shown };
    let findings = coracle_toolchain::doctor(&cache, options.fix, progress);
    let well = findings.iter().all(|finding| finding.status == Status::Ok);
    if options.json {
        output::json(&json!({ "ok": well, "findings": findings }))?;
    } else {
        let lines: String = findings.iter().map(line).collect();
        let end = if well { "Everything is there.\n" } else { "" };
        output::result(&(lines + end))?;
    }
    Ok(if well { Exit::Ok } else { Exit::Mend })
}

fn line(finding: &Finding) -> String {
    let (style, word) = match finding.status {
        Status::Ok => (GOOD, "ok"),
        Status::Missing => (DOUBTFUL, "missing"),
        Status::Broken => (BAD, "broken"),
    };
    let detail = finding.detail.trim().replace('\n', "\n         ");
    let fix = if finding.fix.is_empty() { String::new() } else { format!("         to mend it: {}\n", finding.fix) };
    format!("{style}{word:<8}{style:#} {}: {detail}\n{fix}", finding.what)
}
