//! The work itself, on the same inputs as in kernels.mjs.

use serde_json::{Value, json};
use std::io::Write as _;
use std::sync::LazyLock;

type Kernel = Box<dyn Fn() -> usize>;

pub fn kernel(name: &str) -> Option<Kernel> {
    Some(match name {
        "levenshtein" => Box::new(|| levenshtein(black(WORDS.0.as_str()), black(WORDS.1.as_str()))),
        "matrix" => Box::new(matrix),
        "crc32" => Box::new(|| crc32(TEXT.as_bytes()) as usize),
        "slugs" => Box::new(|| LINES.iter().map(|line| slug(line).len()).sum()),
        "regex" => Box::new(|| WORD.find_iter(&TEXT).map(|found| found.len()).sum()),
        "json" => Box::new(|| {
            let value: Value = serde_json::from_str(&JSON).unwrap_or_default();
            serde_json::to_string(&value).unwrap_or_default().len()
        }),
        "papaparse" => Box::new(|| {
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(CSV.as_bytes());
            reader.records().flatten().map(|row| row.len()).sum()
        }),
        "fast-xml-parser" => Box::new(xml),
        "bcryptjs" => Box::new(|| bcrypt::verify("secret", BCRYPT).is_ok_and(|good| good).into()),
        "jsonwebtoken" => Box::new(jwt),
        "pako" => Box::new(|| {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            let _ = out.write_all(CSV.as_bytes());
            out.finish().unwrap_or_default().len()
        }),
        "marked" => Box::new(|| {
            let mut html = String::new();
            pulldown_cmark::html::push_html(&mut html, pulldown_cmark::Parser::new_ext(&MARKDOWN, pulldown_cmark::Options::ENABLE_TABLES));
            html.len()
        }),
        "ajv" => Box::new(|| SCHEMA.is_valid(&DOCUMENT).into()),
        "handlebars" => Box::new(|| TEMPLATE.render("t", &*DOCUMENT).unwrap_or_default().len()),
        "qrcode" => Box::new(|| {
            let code = qrcode::QrCode::with_error_correction_level("https://example.com/a/rather/long/address?with=a&query=string", qrcode::EcLevel::M);
            code.map_or(0, |code| code.render::<qrcode::render::svg::Color>().build().len())
        }),
        _ => return None,
    })
}

fn black<T>(value: T) -> T {
    std::hint::black_box(value)
}

static WORDS: LazyLock<(String, String)> = LazyLock::new(|| ("kitten sitting ".repeat(12), "sitting kitten ".repeat(12)));
static TEXT: LazyLock<String> = LazyLock::new(|| "The quick brown fox jumps over the lazy dog, 42 times a day. ".repeat(200));
static LINES: LazyLock<Vec<String>> = LazyLock::new(|| (0..200).map(|i| format!("  Héllo, Wörld: item No. {i} – a Title!  ")).collect());
static WORD: LazyLock<regex::Regex> = LazyLock::new(|| regex::Regex::new(r"[a-z]+(?:ox|og|wn)\b|[0-9]+").expect("the pattern is right"));
static JSON: LazyLock<String> = LazyLock::new(|| DOCUMENT.to_string());
static CSV: LazyLock<String> = LazyLock::new(|| (0..400).map(|i| format!("{i},\"name, with comma {i}\",{}.5,plain text\n", i * 3)).collect());
static XML: LazyLock<String> = LazyLock::new(|| {
    let items: String = (0..200).map(|i| format!("<item id=\"{i}\"><name>Name {i}</name><price>{i}.50</price></item>")).collect();
    format!("<list>{items}</list>")
});
static MARKDOWN: LazyLock<String> = LazyLock::new(|| {
    "# Title\n\nSome *text* with **bold**, `code` and [links](http://example.com).\n\n- one\n- two\n  - three\n\n> quoted\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n".repeat(20)
});
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let items: Vec<Value> = (0..100).map(|i| json!({ "sku": format!("item-{i}"), "qty": i % 9 + 1, "price": f64::from(i) * 1.25, "tags": ["a", "b"] })).collect();
    json!({ "name": "An order", "email": "someone@example.com", "items": items })
});
static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let schema = json!({ "type": "object", "required": ["name", "items"], "properties": {
        "name": { "type": "string", "maxLength": 100 },
        "items": { "type": "array", "items": { "type": "object", "required": ["sku", "qty"], "properties": {
            "sku": { "type": "string", "pattern": "^[a-z0-9-]+$" }, "qty": { "type": "integer", "minimum": 1, "maximum": 9 },
            "price": { "type": "number" }, "tags": { "type": "array", "items": { "type": "string" } } } } } } });
    jsonschema::validator_for(&schema).expect("the schema is right")
});
static TEMPLATE: LazyLock<handlebars::Handlebars<'static>> = LazyLock::new(|| {
    let mut templates = handlebars::Handlebars::new();
    let text = "<h1>{{name}}</h1>{{#each items}}<p>{{sku}}: {{qty}} at {{price}}</p>{{/each}}";
    templates.register_template_string("t", text).expect("the template is right");
    templates
});
const BCRYPT: &str = include_str!("../bcrypt.txt");
const TOKEN: &str = include_str!("../token.txt");

fn levenshtein(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            row.push((row[j] + 1).min(before[j + 1] + 1).min(before[j] + usize::from(x != y)));
        }
        before = row;
    }
    before[b.len()]
}

fn matrix() -> usize {
    const N: usize = 64;
    let a: Vec<f64> = (0..N * N).map(|i| (i % 17) as f64).collect();
    let b: Vec<f64> = (0..N * N).map(|i| (i % 13) as f64).collect();
    let mut c = vec![0.0; N * N];
    for i in 0..N {
        for j in 0..N {
            let mut sum = 0.0;
            for k in 0..N {
                sum += a[i * N + k] * b[k * N + j];
            }
            c[i * N + j] = sum;
        }
    }
    black(c)[N] as usize
}

fn crc32(bytes: &[u8]) -> u32 {
    static TABLE: LazyLock<[u32; 256]> = LazyLock::new(|| {
        std::array::from_fn(|n| (0..8).fold(n as u32, |c, _| if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 }))
    });
    !bytes.iter().fold(!0_u32, |crc, byte| (crc >> 8) ^ TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize])
}

fn slug(text: &str) -> String {
    let mut out = String::new();
    for c in text.trim().chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            out.push(c);
        } else if !out.ends_with('-') {
            out.push('-');
        }
    }
    out
}

/// Into a tree, as fast-xml-parser does.
fn xml() -> usize {
    #[derive(serde::Deserialize)]
    struct List {
        item: Vec<Item>,
    }
    #[derive(serde::Deserialize)]
    struct Item {
        #[serde(rename = "@id")]
        id: u32,
        name: String,
        price: f64,
    }
    let list: Result<List, _> = quick_xml::de::from_str(&XML);
    list.map_or(0, |list| list.item.iter().map(|item| item.name.len() + item.id as usize + item.price as usize).sum())
}

fn jwt() -> usize {
    let key = jsonwebtoken::DecodingKey::from_secret(b"secret");
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    jsonwebtoken::decode::<Value>(TOKEN.trim(), &key, &validation).map_or(0, |token| token.claims.to_string().len())
}
