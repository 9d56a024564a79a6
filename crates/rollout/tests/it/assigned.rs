//! Which version a request gets.

use crate::support::{node, price};
use coracle_manifest::rollout::{KeySource, Share};
use coracle_rollout::assign::{Asked, Choice, Override, Reason, Split, bucket, choose, sign};
use coracle_rollout::version::Arm;
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, SystemTime};

fn split(points: u16) -> Split {
    let (old, new) = (node(), price("3f0a91c2e7d4aabb"));
    Split {
        id: "r7".into(),
        old_label: old.to_string(),
        new_label: new.to_string(),
        old,
        new,
        share: Share::from_basis_points(points),
        keys: vec![KeySource::Header("x-user".into()), KeySource::Claim("sub".into()), KeySource::Cookie],
        new_is_live: points > 0,
        old_until: None,
        skew: Duration::from_secs(3600),
        secret: None,
    }
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let one =
        |(name, value): &(&str, &str)| (HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
    pairs.iter().map(one).collect()
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

fn of(split: &Split, pairs: &[(&str, &str)], query: Option<&str>, dice: u128) -> Choice {
    let headers = headers(pairs);
    let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
    choose(split, &Asked { headers: &headers, query, client, secure: false }, now(), dice)
}

fn arm(split: &Split, pairs: &[(&str, &str)]) -> (Arm, Reason) {
    let choice = of(split, pairs, None, 1);
    (choice.arm, choice.why)
}

proptest! {
    #[test]
    fn whoever_is_on_the_new_version_stays_as_it_grows(key in "[a-z0-9]{1,20}", less in 0..10_000_u16, more in 0..=10_000_u16) {
        prop_assume!(less <= more);
        let at = |points| arm(&split(points), &[("x-user", &key)]).0;
        prop_assert!(at(less) == Arm::Old || at(more) == Arm::New);
        prop_assert_eq!(at(0), Arm::Old);
        prop_assert_eq!(at(10_000), Arm::New);
        prop_assert_eq!(at(more), if bucket("r7", &key) < more { Arm::New } else { Arm::Old });
    }

    #[test]
    fn no_head_of_a_request_breaks_it(name in "[a-z-]{1,20}", value in "[ -~]{0,60}", query in "[ -~]{0,40}", dice in any::<u128>()) {
        for name in [name.as_str(), "coracle-version-override", "cookie", "authorization", "x-coracle-version", "accept"] {
            of(&split(5000), &[(name, &value)], Some(&query), dice);
        }
    }
}

#[test]
fn shares_are_kept_and_salted() {
    let count =
        |salt: &str, points: u16| (0..100_000).filter(|user| bucket(salt, &format!("user-{user}")) < points).count();
    for (points, near) in [(100, 1000), (2500, 25_000), (5000, 50_000)] {
        let got = count("r1", points);
        assert!(got.abs_diff(near) < near / 10, "{got} of 100 000 at {points}");
    }
    let both = (0..100_000)
        .map(|user| format!("user-{user}"))
        .filter(|user| bucket("r1", user) < 1000 && bucket("r2", user) < 1000);
    assert!(both.count().abs_diff(1000) < 150, "being first once says nothing about the next time");
}

#[test]
fn the_first_source_that_has_a_key_gives_it() {
    // {"sub":"ada","n":7}
    let token = "Bearer x.eyJzdWIiOiJhZGEiLCJuIjo3fQ.y";
    let of = |pairs: &[(&str, &str)]| of(&split(5000), pairs, None, 1).key;
    let (ada, bob) = (of(&[("x-user", "ada")]), of(&[("x-user", "bob")]));
    assert!(ada.is_some() && ada != bob);
    assert_eq!(of(&[("authorization", token)]), ada, "the claim is the same key");
    assert_eq!(of(&[("x-user", "bob"), ("authorization", token)]), bob);
    assert_eq!(of(&[("cookie", "a=b; coracle-key=ada")]), ada);
    assert_eq!(of(&[("cookie", "coracle-key=bob; __Host-coracle-key=ada")]), ada, "only we can set this one");
    for broken in ["Bearer", "Bearer x", "Bearer x.!!.y", "Bearer x.bnVsbA.y", "Basic x.eyJzdWIiOiJhZGEifQ.y"] {
        assert_ne!(of(&[("authorization", broken)]), ada, "{broken}");
    }
}

#[test]
fn both_versions_get_the_cookies() {
    for points in [0, 5000, 10_000] {
        let choice = of(&split(points), &[("accept", "text/html,*/*")], None, 0xabc);
        let version = if choice.arm == Arm::New { "price@3f0a91c2e7d4" } else { "node" };
        assert_eq!(
            choice.cookies,
            [
                "coracle-key=00000000000000000000000000000abc; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"
                    .to_owned(),
                format!("coracle-version={version}; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax"),
            ]
        );
        let again = of(&split(points), &[("cookie", "coracle-key=00000000000000000000000000000abc")], None, 9);
        assert_eq!((again.arm, again.key, again.cookies), (choice.arm, choice.key, vec![]), "and stay where they are");
    }
    let headers = HeaderMap::new();
    let asked = Asked { headers: &headers, query: None, client: IpAddr::V4(Ipv4Addr::LOCALHOST), secure: true };
    let cookies = choose(&split(0), &asked, now(), 1).cookies;
    assert!(cookies[0].starts_with("__Host-coracle-key=") && cookies[0].ends_with("; Secure"), "{cookies:?}");
}

#[test]
fn the_address_only_counts_where_it_is_asked_for() {
    let by_address = Split { keys: vec![KeySource::Address], ..split(5000) };
    let choice = of(&by_address, &[], None, 1);
    assert_eq!((choice.key.is_some(), choice.cookies.len()), (true, 0));
    assert_eq!(of(&split(5000), &[], None, 1).cookies.len(), 1);
}

#[test]
fn an_override_works_at_nothing() {
    let name = "coracle-version-override";
    for (value, expected) in [
        ("price=\"new\"", Arm::New),
        ("price=new", Arm::New),
        ("price=\"3f0a91c2\"", Arm::New),
        ("price=\"price@3f0a91c2e7d4\"", Arm::New),
        ("a=\"old\", price=\"new\"", Arm::New),
        ("price=\"old\"", Arm::Old),
        ("price=\"node\"", Arm::Old),
    ] {
        assert_eq!(arm(&split(0), &[(name, value)]), (expected, Reason::Override), "{value}");
    }
    for value in ["other=\"new\"", "price=\"nonsense\"", "price", "price=(new)", "price=\"new", ""] {
        assert_eq!(arm(&split(0), &[(name, value)]), (Arm::Old, Reason::Share), "{value}");
    }
    let pairs = [(name, "price=new"), ("x-coracle-version", "node"), ("x-user", "ada")];
    assert_eq!(arm(&split(0), &pairs), (Arm::New, Reason::Override), "it outranks everything");
}

#[test]
fn with_a_secret_only_signed_overrides_count() {
    let split = Split { secret: Some(b"a secret".to_vec()), ..split(0) };
    let value = |secret: &[u8], version: &str, until| sign(secret, Override { name: "price", version, until }).unwrap();
    let arm = |value: &str| arm(&split, &[("coracle-version-override", value)]).0;
    let good = value(b"a secret", "new", 1_790_000_000);
    assert_eq!(arm(&good), Arm::New, "{good}");
    for bad in [
        "price=\"new\"".to_owned(),
        value(b"another", "new", 1_790_000_000),
        value(b"a secret", "new", 1_789_999_999),
        good.replace("1790000000", "1790000001"),
        value(b"a secret", "old", 1_790_000_000).replace("old", "new"),
    ] {
        assert_eq!(arm(&bad), Arm::Old, "{bad}");
    }
}

#[test]
fn a_page_talks_to_its_own_version() {
    let label = "price@3f0a91c2e7d4";
    let cookie = format!("coracle-version={label}");
    let pin = |split: &Split, pairs: &[(&str, &str)], query| {
        let choice = of(split, pairs, query, 1);
        (choice.arm, choice.why)
    };
    let half = split(1);
    let new = (Arm::New, Reason::Page);
    assert_eq!(pin(&half, &[("x-coracle-version", label)], None), new);
    assert_eq!(pin(&half, &[], Some("a=b&coracle-version=price%403f0a91c2e7d4")), new);
    assert_eq!(pin(&half, &[("cookie", &cookie)], None), new);
    let query = Some("coracle-version=node");
    assert_eq!(pin(&half, &[("cookie", &cookie)], query), (Arm::Old, Reason::Page), "the query before the cookie");
    assert_eq!(
        pin(&half, &[("x-coracle-version", label), ("cookie", &cookie)], query),
        new,
        "the header before the query"
    );
    let page = [("cookie", cookie.as_str()), ("sec-fetch-dest", "document"), ("x-user", "ada")];
    assert_eq!(pin(&half, &page, None).1, Reason::Share, "a page is assigned anew");
    let script = [("cookie", cookie.as_str()), ("sec-fetch-dest", "empty"), ("accept", "text/html"), ("x-user", "ada")];
    assert_eq!(pin(&half, &script, None), new);
    assert_eq!(
        pin(&split(0), &[("x-coracle-version", label)], None).1,
        Reason::Share,
        "what was taken back isn't pinned to"
    );
}

#[test]
fn a_page_of_the_old_version_is_answered_by_it_for_a_while() {
    let arm = |old_until| arm(&Split { old_until, ..split(10_000) }, &[("x-coracle-version", "node")]);
    assert_eq!(arm(None), (Arm::Old, Reason::Page));
    assert_eq!(arm(Some(now() + Duration::from_secs(1))), (Arm::Old, Reason::Page));
    assert_eq!(arm(Some(now())), (Arm::New, Reason::Share));
}
