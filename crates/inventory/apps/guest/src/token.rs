//! `POST /token` of oauth2-mock-server 9.3.0 for client credentials: a token signed with RS256. The key is made once an
//! instance, as the server makes it once a process.

use crate::Answer;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::pkcs1v15::SigningKey;
use rsa::sha2::Sha256;
use rsa::signature::{SignatureEncoding as _, Signer as _};
use serde_json::json;
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

static KEY: LazyLock<Option<SigningKey<Sha256>>> = LazyLock::new(|| {
    let pem = std::fs::read_to_string("/content/key.pem").ok()?;
    Some(SigningKey::new(rsa::RsaPrivateKey::from_pkcs1_pem(&pem).ok()?))
});

pub fn issue(body: &str) -> Option<Answer> {
    let form: Vec<(String, String)> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    if field("grant_type") != Some("client_credentials") {
        return None;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    let scope = field("scope").unwrap_or("dummy");
    let head = json!({ "typ": "JWT", "kid": "component", "alg": "RS256" });
    let claims = json!({ "iss": "http://localhost", "iat": now, "exp": now + 3600, "nbf": now - 10, "scope": scope });
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(head.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
    let signature = KEY.as_ref()?.sign(text.as_bytes());
    let token = format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()));
    let body = json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": scope });
    Some(Answer { kind: "application/json; charset=utf-8", body: body.to_string() })
}
