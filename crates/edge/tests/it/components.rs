//! Components behind routes: what they see, and what a client sees when they fail.

use crate::case::both;
use crate::raw::exchange;
use coracle_telemetry::Outcome;
use http::{Request, StatusCode};
use http_body_util::Full;

#[tokio::test]
async fn a_guest_answers_and_is_recorded() {
    both("hello", "", async |mut app| {
        let reply = app.get("/x").await;
        assert_eq!((reply.status, reply.text()), (StatusCode::OK, "hello\n"));
        let record = app.record().await;
        assert_eq!((record.outcome, record.bytes_out), (Outcome::Complete, 6));
        assert_eq!(record.destination.as_deref(), Some("guest"));
        assert!(record.run.unwrap().cpu.as_nanos() > 0);
    })
    .await;
}

#[tokio::test]
async fn a_guest_sees_scheme_authority_and_path() {
    both("reflect", "", async |app| {
        let request = Request::get(app.url("/a/b?c=d")).header("host", "shop.example.com:8080");
        let request = request.header("x-one", "1").header("x-forwarded-for", "6.6.6.6");
        let reply = app.send(request.body(Full::default()).unwrap()).await;
        let seen: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(seen["scheme"].as_str().unwrap().to_lowercase(), "http");
        assert_eq!(seen["authority"], "shop.example.com:8080");
        assert_eq!(seen["path_with_query"], "/a/b?c=d");
        let headers = seen["headers"].to_string();
        assert!(
            headers.contains(r#"["x-one","1"]"#) && headers.contains(r#"["x-forwarded-for","127.0.0.1"]"#),
            "{headers}"
        );
        assert!(!headers.contains("6.6.6.6"), "{headers}");
    })
    .await;
}

#[tokio::test]
async fn a_trap_before_the_head_is_an_error_of_ours() {
    both("trap", "", async |mut app| {
        let reply = app.get("/?when=before").await;
        assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(reply.text().contains("urn:coracle:problem:trap"), "{}", reply.text());
        assert!(!reply.text().contains("purpose"), "the guest's words stay in the log");
        let record = app.record().await;
        assert_eq!(record.outcome, Outcome::Failed);
        assert!(record.error.is_some());
    })
    .await;
}

#[tokio::test]
async fn a_kill_after_the_head_resets_the_connection() {
    both("spin", "limits = { cpu_per_request = \"50ms\" }", async |mut app| {
        let reply = exchange(app.addr, "GET /?when=after HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(reply.starts_with("HTTP/1.1 200") && reply.contains("some\n"), "{reply}");
        assert!(!reply.contains("\r\n0\r\n\r\n"), "a truncated body looks complete: {reply}");
        let record = app.record().await;
        assert_eq!((record.status, record.outcome), (200, Outcome::Truncated));
        assert!(record.error.is_some());
    })
    .await;
}

#[tokio::test]
async fn a_trap_right_after_the_head_never_looks_complete() {
    both("trap", "", async |mut app| {
        let reply = exchange(app.addr, "GET /?when=after HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
        let record = app.record().await;
        // The trap may overtake the head on its way out of the guest.
        match record.status {
            200 => {
                assert!(!reply.contains("\r\n0\r\n\r\n"), "a truncated body looks complete: {reply}");
                assert_eq!(record.outcome, Outcome::Truncated);
            }
            status => {
                assert_eq!((status, record.outcome), (500, Outcome::Failed));
                assert!(!reply.contains("some"), "{reply}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn limits_have_statuses_of_their_own() {
    let limits = "limits = { cpu_per_request = \"50ms\", deadline = \"10s\", request_body = \"1KiB\", request_headers = \"4KiB\" }";
    both("spin", limits, async |app| {
        let reply = app.get("/?when=before").await;
        assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(reply.text().contains("problem:cpu-limit"), "{}", reply.text());
    })
    .await;
    both("echo", limits, async |app| {
        let reply = app.post("/", vec![b'x'; 2000]).await;
        assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE, "{}", reply.text());
        let request = Request::get(app.url("/")).header("x-long", "y".repeat(5000)).body(Full::default()).unwrap();
        assert_eq!(app.send(request).await.status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    })
    .await;
}
