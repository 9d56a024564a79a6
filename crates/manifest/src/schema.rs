//! The JSON Schema of `coracle.toml`, for editors (`#:schema ./.coracle/schema.json`) and `coracle schema`. Draft 7: what
//! taplo, the engine behind Even Better TOML, takes in full. It describes shapes; what only `check` can know (names
//! that exist, routes that collide) is left to it. Plugins give the schemas of their grants and stores.

use crate::read::limits::{Field, LIMIT_KEYS, LimitKey, MAX_COUNT};
use serde_json::{Map, Value, json};

/// The schema of a manifest whose grants and stores are those given, by name and kind. A store's schema describes
/// its keys beside `type`.
pub fn schema(grants: &[(&str, Value)], stores: &[(&str, Value)]) -> Value {
    let mut root = object(
        "A Coracle app.",
        json!({
            "name": { "$ref": "#/definitions/name", "description": "The name of the app." },
            "component": by_name("The WebAssembly components, by name.", "#/definitions/component"),
            "route": {
                "description": "Which requests go where. Write each as [[route]].",
                "type": "array", "items": { "$ref": "#/definitions/route" },
            },
            "upstream": by_name("Servers behind Coracle, such as Node, by name.", "#/definitions/upstream"),
            "store": by_name("Places for state, by name.", "#/definitions/store"),
            "config": { "description": "Values for wasi:config. Nested tables are joined by dots.", "type": "object" },
            "env": {
                "description": "Variants, by name: laid over the rest of the manifest with --variant NAME. Tables merge, everything else is replaced.",
                "type": "object", "additionalProperties": { "type": "object" },
            },
        }),
        &["name"],
    );
    let definitions = json!({
        "name": { "type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,62}$|\\{\\{" },
        "bytes": {
            "description": "A size: \"64MiB\", \"64 MB\", or a number of bytes.",
            "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string", "pattern": "^\\s*[0-9]|\\{\\{" }],
        },
        "duration": { "description": "A duration: \"200ms\", \"2s\", \"1m 30s\".", "type": "string", "pattern": "^\\s*[0-9]|\\{\\{" },
        "variables": {
            "description": "Environment variables.",
            "type": "object", "additionalProperties": { "type": ["string", "number", "boolean"] },
        },
        "strings": { "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] },
        "component": component(grants),
        "limits": limits(),
        "route": route(),
        "upstream": upstream(),
        "store": store(stores),
    });
    insert(&mut root, "$schema", json!("http://json-schema.org/draft-07/schema#"));
    insert(&mut root, "title", json!("coracle.toml"));
    insert(&mut root, "definitions", definitions);
    root
}

fn object(description: &str, properties: Value, required: &[&str]) -> Value {
    json!({
        "description": description, "type": "object", "properties": properties, "required": required,
        "additionalProperties": false,
    })
}

fn insert(schema: &mut Value, key: &str, value: Value) {
    if let Some(schema) = schema.as_object_mut() {
        schema.insert(key.to_owned(), value);
    }
}

fn by_name(description: &str, reference: &str) -> Value {
    json!({
        "description": description, "type": "object",
        "propertyNames": { "$ref": "#/definitions/name" }, "additionalProperties": { "$ref": reference },
    })
}

fn component(grants: &[(&str, Value)]) -> Value {
    let grants: Map<_, _> = grants.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    let build = object(
        "How the component is built.",
        json!({
            "command": { "description": "A shell command, run beside the manifest.", "type": "string" },
            "watch": { "$ref": "#/definitions/strings", "description": "Globs of the files it is built from." },
        }),
        &["command"],
    );
    let count = json!({ "type": "integer", "minimum": 1, "maximum": MAX_COUNT });
    let described = |text: &str| {
        let mut schema = count.clone();
        insert(&mut schema, "description", json!(text));
        schema
    };
    let reuse = object(
        "How instances are reused. By default each serves one request.",
        json!({
            "requests": described("Requests that one instance serves before it is replaced. Default 1."),
            "concurrency": described("Requests that one instance serves at the same time. Default 1."),
            "idle": { "$ref": "#/definitions/duration", "description": "How long an instance without a request is kept. Default 10s." },
        }),
        &[],
    );
    object(
        "A WebAssembly component.",
        json!({
            "source": { "description": "The path of the component.", "type": "string", "minLength": 1 },
            "build": { "anyOf": [{ "description": "A shell command.", "type": "string" }, build] },
            "env": { "$ref": "#/definitions/variables" },
            "grants": object("What the component may use. Nothing is reachable that isn't granted.", Value::Object(grants), &[]),
            "limits": { "$ref": "#/definitions/limits" },
            "reuse": reuse,
            "uses": {
                "description": "Imports that other components answer: interface = component.",
                "type": "object", "additionalProperties": { "type": "string" },
            },
            "strict": { "description": "Refuse to load when an import has no grant. Default false.", "type": "boolean" },
        }),
        &["source"],
    )
}

fn limits() -> Value {
    let properties: Map<_, _> = LIMIT_KEYS.iter().map(|key| (key.name.to_owned(), limit(key))).collect();
    object("What the component may use up. Every limit has a default.", Value::Object(properties), &[])
}

fn limit(key: &LimitKey) -> Value {
    match key.field {
        Field::Bytes { .. } => json!({ "$ref": "#/definitions/bytes", "description": key.doc }),
        Field::Time { .. } | Field::TimeIfAny { .. } => {
            json!({ "$ref": "#/definitions/duration", "description": key.doc })
        }
        Field::Count { least, .. } => {
            json!({ "description": key.doc, "type": "integer", "minimum": least, "maximum": MAX_COUNT })
        }
    }
}

