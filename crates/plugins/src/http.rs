//! The grant `http`: outbound requests. The rules, the client and the answer "denied" live in `coracle_host::egress`;
//! this plugin reads the rules and links `wasi:http`, whose types are there for every component.

use coracle_host::egress::{Rule, Rules};
use coracle_host::{Check, Checked, Grant, Guest, Interface, Mode, Plugin, PrepareError, Resources, Seed, Ungranted};
use coracle_manifest::value::Node;
use coracle_manifest::{Diagnostic, codes};
use serde_json::json;
use std::sync::Arc;
use wasmtime::component::Linker;

pub struct Http;

const fn interface(name: &'static str, ungranted: Ungranted) -> Interface {
    Interface { name, ungranted }
}

impl Plugin for Http {
    fn name(&self) -> &'static str {
        "http"
    }

    fn interfaces(&self) -> &'static [Interface] {
        const {
            &[
                interface("wasi:http/types@0.2.12", Ungranted::Harmless),
                interface("wasi:http/outgoing-handler@0.2.12", Ungranted::Denied),
                interface("wasi:http/types@0.3.0", Ungranted::Harmless),
                interface("wasi:http/client@0.3.0", Ungranted::Denied),
            ]
        }
    }

    fn schema(&self) -> serde_json::Value {
        let rule = json!({
            "type": "string",
            "description": "[private] [METHOD,METHOD] scheme://host[:port][/path], or * for every public host",
            "examples": ["GET https://api.example.com/**", "https://*.example.com", "private http://redis.internal:8080/**", "*"],
        });
        json!({
            "description": "Where the component may send HTTP requests",
            "oneOf": [rule.clone(), { "type": "array", "items": rule }],
        })
    }

    fn check(&self, value: &Node, check: &mut Check<'_>) -> Option<Checked> {
        let mut rules = Vec::new();
        for item in value.list() {
            let Some(text) = item.string(check.diagnostics, "an http rule") else { continue };
            match Rule::parse(text) {
                Ok(rule) => rules.push(rule),
                Err(error) => {
                    let diagnostic =
                        Diagnostic::error(codes::INVALID_VALUE, error.message).at(item.span).help(error.help);
                    check.diagnostics.push(diagnostic);
                }
            }
        }
        let complete = rules.len() == value.list().len();
        complete.then(|| -> Checked { Arc::new(Rules::new(rules)) })
    }

    fn prepare(&self, checked: &Checked, _resources: &Resources) -> Result<Grant, PrepareError> {
        Ok(Grant::Given(Arc::clone(checked)))
    }

    /// The same for every grant: requests are judged where they are sent.
    fn link(&self, linker: &mut Linker<Guest>, _grant: &Grant, mode: Mode) -> wasmtime::Result<()> {
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
        match mode {
            Mode::Sequential => Ok(()),
            Mode::Concurrent => wasmtime_wasi_http::p3::add_to_linker(linker),
        }
    }

    fn seed(&self, grant: &Grant, seed: &mut Seed) -> wasmtime::Result<()> {
        if let Grant::Given(grant) = grant {
            seed.outbound = Arc::clone(grant).downcast::<Rules>().ok();
        }
        Ok(())
    }
}
