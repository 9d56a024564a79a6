//! What the guests `bench_*` do: work that teams really move out of Node, each as a function of bytes, with the libraries
//! people take for it. The same in Node stands in bench/node/work.mjs, in TypeScript and Python in ../js and ../py.

use std::io::Cursor;
use std::sync::OnceLock;

use image::ImageReader;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;
use serde_json::{Value, json};

const SECRET: &[u8] = b"a secret of the bench that is 32";
const PUBLIC_KEY: &[u8] = include_bytes!("../data/rs256.pub.pem");
const SCHEMA: &str = include_str!("../data/order.schema.json");

/// Greater edge of a thumbnail, in pixels.
const EDGE: u32 = 256;
/// Of the thumbnail's JPEG, in percent.
const QUALITY: u8 = 80;

/// A JSON document of about 16 KiB, built and written anew.
pub fn document() -> Vec<u8> {
    let item = |index: u32| {
        json!({
            "id": index,
            "name": format!("part {index}"),
            "price": index * 37 % 1000,
            "stock": index % 7 != 0,
            "tags": ["bench", if index % 2 == 0 { "even" } else { "odd" }],
        })
    };
    serde_json::to_vec(&json!({ "items": (0..214).map(item).collect::<Vec<_>>() })).expect("JSON can be written")
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
}

/// Who a bearer token is about, if its signature is right: `HS256` by the secret, `RS256` by the public key.
pub fn verify(token: &str) -> Result<String, String> {
    static KEYS: OnceLock<[DecodingKey; 2]> = OnceLock::new();
    let [secret, public] = KEYS.get_or_init(|| {
        [DecodingKey::from_secret(SECRET), DecodingKey::from_rsa_pem(PUBLIC_KEY).expect("the key is valid")]
    });
    let algorithm = jsonwebtoken::decode_header(token).map_err(|error| error.to_string())?.alg;
    let key = match algorithm {
        Algorithm::HS256 => secret,
        Algorithm::RS256 => public,
        other => return Err(format!("{other:?} is not accepted")),
    };
    let claims = decode::<Claims>(token, key, &Validation::new(algorithm)).map_err(|error| error.to_string())?;
    Ok(claims.claims.sub)
}

/// Whether a JSON document follows the schema of orders.
pub fn validate(document: &[u8]) -> Result<bool, String> {
    static VALIDATOR: OnceLock<jsonschema::Validator> = OnceLock::new();
    let validator = VALIDATOR.get_or_init(|| {
        let schema = serde_json::from_str(SCHEMA).expect("the schema is JSON");
        jsonschema::validator_for(&schema).expect("the schema is valid")
    });
    let document: Value = serde_json::from_slice(document).map_err(|error| error.to_string())?;
    Ok(validator.is_valid(&document))
}

/// Markdown as HTML.
pub fn markdown(text: &str) -> String {
    let mut html = String::with_capacity(text.len() * 3 / 2);
    pulldown_cmark::html::push_html(
        &mut html,
        pulldown_cmark::Parser::new_ext(text, pulldown_cmark::Options::ENABLE_TABLES),
    );
    html
}

/// A JPEG made smaller.
pub fn thumbnail(jpeg: &[u8]) -> Result<Vec<u8>, String> {
    let image = ImageReader::with_format(Cursor::new(jpeg), image::ImageFormat::Jpeg).decode();
    let image = image.map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    let small = image.resize(EDGE, EDGE, FilterType::Triangle);
    small.write_with_encoder(JpegEncoder::new_with_quality(&mut out, QUALITY)).map_err(|error| error.to_string())?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_verified() {
        for token in [include_str!("../data/hs256.jwt"), include_str!("../data/rs256.jwt")] {
            let token = token.trim();
            assert_eq!(verify(token).unwrap(), "user-42");
            let (body, _) = token.rsplit_once('.').unwrap();
            assert!(verify(&format!("{body}.AAAA")).is_err());
        }
    }

    #[test]
    fn orders_are_validated() {
        let order = include_bytes!("../data/order.json");
        assert_eq!(validate(order), Ok(true));
        let mut wrong: Value = serde_json::from_slice(order).unwrap();
        wrong["customer"]["email"] = json!(7);
        assert_eq!(validate(&serde_json::to_vec(&wrong).unwrap()), Ok(false));
    }

    #[test]
    fn markdown_becomes_html() {
        assert!(markdown("# a\n\n| b | c |\n|---|---|\n| d | e |\n").contains("<table>"));
        assert!((16_000..17_000).contains(&document().len()), "{}", document().len());
    }
}