fn route() -> Value {
    let mut route = object(
        "Which requests go where.",
        json!({
            "host": { "description": "The host name. Without it, every host that no other route names.", "type": "string" },
            "methods": { "$ref": "#/definitions/strings", "description": "HTTP methods in capitals. Without it, every method." },
            "path": {
                "description": "\"/about\", \"/users/:id\", or \"/files/*\" for everything below and /files itself.",
                "type": "string", "pattern": "^/|\\{\\{",
            },
            "to": { "description": "The name of a component or an upstream.", "type": "string" },
            "middleware": { "$ref": "#/definitions/strings", "description": "Components that a request goes through before its destination." },
            "rate": object(
                "How many requests it takes from one client; one too many is answered with 429.",
                json!({
                    "requests": { "description": "So many", "type": "integer", "minimum": 1 },
                    "per": { "$ref": "#/definitions/duration", "description": "in this time. Default 1s." },
                    "burst": { "description": "So many at once. Default: as many as `requests`.", "type": "integer", "minimum": 1 },
                    "by": { "description": "\"client\" (its address) or \"header:NAME\". Default client.", "type": "string" },
                }),
                &["requests"],
            ),
            "fallback": {
                "description": "The component or upstream that answers when `to` can't and nothing has left it.", "type": "string",
            },
            "rollout": rollout(),
            "static": { "description": "A directory of files to serve.", "type": "string" },
            "index": { "description": "With `static`: the file that answers for a directory. Default index.html.", "type": "string" },
            "spa": {
                "description": "With `static`: true, or a file, that answers for paths that don't exist.", "type": ["boolean", "string"],
            },
            "redirect": { "description": "A URL, or a path that begins with /.", "type": "string" },
            "status": { "description": "With `redirect`. Default 307.", "enum": [301, 302, 303, 307, 308] },
        }),
        &["path"],
    );
    let one = ["to", "static", "redirect"].map(|key| json!({ "required": [key] }));
    insert(&mut route, "oneOf", json!(one));
    let beside = json!({ "rollout": ["to"], "index": ["static"], "spa": ["static"], "status": ["redirect"] });
    insert(&mut route, "dependencies", beside);
    route
}

fn rollout() -> Value {
    let text = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    let list = |pattern: &str, doc: &str| {
        let one = text(pattern);
        json!({ "description": doc, "anyOf": [one.clone(), { "type": "array", "minItems": 1, "items": one }] })
    };
    let slo = object(
        "What the route has promised, whichever version answers.",
        json!({
            "errors": { "description": "At most this share of the requests fails: \"0.5%\".", "type": "string", "pattern": "%\\s*$|\\{\\{" },
            "p99": { "$ref": "#/definitions/duration", "description": "99 % of the answers begin within this time." },
        }),
        &[],
    );
    object(
        "How requests move from another version to `to`, with proof that it isn't worse.",
        json!({
            "from": { "description": "The component or upstream that answers today.", "type": "string" },
            "steps": list("^shadow |%|^ask$|^bake |\\{\\{", "\"shadow 20% for 10m\", \"1% for 5m\", \"50%\", \"ask\", \"bake 30m\"."),
            "slo": slo,
            "key": list("^(header|claim) |^cookie$|^address$|\\{\\{", "Where the key comes from that keeps a user on one version. Default cookie."),
            "tolerance": { "description": "How many times as often the new version may fail and still count as not worse. Default 2.", "type": "number", "minimum": 1.05, "maximum": 20 },
            "budget": { "description": "So many failed requests on the new version end the rollout.", "type": "integer", "minimum": 1, "maximum": 1_000_000_000 },
            "inconclusive": { "description": "When there isn't enough evidence. Default hold.", "enum": ["hold", "roll-back"] },
            "skew": { "$ref": "#/definitions/duration", "description": "How long a page of the old version may go on talking to it. Default 1h." },
            "ignore": list("^header |^\\$|\\{\\{", "What a comparison overlooks: \"header date\", \"$.items[*].id\"."),
        }),
        &["from"],
    )
}

fn upstream() -> Value {
    let restart = object(
        "How long to wait before the command is started again: doubling from `min` to `max`.",
        json!({ "min": { "$ref": "#/definitions/duration" }, "max": { "$ref": "#/definitions/duration" } }),
        &[],
    );
    object(
        "A server behind Coracle.",
        json!({
            "url": { "description": "Scheme, host and port, such as http://127.0.0.1:3000.", "type": "string" },
            "command": { "description": "A shell command that serves `url`: Coracle starts, watches and restarts it.", "type": "string" },
            "cwd": { "description": "Where the command runs. Default: beside the manifest.", "type": "string" },
            "env": { "$ref": "#/definitions/variables" },
            "health": { "description": "The path that answers 2xx when the upstream is well.", "type": "string", "pattern": "^/|\\{\\{" },
            "start_timeout": { "$ref": "#/definitions/duration", "description": "How long the command may take until it answers. Default 30s." },
            "restart": restart,
        }),
        &["url"],
    )
}

fn store(stores: &[(&str, Value)]) -> Value {
    let kinds: Vec<_> = stores.iter().map(|(kind, _)| *kind).collect();
    let each = stores.iter().map(|(kind, schema)| {
        let mut schema = schema.clone();
        if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            properties.insert("type".to_owned(), json!({ "const": kind }));
        }
        json!({ "if": { "properties": { "type": { "const": kind } }, "required": ["type"] }, "then": schema })
    });
    json!({
        "description": "A place for state.", "type": "object",
        "properties": { "type": { "description": "What kind of store it is.", "enum": kinds } },
        "required": ["type"], "allOf": each.collect::<Vec<_>>(),
    })
}
