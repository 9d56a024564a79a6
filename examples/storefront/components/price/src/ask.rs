//! What a client asks, checked; and how a request is refused. The sentences are the same as those of the Node
//! server (server/pricing/ask.js): `npm run parity` compares them.

use crate::quote::{Cart, Item, Place};
use crate::tables::{Country, Tables};
use http::StatusCode;
use serde_json::{Value, json};

const MAX_QTY: i64 = 999;
const MAX_ITEMS: usize = 50;

/// Why there is no quote.
pub struct Refusal {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: String,
    pub field: Option<String>,
    pub allow: Option<&'static str>,
}

impl Refusal {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), field: None, allow: None }
    }

    pub fn bad(code: &'static str, field: &str, message: impl Into<String>) -> Self {
        Self { field: Some(field.to_owned()), ..Self::new(StatusCode::BAD_REQUEST, code, message) }
    }

    pub fn no_such_page() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")
    }

    pub fn method(allow: &'static str) -> Self {
        let message = format!("use one of {allow}");
        Self { allow: Some(allow), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, "method", message) }
    }

    pub fn too_large(limit: usize) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", format!("the body is over {limit} bytes"))
    }

    /// The shop's own fault. `lib.rs` makes no response of it.
    pub fn broken(cause: impl ToString) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", cause.to_string())
    }

    pub fn json(&self) -> String {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let Some(field) = &self.field {
            error["field"] = json!(field);
        }
        json!({ "error": error }).to_string()
    }
}

/// `?country=&region=`
pub fn place<'t>(tables: &'t Tables, query: &str) -> Result<Place<'t>, Refusal> {
    place_of(tables, parameter(query, "country").as_deref(), parameter(query, "region").as_deref())
}

/// `/api/price/:sku?qty=&country=&region=`
pub fn single<'t>(tables: &'t Tables, sku: &str, query: &str) -> Result<Cart<'t>, Refusal> {
    let message = format!("there is no product \"{sku}\"");
    let product = tables.product(sku);
    let product = product.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "unknown_sku", message))?;
    let place = place(tables, query)?;
    let qty = match parameter(query, "qty") {
        None => 1,
        Some(text) if text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            quantity(text.parse().ok(), "qty")?
        }
        Some(_) => quantity(None, "qty")?,
    };
    Ok(Cart { place, items: vec![Item { product, qty }], code: None })
}

/// `{ "country": "DE", "region": null, "code": null, "items": [{ "sku": "rope-mat", "qty": 2 }] }`
pub fn cart<'t>(tables: &'t Tables, body: &[u8]) -> Result<Cart<'t>, Refusal> {
    let bad_json = || Refusal::new(StatusCode::BAD_REQUEST, "bad_json", "the body is not a JSON object");
    let body: Value = serde_json::from_slice(body).map_err(|_| bad_json())?;
    let body = body.as_object().ok_or_else(bad_json)?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let place = place_of(tables, text("country"), text("region"))?;

    let asked = body.get("items").and_then(Value::as_array);
    let asked = asked.filter(|items| !items.is_empty() && items.len() <= MAX_ITEMS);
    let message = format!("items must be a list of 1 to {MAX_ITEMS} items");
    let asked = asked.ok_or_else(|| Refusal::bad("bad_items", "items", message))?;
    let mut items = Vec::with_capacity(asked.len());
    for (index, item) in asked.iter().enumerate() {
        let sku = item.get("sku").and_then(Value::as_str).unwrap_or_default();
        let message = format!("there is no product \"{sku}\"");
        let product = tables.product(sku);
        let product = product.ok_or_else(|| Refusal::bad("unknown_sku", &format!("items[{index}].sku"), message))?;
        // 2.0 is a whole number in JSON
        let qty = item.get("qty").and_then(Value::as_f64).filter(|qty| qty.fract() == 0.0).map(|qty| qty as i64);
        items.push(Item { product, qty: quantity(qty, &format!("items[{index}].qty"))? });
    }

    let code = match text("code").map(str::trim).filter(|code| !code.is_empty()) {
        None => None,
        Some(typed) => {
            let found = tables.offers.codes.get_key_value(&typed.to_ascii_uppercase());
            let message = format!("there is no discount code \"{typed}\"");
            Some(found.ok_or_else(|| Refusal::bad("unknown_code", "code", message))?)
        }
    };
    Ok(Cart { place, items, code })
}

fn place_of<'t>(tables: &'t Tables, country: Option<&str>, region: Option<&str>) -> Result<Place<'t>, Refusal> {
    let bad = |message: String| Refusal::bad("bad_country", "country", message);
    let typed = country.unwrap_or_default();
    if typed.is_empty() {
        return Err(bad("country is missing, for example country=DE".to_owned()));
    }
    let found = tables.countries.get_key_value(&typed.to_ascii_uppercase());
    let (name, country) = found.ok_or_else(|| bad(format!("we do not ship to \"{typed}\"")))?;
    region_of(name, country, region.unwrap_or_default())
}

fn region_of<'t>(name: &'t str, country: &'t Country, typed: &str) -> Result<Place<'t>, Refusal> {
    let bad = |message: String| Refusal::bad("bad_region", "region", message);
    match country.rate {
        Some(rate) => Ok(Place { name, country, region: None, rate, special: &country.special }),
        None if typed.is_empty() => Err(bad(format!("{name} needs a region, for example region=NY"))),
        None => {
            let found = country.regions.get_key_value(&typed.to_ascii_uppercase());
            let (code, region) = found.ok_or_else(|| bad(format!("{name} has no region \"{typed}\"")))?;
            Ok(Place { name, country, region: Some(code), rate: region.rate, special: &region.special })
        }
    }
}

fn quantity(qty: Option<i64>, field: &str) -> Result<i64, Refusal> {
    let message = format!("qty must be a whole number from 1 to {MAX_QTY}");
    let qty = qty.filter(|qty| (1..=MAX_QTY).contains(qty));
    qty.ok_or_else(|| Refusal::bad("bad_quantity", field, message))
}

/// The first `name` of a query.
fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
