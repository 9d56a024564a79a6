//! The library by itself, for trying it: `cargo run -p coracle-inventory --example inventory -- PATH [--json]`.

fn main() {
    let mut arguments = std::env::args().skip(1);
    let root = arguments.next().unwrap_or_else(|| ".".to_owned()).into();
    let rest: Vec<String> = arguments.collect();
    let options = coracle_inventory::Options { root, ..Default::default() };
    let started = std::time::Instant::now();
    let inventory = coracle_inventory::run(&options, &|progress| eprintln!("{progress:?}"));
    eprintln!("{:?}", started.elapsed());
    if rest.iter().any(|argument| argument == "--json") {
        println!("{}", serde_json::to_string_pretty(&inventory).unwrap_or_default());
    } else {
        println!("{}", coracle_inventory::report::table(&inventory, 20));
    }
}
