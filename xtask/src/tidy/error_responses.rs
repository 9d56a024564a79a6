//! I3: error responses are made in `crates/edge/src/respond.rs` and nowhere else.
//!
//! Outside it the edge may compare a status and match on one, but not name a 4xx or 5xx constant as a value, set a number
//! of that range, or write problem+json. Macros are not looked into, tests are free.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::Complaint;
use super::tokens;
use super::tree::{File, Tree};

const ALLOWED: [&str; 2] = ["crates/edge/src/respond.rs", "crates/edge/src/respond/"];

const ERRORS: [&str; 40] = [
    "BAD_REQUEST",
    "UNAUTHORIZED",
    "PAYMENT_REQUIRED",
    "FORBIDDEN",
    "NOT_FOUND",
    "METHOD_NOT_ALLOWED",
    "NOT_ACCEPTABLE",
    "PROXY_AUTHENTICATION_REQUIRED",
    "REQUEST_TIMEOUT",
    "CONFLICT",
    "GONE",
    "LENGTH_REQUIRED",
    "PRECONDITION_FAILED",
    "PAYLOAD_TOO_LARGE",
    "URI_TOO_LONG",
    "UNSUPPORTED_MEDIA_TYPE",
    "RANGE_NOT_SATISFIABLE",
    "EXPECTATION_FAILED",
    "IM_A_TEAPOT",
    "MISDIRECTED_REQUEST",
    "UNPROCESSABLE_ENTITY",
    "LOCKED",
    "FAILED_DEPENDENCY",
    "TOO_EARLY",
    "UPGRADE_REQUIRED",
    "PRECONDITION_REQUIRED",
    "TOO_MANY_REQUESTS",
    "REQUEST_HEADER_FIELDS_TOO_LARGE",
    "UNAVAILABLE_FOR_LEGAL_REASONS",
    "INTERNAL_SERVER_ERROR",
    "NOT_IMPLEMENTED",
    "BAD_GATEWAY",
    "SERVICE_UNAVAILABLE",
    "GATEWAY_TIMEOUT",
    "HTTP_VERSION_NOT_SUPPORTED",
    "VARIANT_ALSO_NEGOTIATES",
    "INSUFFICIENT_STORAGE",
    "LOOP_DETECTED",
    "NOT_EXTENDED",
    "NETWORK_AUTHENTICATION_REQUIRED",
];

pub fn check(tree: &Tree) -> Vec<Complaint> {
    let elsewhere = |file: &&File| !file.is_test() && !ALLOWED.iter().any(|place| file.path.starts_with(place));
    tree.rust("crates/edge/src/").filter(elsewhere).flat_map(of_file).collect()
}

fn of_file(file: &File) -> Vec<Complaint> {
    let mut found = Found::default();
    if let Ok(syntax) = syn::parse_file(&file.text) {
        found.visit_file(&syntax);
    }
    let problem = |token: &&tokens::Token| token.string().is_some_and(|text| text.contains("application/problem+json"));
    found.lines.extend(
        tokens::product(&file.text)
            .iter()
            .filter(problem)
            .map(|token| (token.line, "application/problem+json".to_owned())),
    );
    let text = |what: &str| {
        format!(
            "`{what}` makes an error response outside respond.rs (I3). Return a failure, and let `respond` answer it."
        )
    };
    found.lines.into_iter().map(|(line, what)| Complaint::new(format!("{}:{line}", file.path), text(&what))).collect()
}

#[derive(Default)]
struct Found {
    lines: Vec<(usize, String)>,
}

impl<'ast> Visit<'ast> for Found {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let is_test = |attribute: &syn::Attribute| {
            attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
        };
        if !module.attrs.iter().any(is_test) {
            visit::visit_item_mod(self, module);
        }
    }

    // What another said may be matched on and compared with.
    fn visit_pat(&mut self, _: &'ast syn::Pat) {}

    fn visit_expr_binary(&mut self, binary: &'ast syn::ExprBinary) {
        if !matches!(binary.op, syn::BinOp::Eq(_) | syn::BinOp::Ne(_)) {
            visit::visit_expr_binary(self, binary);
        }
    }

    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        let mut names = path.path.segments.iter().rev().map(|segment| segment.ident.to_string());
        if let (Some(name), Some(kind)) = (names.next(), names.next())
            && kind == "StatusCode"
            && ERRORS.contains(&name.as_str())
        {
            self.lines.push((path.span().start().line, format!("StatusCode::{name}")));
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        if call.method == "status" {
            self.number(call.args.first());
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        let function = if let syn::Expr::Path(path) = &*call.func { path.path.segments.last() } else { None };
        if function.is_some_and(|segment| segment.ident == "from_u16") {
            self.number(call.args.first());
        }
        visit::visit_expr_call(self, call);
    }
}

impl Found {
    fn number(&mut self, argument: Option<&syn::Expr>) {
        if let Some(syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(number), .. })) = argument
            && number.base10_parse::<u16>().is_ok_and(|status| status >= 400)
        {
            self.lines.push((number.span().start().line, format!("status {number}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn making_an_error_is_found_and_looking_at_one_is_not() {
        for (text, count) in [
            ("fn f() { answer(StatusCode::BAD_GATEWAY) }", 1),
            ("fn f() { *r.status_mut() = http::StatusCode::NOT_FOUND; }", 1),
            ("fn f() { Response::builder().status(503) }", 1),
            ("fn f() { StatusCode::from_u16(500) }", 1),
            ("const TYPE: &str = \"application/problem+json\";", 1),
            ("fn f() { if r.status() == StatusCode::NOT_FOUND {} }", 0),
            ("fn f() { match s { StatusCode::BAD_GATEWAY => 1, _ => 2 } }", 0),
            ("fn f() { answer(StatusCode::TEMPORARY_REDIRECT).status(204) }", 0),
            ("#[cfg(test)]\nmod tests { fn f() { answer(StatusCode::BAD_GATEWAY) } }", 0),
        ] {
            assert_eq!(lines("crates/edge/src/serve.rs", text), count, "{text}");
        }
    }

    #[test]
    fn respond_is_the_place() {
        let text = "fn f() { answer(StatusCode::BAD_GATEWAY) }";
        assert_eq!(lines("crates/edge/src/respond.rs", text), 0);
        assert_eq!(lines("crates/edge/src/admin/serve.rs", text), 1);
        assert_eq!(lines("crates/host/src/failure.rs", text), 0);
    }
}
