//! Attacks inside WebAssembly, chosen by `do=`: `recurse` without end, `bulk` copies 32 MiB at a time for ever, `message`
//! panics with a mebibyte to say, `exit` calls exit. Without `do`: 200 "alive\n".

use coracle_guests_contract::recurse;
use coracle_guests_p3::{Answer, service, target, text};
use wasip3::http::types::Request;

service!(handle);

async fn handle(request: Request) -> Answer {
    match target(&request).get("do") {
        Some("recurse") => Ok(text(200, recurse(1).to_string())),
        Some("bulk") => {
            let mut block = vec![1_u8; 48 << 20];
            loop {
                block.copy_within(..32 << 20, 16 << 20);
                std::hint::black_box(&mut block);
            }
        }
        Some("message") => panic!("{}", "on purpose ".repeat(100_000)),
        Some("exit") => std::process::exit(1),
        _ => Ok(text(200, "alive\n")),
    }
}
