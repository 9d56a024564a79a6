//! Answers what the guest sees as JSON: method, scheme, authority, path_with_query, headers, env, args, directories.

use coracle_guests_contract::Seen;
use coracle_guests_p2::{answer, method, proxy};
use wasip2::cli::environment;
use wasip2::filesystem::preopens;
use wasip2::http::types::{IncomingRequest, ResponseOutparam, Scheme};

proxy!(handle);

fn handle(request: IncomingRequest, out: ResponseOutparam) {
    let seen = Seen {
        method: method(&request),
        scheme: request.scheme().map(|scheme| match scheme {
            Scheme::Http => "http".to_owned(),
            Scheme::Https => "https".to_owned(),
            Scheme::Other(name) => name,
        }),
        authority: request.authority(),
        path_with_query: request.path_with_query(),
        headers: request.headers().entries(),
        environment: environment::get_environment(),
        arguments: environment::get_arguments(),
        directories: preopens::get_directories().into_iter().map(|(_, name)| name).collect(),
    };
    answer(out, seen.reply());
}
