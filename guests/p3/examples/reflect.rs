//! Answers what the guest sees as JSON: method, scheme, authority, path_with_query, headers, env, args, directories.

use coracle_guests_contract::Seen;
use coracle_guests_p3::{Answer, answer, method, service};
use wasip3::cli::environment;
use wasip3::filesystem::preopens;
use wasip3::http::types::{Request, Scheme};

service!(handle);

async fn handle(request: Request) -> Answer {
    let seen = Seen {
        method: method(&request),
        scheme: request.get_scheme().map(|scheme| match scheme {
            Scheme::Http => "http".to_owned(),
            Scheme::Https => "https".to_owned(),
            Scheme::Other(name) => name,
        }),
        authority: request.get_authority(),
        path_with_query: request.get_path_with_query(),
        headers: request.get_headers().copy_all(),
        environment: environment::get_environment(),
        arguments: environment::get_arguments(),
        directories: preopens::get_directories().into_iter().map(|(_, name)| name).collect(),
    };
    Ok(answer(seen.reply()))
}
