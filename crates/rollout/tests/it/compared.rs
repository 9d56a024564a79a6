//! Comparisons of two answers.

use coracle_rollout::diff::{Answer, Difference, Mask, Rules, Samples, compare};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let one =
        |(name, value): &(&str, &str)| (HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
    pairs.iter().map(one).collect()
}

fn bodies(old: &str, new: &str, rules: &[&str], mask: &Mask) -> Vec<Difference> {
    let none = HeaderMap::new();
    let rules = Rules::new(&rules.iter().map(|rule| (*rule).to_owned()).collect::<Vec<_>>());
    let answer = |body: &'static [u8]| Answer { status: 200, headers: &none, body: Some(body) };
    let leak = |text: &str| -> &'static [u8] { text.to_owned().into_bytes().leak() };
    compare(answer(leak(old)), answer(leak(new)), &rules, mask)
}

fn check(old: &str, new: &str, expected: &[&str]) {
    let found = bodies(old, new, &[], &Mask::default());
    let told: Vec<_> = found.iter().map(|one| format!("{}: {} → {}", one.place, one.old, one.new)).collect();
    assert_eq!(told, expected, "{old} and {new}");
}

#[test]
fn json_is_compared_field_by_field() {
    check(r#"{"a":1,"b":[1,2]}"#, r#"{ "b": [1, 2.0], "a": 1.0 }"#, &[]);
    check(r#"{"a":1}"#, r#"{"a":2}"#, &["$.a: one number → another number"]);
    check(r#"{"a":"secret"}"#, r#"{"a":null}"#, &["$.a: a string of 6 → null"]);
    check(r#"{"a":true}"#, r#"{"b":true}"#, &["$.a: true → nothing", "$.b: nothing → true"]);
    check(r#"{"i":[{"p":1},{"p":2}]}"#, r#"{"i":[{"p":3},{"p":4}]}"#, &["$.i[*].p: one number → another number"]);
    check("[1,2,3]", "[1,2]", &["$: a list of 3 → a list of 2"]);
    check(r#"{"a b":{"c":1}}"#, r#"{"a b":{}}"#, &[r#"$["a b"].c: a number → nothing"#]);
    check("{}", "not json", &["body: 2 bytes → 8 bytes"]);
    check("same", "same", &[]);
}

#[test]
fn status_and_headers_count_but_for_those_of_the_way() {
    let old = headers(&[
        ("content-type", "text/html"),
        ("date", "1"),
        ("etag", "\"a\""),
        ("set-cookie", "id=1"),
        ("via", "x"),
    ]);
    let new =
        headers(&[("content-type", "text/plain"), ("date", "2"), ("set-cookie", "id=2"), ("x-coracle-version", "n")]);
    let answer = |status, headers| Answer { status, headers, body: None };
    let found = compare(answer(200, &old), answer(404, &new), &Rules::default(), &Mask::default());
    let places: Vec<_> = found.iter().map(|one| (one.place.as_str(), one.old.as_str(), one.new.as_str())).collect();
    assert_eq!(
        places,
        [
            ("header content-type", "text/html", "text/plain"),
            ("header etag", "3 bytes", "nothing"),
            ("status", "200", "404")
        ]
    );
}

#[test]
fn rules_overlook_a_place_and_what_is_below() {
    let (old, new) =
        (r#"{"at":{"s":1},"ats":1,"i":[{"id":1,"p":1}]}"#, r#"{"at":{"s":2},"ats":2,"i":[{"id":2,"p":2}]}"#);
    let left =
        |rules: &[&str]| bodies(old, new, rules, &Mask::default()).into_iter().map(|one| one.place).collect::<Vec<_>>();
    assert_eq!(left(&[]), ["$.at.s", "$.ats", "$.i[*].id", "$.i[*].p"]);
    assert_eq!(left(&["$.at", "$.i[*].id"]), ["$.ats", "$.i[*].p"]);
    assert_eq!(left(&["$"]), Vec::<String>::new());
}

#[test]
fn what_the_old_version_says_differently_each_time_is_noise() {
    let mut mask = Mask::default();
    for at in 0..3 {
        let one = format!(r#"{{"id":{at},"price":7}}"#);
        mask.learn(&bodies(&one, r#"{"id":99,"price":7}"#, &[], &Mask::default()));
    }
    assert_eq!((mask.learnt_from, mask.places().collect::<Vec<_>>()), (3, vec![("$.id", 3)]));
    let found = bodies(r#"{"id":1,"price":7}"#, r#"{"id":2,"price":8}"#, &[], &mask);
    assert_eq!(found.iter().map(|one| one.place.as_str()).collect::<Vec<_>>(), ["$.price"]);
}

#[test]
fn examples_are_few_and_say_no_values() {
    let mut samples = Samples::default();
    for at in 0..1000 {
        let old = format!(r#"{{"name":"Ada Lovelace","f{at}":1}}"#);
        samples.add("GET /a", &bodies(&old, r#"{"name":"Grace Hopper"}"#, &[], &Mask::default()));
    }
    let places: Vec<_> = samples.places().collect();
    assert_eq!((places.len(), samples.left_out), (100, 901));
    let name = places.iter().find(|(place, _)| *place == "$.name").unwrap().1;
    assert_eq!((name.count, name.examples.len()), (1000, 5));
    assert!(!format!("{samples:?}").contains("Ada") && !format!("{samples:?}").contains("Grace"));
}

proptest! {
    #[test]
    fn any_two_bodies_and_bounded(old in ".{0,200}", new in ".{0,200}") {
        prop_assert!(bodies(&old, &new, &[], &Mask::default()).len() <= 50);
        prop_assert!(bodies(&old, &old, &[], &Mask::default()).is_empty());
    }
}

#[test]
fn deep_and_wide_bodies_end() {
    let deep = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(bodies(&deep(100), &deep(101), &[], &Mask::default()).len(), 1);
    let wide = |value: u32| {
        serde_json::to_string(
            &(0..10_000).map(|at| (format!("k{at}"), value)).collect::<std::collections::BTreeMap<_, _>>(),
        )
        .unwrap()
    };
    assert_eq!(bodies(&wide(1), &wide(2), &[], &Mask::default()).len(), 50);
}
