//! A WIT function for a TypeScript signature, where its types tell.

use crate::facts::Node;

/// `render: func(markdown: string) -> string`; absent when a type is missing or has no counterpart.
#[must_use]
pub fn function(node: &Node) -> Option<String> {
    if node.name.is_empty() {
        return None;
    }
    let mut params = Vec::new();
    for param in &node.params {
        params.push(format!("{}: {}", kebab(&param.name)?, of_type(param.kind.as_deref()?)?));
    }
    let returns = node.returns.as_deref()?;
    let returns = returns.strip_prefix("Promise<").and_then(|inner| inner.strip_suffix('>')).unwrap_or(returns);
    let result = if returns == "void" { String::new() } else { format!(" -> {}", of_type(returns)?) };
    Some(format!("{}: func({}){result}", kebab(&node.name)?, params.join(", ")))
}

fn of_type(kind: &str) -> Option<String> {
    let kind = kind.trim();
    if let Some(inner) = kind.strip_suffix("[]") {
        return Some(format!("list<{}>", of_type(inner)?));
    }
    if let Some(inner) = kind.strip_prefix("Array<").and_then(|inner| inner.strip_suffix('>')) {
        return Some(format!("list<{}>", of_type(inner)?));
    }
    for empty in ["| null", "| undefined"] {
        if let Some(inner) = kind.strip_suffix(empty) {
            return Some(format!("option<{}>", of_type(inner)?));
        }
    }
    Some(match kind {
        "string" => "string".to_owned(),
        "number" => "f64".to_owned(),
        "boolean" => "bool".to_owned(),
        "bigint" => "s64".to_owned(),
        "Uint8Array" | "Buffer" | "ArrayBuffer" => "list<u8>".to_owned(),
        "Float64Array" => "list<f64>".to_owned(),
        "Float32Array" => "list<f32>".to_owned(),
        "Int32Array" => "list<s32>".to_owned(),
        "Uint32Array" => "list<u32>".to_owned(),
        _ => return None,
    })
}

/// A WIT name: words of lower-case letters and digits, joined by hyphens, each beginning with a letter.
fn kebab(name: &str) -> Option<String> {
    let mut out = String::new();
    for c in name.chars() {
        match c {
            'a'..='z' | '0'..='9' => out.push(c),
            'A'..='Z' => {
                if !out.is_empty() && !out.ends_with('-') {
                    out.push('-');
                }
                out.push(c.to_ascii_lowercase());
            }
            '_' | '$' => {}
            _ => return None,
        }
    }
    let good = !out.is_empty() && out.split('-').all(|word| word.starts_with(|c: char| c.is_ascii_lowercase()));
    good.then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_that_have_a_counterpart_become_wit() {
        assert_eq!(of_type("Uint8Array").as_deref(), Some("list<u8>"));
        assert_eq!(of_type("string[] | null").as_deref(), Some("option<list<string>>"));
        assert_eq!(of_type("Map<string, Order>"), None);
        assert_eq!(kebab("renderHTML").as_deref(), Some("render-h-t-m-l"));
        assert_eq!(kebab("{ a }"), None);
    }
}
