//! `/`: 200, "hello from the candidate\n".

use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_future, wit_stream};

struct Service;

impl wasip3::exports::http::handler::Guest for Service {
    async fn handle(_request: Request) -> Result<Response, ErrorCode> {
        let (mut writer, body) = wit_stream::new();
        let (trailers, no_trailers) = wit_future::new(|| Ok(None));
        drop(trailers);
        let (response, _sent) = Response::new(Fields::new(), Some(body), no_trailers);
        wasip3::spawn(async move {
            writer.write_all(b"hello from the candidate\n".to_vec()).await;
        });
        Ok(response)
    }
}

wasip3::http::service::export!(Service);
