//! Which route answers which request.

use crate::support::app_of;
use coracle_manifest::{RouteTable, Routed};

/// Routes as `METHODS HOST/PATH`; both may be missing.
fn table(routes: &[&str]) -> RouteTable {
    let mut text = "name = \"a\"\n[upstream.node]\nurl = \"http://127.0.0.1:3000\"\n".to_owned();
    for route in routes {
        let (methods, rest) = route.split_once(' ').unwrap_or(("", route));
        let (host, path) = rest.split_at(rest.find('/').unwrap());
        text += &format!("[[route]]\nto = \"node\"\npath = \"{path}\"\n");
        if !host.is_empty() {
            text += &format!("host = \"{host}\"\n");
        }
        if !methods.is_empty() {
            text += &format!("methods = [\"{}\"]\n", methods.replace(',', "\", \""));
        }
    }
    let (table, conflicts) = RouteTable::new(&app_of(&text, None).routes);
    assert_eq!(conflicts, []);
    table
}

/// Asserts that `request` (`METHOD HOST/PATH`) is answered as `expected`: an index with parameters, "405 ALLOW" or "404".
fn check(routes: &[&str], cases: &[(&str, &str)]) {
    let table = table(routes);
    for (request, expected) in cases {
        let (method, rest) = request.split_once(' ').unwrap_or(("GET", request));
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let found = match table.find(host, method, path) {
            Routed::Found { route, parameters } => {
                let mut text = routes[route].to_owned();
                for (name, value) in parameters {
                    text += &format!(" {name}={value}");
                }
                text
            }
            Routed::MethodNotAllowed { allow } => format!("405 {}", allow.join(",")),
            Routed::NotFound => "404".to_owned(),
        };
        assert_eq!(&found, expected, "{request}");
    }
}

#[test]
fn the_more_specific_segment_wins() {
    check(
        &["/*", "/:page", "/about", "/users/:id", "/users/me", "/users/:id/orders/:order", "/users/*"],
        &[
            ("/", "/*"),
            ("/about", "/about"),
            ("/about/", "/*"),
            ("/other", "/:page page=other"),
            ("/users", "/users/*"),
            ("/users/me", "/users/me"),
            ("/users/7", "/users/:id id=7"),
            ("/users/7/", "/users/*"),
            ("/users/7/orders/9", "/users/:id/orders/:order id=7 order=9"),
            ("/users/7/orders", "/users/*"),
            ("/users/me/orders/9", "/users/:id/orders/:order id=me order=9"),
            ("/x/y/z", "/*"),
            ("//", "/*"),
        ],
    );
}

#[test]
fn a_wildcard_takes_its_root() {
    check(
        &["/thumbs/*", "/a/b/"],
        &[
            ("/thumbs", "/thumbs/*"),
            ("/thumbs/", "/thumbs/*"),
            ("/thumbs/a/b", "/thumbs/*"),
            ("/thumbsup", "404"),
            ("/", "404"),
            ("/a/b/", "/a/b/"),
            ("/a/b", "404"),
            ("OPTIONS *", "404"),
        ],
    );
}

#[test]
fn a_route_that_does_not_take_the_method_is_passed_over() {
    check(
        &["GET /a/*", "POST /a/b", "/c", "GET /c", "PUT,DELETE /d"],
        &[
            ("GET /a/b", "GET /a/*"),
            ("POST /a/b", "POST /a/b"),
            ("PUT /a/b", "405 GET,POST"),
            ("HEAD /a/x", "GET /a/*"),
            ("POST /c", "/c"),
            ("GET /c", "GET /c"),
            ("HEAD /c", "GET /c"),
            ("GET /d", "405 DELETE,PUT"),
        ],
    );
}

#[test]
fn a_named_host_comes_first() {
    check(
        &["/*", "shop.example.com/cart", "/cart", "GET shop.example.com/x", "[::1]/six"],
        &[
            ("GET shop.example.com/cart", "shop.example.com/cart"),
            ("GET SHOP.example.COM.:8080/cart", "shop.example.com/cart"),
            ("GET other.example.com/cart", "/cart"),
            ("GET [::1]:80/cart", "/cart"),
            ("GET [::1]:80/six", "[::1]/six"),
            ("GET [::1]/six", "[::1]/six"),
            ("GET [::2]/six", "/*"),
            ("GET shop.example.com/more", "/*"),
            ("POST shop.example.com/x", "/*"),
        ],
    );
}

#[test]
fn percent_encoding_does_not_hide_a_path() {
    check(
        &["/admin/*", "/caf%C3%A9", "/files/:name", "/*"],
        &[
            ("/%61dmin/x", "/admin/*"),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/café", "/caf%C3%A9"),
            ("/files/a%2Fb", "/files/:name name=a/b"),
            ("/files/%ff", "/files/:name name=\u{fffd}"),
            ("/admin%2Fx", "/*"),
        ],
    );
}
