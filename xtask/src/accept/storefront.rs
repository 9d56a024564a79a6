//! Each route of the shop by curl, with who answered it by the access log; then components against Node.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::Stage;
use super::http::{self, Answer};
use super::report::Report;
use super::server::Server;

struct Case {
    path: &'static str,
    /// A GET unless there is a body to post.
    body: Option<&'static str>,
    status: u16,
    kind: &'static str,
    text: &'static str,
    /// The destination in the access log.
    by: &'static str,
}

const fn get(path: &'static str, status: u16, kind: &'static str, text: &'static str, by: &'static str) -> Case {
    Case { path, body: None, status, kind, text, by }
}

const HTML: &str = "text/html";
const JSON: &str = "application/json";
const CART: &str = r#"{"country":"US","region":"NY","code":"HARBOUR10","items":[{"sku":"guernsey","qty":1},{"sku":"watch-cap","qty":2}]}"#;

const CASES: [Case; 13] = [
    get("/", 200, HTML, r#"<div id="root">"#, "static"),
    get("/product/guernsey", 200, HTML, r#"<div id="root">"#, "static"),
    get("/mark.svg", 200, "image/svg+xml", "<svg", "static"),
    get("/api/catalogue", 200, JSON, r#""products":["#, "node"),
    get("/api/cart", 200, JSON, r#""items":[]"#, "node"),
    get("/api/nothing", 404, JSON, "not_found", "node"),
    get("/api/price/knot-book?qty=6&country=DE", 200, JSON, r#""gross":14638"#, "price"),
    get("/api/price?country=GB", 200, JSON, "knot-book", "price"),
    get("/api/price/nothing?country=DE", 404, JSON, "unknown_sku", "price"),
    get("/api/price/knot-book?qty=0&country=DE", 400, JSON, "bad_quantity", "price"),
    Case { path: "/api/price", body: Some(CART), status: 200, kind: JSON, text: r#""lines":["#, by: "price" },
    get("/api/describe/guernsey", 200, HTML, "<em>Navy</em>", "describe"),
    get("/api/describe/nothing", 404, JSON, "unknown_sku", "describe"),
];

pub fn check(stage: &Stage, report: &mut Report) -> Result<()> {
    let server = Server::shop(stage, "storefront", &[])?;
    for case in &CASES {
        let method = if case.body.is_some() { "POST" } else { "GET" };
        report.check(&format!("{method} {}", case.path.split('?').next().unwrap_or_default()), || ask(&server, case));
    }
    report.check("GET /assets/…js", || asset(&server));
    report.check("components against Node", || parity(stage, &server));
    report.check("SIGTERM", || server.stop());
    Ok(())
}

fn ask(server: &Server, case: &Case) -> Result<String> {
    let url = format!("{}{}", server.url, case.path);
    let answer: Answer = match case.body {
        Some(body) => http::post(&url, body)?,
        None => http::get(&url)?,
    };
    let found = answer.expect(case.status, case.kind, case.text)?;
    let by = server.served_by(case.path)?;
    ensure!(by == case.by, "{found}, but by {by} instead of {}", case.by);
    Ok(format!("{found}, by {by}"))
}

/// The script that the page names.
fn asset(server: &Server) -> Result<String> {
    let page = http::get(&server.url)?.body;
    let path = page.split('"').find(|word| word.starts_with("/assets/") && word.ends_with(".js"));
    let path = path.context("the page names no script")?;
    http::get(&format!("{}{path}", server.url))?.expect(200, "text/javascript", "react")
}

/// The example's own comparison.
fn parity(stage: &Stage, server: &Server) -> Result<String> {
    let mut npm = Command::new("npm");
    npm.args(["run", "--silent", "parity", "--", &server.url]).current_dir(&stage.shop.dir).stdin(Stdio::null());
    let output = npm.output().context("cannot start npm")?;
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{text}");
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("questions")).collect();
    Ok(lines.join("; "))
}
