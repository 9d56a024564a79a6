//! The price component without the files it reads: it can't answer, Node does, and the access log says so.

use anyhow::{Result, ensure};

use super::Stage;
use super::http;
use super::report::Report;
use super::server::Server;

pub fn check(stage: &Stage, report: &mut Report) -> Result<()> {
    stage.shop.without(r#"files = [{ from = "data/pricing""#)?;
    let server = Server::shop(stage, "fallback", &[])?;
    report.check("a price without its files", || {
        let answer = http::get(&format!("{}/api/price/knot-book?qty=6&country=DE", server.url))?;
        let found = answer.expect(200, "application/json", r#""gross":14638"#)?;
        let line = server.record("/api/price/knot-book")?;
        ensure!(line.contains(" node (fallback from price)"), "the access log says {line}");
        Ok(format!("{found}, by node (fallback from price)"))
    });
    report.check("SIGTERM", || server.stop());
    Ok(())
}
