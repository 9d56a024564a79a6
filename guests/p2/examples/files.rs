//! wasi:filesystem: `?read=/path`, `?write=/path` (the body; creates or replaces), `?delete=/path`, `?list=/dir`, `?preopens`.
//! An error is its code's name, with 403, 404 or 500; 404 too when no preopened directory holds the path.

use coracle_guests_contract::{Reply, code, file_status, preopen};
use coracle_guests_p2::{CHUNK, Source, answer, proxy, target, write as write_all};
use wasip2::filesystem::preopens;
use wasip2::filesystem::types::{
    Descriptor, DescriptorFlags, DescriptorType, ErrorCode, OpenFlags, PathFlags, filesystem_error_code,
};
use wasip2::http::types::{IncomingRequest, ResponseOutparam};
use wasip2::io::streams::StreamError;

proxy!(handle);

fn handle(request: IncomingRequest, out: ResponseOutparam) {
    let target = target(&request);
    let reply = match target.pairs().first().map(|(name, path)| (name.as_str(), path.as_str())) {
        Some(("read", path)) => read(path),
        Some(("write", path)) => write(path, &Source::of(&request)),
        Some(("delete", path)) => delete(path),
        Some(("list", path)) => list(path),
        Some(("preopens", _)) => {
            Ok(Reply::text(200, lines(preopens::get_directories().into_iter().map(|(_, name)| name))))
        }
        _ => Ok(Reply::text(400, "use ?read=, ?write=, ?delete=, ?list= or ?preopens")),
    };
    answer(out, reply.unwrap_or_else(|reply| reply));
}

fn refused(error: ErrorCode) -> Reply {
    let name = code(error.name());
    Reply::text(file_status(&name), name)
}

fn broken(error: StreamError) -> Reply {
    match error {
        StreamError::Closed => Reply::text(500, "Closed"),
        StreamError::LastOperationFailed(error) => {
            filesystem_error_code(&error).map_or_else(|| Reply::text(500, error.to_debug_string()), refused)
        }
    }
}

fn lines(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<_> = names.map(|name| name + "\n").collect();
    names.sort();
    names.concat()
}

/// The preopened directory of a path, and the rest of the path.
fn resolve(path: &str) -> Result<(Descriptor, &str), Reply> {
    let mut directories = preopens::get_directories();
    let names: Vec<_> = directories.iter().map(|(_, name)| name.as_str()).collect();
    let (index, rest) = preopen(&names, path).ok_or_else(|| Reply::text(404, "no preopened directory"))?;
    Ok((directories.swap_remove(index).0, rest))
}

fn open(path: &str, how: OpenFlags, rights: DescriptorFlags) -> Result<Descriptor, Reply> {
    let (directory, rest) = resolve(path)?;
    directory.open_at(PathFlags::SYMLINK_FOLLOW, rest, how, rights).map_err(refused)
}

fn read(path: &str) -> Result<Reply, Reply> {
    let file = open(path, OpenFlags::empty(), DescriptorFlags::READ)?;
    let stream = file.read_via_stream(0).map_err(refused)?;
    let mut content = Vec::new();
    loop {
        match stream.blocking_read(CHUNK) {
            Ok(chunk) => content.extend_from_slice(&chunk),
            Err(StreamError::Closed) => return Ok(Reply::bytes(content)),
            Err(error) => return Err(broken(error)),
        }
    }
}

fn write(path: &str, content: &Source) -> Result<Reply, Reply> {
    let file = open(path, OpenFlags::CREATE | OpenFlags::TRUNCATE, DescriptorFlags::WRITE)?;
    let stream = file.write_via_stream(0).map_err(refused)?;
    while let Some(chunk) = content.next().map_err(|error| Reply::text(400, error))? {
        write_all(&stream, &chunk).map_err(broken)?;
    }
    stream.blocking_flush().map_err(broken)?;
    Ok(Reply::done())
}

fn delete(path: &str) -> Result<Reply, Reply> {
    let (directory, rest) = resolve(path)?;
    directory.unlink_file_at(rest).map_err(refused)?;
    Ok(Reply::done())
}

fn list(path: &str) -> Result<Reply, Reply> {
    let directory = open(path, OpenFlags::DIRECTORY, DescriptorFlags::READ)?;
    let entries = directory.read_directory().map_err(refused)?;
    let mut names = Vec::new();
    while let Some(entry) = entries.read_directory_entry().map_err(refused)? {
        names.push(match entry.type_ {
            DescriptorType::Directory => entry.name + "/",
            _ => entry.name,
        });
    }
    Ok(Reply::text(200, lines(names.into_iter())))
}
